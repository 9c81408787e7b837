from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client, ServerRefusedError, ServerUnreachableError
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.plan import (
    BadReplyError,
    Event,
    PathBlockedError,
    SourceChangedError,
    SourceGoneError,
)
from sonoteca_desktop.transfers.source import name_of
from sonoteca_desktop.transfers.upload import Arrived, Begun, Offer, Upload
from sonoteca_shared import routes
from tests.kit.faults import Fault, FaultyServer, Handler, faulty_server, hang_up, refuse
from tests.kit.wait import until

MEGABYTE = 1 << 20
DATA = os.urandom(5 * MEGABYTE + 1000)


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
    """One upload, run as often as one likes, and what it told of itself."""

    def __init__(self, server: FaultyServer, source: Path) -> None:
        self.server = server
        self.source = source
        self.begun = Begun()
        self.begin()

    def begin(self) -> None:
        self.positions: list[int] = []
        self.committed: list[int] = []
        self.steps: list[Event] = []
        self.control = Control(
            Bandwidth(),
            progressed=self.positions.append,
            committed=self.committed.append,
            stepping=self.step,
        )

    def step(self, event: Event) -> bool:
        self.steps.append(event)
        return True

    def remember(self, begun: Begun) -> None:
        self.begun = begun

    def run(self, name: str = "") -> Arrived:
        client = Client(self.server.url)
        offer = Offer(self.source, name or name_of(self.source), "a/b")
        try:
            return Upload(client, offer, self.begun, self.control, self.remember).run()
        finally:
            client.close()

    def run_again(self) -> Arrived:
        self.begin()
        return self.run()

    def stop_at(self, position: int) -> None:
        """Pause when so many bytes were handed over; those of the hash do not count."""

        def look(reached: int) -> None:
            if self.steps[-1] is Event.START and reached >= position:
                self.control.stop()

        self.control.progressed = look


@pytest.fixture
def sending(server: FaultyServer, source: Path) -> Sending:
    return Sending(server, source)


def methods(server: FaultyServer) -> list[str]:
    return [each.method for each in server.asked]


def cut_after(count: int) -> Fault:
    """Take so many bytes of a PATCH, and break the line."""

    def fault(handler: Handler) -> None:
        upload = handler.received.uploads[handler.path]
        upload.holder = handler
        left = count
        while left:
            handler.take_piece(upload, min(left, 64 << 10))
            left -= min(left, 64 << 10)
        handler.connection.shutdown(2)
        handler.close_connection = True

    return fault


def test_hashes_and_asks_before_it_sends(sending: Sending) -> None:
    arrived = sending.run()
    assert arrived.note == ""
    assert sending.server.received.kept == {("a/b", "take1.wav"): DATA}
    assert sending.steps == [Event.HASH, Event.START, Event.CHECK]
    assert methods(sending.server) == ["POST", "POST", "PATCH", "GET"]
    assert [each.path for each in sending.server.asked[:2]] == [routes.HAVE, routes.UPLOADS]
    hashed = sending.positions[: sending.positions.index(len(DATA)) + 1]
    sent = sending.positions[len(hashed) :]
    assert hashed == sorted(hashed)
    assert sent == sorted(sent)
    assert sent[0] == 0
    assert sent[-1] == len(DATA)


def test_what_the_server_has_is_not_sent(sending: Sending) -> None:
    sending.run()
    sending.begun = Begun()
    before = sending.server.received.arrived
    assert sending.run_again().note == "already there"
    assert sending.server.received.arrived == before
    assert sending.steps == [Event.HASH, Event.CHECK]
    sending.begun = Begun()
    assert sending.run("copy.wav").note == "already there as a/b/take1.wav"


def test_says_under_which_name_it_was_saved(sending: Sending) -> None:
    sending.run()
    sending.source.write_bytes(b"another take")
    assert sending.run_again().note == "saved as take1 (2).wav"


def test_says_so_when_somebody_was_quicker(sending: Sending) -> None:
    def add_elsewhere(handler: Handler) -> None:
        handler.append()
        [(path, _)] = handler.received.sounds.items()
        handler.received.sounds[path] = handler.make_sound(DATA, "other.wav", "c")

    sending.server.script.append(add_elsewhere)
    assert sending.run().note == "already there as c/other.wav"


def test_hands_on_why_the_server_refuses(sending: Sending) -> None:
    sending.server.script.append(refuse(422, "Not a usable WAV", "no fmt chunk (at byte 12)"))
    with pytest.raises(ServerRefusedError, match=r"Not a usable WAV: no fmt chunk \(at byte 12\)"):
        sending.run()


def test_goes_on_after_a_break_from_where_the_server_is(sending: Sending) -> None:
    sending.server.script.append(cut_after(3 * MEGABYTE))
    with pytest.raises(ServerUnreachableError):
        sending.run()
    sending.run_again()
    assert sending.steps == [Event.START, Event.CHECK]  # not hashed again
    assert sending.committed == [3 * MEGABYTE]
    assert sending.server.received.arrived == len(DATA)
    assert sending.server.received.kept == {("a/b", "take1.wav"): DATA}


def test_an_answer_that_was_lost_is_asked_for(sending: Sending) -> None:
    def keep_silent(handler: Handler) -> None:
        upload = handler.received.uploads[handler.path]
        upload.holder = handler
        while len(upload.data) < upload.length:
            handler.take_piece(upload, min(64 << 10, upload.length - len(upload.data)))
        handler.become_sound(upload)
        hang_up(handler)

    sending.server.script.append(keep_silent)
    with pytest.raises(ServerUnreachableError):
        sending.run()
    assert sending.run_again().note == ""
    assert sending.server.received.arrived == len(DATA)


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_is_gone_is_begun_anew(sending: Sending, status: int) -> None:
    sending.server.script.append(refuse(status, "Gone"))
    sending.run()
    assert methods(sending.server) == ["POST", "POST", "PATCH", "POST", "PATCH", "GET"]
    assert sending.server.received.kept == {("a/b", "take1.wav"): DATA}


def test_asks_where_it_stands_when_it_stands_elsewhere(sending: Sending) -> None:
    def be_ahead(handler: Handler) -> None:
        handler.received.uploads[handler.path].data += DATA[:MEGABYTE]
        handler.append()

    sending.server.script.append(be_ahead)
    sending.run()
    assert methods(sending.server) == ["POST", "POST", "PATCH", "HEAD", "PATCH", "GET"]
    assert sending.server.received.kept == {("a/b", "take1.wav"): DATA}


def test_a_server_that_never_agrees_makes_no_sense(sending: Sending) -> None:
    def disagree(handler: Handler) -> None:
        handler.close_connection = True
        handler.refuse(409, "offset-mismatch", "It stands elsewhere")

    sending.server.script += [disagree] * 5
    with pytest.raises(BadReplyError, match="has fewer of them"):
        sending.run()


def test_an_answer_that_was_lost_may_be_a_refusal(sending: Sending) -> None:
    def refuse_and_hang_up(handler: Handler) -> None:
        hang_up(handler)
        handler.server.gone[handler.path] = "not-a-wav"

    sending.server.script.append(refuse_and_hang_up)
    with pytest.raises(ServerUnreachableError):
        sending.run()
    with pytest.raises(ServerRefusedError, match="looked at the file and does not take it"):
        sending.run_again()


@pytest.mark.parametrize("location", ["http://example.org/files/1", "//example.org/files/1", ""])
def test_bytes_are_sent_to_this_server_alone(sending: Sending, location: str) -> None:
    def lead_away(handler: Handler) -> None:
        handler.head(201, 0, {"Location": location})

    sending.server.received.creations.append(lead_away)
    with pytest.raises(BadReplyError, match="sends uploads elsewhere"):
        sending.run()


@pytest.mark.parametrize("change", ["grown", "shorter", "rewritten", "replaced"])
def test_a_file_that_changes_meanwhile_is_not_kept(sending: Sending, change: str) -> None:
    done = threading.Event()

    def alter(position: int) -> None:
        if sending.steps[-1] is not Event.START or position < 2 * MEGABYTE or done.is_set():
            return
        done.set()
        path = sending.source
        match change:
            case "grown":
                with path.open("ab") as file:
                    file.write(b"more")
            case "shorter":
                os.truncate(path, position + 5)
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
    assert sending.server.received.kept == {}
    sending.run_again()
    assert list(sending.server.received.kept.values()) == [sending.source.read_bytes()]
    assert sending.server.received.ended == ["/files/1"]  # of the first one nothing is left


def test_a_pause_keeps_what_the_server_has(sending: Sending) -> None:
    sending.stop_at(2 * MEGABYTE)
    with pytest.raises(StoppedError):
        sending.run()
    [kept] = sending.committed[-1:]
    assert kept < len(DATA)
    sending.run_again()
    assert sending.committed == [kept]
    assert sending.server.received.arrived == len(DATA)


def test_a_pause_while_it_is_hashed_ends_it_at_once(sending: Sending) -> None:
    sending.control.progressed = lambda _: sending.control.stop()
    with pytest.raises(StoppedError):
        sending.run()
    assert sending.server.asked == []


def test_a_pause_does_not_wait_for_a_line_that_is_dead(sending: Sending) -> None:
    silent = threading.Event()

    def say_nothing(handler: Handler) -> None:
        silent.set()
        handler.server.released.wait(60)
        hang_up(handler)

    sending.source.write_bytes(bytes(64 << 20))  # more than any socket takes
    sending.server.script.append(say_nothing)
    stopped = threading.Event()

    def run() -> None:
        with pytest.raises(StoppedError):
            sending.run()
        stopped.set()

    thread = threading.Thread(target=run)
    thread.start()
    silent.wait(10)
    # As far as the sockets take it, and then it waits for them.
    looks = [-1] * 15

    def is_stuck() -> bool:
        looks[:] = [*looks[1:], sending.positions[-1]]
        return len(set(looks)) == 1

    until(is_stuck)
    sending.control.stop()
    assert stopped.wait(5)  # of the ten seconds that a block may take
    thread.join()
    sending.server.released.set()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_cannot_be_sent(server: FaultyServer, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.wav"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(PathBlockedError, match=r"x\.wav: it is not a file"):
        Sending(server, path).run()
    assert server.asked == []


def test_a_file_that_is_gone_is_told_from_a_drive_that_is(
    server: FaultyServer, tmp_path: Path
) -> None:
    with pytest.raises(SourceGoneError, match=r"/x\.wav is not there any more"):
        Sending(server, tmp_path / "x.wav").run()
    with pytest.raises(PathBlockedError, match=r"stick/x\.wav: No such file"):
        Sending(server, tmp_path / "stick" / "x.wav").run()


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
