"""The digest of a sound is that of its payload, however the file goes by."""

from __future__ import annotations

import hashlib
import io

import pytest

from sonoteca_shared.wav import WavFacts, probe
from sonoteca_shared.wav.audio_digest import AudioHasher, audio_digest, audio_line
from sonoteca_shared.wav.riff import MAX_CHUNKS
from tests.judge import corpus, tags
from tests.kit import wavs
from tests.kit.wavs import Plan, chunk, extension, fmt_chunk


def reader_of(content: bytes) -> wavs.Reader:
    return wavs.Reader(io.BytesIO(content))


def facts_of(content: bytes) -> WavFacts:
    return probe(reader_of(content), len(content))


def fed(content: bytes, step: int) -> AudioHasher:
    hasher = AudioHasher()
    for start in range(0, len(content), step):
        hasher.feed(memoryview(content)[start : start + step])
    return hasher


def expected(line: bytes, payload: bytes) -> str:
    return hashlib.sha256(line + payload).hexdigest()


def assert_right(content: bytes, *, steps: tuple[int, ...], most: int) -> None:
    """The digest is right, and reads no more than so much of the file again."""
    facts = facts_of(content)
    payload = content[facts.data_offset : facts.data_offset + facts.data_size]
    wanted = expected(audio_line(facts), payload)
    assert audio_digest(reader_of(content), facts) == wanted
    for step in steps:
        reader = reader_of(content)
        assert fed(content, step).digest(facts, reader) == wanted
        assert reader.count <= most


@pytest.mark.parametrize(
    ("plan", "line"),
    [
        (Plan(frames=100), b"pcm/48000/2/16/le\n"),
        (Plan(frames=100, container="RIFX", channels=1), b"pcm/48000/1/16/be\n"),
        (Plan(frames=100, bits=20, extensible=True), b"pcm/48000/2/20/le\n"),
        (Plan(frames=100, bits=32, floats=True, container="RF64"), b"float/48000/2/32/le\n"),
    ],
)
def test_the_line_says_what_the_samples_mean(plan: Plan, line: bytes) -> None:
    content = wavs.build_wav(plan)
    facts = facts_of(content)
    assert audio_line(facts) == line
    assert fed(content, 7).digest(facts, reader_of(content)) == expected(
        line, b"".join(plan.blocks())
    )


def test_other_tags_do_not_change_it() -> None:
    plain = wavs.build_wav(Plan(frames=100, container="RF64"))
    tagged = wavs.build_wav(
        Plan(frames=100, before=[(b"bext", tags.bext() + b"A")], after=[(b"LIST", b"INFO")])
    )
    wide = wavs.riff(
        fmt_chunk(tag=wavs.EXTENSIBLE, extension=extension()),
        chunk(b"data", b"".join(Plan(frames=100).blocks())),
    )
    digests = {audio_digest(reader_of(each), facts_of(each)) for each in (plain, tagged, wide)}
    assert len(digests) == 1


@pytest.mark.parametrize("name", [n for n in corpus.files() if not n.startswith("bad-")])
def test_it_is_right_for_the_whole_corpus(name: str) -> None:
    assert_right(corpus.files()[name], steps=(13, 1 << 20), most=1 << 20)


def test_it_is_right_byte_by_byte() -> None:
    before = [(b"bext", tags.bext() + b"A")]
    assert_right(
        wavs.build_wav(Plan(frames=50, container="RF64", before=before)), steps=(1,), most=0
    )


@pytest.mark.parametrize("container", ["RIFF", "RIFX", "RF64", "BW64"])
def test_nothing_is_read_again_where_the_length_is_told(container: wavs.Container) -> None:
    content = wavs.build_wav(
        Plan(
            container=container,
            frames=100_000,
            before=[(b"JUNK", bytes(70_001))],
            after=[(b"LIST", b"INFO")],
        )
    )
    assert_right(content, steps=(8, 4096, 65_537, 1 << 20), most=0)
    assert_right(content[:-1000], steps=(4096, 1 << 20), most=0)


@pytest.mark.parametrize("behind", [b"", chunk(b"LIST", b"INFO" + b"x" * 30_000)])
@pytest.mark.parametrize("told", [0, 0xFFFFFFFF])
def test_little_is_read_again_where_the_length_is_not_told(told: int, behind: bytes) -> None:
    data = chunk(b"data", b"\1" * 500_000, size=told)
    content = wavs.riff(fmt_chunk(), data, behind)
    assert_right(content, steps=(4096, 65_537, 1 << 20), most=200_000)


def test_sound_that_is_elsewhere_than_it_seemed_is_read_again() -> None:
    # A chunk without its padding: only the file's length shows that the next byte begins a header.
    odd = chunk(b"note", b"abc", pad=False) + chunk(b"abcd", b"\xff" + bytes(31))
    content = wavs.riff(odd, fmt_chunk(), chunk(b"data", b"\1" * 4000))
    assert facts_of(content).data_size == 4000
    assert_right(content, steps=(4096,), most=4000)
    # A length of 0 that is meant, and much behind it that might have been sound.
    content = wavs.riff(fmt_chunk(), chunk(b"data"), chunk(b"LIST", b"INFO" + b"x" * 300_000))
    assert facts_of(content).data_size == 0
    assert_right(content, steps=(4096,), most=4000)
    # A ds64 without the RF64 that makes it one.
    content = wavs.riff(wavs.ds64(9, 9), fmt_chunk(), chunk(b"data", b"\1" * 40, size=0xFFFFFFFF))
    assert_right(content, steps=(4096,), most=4000)


@pytest.mark.parametrize("kind", wavs.BROKEN)
def test_what_is_no_wav_is_taken_without_a_word(kind: str) -> None:
    # probe says it; a hasher that was only fed such bytes still answers for a file that is one.
    content = wavs.build_wav()
    facts = facts_of(content)
    hasher = fed(wavs.BROKEN[kind] + bytes(100), 5)
    assert hasher.digest(facts, reader_of(content)) == audio_digest(reader_of(content), facts)


def test_chunks_without_end_are_not_followed_for_ever() -> None:
    content = wavs.riff(*[chunk(b"JUNK")] * (MAX_CHUNKS + 5), fmt_chunk(), chunk(b"data", b"abcd"))
    good = wavs.build_wav()
    facts = facts_of(good)
    assert fed(content, 1 << 16).digest(facts, reader_of(good)) == audio_digest(
        reader_of(good), facts
    )


def test_sound_in_front_of_its_format_is_not_hashed() -> None:
    content = wavs.riff(chunk(b"data", bytes(64)), fmt_chunk())
    good = wavs.build_wav()
    facts = facts_of(good)
    assert fed(content, 10).digest(facts, reader_of(good)) == audio_digest(reader_of(good), facts)
