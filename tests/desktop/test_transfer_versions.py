"""What the server makes when asked: no digest tells its versions apart, and none are joined."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import queue as queue_module
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared import routes
from tests.kit.desk import Desk
from tests.kit.faults import Handler, stall

OLD = random.Random(21).randbytes(1_000_000)
NEW = random.Random(22).randbytes(1_000_000)
HALF = 500_000


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 0.02)  # noqa: ARG005


def publish(desk: Desk, data: bytes) -> None:
    """From now on the server makes these bytes."""
    sound = desk.server.add(OLD, "a.wav")
    desk.server.files[routes.fill(routes.SOUND_FILE, id=sound.id)] = data


def export(desk: Desk) -> int:
    sound = desk.server.add(OLD, "a.wav")
    return desk.queue.export_all([sound], {"format": "flac"}, desk.sounds)[0]


def pause_in_the_middle(desk: Desk) -> int:
    """An export of the old version, of which a half is safe."""
    publish(desk, OLD)
    desk.server.script.extend([Handler.behave, stall(HALF)])
    key = export(desk)
    desk.until(lambda: desk[key].done == HALF)
    desk.queue.pause(key)
    desk.until(lambda: not desk.queue.busy)
    return key


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("how", ["refused", "killed before", "killed after"])
def test_a_part_of_an_old_version_is_never_the_beginning_of_the_new_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Be it that its file cannot be removed, or that the program ends in that very moment."""
    key = pause_in_the_middle(desk)
    publish(desk, NEW)
    tried: list[Path] = []
    unlink = Path.unlink

    def fail(path: Path, missing_ok: bool = False) -> None:
        if path.suffix != ".part" or tried:
            return unlink(path, missing_ok)
        tried.append(path)
        if how == "refused":
            raise PermissionError(13, "in use by another program")
        if how == "killed after":
            unlink(path)
        raise SystemExit  # it ends this thread alone

    monkeypatch.setattr(Path, "unlink", fail)
    desk.queue.resume(key)
    desk.until(lambda: bool(tried))
    if how != "refused":
        desk.restart()
    assert desk.until_state(key, State.DONE).path.read_bytes() == NEW
    assert [name for name in desk.names if "part" in name] == (
        [tried[0].name] if how == "refused" else []
    )


def test_what_was_not_yet_safe_when_the_program_was_killed_is_fetched_again(desk: Desk) -> None:
    """Nothing would tell that it is not of the version of which the rest comes."""
    key = pause_in_the_middle(desk)
    desk.quit()
    [part] = desk.sounds.glob("*.part")
    with part.open("ab") as file:
        file.write(b"x" * 1000)
    desk.open()
    desk.queue.resume(key)
    assert desk.until_state(key, State.DONE).path.read_bytes() == OLD


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("step", ["with both names", "with its name"])
def test_a_file_that_had_its_name_when_the_program_was_killed_is_not_fetched_a_second_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    publish(desk, OLD)
    (desk.sounds / "a.flac").write_bytes(b"mine")
    killed: list[str] = []

    def kill(*_: object) -> None:
        killed.append(step)
        raise SystemExit  # it ends this thread alone

    with monkeypatch.context() as patch:
        if step == "with both names":
            patch.setattr(Path, "unlink", kill)
        else:
            patch.setattr(target, "_sync_folder", kill)
        key = export(desk)
        desk.until(lambda: bool(killed))
        desk.quit()
    publish(desk, NEW)
    asked = len(desk.server.asked)
    desk.open()
    done = desk.until_state(key, State.DONE)
    assert (done.path.name, done.note) == ("a (2).flac", "saved as a (2).flac")
    assert done.path.read_bytes() == OLD
    assert desk.names == ["a (2).flac", "a.flac"]
    assert len(desk.server.asked) == asked
