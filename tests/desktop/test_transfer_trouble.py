from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import queue as queue_module
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.journal import JournalError, Row
from sonoteca_desktop.transfers.plan import PathBlockedError
from sonoteca_desktop.transfers.queue import State
from tests.kit.desk import Desk
from tests.kit.faults import (
    Handler,
    cut,
    faulty_server,
    hang_up,
    make_sound,
    refuse,
    reply,
    stall,
)

DATA = random.Random(2).randbytes(2_000_000)
HALF = 1_000_000


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance always says: try again very soon."""
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 0.02)  # noqa: ARG005


def test_a_server_that_wants_a_sign_in_is_told_of_once(desk: Desk) -> None:
    sounds = [desk.server.add(DATA[number:], f"{number}.wav") for number in range(5)]
    desk.server.script += [refuse(401, "Sign in")] * 9
    keys = desk.queue.download_all(sounds, desk.sounds)
    states = [State.BLOCKED, State.QUEUED]
    desk.until(lambda: State.BLOCKED in {desk[key].state for key in keys})
    desk.until(lambda: all(desk[key].state in states for key in keys))
    asked = len(desk.server.asked)
    assert asked <= 3  # those that ran at once; nobody else tries
    [blocked] = [key for key in keys if desk[key].state is State.BLOCKED]
    assert desk[blocked].note == "Sign in"
    assert not [key for key in keys if desk[key].state is State.QUEUED and desk[key].note]
    desk.server.script.clear()
    desk.queue.retry(blocked)
    desk.until(lambda: all(desk[key].state is State.DONE for key in keys))


def test_who_is_behind_one_that_is_removed_does_not_wait_for_ever(desk: Desk) -> None:
    desk.server.script.append(refuse(401, "Sign in"))
    first = desk.fetch(DATA)
    desk.until_state(first, State.BLOCKED)
    second = desk.fetch(DATA[1:], "b.wav")
    desk.queue.cancel(first)
    desk.until_state(second, State.DONE)


def test_waits_as_long_as_the_server_is_away(desk: Desk) -> None:
    port = desk.server.server_address[1]
    sound = desk.server.add(DATA, "a.wav")
    desk.server.shutdown()
    desk.server.server_close()
    key = desk.queue.download(sound, desk.sounds)
    waiting = desk.until_state(key, State.WAITING)
    assert waiting.note.startswith("The server cannot be reached; trying again ")
    assert desk.queue.busy
    with faulty_server(port) as server:
        server.files = desk.server.files
        desk.until_state(key, State.DONE)


def test_the_user_need_not_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 600.0)  # noqa: ARG005
    desk.server.script += [hang_up, refuse(500, "Oops")]
    key = desk.fetch(DATA)
    note = desk.until_state(key, State.WAITING).note
    assert note == "The server cannot be reached; trying again in 600 s"
    other = desk.fetch(DATA[1:], "b.wav")
    assert desk[other].state is State.QUEUED  # it would fare no better
    desk.queue.retry(key)
    desk.until(lambda: "trouble" in desk[key].note or "trouble" in desk[other].note)
    desk.queue.retry(key)
    desk.queue.retry(other)
    desk.until(lambda: not desk.queue.busy)
    assert desk.names == ["a.wav", "b.wav"]


def test_nobody_waits_when_the_server_is_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 600.0)  # noqa: ARG005
    desk.server.script += [hang_up, hang_up]
    keys = desk.queue.download_all(
        [desk.server.add(DATA, "a.wav"), desk.server.add(DATA[1:], "b.wav")], desk.sounds
    )
    desk.until(lambda: any(desk[key].state is State.WAITING for key in keys))
    desk.queue.retry_waiting()
    desk.until(lambda: desk[keys[0]].state is State.DONE or desk[keys[1]].state is State.DONE)
    desk.queue.retry_waiting()
    desk.until(lambda: not desk.queue.busy)
    assert desk.names == ["a.wav", "b.wav"]


def test_a_line_that_died_in_our_sleep_is_not_waited_for(desk: Desk) -> None:
    desk.server.script.append(stall(HALF))
    key = desk.fetch(DATA)
    desk.until(lambda: desk[key].done == HALF)
    desk.queue.retry_waiting()
    assert desk.until_state(key, State.DONE).path.read_bytes() == DATA
    assert [each.headers.get("Range") for each in desk.server.asked] == [None, f"bytes={HALF}-"]


def test_the_time_told_is_that_of_the_whole_server(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience = iter((1.0, 600.0))
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: next(patience))  # noqa: ARG005
    desk.server.script += [stall(1000), stall(1000)]
    keys = [desk.fetch(DATA), desk.fetch(DATA[1:], "b.wav")]
    desk.until(lambda: all(desk[key].done == 1000 for key in keys))
    desk.server.shutdown()
    desk.server.server_close()
    desk.server.released.set()
    desk.until(lambda: all(desk[key].state is State.WAITING for key in keys))
    assert all(" in 600 s" in desk[key].note or " in 599 s" in desk[key].note for key in keys)


def test_waits_as_long_as_the_server_asks(desk: Desk) -> None:
    desk.server.script.append(refuse(503, "Busy", Retry_After="40"))
    key = desk.fetch(DATA)
    note = desk.until_state(key, State.WAITING).note
    assert note == "The server is busy; trying again in 40 s"
    desk.queue.pause(key)
    desk.queue.resume(key)
    time.sleep(0.1)  # nothing may happen
    assert (desk[key].state, len(desk.server.asked)) == (State.QUEUED, 1)


def test_what_the_server_asks_for_outlasts_other_trouble(desk: Desk) -> None:
    desk.server.script += [stall(1000), refuse(503, "Busy", Retry_After="40")]
    other = desk.fetch(DATA)
    desk.until(lambda: desk[other].done == 1000)
    key = desk.fetch(DATA[1:], "b.wav")
    desk.until_state(key, State.WAITING)
    desk.server.released.set()  # the other one breaks now
    desk.until_state(other, State.WAITING)
    assert " in 40 s" in desk[other].note or " in 39 s" in desk[other].note


def test_breaks_do_no_harm(desk: Desk) -> None:
    desk.server.script += [hang_up, cut(0), cut(900_000), refuse(500), cut(10), hang_up]
    key = desk.fetch(DATA)
    assert desk.until_state(key, State.DONE).path.read_bytes() == DATA
    assert desk.server.sent < len(DATA) + 10_000


def test_a_pause_does_not_wait_for_a_silent_server(desk: Desk) -> None:

    def say_nothing(handler: Handler) -> None:
        handler.server.released.wait(60)

    desk.server.script.append(say_nothing)
    key = desk.fetch(DATA)
    desk.until(lambda: len(desk.server.asked) == 1)
    desk.queue.pause(key)
    desk.queue.resume(key)
    desk.until_state(key, State.DONE)  # the silence would outlast this test


def test_wrong_bytes_are_fetched_once_more_and_then_given_up(desk: Desk) -> None:
    wrong = reply(200, bytes(len(DATA)))
    desk.server.script += [wrong, wrong]
    key = desk.fetch(DATA)
    failed = desk.until_state(key, State.FAILED)
    assert failed.note.startswith("What arrived is not the file in the catalogue")
    assert (desk.names, failed.done) == ([], 0)
    desk.queue.retry(key)
    assert desk.until_state(key, State.DONE).note == ""


def test_senseless_replies_are_given_up(desk: Desk) -> None:
    odd = reply(206, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
    desk.server.script += [odd, odd, odd]
    key = desk.fetch(DATA)
    assert desk.until_state(key, State.FAILED).note.startswith("The server's replies make no sense")
    assert (desk.names, len(desk.server.asked)) == ([], 3)


def test_a_file_that_is_gone_is_not_asked_for_again(desk: Desk) -> None:
    key = desk.queue.download(make_sound(DATA, "a.wav"), desk.sounds)
    assert desk.until_state(key, State.FAILED).note == "There is no such file"
    assert len(desk.server.asked) == 1


def test_a_part_file_that_could_not_be_removed_goes_with_the_next_start(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch(DATA)
    desk.until(lambda: desk[key].done == 700_000)
    desk.queue.pause(key)
    desk.quit()
    away = desk.sounds.rename(desk.sounds.with_name("away"))
    desk.sounds.write_bytes(b"")  # where the folder was
    desk.open()
    desk.queue.cancel(key)
    desk.quit()
    desk.sounds.unlink()
    away.rename(desk.sounds)
    assert len(desk.names) == 1
    desk.open()
    desk.until(lambda: desk.names == [])
    assert desk.queue.snapshot() == []


def test_a_full_disk_blocks_until_there_is_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(desk.sounds)
    full = usage._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        key = desk.fetch(DATA)
        blocked = desk.until_state(key, State.BLOCKED)
        assert blocked.note.startswith(f"Not enough room in {desk.sounds}: 0 MB free")
        assert not desk.queue.busy  # it needs the user
    desk.queue.retry(key)
    desk.until_state(key, State.DONE)


def test_looks_by_itself_whether_a_folder_is_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sonoteca_desktop.transfers.plan.LOOK_AGAIN", 0.05)
    away = desk.sounds.rename(desk.sounds.with_name("away"))
    looks = []

    def look(folder: Path, missing: int) -> None:
        looks.append(missing)
        if not desk.sounds.exists():
            raise PathBlockedError(f"look {len(looks)}: the folder is not there")
        real(folder, missing)

    real = target.check_room
    monkeypatch.setattr(target, "check_room", look)
    key = desk.fetch(DATA)
    desk.until_state(key, State.BLOCKED)
    desk.until(lambda: len(looks) > 1)  # what the first look led to was told
    changes = desk.changes
    desk.until(lambda: len(looks) > 4)
    assert desk.changes == changes  # no flicker, and no write, only because it was looked at
    away.rename(desk.sounds)
    desk.until_state(key, State.DONE)


def test_a_missing_source_is_named(desk: Desk, tmp_path: Path) -> None:
    key = desk.queue.upload(tmp_path / "no.wav", "")
    assert desk.until_state(key, State.FAILED).note.endswith("/no.wav is not there any more")
    (tmp_path / "no.wav").write_bytes(b"now")
    desk.queue.retry(key)
    assert desk.until_state(key, State.DONE).total == 3


def test_a_source_that_goes_while_the_server_is_away_is_named(desk: Desk, tmp_path: Path) -> None:
    desk.server.received.creations += [hang_up] * 999
    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    key = desk.queue.upload(source, "")
    desk.until_state(key, State.WAITING)
    source.unlink()
    assert desk.until_state(key, State.FAILED).note.endswith("/a.wav is not there any more")


HOSTILE = [
    "../../up.wav", "/etc/passwd", "..\\..\\up.wav", "..", "", "a/../../b.wav", "C:\\x.wav",
    "~/x.wav", "CON", "nul.wav", "com1.take.wav", "LPT9", "take.wav...", "take.wav. . ",
    "x" * 4000 + ".wav", "ü" * 200 + ".wav", "TAKE.WAV", "Take.wav", "take.wav", "take\0.wav",
    "take\n.wav", "\u202evaw.exe", "x.wav:stream", "-rf", ".hidden", "take.wav.part", " ", "|",
    "%2e%2e%2fup.wav", "$HOME", "a\tb",
]  # fmt: skip


def test_no_name_leads_out_of_the_folder_or_onto_a_file_of_the_user(
    desk: Desk, tmp_path: Path
) -> None:
    mine = {"take.wav": b"mine", "sound.wav": b"mine too", "nul_.wav": b"and this"}
    for name, data in mine.items():
        (desk.sounds / name).write_bytes(data)
    around = sorted(each.name for each in tmp_path.iterdir())
    keys = [desk.fetch(name.encode() * 3 + b"x", name) for name in HOSTILE]
    desk.until(lambda: not desk.queue.busy)
    assert {desk[key].state for key in keys} == {State.DONE}
    for key, name in zip(keys, HOSTILE, strict=True):
        assert desk[key].path.parent == desk.sounds
        assert desk[key].path.read_bytes() == name.encode() * 3 + b"x"
        assert desk[key].path.name[-1] not in ". "
    assert len(desk.names) == len(HOSTILE) + len(mine)
    assert {name: (desk.sounds / name).read_bytes() for name in mine} == mine
    assert sorted(each.name for each in tmp_path.iterdir()) == around


def test_an_unforeseen_fault_ends_one_transfer_and_not_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = target.land

    def land(part: Path, path: Path) -> Path:
        if path.name == "a.wav":
            raise RuntimeError("a bug")
        return real(part, path)

    monkeypatch.setattr(target, "land", land)
    broken, fine = desk.fetch(DATA), desk.fetch(DATA[1:], "b.wav")
    failed = desk.until_state(broken, State.FAILED)
    assert failed.note == "Something went wrong inside Sonoteca; its log says what"
    desk.until_state(fine, State.DONE)
    assert "a bug" in caplog.text
    caplog.clear()  # claimed


def test_a_journal_that_cannot_be_written_stops_nothing_for_good(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_to_write(_: object) -> None:
        raise JournalError("no room for the journal")

    with monkeypatch.context() as patch:
        patch.setattr(desk.journal, "save", refuse_to_write)
        key = desk.fetch(DATA)
        desk.until(lambda: desk[key].note == "no room for the journal")
        assert desk[key].state is State.BLOCKED
    desk.queue.retry(key)
    desk.until_state(key, State.DONE)
    desk.restart()
    assert desk[key].state is State.DONE


def test_what_the_journal_missed_is_written_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse_to_write(_: object) -> None:
        raise JournalError("no room for the journal")

    desk.server.script.append(stall(0))
    key = desk.fetch(DATA)
    desk.until_state(key, State.RUNNING)
    with monkeypatch.context() as patch:
        patch.setattr(desk.journal, "save", refuse_to_write)
        desk.queue.pause(key)
        desk.until(lambda: "no room for the journal" in desk.told)
    assert desk[key].state is State.PAUSED
    desk.restart()
    assert desk[key].state is State.PAUSED


def test_nothing_is_asked_of_the_server_before_the_journal_knows_of_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = desk.journal.save
    asked_before: list[int] = []

    def save(rows: Iterable[Row]) -> None:
        rows = list(rows)
        if any(each.state is State.RUNNING and not each.durable for each in rows):
            asked_before.append(len(desk.server.downloads()))
        real(rows)

    monkeypatch.setattr(desk.journal, "save", save)
    first = desk.until_state(desk.fetch(DATA), State.DONE)
    assert asked_before == [0], first
