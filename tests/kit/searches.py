"""Searches of every kind, and two hundred sounds that have most things in common with others."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st

from sonoteca_shared.models import Finding, Loudness, Marker
from tests.kit import sounds
from tests.kit.oracle import Record

# Words that engines cut, fold or read as something else, among plain ones.
WORDS = ["rain", "Rain", "tin", "roof", "rainy", "café", "cafe", "12e", "12e5", "1e", "007", "x²y",
         "x", "²", "ß", "STRASSE", "雨", "雨音", "Ё", "ёлка", "𞤀𞤁", "a𞤀", "٣", "0x1f", "www", "e5",
         "or", "AND", "near", "µs"]  # fmt: skip
TAGS = ["rain", "Rain", "car door", "car", "wood", "Ünder", "100%", "a_b"]
FOLDERS = ["", "day 1", "day 1/b", "day 10", "DAY 1", "day", "Ö/2"]
COLLECTIONS = ["Film 1", "film 10", "Best of"]


def catalogue() -> list[Record]:
    """Two hundred sounds that have most things in common with some others."""
    chance = random.Random(7)
    made = [_record(chance, number) for number in range(200)]
    audio = [record.sound.audio_sha256 for record in made if not record.trashed]
    return [
        Record(
            record.sound,
            record.collections,
            duplicate=record.sound.audio_sha256 is not None
            and audio.count(record.sound.audio_sha256) > (not record.trashed),
            trashed=record.trashed,
        )
        for record in made
    ]


def _record(chance: random.Random, number: int) -> Record:
    def some(of: Sequence[str], most: int) -> list[str]:
        return [chance.choice(of) for _ in range(chance.randint(0, most))]

    seconds = chance.choice([0.0, 0.1, 1.0, 3.0, 9.5, 90.0, 3600.25])
    loudness = Loudness(integrated=chance.choice([-60.5, -23.0, -3.1]), true_peak=-1.0)
    sound = sounds.sound(
        repository=chance.choice(["main", "main", "Film"]),
        folder=chance.choice(FOLDERS),
        name=f"{chance.choice([' ', '_', '-']).join([*some(WORDS, 4), str(number)])}.wav",
        description=" ".join(some([*WORDS, "|", ","], 6)),
        tags=tuple(dict.fromkeys(some(TAGS, 3))),
        size=chance.choice([44, 1_000, 2**31, 2**40]),
        duration=seconds,
        samplerate=chance.choice([44_100, 48_000, 96_000]),
        bitdepth=chance.choice([8, 16, 24]),
        channels=chance.choice([1, 2, 6]),
        format=chance.choice(["pcm", "float"]),
        container=chance.choice(["RIFF", "RF64"]),
        uploaded_by=chance.choice([None, "jh", "JH", "anna"]),
        license=chance.choice([None, "CC-BY-4.0"]),
        rating=chance.choice([None, None, 1, 5]),
        recorded=chance.choice([None, "2018-12-31T12:40:00", "2018-12-31"]),
        loudness=chance.choice([None, loudness]),
        markers=(Marker(at=0.1),) * chance.randint(0, 1),
        findings=(Finding(code="wav.odd", severity="info"),) * chance.randint(0, 1),
        audio_sha256=chance.choice([None, "a", "b", str(number), f"{number}x"]),
        created=sounds.CREATED + timedelta(days=number // 7),
    )
    chosen = tuple(dict.fromkeys(some(COLLECTIONS, 2)))
    return Record(sound, chosen, trashed=chance.random() < 0.1)


_word = st.sampled_from(WORDS)
_span = st.sampled_from(
    ["rate:48k", "rate>=48k", "ch<2", "bits:{8 TO 24}", "dur:3", "dur>1:00", "dur:[0.1 TO 9.5]",
     "size>2G", "size<=44", "loud<-23", "loud:-23", "peak>=-1", "rating:5", "rating<5",
     "date:2026-01", "date>2026-01-20", "date<=2026-01-05", "rec:2018", "rec:2018-12-31",
     "rec<2018-12-31T12:40", "ch>1.5", "dur>=0"]
)  # fmt: skip
_star = st.sampled_from(["", "*"])
_text = st.one_of(
    st.builds('tag:"{}"{}'.format, st.sampled_from([*TAGS, "ca", "un"]), _star),
    st.builds('folder:"{}"{}'.format, st.sampled_from([*FOLDERS[1:], "d"]), _star),
    st.builds('in:"{}"{}'.format, st.sampled_from([*COLLECTIONS, "FILM"]), _star),
    st.sampled_from(["repo:MAIN", "repo:fi*", "by:jh", "by:j*", "by:anna", "format:PCM",
                     "format:f*", "container:rf64", "container:R*", "license:cc-by-4.0",
                     "license:CC*", "license:none"]),
)  # fmt: skip
_state = st.sampled_from(
    ["has:markers", "has:findings", "is:untagged", "is:new", "is:mine", "is:duplicate"]
)
_words = st.one_of(
    _word,
    st.builds("{}*".format, _word),
    st.builds('"{} {}"'.format, _word, _word),
    st.builds("{}_{}".format, _word, _word),
    st.builds("{}:{}".format, st.sampled_from(["name", "desc"]), _word),
    st.builds('{}:"{} {}"'.format, st.sampled_from(["name", "desc"]), _word, _word),
)
_term = st.one_of(_words, _span, _text, _state)
queries = st.recursive(
    st.one_of(_term, st.builds("-{}".format, _term)),
    lambda inner: st.builds("{}({})".format, st.sampled_from(["", "-"]),
                            st.lists(inner, min_size=1, max_size=3).map(" OR ".join))
    | st.lists(inner, min_size=2, max_size=3).map(" ".join),
    max_leaves=6,
)  # fmt: skip
