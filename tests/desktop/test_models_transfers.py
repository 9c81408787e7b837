"""The list of transfers: words, order, and following a queue that changes all the time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.totals import Batch, Filter
from sonoteca_desktop.models.transfer_words import line
from sonoteca_desktop.models.transfers import (
    Action,
    ActionsRole,
    TransferRole,
    TransfersModel,
)
from sonoteca_desktop.transfers.queue import Kind, State, Transfer, TransferQueue

MB = 1_000_000


class PaperQueue:
    """Shows what a test writes into it."""

    def __init__(self) -> None:
        self.rows: list[Transfer] = []
        self.limit: int | None = None
        self.asked: list[tuple[str, *tuple[object, ...]]] = []
        self.arrangement = self

    def snapshot(self) -> list[Transfer]:
        return list(self.rows)

    def set_limit(self, limit: int | None) -> None:
        self.limit = limit

    def __getattr__(self, name: str) -> Callable[..., None]:
        def ask(*wanted: object) -> None:
            self.asked.append((name, *wanted))

        return ask


def transfer(key: int, state: State = State.RUNNING, **facts: Any) -> Transfer:
    plain: dict[str, Any] = {
        "key": key,
        "kind": Kind.DOWNLOAD,
        "name": f"take{key}.wav",
        "folder": "",
        "total": 980 * MB,
        "done": 412 * MB,
        "state": state,
        "note": "",
        "speed": 0.0,
        "seconds_left": None,
        "path": Path("take.wav"),
        "sound_id": None,
        "sha256": f"{key:064x}",
    }
    return Transfer(**(plain | facts))


@pytest.fixture
def queue() -> PaperQueue:
    return PaperQueue()


@pytest.fixture
def model(queue: PaperQueue, qtbot: QtBot) -> TransfersModel:
    del qtbot  # timers need an application
    model = TransfersModel(cast(TransferQueue, queue))
    model.stop()  # the tests say when to look
    return model


def keys(model: TransfersModel) -> list[int]:
    return [model.index(row).data(TransferRole).key for row in range(model.rowCount())]


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            transfer(1, speed=12.1 * MB, seconds_left=47.0),
            "412 of 980 MB · 12.1 MB/s · 47 s left",
        ),
        (transfer(1), "412 of 980 MB"),
        (transfer(1, State.PAUSED), "Paused at 412 of 980 MB"),
        (transfer(1, State.QUEUED), "Waiting for its turn · 980 MB"),
        (transfer(1, State.HASHING, kind=Kind.UPLOAD), "Checking 412 of 980 MB"),
        (transfer(1, State.VERIFYING), "Checking 980 MB"),
        (transfer(1, State.DONE), "980 MB · verified"),
        (transfer(1, State.DONE, is_computed=True), "980 MB · complete"),
        (transfer(1, State.PREPARING, total=0), "The server is preparing it"),
        (transfer(1, State.PREPARING, note="Nearly there"), "Nearly there"),
        (transfer(1, State.QUEUED, total=0), "Waiting for its turn"),
        (transfer(1, State.PAUSED, total=0), "Paused"),
        (transfer(1, State.DONE, kind=Kind.UPLOAD, note="already there"), "980 MB · already there"),
        (transfer(1, State.WAITING, note="The server is busy"), "The server is busy"),
        (
            transfer(1, State.FAILED, note="Not a WAV", way_out="Save it as WAV"),
            "Not a WAV. Save it as WAV.",
        ),
        (transfer(1, State.BLOCKED, note="The disk is full"), "The disk is full."),
    ],
)  # fmt: skip
def test_each_state_in_words(shown: Transfer, words: str) -> None:
    assert line(shown) == words


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (State.HASHING, (Action.PAUSE, Action.CANCEL)),
        (State.PREPARING, (Action.PAUSE, Action.CANCEL)),
        (State.RUNNING, (Action.PAUSE, Action.CANCEL)),
        (State.PAUSED, (Action.RESUME, Action.CANCEL)),
        (State.WAITING, (Action.RETRY, Action.PAUSE, Action.CANCEL)),
        (State.FAILED, (Action.RETRY, Action.REMOVE)),
        (State.DONE, ()),
    ],
)
def test_only_what_helps_is_offered(
    queue: PaperQueue, model: TransfersModel, state: State, actions: tuple[Action, ...]
) -> None:
    queue.rows = [transfer(1, state)]
    model.poll()
    assert model.index(0).data(ActionsRole) == actions


def test_what_ended_sinks_below_what_goes_on(queue: PaperQueue, model: TransfersModel) -> None:
    queue.rows = [
        transfer(1, State.DONE),
        transfer(2),
        transfer(3, State.FAILED),
        transfer(4, State.PAUSED),
        transfer(5, State.DONE),
    ]
    model.poll()
    assert keys(model) == [2, 4, 3, 5, 1]  # a failure is not to be looked for
    assert (model.open_count, model.paused_count, model.done_count) == (1, 1, 2)


def test_progress_repaints_one_row(queue: PaperQueue, model: TransfersModel, qtbot: QtBot) -> None:
    queue.rows = [transfer(1), transfer(2)]
    model.poll()
    queue.rows[1] = replace(queue.rows[1], done=413 * MB, speed=2.0 * MB)
    with qtbot.waitSignal(model.dataChanged) as changed, qtbot.assertNotEmitted(model.modelReset):
        model.poll()
    assert changed.args is not None
    assert [index.row() for index in changed.args[:2]] == [1, 1]
    assert model.totals.speed == 2.0 * MB


def test_the_end_of_a_transfer_is_told_once(queue: PaperQueue, model: TransfersModel) -> None:
    told: list[int] = []
    model.finished.connect(lambda ended: told.append(ended.key))
    queue.rows = [transfer(1), transfer(2)]
    model.poll()
    queue.rows[0] = transfer(1, State.DONE)
    for _ in range(3):
        model.poll()
    assert told == [1]


def test_downloads_under_way_are_told_by_their_content(
    queue: PaperQueue, model: TransfersModel, qtbot: QtBot
) -> None:
    queue.rows = [
        transfer(1),
        transfer(2, kind=Kind.UPLOAD),
        transfer(3, State.DONE),
        transfer(4, State.PAUSED, total=0, done=0),
    ]
    with qtbot.waitSignal(model.downloadingChanged):
        model.poll()
    assert model.downloading == {f"{1:064x}": pytest.approx(412 / 980), f"{4:064x}": 0.0}


def test_rows_keep_their_identity_through_any_change(
    queue: PaperQueue, model: TransfersModel, qtmodeltester: ModelTester
) -> None:
    qtmodeltester.check(model)  # from here on it watches every step
    chance = Random(3)
    pool = {key: transfer(key) for key in range(1, 13)}
    for _ in range(120):
        key = chance.choice(list(pool))
        pool[key] = transfer(key, chance.choice(list(State)))
        queue.rows = [pool[each] for each in sorted(chance.sample(list(pool), 8))]
        held = {
            index.data(TransferRole).key: QPersistentModelIndex(index)
            for index in map(model.index, range(model.rowCount()))
        }
        model.poll()
        for row, shown in enumerate(keys(model)):
            if shown in held:
                assert held[shown].row() == row
        gone = set(held) - set(keys(model))
        assert not any(held[key].isValid() for key in gone)


def test_thousands_come_in_one_step(queue: PaperQueue, model: TransfersModel) -> None:
    inserted: list[tuple[int, int]] = []
    model.rowsInserted.connect(lambda _parent, first, last: inserted.append((first, last)))
    queue.rows = [transfer(key, State.QUEUED) for key in range(5000)]
    model.poll()
    assert inserted == [(0, 4999)]


def test_one_that_is_done_sinks_below_thousands_in_one_step(
    queue: PaperQueue, model: TransfersModel
) -> None:
    queue.rows = [transfer(key, State.QUEUED) for key in range(2000)]
    model.poll()
    moved: list[tuple[int, int]] = []
    model.rowsMoved.connect(lambda _from, first, _last, _to, row: moved.append((first, row)))
    for key in (0, 1, 2):
        queue.rows[key] = transfer(key, State.DONE)
    model.poll()
    assert len(moved) <= 6
    assert keys(model) == [*range(3, 2000), 2, 1, 0]


def test_actions_reach_the_queue(queue: PaperQueue, model: TransfersModel) -> None:
    for action, state in (
        (Action.PAUSE, State.RUNNING),
        (Action.RESUME, State.PAUSED),
        (Action.RETRY, State.FAILED),
        (Action.CANCEL, State.RUNNING),
    ):
        queue.rows = [transfer(7, state), transfer(8, state), transfer(9, State.DONE)]
        model.act([7, 8, 9], action)
    model.pause_all()
    model.resume_all()
    model.clear_finished()
    assert queue.asked == [
        ("pause", 7, 8),
        ("resume", 7, 8),
        ("retry", 7, 8),
        ("cancel", 7, 8),
        ("pause_all",),
        ("resume_all",),
        ("clear_finished",),
    ]


def test_a_new_limit_is_told_and_an_old_one_is_not(
    queue: PaperQueue, model: TransfersModel, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(model.limitChanged):
        model.set_limit(256_000)
    assert (queue.limit, model.limit) == (256_000, 256_000)
    with qtbot.assertNotEmitted(model.limitChanged):
        model.set_limit(256_000)


def test_a_row_says_everything_to_a_screen_reader(queue: PaperQueue, model: TransfersModel) -> None:
    queue.rows = [
        transfer(1, kind=Kind.UPLOAD),
        transfer(2, State.BLOCKED, note="The disk is full", way_out="Free some room"),
    ]
    model.poll()
    said = [model.index(row).data(Qt.ItemDataRole.AccessibleTextRole) for row in range(2)]
    assert said == [
        "Upload of take1.wav: Uploading. 412 of 980 MB",
        "Download of take2.wav: Blocked. The disk is full. Free some room.",
    ]


def test_shows_only_what_is_asked_for_and_counts_all(
    queue: PaperQueue, model: TransfersModel, qtmodeltester: ModelTester
) -> None:
    qtmodeltester.check(model)
    states = (State.RUNNING, State.DONE, State.FAILED, State.PAUSED, State.BLOCKED)
    queue.rows = [transfer(key, state) for key, state in enumerate(states)]
    model.poll()
    shown = {}
    for wanted in (Filter.OPEN, Filter.FAILED, Filter.DONE, Filter.ALL):
        model.set_filter(wanted)
        shown[wanted] = keys(model)
        assert model.total_count == 5
    assert shown == {
        Filter.OPEN: [0, 3, 4],
        Filter.FAILED: [2],
        Filter.DONE: [1],
        Filter.ALL: [0, 3, 4, 2, 1],
    }
    model.set_filter(Filter.FAILED)
    queue.rows[2] = transfer(2, State.QUEUED)
    model.poll()
    assert keys(model) == []  # it is not a failure any more


def test_what_is_dragged_comes_before_the_row_it_is_dropped_on(
    queue: PaperQueue, model: TransfersModel
) -> None:
    queue.rows = [transfer(key) for key in (1, 2, 3)] + [transfer(4, State.DONE)]
    model.poll()
    draggable = [
        bool(model.flags(model.index(row)) & Qt.ItemFlag.ItemIsDragEnabled) for row in range(4)
    ]
    assert draggable == [True, True, True, False]
    dragged = model.mimeData([model.index(2), model.index(0)])
    for row in (1, -1):
        assert model.dropMimeData(dragged, Qt.DropAction.MoveAction, row, 0, QModelIndex())
    assert queue.asked == [("move_before", [3, 1], 2), ("move_before", [3, 1], None)]
    assert not model.dropMimeData(
        QMimeData(), Qt.DropAction.MoveAction, 0, 0, QModelIndex()
    )  # a file, say


def test_a_batch_is_told_when_all_is_at_rest(queue: PaperQueue, model: TransfersModel) -> None:
    told: list[Batch] = []
    model.batchEnded.connect(told.append)
    queue.rows = [transfer(1, State.DONE)]
    model.poll()  # it was there from the start
    queue.rows += [transfer(2), transfer(3), transfer(4, State.PAUSED)]
    model.poll()
    queue.rows[1:3] = [transfer(2, State.DONE), transfer(3, State.FAILED)]
    model.poll()
    assert told == []  # one is paused, and the user will come back to it
    queue.rows[3] = transfer(4)
    model.poll()
    queue.rows[3] = transfer(4, State.DONE)
    model.poll()
    queue.rows.append(transfer(5))
    model.poll()
    queue.rows[4] = transfer(5, State.DONE)
    model.poll()
    sentences = [batch.sentence for batch in told]
    assert sentences == ["1 transfer has failed, 2 transfers are done.", "1 transfer is done."]


def test_what_failed_and_is_tried_again_counts_among_all(
    queue: PaperQueue, model: TransfersModel
) -> None:
    told: list[Batch] = []
    model.batchEnded.connect(told.append)
    queue.rows = [transfer(1, total=MB, done=0), transfer(2, total=23 * MB, done=0)]
    model.poll()
    queue.rows = [transfer(1, State.DONE, total=MB, done=MB), transfer(2, State.FAILED)]
    model.poll()
    queue.rows[1] = transfer(2, total=23 * MB, done=20 * MB, speed=MB, seconds_left=3.0)
    model.poll()
    assert model.totals.words() == "1 running\n20 of 23 MB · 3 s left"
    queue.rows[1] = transfer(2, State.DONE, total=23 * MB, done=23 * MB)
    model.poll()
    sentences = [batch.sentence for batch in told]
    assert sentences == ["1 transfer has failed, 1 transfer is done.", "1 transfer is done."]
