"""Exports carried out by the desktop's engine: made by the server, fetched in parts, right."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared.models import Sound
from tests.kit.converting import decoded, likeness, tone
from tests.kit.desk import Workplace
from tests.kit.engines import require
from tests.kit.http import serve
from tests.kit.proxy import Exchange, Fault, FaultProxy, honest
from tests.kit.spoil import cut, edit, flip, refuse, stall

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("no_patience")]
FILE = "GET /api/v1/sounds/"
SECONDS = 8.0


@pytest.fixture(autouse=True)
def _ffmpeg() -> None:
    require("ffmpeg")


@pytest.fixture(scope="module")
def source() -> bytes:
    return tone(seconds=SECONDS, channels=2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, source: bytes) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as url:
        assert requests.post(f"{url}/post?name=tone.wav", data=source, timeout=30).ok
        yield url


@pytest.fixture
def sound(server: str) -> Sound:
    client = Client(server)
    [sound] = client.find("/api/v1/sounds").results
    client.close()
    return sound


@pytest.mark.parametrize("name", ["flac", "mp3", "ogg", "opus", "m4a", "aiff"])
def test_a_sound_comes_in_every_format(
    desk: Workplace, sound: Sound, source: bytes, name: str
) -> None:
    [key] = desk.queue.export_all([sound], {"format": name}, desk.sounds)
    done = desk.until_state(key, State.DONE)
    assert (done.path, done.sha256) == (desk.sounds / f"tone.{name}", None)
    here, rate = decoded(done.path.read_bytes())
    there, _ = decoded(source)
    assert rate == 48_000
    assert likeness(here[48_000:96_000], there[48_000:96_000]) > (0.9 if name == "m4a" else 0.99)


def test_rate_depth_and_part_are_as_asked(desk: Workplace, sound: Sound) -> None:
    options = {"format": "flac", "samplerate": "24000", "bitdepth": "16", "start": "1", "end": "3"}
    [key] = desk.queue.export_all([sound], options, desk.sounds)
    samples, rate = decoded(desk.until_state(key, State.DONE).path.read_bytes())
    assert (rate, len(samples)) == (24_000, 48_000)


def test_a_part_of_a_wav_has_the_very_samples(desk: Workplace, sound: Sound, source: bytes) -> None:
    [key] = desk.queue.export_all([sound], {"format": "wav", "start": "2", "end": "4"}, desk.sounds)
    here, _ = decoded(desk.until_state(key, State.DONE).path.read_bytes())
    there, _ = decoded(source)
    assert (here == there[96_000:192_000]).all()


def test_a_wav_as_it_is_is_the_file_of_the_catalogue(
    desk: Workplace, sound: Sound, source: bytes
) -> None:
    [key] = desk.queue.export_all([sound], {"format": "wav"}, desk.sounds)
    done = desk.until_state(key, State.DONE)
    assert (done.sha256, done.path.read_bytes()) == (sound.sha256, source)


def test_the_same_sound_in_two_ways_are_two_files(desk: Workplace, sound: Sound) -> None:
    keys = [
        desk.queue.export_all([sound], {"format": "flac", "bitdepth": depth}, desk.sounds)[0]
        for depth in ("16", "24", "16")
    ]
    assert len(set(keys)) == 2  # the third is the first, which was on its way
    for key in set(keys):
        desk.until_state(key, State.DONE)
    assert desk.names == ["tone (2).flac", "tone.flac"]


def test_cut_and_restarted_it_goes_on_where_it_was(
    server: str, proxy: FaultProxy, desk: Workplace, sound: Sound
) -> None:
    proxy.spoil(FILE, honest, cut(100_000), honest, stall(100_000))
    [key] = desk.queue.export_all([sound], {"format": "aiff"}, desk.sounds)
    desk.until(lambda: desk[key].done >= 200_000)
    assert not (desk.sounds / "tone.aiff").exists()
    desk.restart()
    done = desk.until_state(key, State.DONE)
    whole = requests.get(server + done.url, timeout=30).content
    assert done.path.read_bytes() == whole
    assert proxy.received < 1.1 * len(whole)
    assert all("If-Range" in each.fields for each in proxy.asked(FILE)[3::2])


OLD = edit(ETag='"x-old"')


def old_and_cut(exchange: Exchange) -> None:
    """The beginning of what the server made before."""
    head = exchange.ask()
    head.set("ETag", '"x-old"')
    exchange.tell(head)
    exchange.give(flip(exchange.read(100_000)))
    exchange.hang_up()


@pytest.mark.parametrize("looked_at", [[], [OLD]], ids=["looked at", "fetched"])
def test_other_bytes_than_before_are_never_joined(
    server: str, proxy: FaultProxy, desk: Workplace, sound: Sound, looked_at: list[Fault]
) -> None:
    """The server makes it anew: that shows when it is looked at, or when the rest is fetched."""
    proxy.spoil(FILE, OLD, old_and_cut, *looked_at)
    [key] = desk.queue.export_all([sound], {"format": "aiff"}, desk.sounds)
    done = desk.until_state(key, State.DONE)
    assert done.path.read_bytes() == requests.get(server + done.url, timeout=30).content
    assert len(proxy.asked(FILE)) > 2 + len(looked_at)


def test_bytes_that_come_under_another_etag_than_was_told_are_not_taken(
    server: str, proxy: FaultProxy, desk: Workplace, sound: Sound
) -> None:
    """Else a part of them could be joined with a part of those that were told of."""
    proxy.spoil(FILE, OLD)
    [key] = desk.queue.export_all([sound], {"format": "aiff"}, desk.sounds)
    done = desk.until_state(key, State.DONE)
    assert done.path.read_bytes() == requests.get(server + done.url, timeout=30).content
    assert len(proxy.asked(FILE)) == 4  # told of, refused; told of, taken


@pytest.mark.parametrize("status", [409, 425, 429, 503])
def test_a_server_that_is_not_ready_is_waited_for(
    proxy: FaultProxy, desk: Workplace, sound: Sound, status: int
) -> None:
    proxy.spoil(FILE, refuse(status, "later", "Later", Retry_After="30"))
    [key] = desk.queue.export_all([sound], {"format": "flac"}, desk.sounds)
    desk.until(lambda: bool(desk[key].note))
    waiting = desk[key]
    words = "has others to serve first" if status == 429 else "is preparing it"
    assert (waiting.state, waiting.note) == (State.PREPARING, f"The server {words}")
    # Nobody else has to wait for it.
    [other] = desk.queue.export_all([sound], {"format": "aiff"}, desk.sounds)
    desk.until_state(other, State.DONE)
    desk.restart()  # asks at once
    desk.until_state(key, State.DONE)


def test_while_the_server_works_it_can_be_paused_and_goes_on_when_the_network_is_back(
    proxy: FaultProxy, desk: Workplace, sound: Sound
) -> None:
    silent = stall(head=False)
    proxy.spoil(FILE, silent, silent)
    [key] = desk.queue.export_all([sound], {"format": "flac"}, desk.sounds)
    desk.until(lambda: len(proxy.asked(FILE)) == 1)
    assert desk[key].state is State.PREPARING
    desk.queue.pause(key)
    desk.queue.resume(key)
    desk.until(lambda: len(proxy.asked(FILE)) == 2)  # the first has let go
    desk.queue.retry_waiting()
    desk.until_state(key, State.DONE)


def test_what_cannot_be_converted_is_told_in_the_servers_words(
    proxy: FaultProxy, desk: Workplace, sound: Sound
) -> None:
    proxy.spoil(FILE, refuse(422, "not-decodable", "This cannot be decoded"))
    [key] = desk.queue.export_all([sound], {"format": "flac"}, desk.sounds)
    assert desk.until_state(key, State.FAILED).note == "This cannot be decoded"
    proxy.spoil(FILE, refuse(503, "no-converter", "There is no ffmpeg"))
    desk.queue.retry(key)
    desk.until(lambda: desk[key].note == "There is no ffmpeg")
    assert desk.until_state(key, State.FAILED).way_out.startswith("Have ffmpeg installed")
    [key] = desk.queue.export_all([sound], {"format": "mp3", "samplerate": "1"}, desk.sounds)
    failed = desk.until_state(key, State.FAILED)
    assert "“samplerate” of mp3 is one of" in failed.note
    assert failed.way_out == "Remove it, and ask anew with other times or settings"
    assert desk.names == []


def test_one_that_the_library_lost_says_so(desk: Workplace, sound: Sound) -> None:
    gone = msgspec.structs.replace(sound, id="0198f0c0-0000-7000-8000-000000000000")
    [key] = desk.queue.export_all([gone], {"format": "flac"}, desk.sounds)
    failed = desk.until_state(key, State.FAILED)
    assert failed.way_out == "It left the library: remove it, or try again if it is back"
