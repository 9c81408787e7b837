"""A running server for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.http import serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an empty, running server."""
    with serve(tmp_path / "library") as address:
        yield address
