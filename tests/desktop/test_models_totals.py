"""All transfers together: sums, and the line that says them."""

from __future__ import annotations

from typing import Any

import pytest

from sonoteca_desktop.models.totals import Batch, Totals, add_up
from sonoteca_desktop.transfers.queue import Kind, State
from tests.desktop.test_models_transfers import MB, transfer

HALF: dict[str, Any] = {"total": 100 * MB, "done": 50 * MB}


def test_adds_up_what_is_on_its_way_and_what_came_of_it() -> None:
    rows = [
        transfer(1, speed=4.0 * MB, seconds_left=12.0, **HALF),
        transfer(2, State.HASHING, kind=Kind.UPLOAD, **HALF),
        transfer(3, State.QUEUED, total=50 * MB, done=0),
        transfer(4, State.PAUSED, **HALF),
        transfer(5, State.DONE, total=20 * MB, done=20 * MB),
        transfer(6, State.FAILED, **HALF),
        transfer(7, State.DONE, total=900 * MB, done=900 * MB),
        transfer(8, State.BLOCKED, **HALF),
    ]
    totals = add_up(rows, before={7})
    assert totals == Totals(
        running=2,
        queued=1,
        waiting=1,
        paused=1,
        failed=1,
        done=2,
        bytes_done=170 * MB,
        bytes_total=470 * MB,
        speed=4.0 * MB,
        seconds_left=50.0,  # 50 + 100 (to be sent as a whole) + 50 at 4 MB/s
    )
    assert totals.words() == (
        "2 running, 1 held up, 1 to come, 1 paused\n170 of 470 MB · 50 s left"
    )
    assert totals.share == pytest.approx(170 / 470)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ((), ""),
        ((State.DONE, State.FAILED), ""),
        ((State.PAUSED,), "1 paused"),
        ((State.RUNNING,), "1 running\n412 of 980 MB"),
    ],
)
def test_says_only_what_there_is(states: tuple[State, ...], words: str) -> None:
    assert add_up([transfer(key, state) for key, state in enumerate(states)]).words() == words


def test_nobody_knows_the_time_before_one_of_them_does() -> None:
    assert add_up([transfer(1, speed=3.0 * MB)]).seconds_left is None


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ((State.DONE,), "1 transfer is done."),
        ((State.DONE,) * 3, "3 transfers are done."),
        ((State.FAILED,) * 2, "2 transfers have failed."),
        ((State.FAILED, State.DONE), "1 transfer has failed, 1 transfer is done."),
    ],
)
def test_a_batch_in_a_sentence(states: tuple[State, ...], sentence: str) -> None:
    rows = [transfer(key, state) for key, state in enumerate(states)]
    assert Batch.of(rows).sentence == sentence
