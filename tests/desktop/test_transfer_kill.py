"""kill -9 of the desktop, and of the server, in the middle of a download."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import State, Transfer, TransferQueue
from tests.kit.faults import FaultyServer, faulty_server
from tests.kit.wait import until

SIZE = 64 << 20
TWICE_AT_MOST = 16 << 20

DESKTOP = """
import sys, threading
from pathlib import Path
from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import TransferQueue
import msgspec
from sonoteca_shared.models import Sound
url, journal, folder, *sounds = sys.argv[1:]
queue = TransferQueue(Journal(Path(journal)), Client(url), changed=lambda: None)
queue.start()
for sound in sounds:
    queue.download(msgspec.json.decode(sound, type=Sound), Path(folder))
threading.Event().wait()
"""


@pytest.fixture(scope="module")
def data() -> bytes:
    return random.Random(3).randbytes(SIZE)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_killed_desktop_fetches_little_twice(
    server: FaultyServer, data: bytes, tmp_path: Path
) -> None:
    sound = server.add(data, "long.wav")
    server.pace = 0.001
    journal, folder = tmp_path / "transfers.db", tmp_path / "sounds"
    folder.mkdir()
    orders = [msgspec.json.encode(sound).decode()]
    for share in (0.3, 0.5, 0.8):
        command = [sys.executable, "-c", DESKTOP, server.url, str(journal), str(folder), *orders]
        desktop = subprocess.Popen(command)
        already = server.sent
        until(lambda share=share: server.sent > share * SIZE)  # type: ignore[misc]
        assert already < server.sent
        os.kill(desktop.pid, signal.SIGKILL)
        desktop.wait()
        orders = []  # the journal knows
        assert [each.name[:9] for each in folder.iterdir()] == ["long.wav."]

    server.pace = 0.0
    kept = Journal(journal)
    client = Client(server.url)
    queue = TransferQueue(kept, client, changed=lambda: None)
    queue.start()
    until(lambda: not queue.busy)
    [done] = queue.snapshot()
    queue.stop()
    kept.close()
    client.close()
    assert (done.state, done.path) == (State.DONE, folder / "long.wav")
    assert hashlib.sha256(done.path.read_bytes()).hexdigest() == sound.sha256
    assert [each.name for each in folder.iterdir()] == ["long.wav"]
    # What the server sent and nobody read counts, too: more cannot be asked of three kills.
    assert server.sent - SIZE <= 3 * TWICE_AT_MOST
    starts = [each.headers.get("Range") for each in server.downloads()]
    assert starts[0] is None
    assert all(starts[1:])  # never from the beginning


def test_a_killed_server_costs_nothing(data: bytes, tmp_path: Path) -> None:
    """As a kill looks from outside: the line breaks, nothing answers, then something does."""
    journal = Journal(tmp_path / "transfers.db")
    with faulty_server() as server:
        sound = server.add(data, "long.wav")
        server.pace = 0.001
        client = Client(server.url)
        queue = TransferQueue(journal, client, changed=lambda: None)
        queue.start()
        queue.download(sound, tmp_path)
        until(lambda: server.sent > SIZE // 4)
        server.broken = True
    first = server.sent

    def waits() -> bool:
        each: Transfer = queue.snapshot()[0]
        return each.state is State.WAITING and "cannot be reached" in each.note

    until(waits)
    with faulty_server(server.server_address[1]) as again:
        again.files = server.files
        queue.retry(queue.snapshot()[0].key)
        until(lambda: queue.snapshot()[0].state is State.DONE)
        queue.stop()
    journal.close()
    client.close()
    assert (tmp_path / "long.wav").read_bytes() == data
    assert first + again.sent - SIZE <= TWICE_AT_MOST
