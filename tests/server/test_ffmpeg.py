"""Either ffmpeg does: the system's, and the one of the extra `convert`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sonoteca_server.jobs import ffmpeg
from sonoteca_server.jobs.sources import UndecodableError
from sonoteca_shared.recipes import TARGETS
from tests.kit.converting import decoded, likeness, tone
from tests.kit.engines import require

pytestmark = [pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", TARGETS)
def test_every_format_goes_out_and_comes_in_again(made: Callable[..., bytes], name: str) -> None:
    sent = tone(bits=24)
    there = made(sent, format=name)
    samples, rate = decoded(made(there, format="wav"))
    original, _ = decoded(sent)
    # ffmpeg's decoders of Vorbis and AAC do not end where the file does.
    assert (rate, abs(len(samples) - len(original)) <= 1024) == (48_000, True)
    both = min(len(samples), len(original))
    assert likeness(samples[:both], original[:both]) > 0.999


def test_loudness_rate_and_channels_are_set(made: Callable[..., bytes]) -> None:
    options = {"format": "flac", "normalize_lufs": "-20", "samplerate": "44100", "channels": "1"}
    samples, rate = decoded(made(tone(), **options))
    assert (rate, samples.shape) == (44_100, (44_100, 1))


def test_a_cut_source_and_a_playlist_are_refused(made: Callable[..., bytes]) -> None:
    whole = made(tone(), format="flac")
    for data in (whole[: len(whole) // 2], b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"):
        with pytest.raises(UndecodableError):
            made(data, format="wav")


def test_only_what_it_can_make_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    program = str(require("ffmpeg").with_name("ffmpeg"))
    ask = ffmpeg._ask

    def without_lame(path: str, question: str) -> str:
        return ask(path, question).replace("libmp3lame", "nothing")

    monkeypatch.setattr(ffmpeg, "_ask", without_lame)
    found = ffmpeg.describe.__wrapped__(program)
    assert found is not None
    assert set(found.formats) == set(TARGETS) - {"mp3"}


def test_a_program_that_does_not_run_is_not_there() -> None:
    assert ffmpeg.describe("/nowhere/ffmpeg") is None
