"""Another library answers at the address of the one that a download comes from, or it has left."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared import routes
from sonoteca_shared.models import Sound
from tests.kit.desk import Desk, Workplace
from tests.kit.faults import stall
from tests.kit.http import ServerProcess, server_process
from tests.kit.wavs import Plan, build_wav

MEGABYTE = 1 << 20
DATA = random.Random(8).randbytes(2_000_000)


@contextlib.contextmanager
def in_place_of(server: ServerProcess, data: Path) -> Iterator[None]:
    """Another library at the same address; the server of before is back at the end."""
    server.stop()
    with server_process(data, "--port", server.url.rpartition(":")[2]) as other:
        assert other.url == server.url
        yield
        other.stop()
    server.start()


def newest(url: str) -> Sound:
    client = Client(url)
    try:
        [change] = client.changes(None).results
        assert change.sound is not None
        return change.sound
    finally:
        client.close()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_download_waits_for_its_library_and_goes_on_where_it_was(tmp_path: Path) -> None:
    data = build_wav(Plan(frames=10 * MEGABYTE // 4, seed=7))
    with server_process(tmp_path / "one") as server:
        requests.post(f"{server.url}/post?name=long.wav", data=data, timeout=20)
        work = Workplace(server.url, tmp_path)
        try:
            work.client.changes(None)  # as the window does all the time
            work.queue.set_limit(2 * MEGABYTE)
            key = work.queue.download(newest(server.url), work.sounds)
            work.until(lambda: work[key].done > 2 * MEGABYTE)
            with in_place_of(server, tmp_path / "two"):
                work.queue.retry(key)
                work.until(lambda: "another library" in work[key].note)
                waiting = work[key]
                work.restart()
                work.until(lambda: "another library" in work[key].note)
                [part] = work.sounds.iterdir()
                assert part.stat().st_size > MEGABYTE
            assert waiting.state is State.WAITING
            assert waiting.note.startswith("This is another library than before; trying again ")
            assert waiting.way_out == "It goes on when the library of before is back"
            work.queue.set_limit(None)
            work.queue.retry_waiting()
            assert work[key].done > MEGABYTE
            work.until_state(key, State.DONE)
            assert (work.sounds / "long.wav").read_bytes() == data
        finally:
            work.quit()


def test_every_answer_names_the_library(tmp_path: Path) -> None:
    names = []
    for folder in ("one", "two", "one"):
        with server_process(tmp_path / folder) as server:
            answers = [
                requests.get(f"{server.url}{path}", timeout=10)
                for path in ("/list", "/healthz", "/nowhere", "/download?name=none.wav")
            ]
        [name] = {answer.headers[routes.LIBRARY] for answer in answers}
        names.append(name)
    assert names[0] == names[2] != names[1]


def test_what_came_of_a_sound_that_left_stays_until_its_row_goes(desk: Desk) -> None:
    desk.server.script.append(stall(1_000_000))
    sound = desk.server.add(DATA, "a.wav")
    key = desk.queue.download(sound, desk.sounds)
    desk.until(lambda: desk[key].done == 1_000_000)
    files = dict(desk.server.files)
    desk.server.files.clear()
    desk.server.released.set()
    desk.until_state(key, State.WAITING)
    desk.queue.retry(key)
    gone = desk.until_state(key, State.FAILED)
    assert (gone.done, len(desk.names)) == (1_000_000, 1)

    desk.server.files.update(files)
    desk.server.asked.clear()
    desk.queue.retry(key)
    desk.until_state(key, State.DONE)
    assert [each.headers["Range"] for each in desk.server.asked] == ["bytes=1000000-"]
    assert (desk.sounds / "a.wav").read_bytes() == DATA


def test_cancelling_a_failed_download_takes_its_part_along(desk: Desk) -> None:
    desk.server.script.append(stall(1_000_000))
    key = desk.queue.download(desk.server.add(DATA, "a.wav"), desk.sounds)
    desk.until(lambda: desk[key].done == 1_000_000)
    desk.server.files.clear()
    desk.server.released.set()
    desk.until_state(key, State.WAITING)
    desk.queue.retry(key)
    desk.until_state(key, State.FAILED)
    desk.queue.cancel(key)
    desk.until(lambda: not desk.names)
