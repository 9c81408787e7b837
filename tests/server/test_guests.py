"""Folders of processes beside the server: nobody sweeps one that is in use."""

from __future__ import annotations

from pathlib import Path

from sonoteca_server.storage.guests import guest
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared.ids import new_id


def test_a_sweep_leaves_the_parts_of_a_process_that_lives(tmp_path: Path) -> None:
    server = LocalBlobs(tmp_path)
    with guest(tmp_path / "incoming") as folder:
        beside = LocalBlobs(tmp_path, folder)
        part = beside.begin()
        part.append(b"half")
        server.sweep()
        part.append(b" and half")
        key = beside.keep(part)
        assert server.path(key).read_bytes() == b"half and half"
    assert not folder.exists()


def test_a_sweep_drops_the_parts_of_a_process_that_has_ended(tmp_path: Path) -> None:
    server = LocalBlobs(tmp_path)
    left = tmp_path / "incoming" / new_id()
    left.mkdir()
    (left / "part").write_bytes(b"half")
    server.sweep()
    assert not left.exists()


def test_a_sweep_leaves_a_folder_that_is_none_of_ours(tmp_path: Path) -> None:
    server = LocalBlobs(tmp_path)
    strange = tmp_path / "incoming" / "holiday"
    strange.mkdir()
    server.sweep()
    assert strange.exists()
