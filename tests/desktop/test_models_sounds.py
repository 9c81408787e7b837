"""The sound table's model over a real mirror."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from PySide6.QtCore import QItemSelectionModel, QPersistentModelIndex, Qt
from pytestqt.modeltest import ModelTester
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.questions import Answer, Question
from sonoteca_desktop.models.sounds import Column, SoundRole, SoundsModel, Where, WhereRole
from sonoteca_desktop.models.steps import steps_between
from sonoteca_desktop.sync.mirror import Mirror, Scope
from sonoteca_shared.models import Loudness
from tests.kit.window import fill, sound

RAIN = sound("Rain on tin.wav", folder="weather", number=1)
WIND = sound("Wind.wav", folder="weather/high", number=2, description="over a tin roof")
DOOR = sound("Door creak.wav", number=3, samplerate=96_000)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    fill(mirror, [RAIN, WIND, DOOR])
    yield mirror
    mirror.close()


@pytest.fixture
def model(mirror: Mirror, qtbot: QtBot) -> Iterator[SoundsModel]:
    model = SoundsModel(mirror, debounce_ms=5)
    refresh(model, qtbot)
    yield model
    model.close()


def refresh(model: SoundsModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(model.swapped):
        model.refresh()


def names(model: SoundsModel) -> list[str]:
    found = [model.sound(row) for row in range(model.rowCount())]
    return [each.name for each in found if each is not None]


def test_the_newest_stand_first(model: SoundsModel, qtmodeltester: ModelTester) -> None:
    assert names(model) == ["Door creak.wav", "Wind.wav", "Rain on tin.wav"]
    assert (model.total, model.folders) == (3, [("weather", 1), ("weather/high", 1)])
    qtmodeltester.check(model)


def test_typing_finds_names_and_descriptions(model: SoundsModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(model.swapped) as swapped:
        for typed in ("t", "ti", "tin"):
            model.search(typed)
    assert swapped.args == [True]
    assert names(model) == ["Wind.wav", "Rain on tin.wav"]
    assert model.total == 3


def test_only_the_answer_to_the_last_question_counts(model: SoundsModel, qtbot: QtBot) -> None:
    seen: list[str] = []
    model.swapped.connect(lambda _fresh: seen.append(model.shown.words))
    model.search("rain")
    model.refresh()  # asked at once, and overtaken before its answer can come
    with qtbot.waitSignal(model.swapped):
        model.search("door")
        model.refresh()
    assert seen == ["door"]
    assert names(model) == ["Door creak.wav"]


def test_a_late_answer_to_an_old_question_is_dropped(model: SoundsModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(model.swapped):
        model.search("door")
    with qtbot.assertNotEmitted(model.swapped):
        late = Answer(Question(words="tin"), array("q", [1, 2]), total=3, local_total=0)
        model.searcher.found.emit(late)
    assert names(model) == ["Door creak.wav"]


@pytest.mark.parametrize(
    ("column", "first"),
    [
        (Column.NAME, DOOR),
        (Column.LENGTH, RAIN),
        (Column.FORMAT, RAIN),
        (Column.SIZE, RAIN),
        (Column.ADDED, RAIN),
        (Column.STATE, WIND),
    ],
)
def test_every_column_with_words_orders_both_ways(
    model: SoundsModel, qtbot: QtBot, column: Column, first: object
) -> None:
    with qtbot.waitSignal(model.swapped):
        model.set_local([WIND.sha256])
    with qtbot.waitSignal(model.swapped):
        model.sort(column, Qt.SortOrder.AscendingOrder)
    assert model.sound(0) == first
    with qtbot.waitSignal(model.swapped):
        model.sort(column, Qt.SortOrder.DescendingOrder)
    assert model.sound(model.rowCount() - 1) == first


def test_pictures_have_no_order(model: SoundsModel) -> None:
    before = model.question
    model.sort(Column.WAVEFORM)
    model.sort(99)
    assert model.question == before


def test_scopes_show_a_part(model: SoundsModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(model.swapped):
        model.set_scope(Scope("folder", "weather"))
    assert names(model) == ["Wind.wav", "Rain on tin.wav"]
    with qtbot.waitSignal(model.swapped):
        model.set_local([DOOR.sha256])
    with qtbot.waitSignal(model.swapped):
        model.set_scope(Scope("local"))
    assert (names(model), model.local_total) == (["Door creak.wav"], 1)


def test_the_state_says_where_a_sound_is(model: SoundsModel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(model.swapped):
        model.set_local([DOOR.sha256])
    model.set_downloading({WIND.sha256: 0.5})
    states = [model.index(row, Column.STATE).data(WhereRole) for row in range(3)]
    assert states == [Where.LOCAL, Where.DOWNLOADING, Where.CLOUD]


def test_cells_have_words_for_those_who_cannot_see_them(model: SoundsModel) -> None:
    role = Qt.ItemDataRole.AccessibleTextRole
    said = [model.index(2, column).data(role) for column in Column]
    assert said == [
        "Play Rain on tin.wav",
        "Rain on tin.wav, in weather",
        "Waveform",
        "0:11.0",
        "48 kHz · 24",
        "1.0 KB",
        "4 Mar 2026",
        "In the library on the server",
    ]


def test_a_waveform_says_how_loud_it_is(model: SoundsModel, mirror: Mirror, qtbot: QtBot) -> None:
    def said(role: Qt.ItemDataRole) -> object:
        return model.index(0, Column.WAVEFORM).data(role)

    assert said(Qt.ItemDataRole.ToolTipRole) is None
    loud = Loudness(integrated=-23.14, range=7.2, true_peak=-1.3)
    fill(mirror, [msgspec.structs.replace(DOOR, loudness=loud)])
    refresh(model, qtbot)
    words = "−23.1 LUFS · range 7.2 LU · true peak −1.3 dBTP"
    assert said(Qt.ItemDataRole.ToolTipRole) == words
    assert said(Qt.ItemDataRole.AccessibleTextRole) == f"Waveform, {words}"


def test_news_of_the_library_leave_selected_rows_selected(
    model: SoundsModel, mirror: Mirror, qtbot: QtBot
) -> None:
    selection = QItemSelectionModel(model)
    flags = QItemSelectionModel.SelectionFlag
    selection.select(model.index(1, 0), flags.Select | flags.Rows)
    held = QPersistentModelIndex(model.index(1, 0))
    fill(mirror, [sound(f"new {n}.wav", number=10 + n) for n in range(5)], gone=[DOOR])
    refresh(model, qtbot)
    assert len(names(model)) == 7
    rows = [model.sound(index.row()) for index in selection.selectedRows()]
    assert rows == [WIND]
    assert model.sound(held.row()) == WIND


def test_an_edit_is_seen_without_another_order(
    model: SoundsModel, mirror: Mirror, qtbot: QtBot
) -> None:
    assert model.sound(0) == DOOR
    fill(mirror, [sound("Door, closed.wav", number=3)])
    refresh(model, qtbot)
    assert names(model)[0] == "Door, closed.wav"


def test_a_sound_that_left_meanwhile_leaves_a_blank_row(model: SoundsModel, mirror: Mirror) -> None:
    fill(mirror, [], gone=[DOOR])
    assert model.sound(0) is None
    assert model.index(0, Column.NAME).data() is None
    assert model.index(0, Column.NAME).data(SoundRole) is None


def test_many_pages_come_and_go(mirror: Mirror, model: SoundsModel, qtbot: QtBot) -> None:
    fill(mirror, [sound(f"{n:05}.wav", number=n) for n in range(100, 10_100)])
    refresh(model, qtbot)
    for row in range(0, 10_000, 100):
        found = model.sound(row)
        assert found is not None
        assert found.name == f"{10_099 - row:05}.wav"
    assert names(model)[-1] == "Rain on tin.wav"


def test_an_answer_that_comes_after_the_end_is_not_looked_at(
    model: SoundsModel, qtbot: QtBot
) -> None:
    model.close()  # and so is the mirror by now
    with qtbot.assertNotEmitted(model.aboutToSwap):
        model.searcher.found.emit(Answer(model.question, array("q"), 0, 0))


def test_a_broken_mirror_is_told_in_words(model: SoundsModel, mirror: Mirror, qtbot: QtBot) -> None:
    mirror.close()
    with qtbot.waitSignal(model.failed) as failed:
        model.refresh()
    assert failed.args is not None
    assert "cannot be read" in failed.args[0]


# ---- steps from one order to another


def apply(old: array[int], new: array[int]) -> array[int] | None:
    steps = steps_between(old, new)
    if steps is None:
        return None
    rows = array("q", old)
    for step in steps:
        if step.keys is None:
            del rows[step.row : step.row + step.count]
        else:
            assert len(step.keys) == step.count
            rows[step.row : step.row] = step.keys
    return rows


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ([], []),
        ([], [1, 2]),
        ([1, 2], []),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3], [0, 1, 2, 3]),
        ([1, 2, 3], [1, 2, 3, 4]),
        ([1, 2, 3, 4, 5], [1, 9, 3, 8, 5]),
        ([5, 6, 7], [1, 2, 3]),
    ],
)
def test_steps_lead_from_old_to_new(old: list[int], new: list[int]) -> None:
    target = array("q", new)
    assert apply(array("q", old), target) == target


def test_steps_for_any_change_that_keeps_the_order() -> None:
    chance = Random(5)
    for _ in range(200):
        everything = list(range(60))
        old = array("q", sorted(chance.sample(everything, chance.randrange(60))))
        new = array("q", sorted(chance.sample(everything, chance.randrange(60))))
        assert apply(old, new) == new


def test_rows_that_changed_places_are_a_fresh_start() -> None:
    assert steps_between(array("q", [1, 2, 3]), array("q", [1, 3, 2])) is None
    assert steps_between(array("q", range(0, 1000, 2)), array("q", range(1000))) is None
