from __future__ import annotations

import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers import queue as queue_module
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.journal import Journal, JournalError
from sonoteca_desktop.transfers.queue import Kind, State, Transfer, TransferQueue
from tests.kit.faults import (
    FaultyServer,
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


class Desk:
    """A desktop: a queue on a journal, which can be quit and started again."""

    def __init__(self, server: FaultyServer, folder: Path) -> None:
        self.server = server
        self.home = folder / "home"
        self.home.mkdir()
        self.sounds = folder / "sounds"
        self.sounds.mkdir()
        self.changed = threading.Condition()
        self.changes = 0
        self.running = False
        self.open()

    def open(self, *, start: bool = True) -> None:
        self.journal = Journal(self.home / "transfers.db")
        self.client = Client(self.server.url)
        self.queue = TransferQueue(self.journal, self.client, changed=self.note_change)
        if start:
            self.queue.start()
        self.running = True

    def quit(self) -> None:
        if self.running:
            self.queue.stop()
            self.journal.close()
            self.client.close()
        self.running = False

    def restart(self) -> None:
        self.quit()
        self.open()

    def note_change(self) -> None:
        with self.changed:
            self.changes += 1
            self.changed.notify_all()

    def until(self, condition: Callable[[], bool], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        with self.changed:
            while not condition():
                assert time.monotonic() < deadline, self.queue.snapshot()
                self.changed.wait(0.01)  # progress is not told

    def until_state(self, key: int, state: State) -> Transfer:
        self.until(lambda: self[key].state is state)
        return self[key]

    def __getitem__(self, key: int) -> Transfer:
        return next(each for each in self.queue.snapshot() if each.key == key)

    def fetch(self, data: bytes = DATA, name: str = "a.wav") -> int:
        return self.queue.download(self.server.add(data, name, "field"), self.sounds)

    @property
    def names(self) -> list[str]:
        return sorted(each.name for each in self.sounds.iterdir())


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def desk(server: FaultyServer, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(server, tmp_path)
    yield desk
    server.released.set()
    desk.quit()


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance always says: try again very soon."""
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 0.02)  # noqa: ARG005


def test_downloads_and_says_where_the_file_is(desk: Desk) -> None:
    sound = desk.server.add(DATA, "a.wav", "field")
    key = desk.queue.download(sound, desk.sounds)
    done = desk.until_state(key, State.DONE)
    assert done == Transfer(
        key=key,
        kind=Kind.DOWNLOAD,
        name="a.wav",
        folder="field",
        total=len(DATA),
        done=len(DATA),
        state=State.DONE,
        note="",
        speed=0.0,
        seconds_left=None,
        path=desk.sounds / "a.wav",
        sound_id=sound.id,
        sha256=sound.sha256,
    )
    assert done.path.read_bytes() == DATA
    assert desk.queue.local_file(sound.sha256) == done.path
    assert desk.queue.local_digests() == {sound.sha256}
    assert desk.names == ["a.wav"]


def test_uploads_and_says_what_became_of_it(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "take1.wav"
    source.write_bytes(DATA)
    first = desk.queue.upload(source, "a")
    desk.until_state(first, State.DONE)
    second = desk.queue.upload(source, "a")
    assert desk.until_state(second, State.DONE).note == "already there"
    source.write_bytes(b"another")
    third = desk.until_state(desk.queue.upload(source, "a"), State.DONE)
    assert third.note == "saved as take1 (2).wav"
    assert (third.kind, third.total, third.done, third.path) == (Kind.UPLOAD, 7, 7, source)
    assert third.sound_id is not None
    assert third.sha256 == make_sound(b"another", "x").sha256
    assert desk.queue.local_file(third.sha256) is None  # not a download


def test_a_broken_file_says_why_and_does_not_stop_the_others(desk: Desk, tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav", "c.wav"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    desk.server.script.append(refuse(422, "Not a usable WAV", "no fmt chunk (at byte 12)"))
    keys = desk.queue.upload_all([(tmp_path / f"{each}.wav", "x") for each in "abc"])
    desk.until(lambda: not desk.queue.busy)
    states = [desk[key].state for key in keys]
    assert sorted(states) == [State.DONE, State.DONE, State.FAILED]
    failed = desk[keys[states.index(State.FAILED)]]
    assert failed.note == "Not a usable WAV: no fmt chunk (at byte 12)"
    assert len(desk.server.asked) == 3  # no second try


def test_pauses_and_goes_on_where_it_was(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch()
    desk.until(lambda: desk[key].done == 700_000)
    desk.queue.pause(key)
    assert desk[key].state is State.PAUSED
    assert not desk.queue.busy
    desk.restart()
    paused = desk[key]
    assert (paused.state, paused.done) == (State.PAUSED, 700_000)
    desk.queue.resume(key)
    assert desk.until_state(key, State.DONE).path.read_bytes() == DATA
    assert [each.headers.get("Range") for each in desk.server.asked] == [None, "bytes=700000-"]
    assert desk.server.sent == len(DATA)


def test_what_was_running_goes_on_by_itself_after_a_restart(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch()
    desk.until(lambda: desk[key].done == 700_000)
    desk.quit()
    assert not [each for each in threading.enumerate() if each.name.startswith("transfer-")]
    desk.open()
    assert desk.until_state(key, State.DONE).path.read_bytes() == DATA
    assert desk.server.sent == len(DATA)


def test_pauses_all_and_resumes_all_over_a_restart(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    keys = [desk.fetch(DATA[number:], f"{number}.wav") for number in range(6)]
    desk.queue.pause_all()
    desk.restart()
    assert {desk[key].state for key in keys} == {State.PAUSED}
    assert desk.queue.limit == 1000
    desk.queue.set_limit(None)
    desk.queue.resume_all()
    desk.until(lambda: all(desk[key].state is State.DONE for key in keys))


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
    key = desk.fetch()
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


def test_waits_as_long_as_the_server_asks(desk: Desk) -> None:
    desk.server.script.append(refuse(503, "Busy", Retry_After="40"))
    key = desk.fetch()
    note = desk.until_state(key, State.WAITING).note
    assert note == "The server is busy; trying again in 40 s"
    desk.queue.pause(key)
    desk.queue.resume(key)
    time.sleep(0.1)  # nothing may happen
    assert (desk[key].state, len(desk.server.asked)) == (State.QUEUED, 1)


def test_breaks_do_no_harm(desk: Desk) -> None:
    desk.server.script += [hang_up, cut(0), cut(900_000), refuse(500), cut(10), hang_up]
    key = desk.fetch()
    assert desk.until_state(key, State.DONE).path.read_bytes() == DATA
    assert desk.server.sent < len(DATA) + 10_000


def test_wrong_bytes_are_fetched_once_more_and_then_given_up(desk: Desk) -> None:
    wrong = reply(200, bytes(len(DATA)))
    desk.server.script += [wrong, wrong]
    key = desk.fetch()
    failed = desk.until_state(key, State.FAILED)
    assert failed.note.startswith("What arrived is not the file in the catalogue")
    assert desk.names == []
    desk.queue.retry(key)
    assert desk.until_state(key, State.DONE).note == ""


def test_senseless_replies_are_given_up(desk: Desk) -> None:
    odd = reply(206, DATA[5:], Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
    desk.server.script += [odd, odd, odd]
    key = desk.fetch()
    assert desk.until_state(key, State.FAILED).note.startswith("The server's replies make no sense")
    assert (desk.names, len(desk.server.asked)) == ([], 3)


def test_a_file_that_is_gone_is_not_asked_for_again(desk: Desk) -> None:
    key = desk.queue.download(make_sound(DATA, "a.wav"), desk.sounds)
    assert desk.until_state(key, State.FAILED).note == "There is no such file"
    assert len(desk.server.asked) == 1


def test_cancel_removes_what_has_come(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch()
    desk.until(lambda: desk[key].done == 700_000)
    assert len(desk.names) == 1
    desk.queue.cancel(key)
    assert desk.queue.snapshot() == []
    desk.until(lambda: desk.names == [])
    desk.restart()
    assert desk.queue.snapshot() == []


def test_a_part_file_that_could_not_be_removed_goes_with_the_next_start(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch()
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


def test_a_finished_file_outlives_its_row(desk: Desk) -> None:
    first, second = desk.fetch(), desk.fetch(DATA[1:], "b.wav")
    desk.until(lambda: not desk.queue.busy)
    sha256 = desk[first].sha256 or ""
    desk.queue.cancel(second)
    desk.queue.clear_finished()
    assert desk.queue.snapshot() == []
    assert desk.names == ["a.wav", "b.wav"]
    desk.restart()
    assert desk.queue.snapshot() == []
    assert desk.queue.local_file(sha256) == desk.sounds / "a.wav"
    (desk.sounds / "a.wav").write_bytes(b"edited")
    assert desk.queue.local_file(sha256) is None
    (desk.sounds / "a.wav").unlink()
    assert desk.queue.local_file(sha256) is None


def test_nothing_is_fetched_twice_at_once(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    key = desk.fetch()
    assert desk.fetch() == key
    assert len(desk.queue.snapshot()) == 1


def test_fetching_again_what_is_there_costs_nothing(desk: Desk) -> None:
    desk.until_state(desk.fetch(), State.DONE)
    again = desk.until_state(desk.fetch(), State.DONE)
    assert again.note == "already there"
    assert len(desk.server.asked) == 1


def test_three_takes_of_one_name_become_three_files(desk: Desk) -> None:
    for number in range(3):
        desk.fetch(DATA[number:], "take1.wav")
    desk.until(lambda: not desk.queue.busy)
    assert desk.names == ["take1 (2).wav", "take1 (3).wav", "take1.wav"]
    notes = sorted(each.note for each in desk.queue.snapshot())
    assert notes == ["", "saved as take1 (2).wav", "saved as take1 (3).wav"]


def test_no_more_than_three_run_at_once(desk: Desk) -> None:
    desk.queue.set_limit(100_000)
    for number in range(8):
        desk.fetch(DATA[number:], f"{number}.wav")
    desk.until(lambda: sum(each.done > 0 for each in desk.queue.snapshot()) == 3)
    states = [each.state for each in desk.queue.snapshot()]
    assert (states.count(State.RUNNING), states.count(State.QUEUED)) == (3, 5)


def test_a_limit_applies_at_once_and_tells_the_time_left(desk: Desk) -> None:
    desk.queue.set_limit(50_000)
    key = desk.fetch()
    began = time.monotonic()
    desk.until(lambda: desk[key].seconds_left is not None)
    running = desk[key]
    assert running.done <= 50_000 * (time.monotonic() - began + 0.5)
    assert 0 < running.speed < 75_000
    assert running.seconds_left == pytest.approx((len(DATA) - running.done) / running.speed)
    desk.queue.set_limit(None)
    desk.until_state(key, State.DONE)  # at the old limit this took longer than a test may


def test_a_full_disk_blocks_until_there_is_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(desk.sounds)
    full = usage._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: full)
        key = desk.fetch()
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
    key = desk.fetch()
    assert "the folder is not there" in desk.until_state(key, State.BLOCKED).note
    changes = desk.changes
    time.sleep(0.2)
    assert desk.changes == changes  # and does not flicker meanwhile
    away.rename(desk.sounds)
    desk.until_state(key, State.DONE)


def test_a_missing_source_is_named(desk: Desk, tmp_path: Path) -> None:
    key = desk.queue.upload(tmp_path / "no.wav", "")
    assert desk.until_state(key, State.BLOCKED).note.endswith("no.wav: No such file or directory")
    (tmp_path / "no.wav").write_bytes(b"now")
    desk.queue.retry(key)
    assert desk.until_state(key, State.DONE).total == 3


def test_a_paused_upload_says_that_it_begins_again(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    desk.queue.set_limit(500_000)
    key = desk.queue.upload(source, "")
    desk.until(lambda: desk[key].done > 0)
    desk.queue.pause(key)
    assert desk[key].note == "Starts from the beginning when it goes on"
    desk.queue.set_limit(None)
    desk.until(lambda: desk[key].done == 0)
    desk.queue.resume(key)
    desk.until_state(key, State.DONE)
    assert desk.server.posts.kept == {("", "a.wav"): DATA}


def test_two_thousand_files_are_no_burden(desk: Desk) -> None:
    desk.server.script += [stall(0)] * 3
    sounds = [desk.server.add(str(number).encode(), f"{number}.wav") for number in range(2000)]
    keys = desk.queue.download_all(sounds, desk.sounds)
    assert len(set(keys)) == 2000
    desk.until(lambda: len(desk.server.asked) == 3)
    assert threading.active_count() < 15
    waiting = [each for each in desk.queue.snapshot() if each.state is State.QUEUED]
    assert len(waiting) == 1997
    again = [each for each in desk.queue.snapshot() if each.state is State.QUEUED]
    assert all(one is two for one, two in zip(waiting, again, strict=True))  # not made anew
    desk.queue.pause_all()
    desk.restart()
    assert {each.state for each in desk.queue.snapshot()} == {State.PAUSED}


def test_hostile_names_stay_in_the_folder(desk: Desk) -> None:
    desk.fetch(DATA, "../../up.wav")
    desk.fetch(DATA[1:], "/etc/passwd")
    desk.until(lambda: not desk.queue.busy)
    assert desk.names == [".._.._up.wav", "_etc_passwd"]


def test_an_unforeseen_fault_ends_one_transfer_and_not_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = target.land

    def land(part: Path, path: Path) -> Path:
        if path.name == "a.wav":
            raise RuntimeError("a bug")
        return real(part, path)

    monkeypatch.setattr(target, "land", land)
    broken, fine = desk.fetch(), desk.fetch(DATA[1:], "b.wav")
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
        key = desk.fetch()
        desk.until(lambda: desk[key].note == "no room for the journal")
        assert desk[key].state is State.BLOCKED
    desk.queue.retry(key)
    desk.until_state(key, State.DONE)
    desk.restart()
    assert desk[key].state is State.DONE


def test_cancelled_while_paused_leaves_nothing(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch()
    desk.until(lambda: desk[key].done == 700_000)
    desk.queue.pause(key)
    desk.queue.cancel(key)
    desk.until(lambda: desk.names == [])
    desk.queue.resume(key)  # too late, and no harm
    assert desk.queue.snapshot() == []


def test_pausing_while_the_server_looks_at_an_upload_changes_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    looking = threading.Event()
    go_on = threading.Event()

    def think(handler: Handler) -> None:
        asked = desk.server.asked[-1]
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        looking.set()
        go_on.wait(10)
        handler.answer_sound(201, body, asked.arguments["name"], "")

    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    desk.server.script.append(think)
    key = desk.queue.upload(source, "")
    looking.wait(10)
    desk.until_state(key, State.VERIFYING)
    desk.queue.pause(key)
    assert desk[key].state is State.VERIFYING
    go_on.set()
    desk.until_state(key, State.DONE)


def test_relative_paths_mean_the_folder_of_that_moment(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk.sounds.parent)
    key = desk.queue.download(desk.server.add(DATA, "a.wav"), Path("sounds"))
    os.chdir(desk.home)
    assert desk.until_state(key, State.DONE).path == desk.sounds / "a.wav"
