"""What tests of transfers share: a server that can be spoiled, and a queue in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.desk import Desk
from tests.kit.faults import FaultyServer, faulty_server


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
