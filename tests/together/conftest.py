"""What stories with a fault proxy share: a desktop that talks to the `server` of its module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import queue as queue_module
from tests.kit.desk import Workplace
from tests.kit.proxy import FaultProxy, fault_proxy


@pytest.fixture
def proxy(server: str) -> Iterator[FaultProxy]:
    with fault_proxy(server) as proxy:
        yield proxy


@pytest.fixture
def desk(proxy: FaultProxy, tmp_path: Path) -> Iterator[Workplace]:
    desk = Workplace(proxy.url, tmp_path)
    yield desk
    proxy.released.set()
    desk.quit()


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance always says: try again very soon."""
    monkeypatch.setattr(queue_module, "back_off", lambda tries, chance: 0.02)  # noqa: ARG005
