from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import BLOCK, Client, Posted, ServerRefusedError
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.plan import PathBlockedError, SourceChangedError
from sonoteca_desktop.transfers.upload import name_of, note_of, upload
from tests.kit.faults import FaultyServer, Handler, faulty_server, refuse

DATA = os.urandom(3 * BLOCK + 1000)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "take1.wav"
    path.write_bytes(DATA)
    return path


class Sending:
    """One upload, and what it told of itself."""

    def __init__(self, server: FaultyServer, source: Path) -> None:
        self.server = server
        self.source = source
        self.positions: list[int] = []
        self.checks = 0
        self.control = Control(
            Bandwidth(),
            progressed=self.progressed,
            committed=lambda _: None,
            checking=self.check,
        )

    def progressed(self, position: int) -> None:
        self.positions.append(position)

    def check(self) -> bool:
        self.checks += 1
        return True

    def run(self) -> Posted:
        client = Client(self.server.url)
        try:
            return upload(client, self.source, name_of(self.source), "a/b", self.control)
        finally:
            client.close()


@pytest.fixture
def sending(server: FaultyServer, source: Path) -> Sending:
    return Sending(server, source)


def test_sends_a_file_with_progress(sending: Sending) -> None:
    posted = sending.run()
    assert posted.created
    assert note_of(posted, "take1.wav", "a/b") == ""
    assert sending.server.posts.kept == {("a/b", "take1.wav"): DATA}
    assert sending.positions == [BLOCK, 2 * BLOCK, 3 * BLOCK, len(DATA)]
    assert sending.checks == 1


def test_says_when_the_server_has_it_already(sending: Sending) -> None:
    sending.run()
    again = sending.run()
    assert note_of(again, "take1.wav", "a/b") == "already there"
    assert note_of(again, "copy.wav", "") == "already there as a/b/take1.wav"


def test_says_under_which_name_it_was_saved(sending: Sending) -> None:
    sending.run()
    sending.source.write_bytes(b"another take")
    assert note_of(sending.run(), "take1.wav", "a/b") == "saved as take1 (2).wav"


def test_hands_on_why_the_server_refuses(sending: Sending) -> None:
    sending.server.script.append(refuse(422, "Not a usable WAV", "no fmt chunk (at byte 12)"))
    with pytest.raises(ServerRefusedError, match=r"Not a usable WAV: no fmt chunk \(at byte 12\)"):
        sending.run()


def test_an_answer_before_the_end_is_an_answer(sending: Sending) -> None:
    def accept_early(handler: Handler) -> None:
        handler.close_connection = True
        handler.answer_sound(200, DATA, "take1.wav", "a/b")

    sending.source.write_bytes(bytes(50 << 20))
    sending.server.script.append(accept_early)
    # Our file is another one now than what the server speaks of, which is not for us to judge.
    assert not sending.run().created
    assert sending.checks == 1


@pytest.mark.parametrize("change", ["grown", "shorter", "rewritten", "replaced"])
def test_a_file_that_changes_meanwhile_is_not_kept(sending: Sending, change: str) -> None:
    def alter(position: int) -> None:
        if position != 2 * BLOCK:
            return
        path = sending.source
        match change:
            case "grown":
                with path.open("ab") as file:
                    file.write(b"more")
            case "shorter":
                os.truncate(path, 2 * BLOCK + 5)
            case "rewritten":
                path.write_bytes(bytes(len(DATA)))
                os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
            case "replaced":
                facts = path.stat()
                other = path.with_name("other")
                other.write_bytes(bytes(len(DATA)))
                os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
                other.replace(path)

    sending.control.progressed = alter
    with pytest.raises(SourceChangedError, match="while it was being sent"):
        sending.run()
    assert sending.server.posts.kept == {}


def test_a_pause_ends_it_before_the_next_block(sending: Sending) -> None:
    sending.control.progressed = lambda position: (
        sending.control.stop() if position == BLOCK else None
    )
    with pytest.raises(StoppedError):
        sending.run()
    assert sending.server.posts.kept == {}


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_cannot_be_sent(server: FaultyServer, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.wav"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(PathBlockedError, match=r"x\.wav: (No such file|it is not a file)"):
        Sending(server, path).run()
    assert server.asked == []


def test_a_source_that_cannot_be_read_is_no_network_trouble(
    sending: Sending, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.FileIO):
        """A file on a stick that was pulled out."""

        def readinto(self, _: object) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda path, *_, **__: Broken(path))
    with pytest.raises(PathBlockedError, match=r"take1\.wav: Input/output error"):
        sending.run()


def test_names_need_not_be_text() -> None:
    assert name_of(Path(os.fsdecode(b"/a/t\xfcr.wav"))) == "t\ufffdr.wav"
    assert name_of(Path("/a/tür.wav")) == "tür.wav"
