"""A big file over several connections at once: faster, never wrong, and no unfair share."""

from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import ServerRefusedError
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.connections import MOST, Connections
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.plan import BadReplyError, CorruptError, DiskFullError
from sonoteca_desktop.transfers.segments import AT_ONCE, Segments
from tests.kit.faults import Fault, FaultyServer, Handler, cut, faulty_server, refuse, reply, stall
from tests.kit.fetching import Fetching, share_small_files
from tests.kit.wait import until

DATA = random.Random(1).randbytes(400_000)
QUARTERS = ["bytes=0-99999", "bytes=100000-199999", "bytes=200000-299999", "bytes=300000-"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    share_small_files(monkeypatch)
    with faulty_server() as server:
        yield server


@pytest.fixture
def fetching(server: FaultyServer, tmp_path: Path) -> Fetching:
    return Fetching(server, server.add(DATA, "a.wav"), tmp_path, several=True)


class Gate:
    """Lets the first bytes of a part through, and the rest when it is opened."""

    def __init__(self) -> None:
        self.waiting = 0
        self._opened = threading.Event()
        self._lock = threading.Lock()

    def open(self) -> None:
        self._opened.set()

    def fault(self, handler: Handler) -> None:
        with self._lock:
            self.waiting += 1
        held(self._opened.is_set)(handler)


def test_a_big_file_comes_over_four_connections_at_once(
    server: FaultyServer, fetching: Fetching
) -> None:
    gate = Gate()
    server.script += [gate.fault] * AT_ONCE

    def open_gate() -> None:
        until(lambda: gate.waiting == AT_ONCE)
        gate.open()

    opener = threading.Thread(target=open_gate)
    opener.start()
    assert fetching.run().path.read_bytes() == DATA
    opener.join()
    assert sorted(each or "" for each in fetching.ranges[:AT_ONCE]) == sorted(QUARTERS)
    assert {each.headers.get("If-Range") for each in server.asked} == {fetching.wanted.etag}
    assert fetching.positions == sorted(fetching.positions)
    assert fetching.positions[-1] == fetching.commits[-1] == len(DATA)
    assert fetching.names == ["a.wav"]


def test_a_file_that_is_not_big_comes_over_one(server: FaultyServer, tmp_path: Path) -> None:
    small = Fetching(server, server.add(DATA[:50_000], "b.wav"), tmp_path, several=True)
    assert small.run().path.read_bytes() == DATA[:50_000]
    assert small.ranges == [None]


def test_nobody_helps_before_the_server_has_shown_that_it_sends_parts(
    server: FaultyServer, fetching: Fetching
) -> None:
    server.script.append(reply(200, DATA))
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == ["bytes=0-99999", None]  # then from the start, as one stream
    assert len(fetching.segments.table) == 1


def test_what_came_as_a_whole_so_far_is_not_shared(fetching: Fetching) -> None:
    fetching.wanted.part.write_bytes(b"not safe")
    os.utime(fetching.wanted.part, (0, 0))  # from before this computer started
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == [None]


WHOLE = reply(200, DATA)
OTHER = reply(200, DATA, ETag='"other"')


@pytest.mark.parametrize("whole", [WHOLE, OTHER])
@pytest.mark.parametrize("honest", [1, 2, 3])
def test_the_whole_for_a_part_means_one_stream_from_the_start(
    server: FaultyServer, fetching: Fetching, whole: Fault, honest: int
) -> None:
    server.script += [Handler.behave] * honest + [whole]
    assert fetching.run().path.read_bytes() == DATA
    assert None in fetching.ranges
    assert 0 in fetching.commits[1:]  # before anything was written over


def held(go_on: Callable[[], bool]) -> Fault:
    """Send the first bytes of a part, and the rest when this holds."""

    def fault(handler: Handler) -> None:
        data = handler.file() or b""
        part = handler.part(data)
        assert part is not None
        cut(10_000)(handler)
        handler.wfile.flush()
        until(go_on)
        handler.send(data[part.start + 10_000 : part.end])

    return fault


def test_when_the_connection_of_the_leader_breaks_the_others_bring_the_rest(
    server: FaultyServer, fetching: Fetching
) -> None:
    gate = Gate()

    def break_then_open(handler: Handler) -> None:
        cut(20_000)(handler)
        until(lambda: gate.waiting == AT_ONCE - 1)
        gate.open()

    server.script += [break_then_open, *[gate.fault] * (AT_ONCE - 1)]
    assert fetching.run().path.read_bytes() == DATA


TROUBLE = [cut(20_000), cut(0), refuse(503), refuse(429, Retry_After="9")]


@pytest.mark.parametrize("trouble", TROUBLE)
def test_who_has_trouble_leaves_the_segment_to_the_others(
    server: FaultyServer, fetching: Fetching, trouble: Fault
) -> None:
    # The leader is held back, so that the trouble meets a helper.
    server.script += [held(lambda: len(server.asked) > 1), trouble]
    assert fetching.run().path.read_bytes() == DATA
    assert len(fetching.ranges) > AT_ONCE
    assert fetching.commits == sorted(fetching.commits)  # nothing was begun again


LYING = [
    reply(206, DATA, Content_Range="bytes 0-399999/400000"),
    reply(206, DATA[:100_000], Content_Range="bytes 100000-199999/400001"),
    reply(206, DATA[:100_001], Content_Range="bytes 100000-200000/400000"),
    reply(206, DATA[:100_000], Content_Range="bytes 100000-199999/400000", ETag='"x"'),
    reply(206, DATA[:100_000]),
]


@pytest.mark.parametrize("lie", LYING)
def test_a_part_that_was_not_asked_for_ends_it_for_all(
    server: FaultyServer, fetching: Fetching, lie: Fault
) -> None:
    server.script += [Handler.behave, lie]
    with pytest.raises(BadReplyError):
        fetching.run()
    assert "a.wav" not in fetching.names


def test_wrong_bytes_in_a_segment_get_no_name(server: FaultyServer, fetching: Fetching) -> None:
    def lie(handler: Handler) -> None:
        data = handler.file() or b""
        part = handler.part(data)
        assert part is not None
        wrong = bytes(len(part))
        reply(206, wrong, Content_Range=f"bytes {part.start}-{part.end - 1}/{len(data)}")(handler)

    server.script += [Handler.behave, lie]
    with pytest.raises(CorruptError):
        fetching.run()
    assert "a.wav" not in fetching.names


@pytest.mark.parametrize("status", [401, 403, 404, 416])
def test_a_refusal_that_would_meet_all_ends_it_for_all(
    server: FaultyServer, fetching: Fetching, status: int
) -> None:
    server.script += [Handler.behave, refuse(status)]
    with pytest.raises(ServerRefusedError) as refused:
        fetching.run()
    assert refused.value.status == status


def test_a_part_file_that_lost_its_end_is_fetched_anew(fetching: Fetching) -> None:
    fetching.segments = Segments.read(
        "[[0,200000,10],[200000,400000,250000]]", size=len(DATA), safe=50_010
    )
    fetching.wanted.part.write_bytes(DATA[:240_000])
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.commits[0] == 0


def pause_all_four(server: FaultyServer, fetching: Fetching) -> None:
    """Stop it when 50,000 bytes of each quarter have come, and no more will."""
    server.script += [stall(50_000)] * AT_ONCE

    def pause() -> None:
        until(lambda: fetching.positions[-1:] == [200_000])
        fetching.control.stop()

    pauser = threading.Thread(target=pause)
    pauser.start()
    with pytest.raises(StoppedError):
        fetching.run()  # if one of them were not woken, the silence would outlast this test
    pauser.join()
    server.released.set()
    server.asked.clear()


STARTS = [50_000, 150_000, 250_000, 350_000]


def test_a_pause_ends_all_of_them_and_keeps_every_byte(
    server: FaultyServer, fetching: Fetching
) -> None:
    pause_all_four(server, fetching)
    assert fetching.durable == 200_000
    assert not [each for each in threading.enumerate() if each.name == "transfer-helper"]
    assert fetching.run().path.read_bytes() == DATA
    assert all(lies_behind(each, STARTS) for each in fetching.ranges)


def test_a_pause_is_seen_while_the_leader_has_only_to_wait(
    server: FaultyServer, fetching: Fetching
) -> None:
    # What is left of the others by then is too little to be shared.
    others_stand = held(lambda: fetching.positions[-1:] == [280_000])
    server.script += [others_stand, *[stall(90_000)] * (AT_ONCE - 1)]

    def pause() -> None:
        until(lambda: fetching.positions[-1:] == [370_000])
        fetching.control.stop()

    pauser = threading.Thread(target=pause)
    pauser.start()
    with pytest.raises(StoppedError):
        fetching.run()
    pauser.join()
    server.released.set()
    assert fetching.durable == 370_000


def lies_behind(asked: str | None, starts: list[int]) -> bool:
    """Whether a range begins in the second half of a quarter, where nothing had come."""
    assert asked is not None
    start = int(asked.removeprefix("bytes=").partition("-")[0])
    return any(each <= start < each + 50_000 for each in starts)


def test_what_was_not_safe_counts_for_nothing_in_any_segment(
    server: FaultyServer, fetching: Fetching
) -> None:
    pause_all_four(server, fetching)
    # As a power cut leaves it: the journal is right, what came after it is rubbish.
    with fetching.wanted.part.open("r+b") as file:
        for start in STARTS:
            file.seek(start)
            file.write(bytes(50_000))
    assert fetching.run().path.read_bytes() == DATA


def test_a_disk_that_runs_full_ends_it_for_all(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def pwrite(file: int, data: memoryview, offset: int) -> int:
        if offset >= 350_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        with pytest.raises(DiskFullError):
            fetching.run()
    assert fetching.run().path.read_bytes() == DATA


def new_control() -> Control:
    ignore = lambda _: None  # noqa: E731
    return Control(Bandwidth(), progressed=ignore, committed=ignore, stepping=lambda _: True)


def test_there_are_never_more_than_six_connections() -> None:
    connections = Connections(several=True)
    with connections.one(new_control()), connections.one(new_control()):
        helpers = [new_control() for _ in range(5)]
        assert [connections.help(each) for each in helpers] == [True] * (MOST - 2) + [False]


def test_a_transfer_that_starts_takes_the_connection_of_a_helper() -> None:
    connections = Connections(several=True)
    helpers = [new_control() for _ in range(MOST - 1)]
    started = threading.Event()

    def transfer() -> None:
        with connections.one(new_control()):
            started.set()

    with connections.one(new_control()):
        assert all(connections.help(each) for each in helpers)
        thread = threading.Thread(target=transfer)
        thread.start()
        until(lambda: helpers[-1].stopped)
        assert not started.is_set()
        connections.give_back(helpers[-1])
        assert started.wait(5)
        thread.join()
    assert [each.stopped for each in helpers] == [False] * (MOST - 2) + [True]


def test_a_pause_is_heard_while_one_waits_for_a_connection() -> None:
    connections = Connections(several=True)
    mine = new_control()
    heard: list[bool] = []

    def transfer() -> None:
        with pytest.raises(StoppedError), connections.one(mine):
            pass
        heard.append(True)

    helpers = [new_control() for _ in range(MOST)]
    assert all(connections.help(each) for each in helpers)
    thread = threading.Thread(target=transfer)
    thread.start()
    until(lambda: helpers[-1].stopped)
    mine.stop()
    thread.join(5)
    assert heard


def test_without_leave_nobody_helps_and_helpers_go() -> None:
    connections = Connections(several=True)
    helper = new_control()
    assert connections.help(helper)
    connections.set_several(several=False)
    assert helper.stopped
    assert not connections.help(new_control())
