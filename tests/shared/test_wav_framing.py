"""The head of a WAV that is made says how long it is, in 32 bits or in 64."""

from __future__ import annotations

import pytest

from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.wav import WavFacts, probe
from sonoteca_shared.wav.framing import count_of, format_of, frame


def head(sound: int, *, has_room: bool = True, bits: int = 16, is_float: bool = False) -> bytes:
    form = format_of(samplerate=48_000, channels=2, bits=bits, is_float=is_float, channel_mask=0x3)
    frames = sound // (2 * bits // 8)
    chunks = (form, count_of(frames) if is_float else b"")
    return b"".join(
        piece if isinstance(piece, bytes) else b""
        for piece in frame(chunks, sound=sound, frames=frames, has_room=has_room)
    )


def facts_of(start: bytes, sound: int) -> WavFacts:
    """What the file is, when as much comes behind its head as there should be."""
    return probe(lambda at, count: start[at : at + count], len(start) + sound)


@pytest.mark.parametrize("has_room", [True, False])
@pytest.mark.parametrize(
    ("sound", "container"),
    [(0, "RIFF"), (400, "RIFF"), ((1 << 32) - 400, "RIFF"), (1 << 32, "RF64"), (1 << 40, "RF64")],
)
def test_a_long_sound_makes_an_rf64(sound: int, container: str, has_room: bool) -> None:
    facts = facts_of(head(sound, has_room=has_room), sound)
    assert (facts.container, facts.frames) == (container, sound // 4)
    assert [each.code for each in facts.findings] == ([] if sound else ["wav.empty"])


def test_with_room_it_is_as_long_whatever_comes() -> None:
    assert len({len(head(sound)) for sound in (0, 4, (1 << 32) - 400, 1 << 32, 1 << 40)}) == 1


@pytest.mark.parametrize(
    ("bits", "is_float", "form"), [(16, False, "pcm"), (24, False, "pcm"), (32, True, "float")]
)
def test_the_samples_are_what_it_says(bits: int, is_float: bool, form: str) -> None:
    facts = facts_of(head(4_800, bits=bits, is_float=is_float), 4_800)
    assert (facts.format, facts.bitdepth, facts.findings) == (form, bits, ())
    assert facts.channel_mask in (0, 0x3)


def test_a_rifx_cannot_be_so_long() -> None:
    with pytest.raises(BadRequestError, match="4 GiB"):
        frame((), sound=1 << 32, frames=1 << 30, order=">")
