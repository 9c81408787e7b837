"""What the user arranges: the order of transfers, how many run at once, and that it stays so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.transfers.ranking import Move
from tests.kit.desk import Desk
from tests.kit.faults import refuse, stall

DATA = random.Random(5).randbytes(400_000)


def names(desk: Desk) -> list[str]:
    return [each.name for each in desk.queue.snapshot()]


def running(desk: Desk) -> set[str]:
    return {each.name for each in desk.queue.snapshot() if each.state is State.RUNNING}


def five(desk: Desk) -> dict[str, int]:
    return {name: desk.fetch(DATA[place:], name) for place, name in enumerate("abcde")}


def test_an_order_of_ones_own_outlives_a_restart(desk: Desk) -> None:
    desk.queue.set_limit(10_000)
    keys = five(desk)
    desk.queue.pause_all()
    desk.queue.arrangement.move([keys["d"], keys["e"]], Move.TOP)
    desk.queue.arrangement.move([keys["a"]], Move.DOWN)
    assert names(desk) == ["d", "e", "b", "a", "c"]
    desk.restart()
    assert names(desk) == ["d", "e", "b", "a", "c"]
    desk.fetch(DATA[9:], "f")
    assert names(desk)[-1] == "f"  # what is new comes last
    desk.queue.arrangement.move_before([keys["c"]], keys["e"])
    desk.restart()
    assert names(desk) == ["d", "c", "e", "b", "a", "f"]


def test_what_stands_first_is_fetched_first(desk: Desk) -> None:
    desk.queue.arrangement.set_at_once(1)
    desk.queue.set_limit(1)
    keys = five(desk)
    desk.until(lambda: running(desk) == {"a"})
    desk.queue.arrangement.move([keys["e"]], Move.BOTTOM)
    desk.queue.arrangement.move([keys["d"]], Move.UP)
    desk.queue.set_limit(None)
    desk.until(lambda: not desk.queue.busy)
    asked = [each.path.rpartition("=")[2] for each in desk.server.asked]
    assert asked == ["a", "b", "d", "c", "e"]


def test_who_is_moved_to_the_top_takes_a_place_and_nothing_is_lost(desk: Desk) -> None:
    desk.queue.arrangement.set_at_once(1)
    desk.server.script.append(stall(300_000))
    keys = five(desk)
    desk.until(lambda: desk[keys["a"]].done == 300_000)
    desk.queue.set_limit(1)
    desk.queue.arrangement.move([keys["c"]], Move.TOP)
    desk.until(lambda: running(desk) == {"c"})
    assert desk[keys["a"]].state is State.QUEUED
    desk.queue.set_limit(None)
    desk.until(lambda: not desk.queue.busy)
    [_, again] = [each for each in desk.server.asked if each.path.endswith("=a")]
    assert again.headers["Range"] == "bytes=300000-"
    assert (desk.sounds / "a").read_bytes() == DATA


def test_fewer_at_once_is_felt_at_once_and_stays(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    five(desk)
    desk.until(lambda: running(desk) == {"a", "b", "c"})
    desk.queue.arrangement.set_at_once(2)
    desk.until(lambda: running(desk) == {"a", "b"})
    desk.restart()
    assert desk.queue.arrangement.at_once == 2
    desk.until(lambda: running(desk) == {"a", "b"})
    desk.queue.arrangement.set_at_once(5)
    desk.until(lambda: running(desk) == set("abcde"))


@pytest.mark.parametrize("count", [0, 7])
def test_nobody_runs_nothing_or_a_crowd(desk: Desk, count: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 6"):
        desk.queue.arrangement.set_at_once(count)


def test_what_waits_for_the_network_is_tried_at_once_when_it_is_back(desk: Desk) -> None:
    desk.server.script += [refuse(503, Retry_After="3000")]
    key = desk.fetch(DATA)
    desk.until_state(key, State.WAITING)
    other = desk.fetch(DATA[1:], "b")
    assert desk[other].state is State.QUEUED  # the whole server was to be left alone
    desk.queue.cancel(key)  # what made all others wait is gone, and they still wait
    desk.queue.retry_waiting()
    desk.until_state(other, State.DONE)


def test_a_failure_has_a_way_out_over_a_restart(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(b"ID3")
    desk.server.script.append(lambda handler: handler.refuse(422, "not-a-wav", "Not a WAV"))
    key = desk.queue.upload(tmp_path / "song.wav", "")
    desk.until_state(key, State.FAILED)
    desk.restart()
    assert desk[key].way_out.startswith("Put a WAV file there")
    gone = desk.queue.upload(tmp_path / "gone.wav", "")
    assert desk.until_state(gone, State.FAILED).way_out.startswith("Put the file back")
    assert desk.until_state(desk.fetch(DATA), State.DONE).way_out == ""


def test_a_blocked_one_says_what_helps(desk: Desk) -> None:
    desk.sounds.rmdir()
    key = desk.fetch(DATA)
    blocked = desk.until_state(key, State.BLOCKED)
    assert blocked.way_out == "Plug the drive in, or allow writing there"


def test_what_was_paused_alone_stays_when_all_go_on(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    alone, *others = [desk.fetch(DATA[number:], f"{number}.wav") for number in range(4)]
    desk.queue.pause(alone)
    desk.queue.pause_all()
    desk.restart()
    desk.queue.set_limit(None)
    desk.queue.resume_all()
    desk.until(lambda: all(desk[key].state is State.DONE for key in others))
    assert desk[alone].state is State.PAUSED
    desk.queue.resume_all()  # once more: nothing else is paused
    desk.until_state(alone, State.DONE)


def test_one_that_went_on_alone_and_was_paused_again_is_paused_alone(desk: Desk) -> None:
    desk.queue.set_limit(1000)
    one, other = (desk.fetch(DATA[number:], f"{number}.wav") for number in range(2))
    desk.queue.pause_all()
    desk.queue.resume(one)
    desk.queue.pause(one)
    desk.queue.set_limit(None)
    desk.queue.resume_all()
    desk.until_state(other, State.DONE)
    assert desk[one].state is State.PAUSED
