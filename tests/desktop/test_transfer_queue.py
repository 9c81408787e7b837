from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import queue as queue_module
from sonoteca_desktop.transfers.queue import Kind, State, Transfer
from tests.kit.desk import Desk
from tests.kit.faults import (
    Handler,
    make_sound,
    refuse,
    stall,
)

DATA = random.Random(2).randbytes(2_000_000)


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
        url=sound.links.file,
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
    assert [each.method for each in desk.server.asked].count("PATCH") == 3  # no second try


def test_what_failed_is_tried_again_when_it_is_wanted_again(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"")
    key = desk.queue.upload(source, "x")
    desk.until_state(key, State.FAILED)
    desk.queue.upload_all([])
    assert desk[key].state is State.FAILED
    source.write_bytes(b"mended")
    assert desk.queue.upload(source, "x") == key
    assert desk.until_state(key, State.DONE).total == 6


def test_pauses_and_goes_on_where_it_was(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch(DATA)
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


def test_a_pause_makes_room_for_others(desk: Desk) -> None:
    desk.server.script += [stall(700_000)] * 3
    keys = [desk.fetch(DATA[number:], f"{number}.wav") for number in range(3)]
    desk.until(lambda: all(desk[key].done == 700_000 for key in keys))
    other = desk.fetch(DATA[3:], "other.wav")
    desk.queue.pause(keys[1])
    desk.until_state(other, State.DONE)
    assert [desk[key].state for key in keys] == [State.RUNNING, State.PAUSED, State.RUNNING]


def test_what_was_running_goes_on_by_itself_after_a_restart(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch(DATA)
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


def test_cancel_removes_what_has_come(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch(DATA)
    desk.until(lambda: desk[key].done == 700_000)
    assert len(desk.names) == 1
    desk.queue.cancel(key)
    assert desk.queue.snapshot() == []
    desk.until(lambda: desk.names == [])
    desk.restart()
    assert desk.queue.snapshot() == []


def test_a_finished_file_outlives_its_row(desk: Desk) -> None:
    first, second = desk.fetch(DATA), desk.fetch(DATA[1:], "b.wav")
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


def test_a_look_tells_which_files_are_gone(desk: Desk) -> None:
    sha256 = desk.until_state(desk.fetch(DATA), State.DONE).sha256 or ""
    changes = desk.changes
    desk.queue.look_for_files()
    assert (desk.queue.local_digests(), desk.changes) == (frozenset({sha256}), changes)
    (desk.sounds / "a.wav").rename(desk.sounds / "away.wav")
    desk.queue.look_for_files()
    assert desk.queue.local_digests() == frozenset()
    assert desk.changes > changes
    (desk.sounds / "away.wav").rename(desk.sounds / "a.wav")
    desk.queue.look_for_files()
    assert desk.queue.local_digests() == {sha256}
    (desk.sounds / "a.wav").unlink()
    desk.queue.look_for_files()
    desk.until_state(desk.fetch(DATA), State.DONE)
    assert desk.queue.local_digests() == {sha256}


def test_nothing_is_fetched_twice_at_once(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    key = desk.fetch(DATA)
    assert desk.fetch(DATA) == key
    assert len(desk.queue.snapshot()) == 1


def test_fetching_again_what_is_there_costs_nothing(desk: Desk) -> None:
    desk.until_state(desk.fetch(DATA), State.DONE)
    again = desk.until_state(desk.fetch(DATA), State.DONE)
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
    key = desk.fetch(DATA)
    began = time.monotonic()
    desk.until(lambda: desk[key].seconds_left is not None)
    running = desk[key]
    assert running.done <= 50_000 * (time.monotonic() - began + 0.5)
    assert 0 < running.speed < 75_000
    assert running.seconds_left == pytest.approx((len(DATA) - running.done) / running.speed)
    desk.queue.set_limit(None)
    desk.until_state(key, State.DONE)  # at the old limit this took longer than a test may


def test_a_paused_upload_goes_on_where_it_was(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    desk.queue.set_limit(500_000)
    key = desk.queue.upload(source, "")
    desk.until(lambda: desk[key].state is State.RUNNING and desk[key].done > 300_000)
    desk.queue.pause(key)
    desk.until(lambda: [each.method for each in desk.server.asked][-1] == "HEAD")
    desk.restart()
    paused = desk[key]
    assert (paused.state, paused.note) == (State.PAUSED, "")
    assert 250_000 < paused.done < 600_000
    desk.queue.set_limit(None)
    desk.queue.resume(key)
    desk.until_state(key, State.DONE)
    assert desk.server.received.kept == {("", "a.wav"): DATA}
    assert desk.server.received.arrived == len(DATA)


def test_a_cancelled_upload_leaves_nothing_on_the_server(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    desk.queue.set_limit(500_000)
    key = desk.queue.upload(source, "")
    desk.until(lambda: desk[key].state is State.RUNNING and desk[key].done > 0)
    desk.queue.cancel(key)
    desk.until(lambda: desk.server.received.ended == ["/files/1"])
    assert desk.queue.snapshot() == []
    assert source.read_bytes() == DATA


@pytest.mark.parametrize(("status", "code"), [(404, "not-found"), (409, "offset-mismatch")])
def test_a_small_file_goes_on_when_it_was_refused_after_its_last_byte(
    desk: Desk, tmp_path: Path, status: int, code: str
) -> None:
    def read_and_refuse(handler: Handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        handler.refuse(status, code, "No")

    source = tmp_path / "a.wav"
    source.write_bytes(DATA[:1000])
    desk.server.script.append(read_and_refuse)
    desk.until_state(desk.queue.upload(source, ""), State.DONE)
    assert desk.server.received.kept == {("", "a.wav"): DATA[:1000]}


def test_the_same_file_is_not_sent_twice_at_once(desk: Desk, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(DATA)
    desk.queue.set_limit(500_000)
    key = desk.queue.upload(source, "")
    desk.until(lambda: bool(desk[key].sha256))
    assert desk.queue.upload(source, "") == key


def test_two_thousand_files_are_no_burden(desk: Desk) -> None:
    desk.server.script += [stall(0)] * 3
    sounds = [desk.server.add(str(number).encode(), f"{number}.wav") for number in range(2000)]
    keys = desk.queue.download_all(sounds, desk.sounds)
    assert len(set(keys)) == 2000
    desk.until(lambda: len(desk.server.asked) == 3)
    # Pools of servers that other tests ran in this process may still be there.
    threads = [each for each in threading.enumerate() if each.name.startswith("transfer")]
    assert len(threads) < 12
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


def test_cancelled_while_paused_leaves_nothing(desk: Desk) -> None:
    desk.server.script.append(stall(700_000))
    key = desk.fetch(DATA)
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
        upload = handler.received.uploads[handler.path]
        upload.data += handler.rfile.read(int(handler.headers["Content-Length"]))
        looking.set()
        go_on.wait(10)
        handler.become_sound(upload)
        handler.tell(204, upload)

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
