"""Folders and disks that fail under a download: full, read-only, unplugged, and the user's own."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import plan, target
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared import routes
from tests.kit.desk import Desk
from tests.kit.faults import FaultyServer, Handler, cut, faulty_server
from tests.kit.small_disk import fill, small_disk

MIB = 1 << 20
DATA = random.Random(6).randbytes(8 * MIB)
HALF = 4 * MIB

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A stick that may be pulled out: a disk with room for a download and what we leave free."""
    with small_disk(tmp_path / "stick", size=target.SPARE_ROOM + 2 * len(DATA)) as disk:
        yield disk


@pytest.fixture
def desk(server: FaultyServer, disk: Path, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(server, tmp_path)
    desk.sounds = disk
    yield desk
    server.released.set()
    desk.quit()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is blocked looks again very soon whether it still is."""
    monkeypatch.setattr(plan, "LOOK_AGAIN", 0.05)


def hesitate(handler: Handler) -> None:
    """Send a half, and the other when the test says so."""
    cut(HALF)(handler)
    handler.server.released.wait(30)
    handler.send(DATA[HALF:])


def begin(desk: Desk) -> int:
    """A download of which a half has come."""
    desk.server.script.append(hesitate)
    key = desk.fetch(DATA)
    desk.until(lambda: desk[key].done == HALF)
    return key


def assert_arrives(desk: Desk, key: int) -> None:
    done = desk.until_state(key, State.DONE)
    assert done.path.read_bytes() == DATA
    assert not list(desk.sounds.glob("*.part"))


def test_a_disk_that_was_full_before_is_waited_for(desk: Desk, disk: Path) -> None:
    fill(disk / "other")
    key = desk.fetch(DATA)
    blocked = desk.until_state(key, State.BLOCKED)
    assert blocked.note == (
        f"Not enough room in {disk}: 0 MB free, 8 MB needed, and 67 MB are always left free"
    )
    assert desk.server.asked == []
    (disk / "other").unlink()
    assert_arrives(desk, key)


def test_an_export_needs_room_for_what_is_missing_of_it_alone(desk: Desk, disk: Path) -> None:
    sound = desk.server.add(DATA, "a.wav")
    desk.server.files[routes.fill(routes.SOUND_FILE, id=sound.id)] = DATA
    desk.server.script.extend([Handler.behave, hesitate])
    [key] = desk.queue.export_all([sound], {"format": "flac"}, disk)
    desk.until(lambda: desk[key].done == HALF)
    desk.queue.pause(key)
    desk.until(lambda: not desk.queue.busy)
    (disk / "other").write_bytes(bytes(7 * MIB))  # of the 16 that there were, 5 are left
    desk.queue.resume(key)
    assert_arrives(desk, key)


def test_a_disk_that_fills_up_meanwhile_keeps_what_has_come(desk: Desk, disk: Path) -> None:
    key = begin(desk)
    fill(disk / "other")
    desk.server.released.set()
    blocked = desk.until_state(key, State.BLOCKED)
    desk.until(lambda: "Not enough room" in desk[key].note)
    assert blocked.done >= HALF
    desk.restart()
    assert desk.until_state(key, State.BLOCKED).done == blocked.done
    (disk / "other").unlink()
    assert_arrives(desk, key)
    assert desk.server.sent <= 1.6 * len(DATA)


def test_a_disk_that_is_full_to_the_last_byte_is_named(
    desk: Desk, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when others are quicker than our look at the room."""
    key = begin(desk)
    fill(disk / "other")
    monkeypatch.setattr(plan, "LOOK_AGAIN", 600.0)
    desk.server.released.set()
    blocked = desk.until_state(key, State.BLOCKED)
    assert blocked.note == f"The disk is full: {disk}/a.wav"
    (disk / "other").unlink()
    desk.queue.retry(key)
    assert_arrives(desk, key)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


def test_a_disk_that_becomes_read_only_is_waited_for(desk: Desk, disk: Path) -> None:
    key = begin(desk)
    desk.queue.pause(key)
    desk.until(lambda: not desk.queue.busy)
    desk.quit()
    remount(disk, "ro")
    desk.open()
    desk.queue.resume(key)
    blocked = desk.until_state(key, State.BLOCKED)
    assert blocked.note.startswith(f"Cannot use {disk}: ")
    assert blocked.done == HALF
    remount(disk, "rw")
    assert_arrives(desk, key)
    assert desk.server.sent <= len(DATA)


def test_a_folder_that_goes_away_in_the_middle_is_waited_for(desk: Desk, disk: Path) -> None:
    desk.sounds = disk / "field"
    desk.sounds.mkdir()
    key = begin(desk)
    away = desk.sounds.rename(disk / "away")
    desk.server.released.set()
    blocked = desk.until_state(key, State.BLOCKED)
    assert str(desk.sounds) in blocked.note
    away.rename(desk.sounds)
    assert_arrives(desk, key)
    assert desk.server.sent <= len(DATA) + HALF


def test_a_disk_that_is_gone_until_the_next_start_is_waited_for(
    desk: Desk, disk: Path, tmp_path: Path
) -> None:
    desk.sounds = disk / "field"
    desk.sounds.mkdir()
    key = begin(desk)
    desk.quit()
    aside = tmp_path / "aside"
    aside.mkdir()
    subprocess.run(["mount", "--bind", str(disk), str(aside)], check=True)
    subprocess.run(["umount", "--lazy", str(disk)], check=True)
    try:
        desk.open()
        blocked = desk.until_state(key, State.BLOCKED)
        assert blocked.note == f"Cannot use {desk.sounds}: the folder is not there"
        assert not list(disk.iterdir())  # nothing of it was made where the disk was
        subprocess.run(["mount", "--bind", str(aside), str(disk)], check=True)
        assert_arrives(desk, key)
    finally:
        subprocess.run(["umount", "--lazy", str(aside)], check=True)
        desk.quit()


def test_a_name_that_the_user_takes_meanwhile_stays_his(desk: Desk) -> None:
    key = begin(desk)
    (desk.sounds / "a.wav").write_bytes(b"mine")
    (desk.sounds / "a (2).wav").mkdir()
    desk.server.released.set()
    assert_arrives(desk, key)
    assert (desk[key].path.name, desk[key].note) == ("a (3).wav", "saved as a (3).wav")
    assert (desk.sounds / "a.wav").read_bytes() == b"mine"


def test_a_disk_that_is_full_when_the_server_is_back_is_named(desk: Desk, disk: Path) -> None:
    """And not the server, which was the trouble before."""
    desk.server.script.append(cut(HALF))
    key = desk.fetch(DATA)
    desk.until_state(key, State.WAITING)
    fill(disk / "other")
    assert "Not enough room" in desk.until_state(key, State.BLOCKED).note
    (disk / "other").unlink()
    assert_arrives(desk, key)


@pytest.mark.parametrize("how", ["replaced", "removed"])
def test_a_part_file_that_is_touched_meanwhile_gets_no_name(
    desk: Desk, disk: Path, how: str
) -> None:
    key = begin(desk)
    [part] = disk.glob("*.part")
    part.unlink()
    if how == "replaced":
        part.write_bytes(bytes(len(DATA)))
    desk.server.released.set()
    assert_arrives(desk, key)
    assert desk.names == ["a.wav"]


def test_a_part_file_that_the_user_removes_is_fetched_anew(desk: Desk) -> None:
    key = begin(desk)
    desk.queue.pause(key)
    desk.until(lambda: not desk.queue.busy)
    shutil.rmtree(desk.sounds, ignore_errors=True)  # all that is in it: the disk itself stays
    desk.queue.resume(key)
    assert_arrives(desk, key)
