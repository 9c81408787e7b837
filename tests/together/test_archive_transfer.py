"""Archives fetched by the desktop's engine: whatever happens on the way, the zip is right."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.transfers import making as making_module
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.transfers.zipped import list_missing
from tests.kit.desk import Workplace
from tests.kit.http import serve, server_process
from tests.kit.proxy import Fault, FaultProxy, fault_proxy, honest
from tests.kit.spoil import cut, edit, flip, longer, refuse, stall, whole
from tests.kit.upstream import File, Upstream, Visit, upstream
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav, write_wav

pytestmark = pytest.mark.usefixtures("no_patience")

ZIP = "GET /archive/get/"
NAMES = ["one.wav", "three.wav", "two.wav"]
WISH = Wish(query="")
BREAK = cut(400_000)


@pytest.fixture(scope="module")
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, remote: Upstream) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("source")
    with serve(tmp_path_factory.mktemp("library"), fetch_allow=remote.place) as url:
        for seed, name in enumerate(NAMES):
            data = write_wav(folder / name, frames=80_000, seed=seed).read_bytes()
            assert requests.post(f"{url}/post", params={"name": name}, data=data, timeout=9).ok
        yield url


@pytest.fixture(autouse=True)
def less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that prepares says: ask again very soon."""
    monkeypatch.setattr(making_module, "_LOOK_AGAIN", 0.05)


def contents(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return sorted(archive.namelist())


def test_sounds_come_as_one_zip(server: str, desk: Workplace) -> None:
    found = requests.get(f"{server}/info", timeout=9).json()
    wish = Wish(sounds=tuple(each["id"] for each in found[:2]), name="two.zip")
    done = desk.until_state(desk.queue.archive(wish, desk.sounds / "two.zip"), State.DONE)
    assert (done.path, done.note, done.done) == (desk.sounds / "two.zip", "", done.total)
    assert contents(done.path) == sorted(each["name"] for each in found[:2])
    for each in found[:2]:
        original = requests.get(server + each["links"]["file"], timeout=9).content
        with zipfile.ZipFile(done.path) as archive:
            assert archive.read(each["name"]) == original


# Each look whether it is ready is honest, each fetch after it is not; then the server is itself.
SPOILED: dict[str, list[Fault]] = {
    "cut in the middle": [honest, BREAK],
    "cut again and again": [honest, cut(100_000)] * 5,
    "cut in the last byte": [honest, BREAK, honest, cut(560_427)],
    "reset": [honest, cut(300_000, reset=True)],
    "promised more than it is": [honest, longer(5000)],
    "a part cut short": [honest, BREAK, honest, longer(-5000)],
    "the whole for a part": [honest, BREAK, honest, whole()],
    "another archive in the middle": [honest, BREAK, honest, whole(ETag='"x-other"')],
    "another archive when looked at": [honest, BREAK, edit(ETag='"x-other"')],
    "one wrong bit": [honest, edit(flip)],
    "another part": [honest, BREAK, honest, edit(Content_Range="bytes 5-9/10")],
    "no length": [edit(Content_Range="")],
    "no ETag": [edit(ETag=""), edit(ETag='W/"x-1"')],
    "busy": [refuse(429, "busy", "Busy", Retry_After="0")] * 2,
    "not ready": [refuse(409, "archive-pending", "Not yet", Retry_After="0")] * 2,
    "not ready, in other words": [refuse(503, "busy", "Later", Retry_After="0")] * 2,
    "in trouble": [refuse(500, "broken", "Broken")] * 2,
}


@pytest.mark.parametrize("what", SPOILED)
def test_it_comes_whole_and_right_whatever_happens(
    proxy: FaultProxy, desk: Workplace, what: str
) -> None:
    proxy.spoil(ZIP, *SPOILED[what])
    key = desk.queue.archive(WISH, desk.sounds / "all.zip")
    done = desk.until_state(key, State.DONE)
    assert contents(done.path) == NAMES
    assert desk.names == ["all.zip"]
    assert len(proxy.asked(ZIP)) > len(SPOILED[what])  # all of it did happen


def test_what_came_is_not_fetched_again_after_cuts_and_restarts(
    proxy: FaultProxy, desk: Workplace
) -> None:
    proxy.spoil(ZIP, honest, BREAK, honest, stall(400_000))
    key = desk.queue.archive(WISH, desk.sounds / "all.zip")
    desk.until(lambda: desk[key].done >= 800_000)
    assert not (desk.sounds / "all.zip").exists()
    desk.restart()
    done = desk.until_state(key, State.DONE)
    assert contents(done.path) == NAMES
    assert proxy.received < 1.1 * done.total
    assert len(proxy.asked("POST /api/archive/create")) == 1


def test_paused_it_waits_over_a_restart_and_goes_on(proxy: FaultProxy, desk: Workplace) -> None:
    proxy.spoil(ZIP, honest, stall(400_000))
    key = desk.queue.archive(WISH, desk.sounds / "all.zip")
    desk.until(lambda: desk[key].done >= 400_000)
    desk.queue.pause(key)
    desk.restart()
    assert desk[key].state is State.PAUSED
    desk.queue.resume(key)
    assert contents(desk.until_state(key, State.DONE).path) == NAMES


def test_one_that_has_expired_is_made_anew_and_goes_on(
    server: str, proxy: FaultProxy, desk: Workplace
) -> None:
    proxy.spoil(ZIP, honest, stall(400_000))
    key = desk.queue.archive(WISH, desk.sounds / "all.zip")
    desk.until(lambda: desk[key].done >= 400_000)
    desk.queue.pause(key)
    desk.until_state(key, State.PAUSED)
    archive = desk[key].url.rpartition("/")[2].removesuffix(".zip")
    assert requests.delete(f"{server}/api/archive/status/{archive}", timeout=9).ok
    desk.queue.resume(key)
    done = desk.until_state(key, State.DONE)
    assert contents(done.path) == NAMES
    assert archive not in done.url
    assert proxy.received < 1.1 * done.total  # of the same files the same bytes are made


def test_a_wrong_bit_that_is_always_there_is_told(proxy: FaultProxy, desk: Workplace) -> None:
    proxy.spoil(ZIP, *[honest, edit(flip)] * 9)
    key = desk.queue.archive(WISH, desk.sounds / "all.zip")
    failed = desk.until_state(key, State.FAILED)
    assert "is not the archive that was sent" in failed.note
    assert desk.names == []


def test_what_the_server_refuses_is_told_in_its_words(desk: Workplace) -> None:
    key = desk.queue.archive(Wish(urls=("http://10.0.0.1/a.wav", "no")), desk.sounds / "a.zip")
    failed = desk.until_state(key, State.FAILED)
    assert "“urls[1]”" in failed.note
    key = desk.queue.archive(Wish(query="colour:red dur<"), desk.sounds / "b.zip")
    assert "is not understood" in desk.until_state(key, State.FAILED).note


def test_files_at_links_are_waited_for(remote: Upstream, desk: Workplace) -> None:
    data, ready = build_wav(Plan(frames=500)), threading.Event()

    def late(visit: Visit) -> None:
        while not ready.is_set() and not visit.pause(0.01):
            pass
        File(data)(visit)

    urls = (remote.url("/early.wav", File(data)), remote.url("/late.wav", late))
    key = desk.queue.archive(Wish(urls=urls), desk.sounds / "links.zip")
    desk.until(lambda: desk[key].note.startswith("The server is preparing it: 1 of 2 files"))
    assert desk[key].state is State.PREPARING
    desk.restart()
    ready.set()
    done = desk.until_state(key, State.DONE)
    assert contents(done.path) == ["early.wav", "late.wav"]
    assert len(remote.paths()) == 2  # asked for once, over the restart


def test_cancelled_while_it_is_prepared_the_server_ends_it_too(
    server: str, remote: Upstream, desk: Workplace
) -> None:
    urls = (remote.url("/never.wav", Visit.stall),)
    key = desk.queue.archive(Wish(urls=urls), desk.sounds / "never.zip")
    archive = [""]

    def begun() -> bool:
        archive[0] = desk[key].url.rpartition("/")[2].removesuffix(".zip")
        return desk[key].state is State.PREPARING and bool(archive[0])

    desk.until(begun)
    desk.queue.cancel(key)
    path = f"{server}/api/archive/status/{archive[0]}"
    until(lambda: requests.get(path, timeout=9).json() == {"status": "cancelled"})
    assert desk.names == []


def test_missing_files_are_told_and_listed(remote: Upstream, desk: Workplace) -> None:
    good = remote.url("/good.wav", File(build_wav(Plan(frames=100))))
    gone = remote.url("/gone.wav")
    key = desk.queue.archive(Wish(urls=(good, gone)), desk.sounds / "some.zip")
    done = desk.until_state(key, State.DONE)
    assert done.note == "1 file is missing"
    [missing] = list_missing(done.path)
    assert (missing.url, bool(missing.detail)) == (gone, True)


def test_when_nothing_could_be_had_it_fails_and_another_try_asks_anew(
    remote: Upstream, desk: Workplace
) -> None:
    url = remote.url("/later.wav")
    key = desk.queue.archive(Wish(urls=(url,)), desk.sounds / "later.zip")
    failed = desk.until_state(key, State.FAILED)
    assert failed.note.startswith(f"The server could not get the files; {url}: ")
    remote.url("/later.wav", File(build_wav(Plan(frames=100))))
    desk.queue.retry(key)
    assert contents(desk.until_state(key, State.DONE).path) == ["later.wav"]


@pytest.mark.timeout(60)
def test_the_server_is_killed_in_the_middle(tmp_path: Path) -> None:
    with server_process(tmp_path / "library") as server, fault_proxy(server.url) as proxy:
        for seed, name in enumerate(NAMES):
            data = write_wav(tmp_path / name, frames=80_000, seed=seed).read_bytes()
            requests.post(f"{server.url}/post", params={"name": name}, data=data, timeout=9)
        desk = Workplace(proxy.url, tmp_path)
        proxy.spoil(ZIP, honest, stall(400_000))
        key = desk.queue.archive(WISH, desk.sounds / "all.zip")
        desk.until(lambda: desk[key].done >= 400_000)
        server.kill()
        proxy.released.set()  # the line breaks
        desk.until_state(key, State.WAITING)
        server.start()
        desk.queue.retry_waiting()
        done = desk.until_state(key, State.DONE)
        desk.quit()
        assert contents(done.path) == NAMES
        assert proxy.received < 1.1 * done.total
