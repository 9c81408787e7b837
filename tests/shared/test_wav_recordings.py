"""What probe says of the files of others: libsndfile's, a distribution's, and real recordings."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
import soundfile

from sonoteca_shared.wav import WavFacts, probe
from tests.kit import wavs

ALSA = Path("/usr/share/sounds/alsa")
LINEAR = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
BLOCKS = ("IMA_ADPCM", "MS_ADPCM", "GSM610")


@pytest.mark.parametrize(
    ("container", "endian", "subtype"),
    [
        *(("WAV", endian, subtype) for endian in ("LITTLE", "BIG") for subtype in LINEAR + BLOCKS),
        *((container, "LITTLE", subtype) for container in ("WAVEX", "RF64") for subtype in LINEAR),
    ],
)
def test_agrees_with_libsndfile_on_what_it_writes(
    container: str, endian: str, subtype: str, tmp_path: Path
) -> None:
    path = tmp_path / "written.wav"
    channels = 1 if subtype == "GSM610" else 2
    with soundfile.SoundFile(
        path, "w", 48_000, channels, subtype=subtype, endian=endian, format=container
    ) as file:
        file.buffer_write(bytes(2 * 4801 * channels), dtype="int16")
    assert_agrees(path)


def probe_file(path: Path) -> tuple[WavFacts, int]:
    """The facts, and how many bytes it took to know them."""
    with path.open("rb") as file:
        reader = wavs.Reader(file)
        return probe(reader, path.stat().st_size), reader.count


def codes(facts: WavFacts) -> list[str]:
    return [finding.code for finding in facts.findings]


def assert_agrees(path: Path) -> None:
    """Our facts are libsndfile's."""
    theirs = soundfile.info(path)
    ours, count = probe_file(path)
    assert (ours.channels, ours.samplerate) == (theirs.channels, theirs.samplerate)
    if ours.format in ("pcm", "float", "alaw", "mulaw"):
        assert ours.frames == theirs.frames
    else:
        # It counts what the codec's last block holds behind the sound; we leave that out.
        assert 0 <= theirs.frames - ours.frames <= 2048
    assert count <= 1000


def recordings() -> list[Path]:
    """The recordings of others in the folder that SONOTECA_TEST_WAVS names."""
    folder = os.environ.get("SONOTECA_TEST_WAVS", "")
    files = Path(folder).iterdir() if folder else ()
    return sorted(path for path in files if path.suffix.lower() == ".wav")


def test_agrees_with_libsndfile_on_real_recordings() -> None:
    if not recordings():
        pytest.skip("SONOTECA_TEST_WAVS names no folder with recordings")
    for path in recordings():
        assert_agrees(path)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("A101_1.WAV", []),
        ("A101_1_1.WAV", ["wav.pad-missing"]),
        ("A101_1_2.WAV", ["wav.pad-missing"]),
        ("new_camera bumb 1.wav", ["wav.riff-size"]),
        ("umid.wav", []),
        ("STE-000.wav", []),
    ],
)
def test_tells_what_is_odd_in_real_recordings(name: str, found: list[str]) -> None:
    for path in recordings():
        if path.name == name:
            assert codes(probe_file(path)[0]) == found
            return
    pytest.skip(f"SONOTECA_TEST_WAVS names no folder with {name}")


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_real_rf64_of_gigabytes_costs_kilobytes(tmp_path: Path) -> None:
    packed = Path(os.environ.get("SONOTECA_TEST_WAVS", "")) / "Testfile_SEQ_RF64_Big.wav.gz"
    if not packed.is_file():
        pytest.skip("SONOTECA_TEST_WAVS names no folder with Testfile_SEQ_RF64_Big.wav.gz")
    path = tmp_path / "big.wav"
    try:
        with gzip.open(packed) as source, path.open("wb") as target:
            unpack(source, target)
        facts, count = probe_file(path)
    finally:
        path.unlink()
    assert (facts.container, facts.data_size, facts.frames) == ("RF64", 2_399_486_814, 399_914_469)
    assert (facts.samplerate, facts.bitdepth, facts.findings) == (96_000, 24, ())
    assert count < 1000


def unpack(source: io.BufferedIOBase, target: io.BufferedIOBase) -> None:
    """Copy, but leave holes where there are only zeros: gigabytes of them would fill the disk."""
    zeros = bytes(1 << 20)
    while part := source.read(len(zeros)):
        if part == zeros:
            target.seek(len(part), io.SEEK_CUR)
        else:
            target.write(part)
    target.truncate()


@pytest.mark.skipif(not ALSA.is_dir(), reason="Debian's alsa-utils is not installed")
def test_agrees_with_libsndfile_on_the_sounds_of_alsa() -> None:
    paths = sorted(ALSA.glob("*.wav"))
    assert paths
    for path in paths:
        assert_agrees(path)
        assert probe_file(path)[0].findings == ()
