"""Downloads beside the cache of what was heard: they share their bytes, and need no cache."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.transfers.soundcache import SoundCache
from tests.kit.desk import Desk

DATA = random.Random(24).randbytes(8_000_000)


@pytest.fixture
def desk(desk: Desk, tmp_path: Path) -> Desk:
    desk.quit()
    desk.heard = SoundCache(tmp_path / "heard")
    desk.open()
    return desk


def test_two_downloads_of_one_sound_at_once_both_arrive(desk: Desk) -> None:
    sound = desk.server.add(DATA, "a.wav")
    desk.server.pace = 0.001
    folders = [desk.sounds / name for name in ("one", "two", "three")]
    keys = []
    for folder in folders:
        folder.mkdir()
        keys.append(desk.queue.download(sound, folder))
    for key, folder in zip(keys, folders, strict=True):
        done = desk.until_state(key, State.DONE)
        assert (done.path, done.note) == (folder / "a.wav", "")
        assert done.path.read_bytes() == DATA
    assert desk.server.sent < 2 * len(DATA)  # what one has fetched, the others need not


def test_a_cache_that_cannot_be_used_fails_no_download(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "heard").rmdir()
    (tmp_path / "heard").write_text("a file where the folder was")
    done = desk.until_state(desk.fetch(DATA), State.DONE)
    assert done.path.read_bytes() == DATA
