"""Give the WAV reader anything, and see that nothing but NotAWavError comes out of it.

    python -m tests.fuzz.wav -max_total_time=600        coverage-guided; needs `pip install atheris`

More words go to libFuzzer, a folder among them becomes its corpus. `check` is what the tests of
mutated files use too.
"""

from __future__ import annotations

import hashlib
import importlib
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from sonoteca_shared.errors import NotAWavError
from sonoteca_shared.wav import Description, describe, probe, riff
from sonoteca_shared.wav.audio_digest import AudioHasher, audio_digest, audio_line
from sonoteca_shared.wav.carried import Carried
from sonoteca_shared.wav.framing import format_of, frame
from sonoteca_shared.wav.passage import Passage
from tests.judge import corpus

# What the reader may read of a file: headers, and each kind of metadata at most once.
_READ_AT_MOST = 3


class Counting:
    """Reads bytes in memory, and counts how many."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.count = 0

    def __call__(self, offset: int, count: int) -> bytes:
        assert offset >= 0
        assert 0 <= count <= 65_536
        part = self._content[offset : offset + count]
        self.count += len(part)
        return part


def check(content: bytes) -> Description | None:
    """The description of any bytes, after all that must be true of it; None when refused."""
    size = len(content)
    read = Counting(content)
    told = attempt(read, size)
    if isinstance(told, NotAWavError):
        assert 0 <= told.offset <= size, told
        return None
    assert read.count <= 2000 + _READ_AT_MOST * size
    facts = told.facts
    assert facts == probe(Counting(content), size)
    assert 0 <= facts.data_offset <= facts.data_offset + facts.data_size <= size
    assert facts.frames >= 0
    for finding in told.findings:
        assert finding.offset is not None
        assert 0 <= finding.offset <= size, finding
    for place in told.chunks:
        assert 0 <= place.offset <= size
    # What a catalogue cannot keep: lone surrogates, and NUL, which PostgreSQL refuses.
    written = msgspec.json.encode((told.metadata, told.chunks, told.findings))
    assert b"\\u0000" not in written.replace(b"\\\\", b"")
    msgspec.json.decode(written)
    check_digest(content, told)
    check_carried(content, told)
    return told


def attempt(read: Counting, size: int) -> Description | NotAWavError:
    try:
        return describe(read, size)
    except NotAWavError as refusal:
        return refusal


def check_carried(content: bytes, told: Description) -> None:
    """What goes along into another file makes one that is read without a fault in its frame."""
    facts = told.facts
    passage = Passage(
        frames=range(facts.frames // 3, facts.frames),
        samplerate=facts.samplerate,
        target_rate=44_100,
        order=">" if facts.big_endian else "<",
        is_mixed=True,
        is_as_loud=False,
    )
    walk = riff.walk(Counting(content), len(content))
    pieces = Carried(Counting(content), walk, passage).pieces()
    chunks = b"".join(p if isinstance(p, bytes) else content[p.start : p.end] for p in pieces)
    form = format_of(samplerate=44_100, channels=1, bits=8, is_float=False, channel_mask=4)
    made = b"".join(map(bytes, frame((form + chunks,), sound=2, frames=2))) + bytes(2)  # type: ignore[arg-type]
    assert probe(Counting(made), len(made)).findings == ()
    assert describe(Counting(made), len(made)).facts.frames == 2


def check_digest(content: bytes, told: Description) -> None:
    """The digest that is computed on the way is that of the payload."""
    facts = told.facts
    end = facts.data_offset + facts.data_size
    payload = content[facts.data_offset : end]
    expected = hashlib.sha256(audio_line(facts) + payload).hexdigest()
    hasher = AudioHasher()
    step = 1 + len(content) // 7
    for start in range(0, len(content), step):
        hasher.feed(content[start : start + step])
    assert hasher.digest(facts, Counting(content)) == expected
    assert audio_digest(Counting(content), facts) == expected


def mutate(content: bytes, chance: random.Random) -> bytes:
    """A copy with some bytes changed, moved, doubled or cut off, mostly in its headers."""
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 8)):
        if not changed:
            break
        near = len(changed) if chance.random() < 0.3 else min(200, len(changed))
        at = chance.randrange(near)
        length = chance.choice((1, 2, 4, 8, 24))
        match chance.randrange(7):
            case 0 | 1:
                changed[at] = chance.randrange(256)
            case 2:
                changed[at : at + 4] = chance.choice(_NUMBERS)
            case 3:
                del changed[at : at + length]
            case 4:
                changed[at:at] = changed[at : at + length]
            case 5:
                changed[at : at + 4] = chance.choice(_NAMES)
            case _:
                del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\1\0\0\0", b"\0\0\0\x80")
_NAMES = tuple(b"fmt |data|LIST|list|bext|iXML|cue |smpl|id3 |ds64|CSET|INFO|adtl".split(b"|"))


def fuzz_one(content: bytes) -> None:
    """One input of atheris; a WAV's head is put before what has none, or little would be seen."""
    check(content)
    if content[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        check(b"RIFF\xff\xff\xff\xffWAVE" + content)


def main() -> None:
    atheris: Any = importlib.import_module("atheris")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in corpus.files().items():
            (Path(folder) / name).write_bytes(content)
        atheris.instrument_all()
        atheris.Setup([*sys.argv, folder], fuzz_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
