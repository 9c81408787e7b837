"""The network that comes back, and the computer that wakes up, are told once each."""

from __future__ import annotations

import pytest
from PySide6.QtNetwork import QNetworkInformation
from pytestqt.qtbot import QtBot

from sonoteca_desktop.models.awakening import Awakening

Reach = QNetworkInformation.Reachability


class Clocks:
    """The clock on the wall, and one that stands still while the computer sleeps."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.awake = 50.0

    def pass_by(self, wall: float, awake: float) -> None:
        self.wall += wall
        self.awake += awake


@pytest.mark.parametrize(
    ("wall", "awake", "times"),
    [
        (5.0, 5.0, 0),
        (9.0, 5.0, 0),  # a busy computer, or a clock that was put right
        (3600.0, 5.0, 1),
        (-3600.0, 5.0, 0),  # the end of summer time on a badly kept clock
        (3600.0, 3600.0, 0),  # we were stopped, and the computer was not
    ],
)
def test_a_sleep_is_told_once(qtbot: QtBot, wall: float, awake: float, times: int) -> None:
    del qtbot
    clocks = Clocks()
    awakening = Awakening(wall=lambda: clocks.wall, awake=lambda: clocks.awake)
    told: list[int] = []
    awakening.happened.connect(lambda: told.append(1))
    clocks.pass_by(wall, awake)
    for _ in range(3):
        awakening.look()
        clocks.pass_by(5.0, 5.0)
    assert len(told) == times


def test_the_network_is_told_when_it_is_back(qtbot: QtBot) -> None:
    del qtbot
    awakening = Awakening()
    told: list[int] = []
    awakening.happened.connect(lambda: told.append(1))
    seen = []
    for reach in (Reach.Online, Reach.Disconnected, Reach.Online, Reach.Local, Reach.Disconnected):
        awakening.note(reach)
        seen.append(len(told))
    awakening.note(Reach.Unknown)
    assert (seen, len(told)) == ([0, 0, 1, 1, 1], 2)
