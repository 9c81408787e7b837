"""The straight paths again, with our own server as the other side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.journal import Journal
from sonoteca_desktop.transfers.queue import State, TransferQueue
from sonoteca_shared.models import Sound
from tests.kit.http import ServerProcess, server_process
from tests.kit.wait import until
from tests.kit.wavs import write_broken, write_wav

MEGABYTE = 1 << 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with server_process(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    client = Client(server.url)
    yield client
    client.close()


@pytest.fixture
def queue(client: Client, tmp_path: Path) -> Iterator[TransferQueue]:
    journal = Journal(tmp_path / "transfers.db")
    queue = TransferQueue(journal, client, changed=lambda: None)
    queue.start()
    yield queue
    queue.stop()
    journal.close()


def sounds(client: Client) -> dict[tuple[str, str], Sound]:
    changes = client.changes(None).results
    return {(each.sound.folder, each.sound.name): each.sound for each in changes if each.sound}


def test_uploads_a_folder_tree_and_says_what_became_of_each(
    client: Client, queue: TransferQueue, tmp_path: Path
) -> None:
    for number, folder in enumerate(("a", "b", "c/d")):
        write_wav(tmp_path / folder / "take1.wav", seed=100 + number)
    write_broken(tmp_path / "a" / "text.wav")
    write_broken(tmp_path / "a" / "empty.wav", "empty")
    files = [each for each in sorted(tmp_path.rglob("*.wav")) if each.is_file()]
    queue.upload_all((each, str(each.parent.relative_to(tmp_path))) for each in files)
    until(lambda: not queue.busy)
    again = queue.upload(tmp_path / "a" / "take1.wav", "a")
    until(lambda: not queue.busy)

    takes = {place: sound for place, sound in sounds(client).items() if place[1] == "take1.wav"}
    assert set(takes) == {("a", "take1.wav"), ("b", "take1.wav"), ("c/d", "take1.wav")}
    rows = {(each.folder, each.name, each.key == again): each for each in queue.snapshot()}
    assert rows["a", "take1.wav", True].note == "already there"
    text, empty = rows["a", "text.wav", False], rows["a", "empty.wav", False]
    assert (text.state, empty.state) == (State.FAILED, State.FAILED)
    assert "it is text, not a WAV (at byte 0)" in text.note
    assert empty.note == "The file is empty"
    for (folder, name), sound in takes.items():
        assert rows[folder, name, False].sha256 == sound.sha256
        assert rows[folder, name, False].state is State.DONE


def test_a_download_outlives_pauses_and_a_killed_server(
    server: ServerProcess, client: Client, queue: TransferQueue, tmp_path: Path
) -> None:
    source = write_wav(tmp_path / "long.wav", frames=40 * MEGABYTE // 4, seed=7)
    queue.upload(source, "long")
    until(lambda: not queue.busy)
    queue.clear_finished()
    sound = sounds(client)["long", "long.wav"]
    (tmp_path / "here").mkdir()

    queue.set_limit(8 * MEGABYTE)
    key = queue.download(sound, tmp_path / "here")
    until(lambda: queue.snapshot()[0].done > 4 * MEGABYTE)
    queue.pause(key)
    until(lambda: not queue.busy)
    queue.resume(key)
    until(lambda: queue.snapshot()[0].done > 12 * MEGABYTE)
    server.kill()
    waiting = until(lambda: [each for each in queue.snapshot() if each.state is State.WAITING])
    assert waiting[0].note.startswith("The server cannot be reached; trying again ")
    assert waiting[0].done > 12 * MEGABYTE
    server.start()
    queue.set_limit(None)
    queue.retry(key)
    until(lambda: not queue.busy)
    [done] = queue.snapshot()
    assert (done.state, done.path) == (State.DONE, tmp_path / "here" / "long.wav")
    assert hashlib.sha256(done.path.read_bytes()).hexdigest() == sound.sha256
    assert done.path.read_bytes() == source.read_bytes()
