"""A running server for the tests of this folder, on either engine."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.converting import convert_here
from tests.kit.engines import missing, require
from tests.kit.http import serve
from tests.kit.postgres import cluster, postgres

__all__ = ["cluster", "postgres"]

BOTH = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that says `DATABASES = BOTH` is run on each; the others on SQLite."""
    databases = getattr(metafunc.module, "DATABASES", None)
    if databases and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", databases, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The setting `database` for an empty catalogue."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return "sqlite"
    url: str = request.getfixturevalue("postgres").create()
    return url


@pytest.fixture
def server(tmp_path: Path, database: str) -> Iterator[str]:
    """The address of an empty, running server."""
    with serve(tmp_path / "library", database=database) as address:
        yield address


@pytest.fixture(params=["system", "bundled"])
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., bytes]:
    """Converts with one of the two programs: the system's, and the one of the extra `convert`."""
    if request.param == "system":
        require("ffmpeg")
    elif importlib.util.find_spec("imageio_ffmpeg") is None:
        missing("imageio-ffmpeg is not installed (the extra “convert” brings it)")
    else:
        monkeypatch.setattr("shutil.which", lambda _name: None)

    def convert(data: bytes, **options: str) -> bytes:
        return asyncio.run(convert_here(data, options))

    return convert
