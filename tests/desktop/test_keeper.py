"""The keeper looks at the disk when there is a reason to, not with every step of a transfer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.sync.keeping import Keeper, Pin
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_desktop.transfers import orders
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.plan import State
from sonoteca_desktop.transfers.queue import TransferQueue
from sonoteca_shared.models import Sound
from tests.kit.window import fill, sound

COUNT = 20
PIN = Pin("search", "")
SERVER = "http://127.0.0.1:9"


@dataclass
class Keeping:
    """A keeper that has kept every sound, and whose files were looked for."""

    keeper: Keeper
    sounds: list[Sound]
    looked_for: list[str] = field(default_factory=list)


@pytest.fixture
def keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeping]:
    sounds = [sound(f"{number}.wav", number=number) for number in range(COUNT)]
    with contextlib.ExitStack() as stack:
        mirror = Mirror(tmp_path / "mirror.sqlite")
        stack.callback(mirror.close)
        fill(mirror, sounds)
        journal = Journal(tmp_path / "journal.sqlite")
        stack.callback(journal.close)
        client = Client(SERVER)
        stack.callback(client.close)
        name = orders.server_name(SERVER)
        journal.pin(name, [PIN])
        rows = [orders.keep(name, each, tmp_path / "kept", PIN) for each in sounds]
        for row in rows:
            put(row.path, row.size)
            row.state = State.DONE
        journal.add(rows)
        queue = TransferQueue(journal, client, changed=lambda: None)
        keeper = Keeper(mirror, journal, queue, tmp_path / "kept", changed=lambda: None, told=print)
        made = Keeping(keeper, sounds)
        look = queue.local_file

        def local_file(sha256: str) -> Path | None:
            made.looked_for.append(sha256)
            return look(sha256)

        monkeypatch.setattr(queue, "local_file", local_file)
        yield made


def put(path: Path, size: int) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))


def test_a_file_that_comes_has_no_other_looked_at(keeping: Keeping) -> None:
    keeping.keeper.step()
    assert len(keeping.looked_for) == COUNT
    keeping.keeper.note_arrival(keeping.sounds[0].sha256)
    keeping.keeper.replace()
    assert len(keeping.looked_for) == COUNT
