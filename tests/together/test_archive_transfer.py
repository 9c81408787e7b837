"""Archives as the desktop has them made and fetches them: whatever happens, the zip is right."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.queue import State
from tests.kit.api import Api
from tests.kit.desk import Workplace
from tests.kit.http import serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    with serve(tmp_path / "library") as url:
        yield url


@pytest.fixture
def desk(server: str, tmp_path: Path) -> Iterator[Workplace]:
    desk = Workplace(server, tmp_path)
    yield desk
    desk.quit()


def test_sounds_come_as_one_zip(server: str, desk: Workplace) -> None:
    sounds = Api(server).uploads(1, 2, 3)
    wish = Wish(sounds=tuple(each["id"] for each in sounds))
    key = desk.queue.archive(wish, desk.sounds / "three.zip")
    done = desk.until_state(key, State.DONE)
    assert (done.path, done.note) == (desk.sounds / "three.zip", "")
    with zipfile.ZipFile(done.path) as archive:
        assert sorted(archive.namelist()) == sorted(each["name"] for each in sounds)
        assert archive.testzip() is None
    assert desk.names == ["three.zip"]
