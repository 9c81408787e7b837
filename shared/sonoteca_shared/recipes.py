"""What a sound can be converted to, and the recipe that says how: formats, their limits, options.

Formats are rows of one table. What a recipe leaves out is as in the sound that is converted, or
the nearest thing that the format has.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from sonoteca_shared.errors import BadRequestError

FLOAT = "float"
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_AAC_RATES = (7_350, *_MP3_RATES, 64_000, 88_200, 96_000)
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_LEAST_RATE, _MOST_RATE = 1_000, 768_000
_QUIETEST, _LOUDEST = -70.0, 0.0
_WHOLE = re.compile(r"[0-9]{1,9}")
_BITRATE = re.compile(r"([0-9]{1,7})(k?)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?([0-9]{1,12}(\.[0-9]{0,12})?|\.[0-9]{1,12})")


@dataclass(frozen=True, slots=True)
class Target:
    """A format that sounds are converted to, and what it can hold."""

    name: str
    media_type: str
    channels: int
    """The most that it has."""
    depths: tuple[str, ...] = ()
    """Bits of a sample, where samples are kept as they are."""
    bitrates: tuple[int, int] | None = None
    """The fewest and the most bits a second, where they are not."""
    rates: tuple[int, ...] = ()
    """The sample rates that it knows; none where it takes any."""
    most_rate: int = _MOST_RATE


TARGETS = {
    target.name: target
    for target in (
        Target("wav", "audio/wav", 64, ("8", "16", "24", "32", FLOAT)),
        Target("flac", "audio/flac", 8, ("16", "24"), most_rate=655_350),
        Target("mp3", "audio/mpeg", 2, bitrates=(8_000, 320_000), rates=_MP3_RATES),
        Target("ogg", "audio/ogg", 8, bitrates=(16_000, 1_000_000), most_rate=192_000),
        Target("opus", "audio/ogg; codecs=opus", 8, bitrates=(6_000, 510_000), rates=_OPUS_RATES),
        Target("m4a", "audio/mp4", 8, bitrates=(16_000, 1_000_000), rates=_AAC_RATES),
        Target("aiff", "audio/aiff", 64, ("8", "16", "24", "32", FLOAT)),
    )
}


class Recipe(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a sound is converted. Rates in Hz and bits a second, places in seconds."""

    format: str
    samplerate: int | None = None
    channels: int | None = None
    bitdepth: str | None = None
    """Bits of a sample, or `float` for those of 32 bits."""
    bitrate: int | None = None
    start: float = 0.0
    end: float | None = None
    normalize_lufs: float | None = None

    @property
    def target(self) -> Target:
        """The format."""
        return TARGETS[self.format]


OPTIONS = Recipe.__struct_fields__


def texts_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as JSON has them, written as people type them; null is as if it were not there."""
    return {name: _text(name, value) for name, value in options.items() if value is not None}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Whatever is no number that an option takes is named by the option's reader.
        return f"{Decimal(repr(value)):f}"
    raise BadRequestError(f"“{name[:100]}” takes a text or a number")


def parse_recipe(given: Mapping[str, str], offered: Collection[str] = TARGETS) -> Recipe:
    """The recipe that these options are, as people type them; those that are empty do not count.

    BadRequestError names the option that is wrong, and what it takes.
    """
    texts = {name: text.strip() for name, text in given.items() if text.strip()}
    if unknown := texts.keys() - set(OPTIONS):
        name = sorted(unknown)[0]
        raise BadRequestError(f"there is no option “{name[:100]}”{_nearest(name, OPTIONS)}")
    target = _target(texts.pop("format", ""), offered)
    values: dict[str, Any] = {name: _READERS[name](text, target) for name, text in texts.items()}
    recipe = Recipe(format=target.name, **values)
    if recipe.end is not None and recipe.end <= recipe.start:
        raise BadRequestError(
            f"“end” ({recipe.end:g} seconds) has to come after “start” ({recipe.start:g} seconds)"
        )
    return recipe


def _target(name: str, offered: Collection[str]) -> Target:
    known = [each for each in TARGETS if each in offered]
    if name.lower() in known:
        return TARGETS[name.lower()]
    if not name:
        raise BadRequestError(f"say with “format” what to convert to: {', '.join(known)}")
    raise BadRequestError(f"“format” knows no “{name[:100]}”{_nearest(name, known)}")


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    guess = f"; did you mean “{near[0]}”?" if near else ";"
    return f"{guess} known are: {', '.join(known)}"


def _samplerate(text: str, target: Target) -> int:
    rate = _whole("samplerate", text)
    if target.rates and rate not in target.rates:
        known = ", ".join(map(str, target.rates))
        raise BadRequestError(f"“samplerate” of {target.name} is one of {known}, not {rate}")
    if not _LEAST_RATE <= rate <= target.most_rate:
        raise BadRequestError(
            f"“samplerate” of {target.name} is between {_LEAST_RATE} and {target.most_rate}, "
            f"not {rate}"
        )
    return rate


def _channels(text: str, target: Target) -> int:
    count = _whole("channels", text)
    if not 1 <= count <= target.channels:
        raise BadRequestError(
            f"“channels” of {target.name} is between 1 and {target.channels}, not {count}"
        )
    return count


def _bitdepth(text: str, target: Target) -> str:
    if not target.depths:
        raise BadRequestError(f"{target.name} has no “bitdepth”; say “bitrate” instead")
    if text.lower() not in target.depths:
        known = ", ".join(target.depths)
        raise BadRequestError(f"“bitdepth” of {target.name} is one of {known}, not “{text[:100]}”")
    return text.lower()


def _bitrate(text: str, target: Target) -> int:
    if target.bitrates is None:
        raise BadRequestError(f"{target.name} has no “bitrate”; say “bitdepth” instead")
    found = _BITRATE.fullmatch(text)
    least, most = target.bitrates
    rate = int(found[1]) * (1_000 if found[2] else 1) if found else -1
    if not least <= rate <= most:
        raise BadRequestError(
            f"“bitrate” of {target.name} is between {least // 1000}k and {most // 1000}k bits "
            f"a second, not “{text[:100]}”"
        )
    return rate


def _start(text: str, _target: Target) -> float:
    return _seconds("start", text)


def _end(text: str, _target: Target) -> float:
    return _seconds("end", text)


def _normalize_lufs(text: str, _target: Target) -> float:
    level = _number("normalize_lufs", text, "a loudness in LUFS, such as -23")
    if not _QUIETEST < level < _LOUDEST:
        raise BadRequestError(
            f"“normalize_lufs” is between {_QUIETEST:g} and {_LOUDEST:g}, not {level:g}"
        )
    return level


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise BadRequestError(f"“{name}” takes a whole number, not “{text[:100]}”")
    return int(text)


def _seconds(name: str, text: str) -> float:
    value = _number(name, text, "a number of seconds")
    if value < 0:
        raise BadRequestError(f"“{name}” is {value:g} seconds; it cannot be negative")
    return value


def _number(name: str, text: str, what: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise BadRequestError(f"“{name}” takes {what}, not “{text[:100]}”")
    return value


_READERS: dict[str, Callable[[str, Target], Any]] = {
    "samplerate": _samplerate,
    "channels": _channels,
    "bitdepth": _bitdepth,
    "bitrate": _bitrate,
    "start": _start,
    "end": _end,
    "normalize_lufs": _normalize_lufs,
}

# Read once here: two threads that read the first one at the same time crash msgspec.
msgspec.json.decode(b'{"format":"wav"}', type=Recipe)
