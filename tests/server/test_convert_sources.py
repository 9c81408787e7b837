"""What `/convert` takes: whatever ffmpeg can hear, whole, and never another file or address."""

from __future__ import annotations

import itertools
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.kit.converting import convert, decoded, likeness, tone
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.wavs import Plan, build_wav

pytestmark = [pytest.mark.timeout(120)]

# Ending, and how ffmpeg's command line makes such a file of a WAV.
KINDS = {
    "flac": [],
    "mp3": [],
    "ogg": ["-c:a", "libvorbis"],
    "opus": [],
    "m4a": [],
    "front.m4a": ["-movflags", "+faststart"],
    "aiff": [],
    "caf": [],
    "w64": [],
    "au": [],
    "mka": ["-c:a", "flac"],
    "wv": [],
    "aac": [],
    "ac3": [],
    "rf64.wav": ["-rf64", "always"],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    require("ffmpeg")
    with serve(tmp_path_factory.mktemp("convert")) as address:
        yield address


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same two seconds of tones in every kind of file."""
    folder = tmp_path_factory.mktemp("sounds")
    program = str(require("ffmpeg").with_name("ffmpeg"))
    made = {}
    for kind, how in KINDS.items():
        path = folder / f"sound.{kind}"
        command = [program, "-v", "error", "-i", "-", *how, str(path)]
        subprocess.run(command, input=tone(seconds=2.0), check=True)
        made[kind] = path.read_bytes()
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_any_sound_that_ffmpeg_reads_is_taken(
    server: str, sounds: dict[str, bytes], kind: str
) -> None:
    answer = convert(server, sounds[kind], name="no ending", format="wav")
    assert answer.status_code == 200, answer.text
    samples, rate = decoded(answer.content)
    original, _ = decoded(tone(seconds=2.0))
    assert (rate, samples.shape[1]) == (48_000, 2)
    assert 0 <= len(samples) - len(original) < 4_000  # coders fill their last block
    # Those without a word on their delay begin later.
    assert kind in ("aac", "ac3") or likeness(samples[: len(original)], original) > 0.99


# Of these nothing tells where they end: no header counts, and no last block is marked.
ENDLESS = ("aac", "ac3")


@pytest.mark.parametrize("share", [0.4, 0.97])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ENDLESS])
def test_a_source_that_was_cut_is_an_error(
    server: str, sounds: dict[str, bytes], kind: str, share: float
) -> None:
    cut = sounds[kind][: int(share * len(sounds[kind]))]
    answer = convert(server, cut, format="flac")
    assert answer.status_code == 422, (kind, len(answer.content))
    assert answer.json()["code"] in ("truncated", "undecodable")


def test_a_flac_that_was_cut_between_two_frames_is_an_error(
    server: str, sounds: dict[str, bytes]
) -> None:
    whole = sounds["flac"]
    # A frame begins with its sync code; blocks have one size, and channels one assignment.
    cut = whole[: whole.rfind(whole[whole.index(b"\xff\xf8", 4000) :][:4])]
    answer = convert(server, cut, format="mp3")
    assert (answer.status_code, answer.json()["code"]) == (422, "truncated")


@pytest.mark.parametrize(
    "data",
    [b"\0" * 100_000, b"\xff\xfb" * 5_000, b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC", b"OggS",
     b"just text", bytes(range(256)) * 100, build_wav(Plan(frames=100, channels=1))[:40]],
    ids=["zeros", "sync", "riff", "flac", "ogg", "text", "bytes", "head"],
)  # fmt: skip
def test_what_is_no_sound_is_refused_in_words(server: str, data: bytes) -> None:
    answer = convert(server, data, format="wav")
    assert answer.status_code == 422
    assert len(answer.json()["detail"]) > 20
    assert "0x" not in answer.json()["detail"]


def test_a_picture_is_no_sound(server: str) -> None:
    program = str(require("ffmpeg").with_name("ffmpeg"))
    source = ["-f", "lavfi", "-i", "testsrc=d=1:s=64x64"]
    command = [program, "-v", "error", *source, "-f", "avi", "-"]
    film = subprocess.run(command, capture_output=True, check=True).stdout
    assert convert(server, film, format="wav").status_code == 422


def test_an_empty_file_is_refused(server: str) -> None:
    assert convert(server, b"", format="mp3").status_code == 400
    answer = requests.post(f"{server}/convert?format=mp3", data=b"", timeout=10)
    assert (answer.status_code, answer.json()["detail"]) == (400, "the file is empty")


def test_a_field_of_a_million_letters_is_refused(server: str) -> None:
    answer = convert(server, tone(), format="m" * 1_000_000)
    assert answer.status_code == 400


class Ear:
    """Listens on a port, and counts who connects."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.heard = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            self.heard += 1
            line.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


# What ffmpeg follows to other files and addresses when it is left alone with it.
PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{target}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{target}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT5S"><Period><AdaptationSet mimeType="audio/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio {port} RTP/AVP 0\na=control:{target}\n",
    "asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "ffmetadata": ";FFMETADATA1\ntitle={target}\n",
}
NAMES = ("a.wav", "a.m3u8", "a.ffconcat", "a.mpd", "a.sdp", "a.asx", "a.pls", "a.mp3", "a")


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_no_playlist_leads_to_another_file_or_address(
    server: str, ear: Ear, tmp_path: Path, kind: str
) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(tone())
    targets = (
        f"http://127.0.0.1:{ear.port}/x.wav",
        f"tcp://127.0.0.1:{ear.port}",
        str(secret),
        f"file://{secret}",
        f"concat:{secret}",
        f"subfile,,start,0,end,0,,:{secret}",
    )
    for name, target in zip(NAMES, itertools.cycle(targets), strict=False):
        playlist = PLAYLISTS[kind].format(target=target, port=ear.port).encode()
        answer = convert(server, playlist, name=name, format="wav")
        assert answer.status_code == 422, (target, name)
        assert str(secret) not in answer.text
    assert ear.heard == 0
