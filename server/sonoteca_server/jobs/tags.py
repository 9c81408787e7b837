"""What a WAV says of itself, by the names that ffmpeg gives such texts in every format."""

from __future__ import annotations

from sonoteca_shared.models import Metadata
from sonoteca_shared.recipes import Recipe

_MOST = 4_000
_INFO = {
    "title": "INAM",
    "artist": "IART",
    "album": "IPRD",
    "comment": "ICMT",
    "date": "ICRD",
    "genre": "IGNR",
    "copyright": "ICOP",
    "track": "ITRK",
    "language": "ILNG",
}
_BEXT = ("description", "originator", "originator_reference", "origination_date",
         "origination_time", "coding_history")  # fmt: skip
_PRODUCTION = ("project", "scene", "take", "tape", "note")
TIME_REFERENCE = "time_reference"


def tags_of(metadata: Metadata) -> dict[str, str]:
    """The texts of a WAV by ffmpeg's names; what stands in two places is taken from the first."""
    info, bext = metadata.embedded.info, metadata.embedded.bext
    tags = {name: info.get(field, "") for name, field in _INFO.items()}
    tags |= {name: getattr(metadata.production, name) for name in _PRODUCTION}
    if bext is not None:
        tags |= {name: getattr(bext, name) for name in _BEXT}
        tags[TIME_REFERENCE] = str(bext.time_reference or "")
        tags["artist"] = tags["artist"] or bext.originator
        tags["comment"] = tags["comment"] or bext.description
    tags["date"] = tags["date"] or metadata.recorded.partition("T")[0]
    return {name: kept for name, text in tags.items() if (kept := _clean(text))}


def moved(tags: dict[str, str], recipe: Recipe, samplerate: int) -> dict[str, str]:
    """The texts as they are true of the result: it begins later, and counts in other samples."""
    if TIME_REFERENCE not in tags:
        return tags
    seconds = int(tags[TIME_REFERENCE]) / samplerate + recipe.start
    return tags | {TIME_REFERENCE: str(round(seconds * (recipe.samplerate or samplerate)))}


def _clean(text: str) -> str:
    """The text as an argument of a program can be."""
    return text.replace("\0", "").strip()[:_MOST]
