from __future__ import annotations

import errno
import os
import random
import threading
from collections.abc import Iterator
from io import FileIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonoteca_desktop.client import ServerRefusedError, ServerUnreachableError
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.control import StoppedError
from sonoteca_desktop.transfers.download import Landed
from sonoteca_desktop.transfers.part import SYNC_BYTES
from sonoteca_desktop.transfers.plan import (
    BadReplyError,
    CorruptError,
    DiskFullError,
    PathBlockedError,
)
from sonoteca_shared.errors import SonotecaError
from tests.kit.faults import Fault, FaultyServer, cut, faulty_server, refuse, reply, stall
from tests.kit.fetching import Fetching

DATA = random.Random(1).randbytes(300_000)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def server(shared_server: FaultyServer) -> FaultyServer:
    shared_server.script.clear()
    shared_server.asked.clear()
    shared_server.sent = 0
    shared_server.pace = 0.0
    shared_server.released.clear()
    return shared_server


@pytest.fixture
def fetching(server: FaultyServer, tmp_path: Path) -> Fetching:
    return Fetching(server, server.add(DATA, "a.wav"), tmp_path)


def test_fetches_a_file_whole(fetching: Fetching) -> None:
    landed = fetching.run()
    assert landed == Landed(fetching.folder / "a.wav")
    assert landed.path.read_bytes() == DATA
    assert fetching.names == ["a.wav"]
    assert fetching.positions[-1] == fetching.commits[-1] == len(DATA)
    assert fetching.ranges == [None]


def test_goes_on_where_the_line_broke(fetching: Fetching) -> None:
    fetching.server.script += [cut(100_000), cut(50_000)]
    for _ in range(2):
        with pytest.raises(ServerUnreachableError):
            fetching.run()
    assert fetching.durable == 150_000
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == [None, "bytes=100000-", "bytes=150000-"]
    assert fetching.server.asked[1].headers["If-Range"] == fetching.wanted.etag
    assert fetching.server.sent == len(DATA)  # nothing was fetched twice


def test_what_was_not_synced_counts_for_nothing(fetching: Fetching) -> None:
    fetching.server.script.append(cut(100_000))
    with pytest.raises(ServerUnreachableError):
        fetching.run()
    # As a power cut leaves it: the journal is right, what came after it is rubbish.
    with fetching.wanted.part.open("r+b") as file:
        file.seek(60_000)
        file.write(b"\0" * 290_000)
    os.utime(fetching.wanted.part, (0, 0))  # before this computer started
    fetching.durable = 60_000
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges[-1] == "bytes=60000-"


@pytest.mark.parametrize("left", [None, b"short"])
def test_a_part_that_somebody_took_away_is_fetched_anew(
    fetching: Fetching, left: bytes | None
) -> None:
    fetching.durable = 100_000
    if left is not None:
        fetching.wanted.part.write_bytes(left)
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.commits[0] == 0
    assert fetching.ranges == [None]


def test_a_whole_part_needs_no_server(fetching: Fetching) -> None:
    fetching.wanted.part.write_bytes(DATA)
    fetching.durable = len(DATA)
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == []


def resumed(fetching: Fetching) -> Fetching:
    fetching.wanted.part.write_bytes(DATA[:100_000])
    fetching.durable = 100_000
    return fetching


def test_a_server_without_ranges_is_taken_from_the_start(fetching: Fetching) -> None:
    resumed(fetching).server.script.append(reply(200, DATA))
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.commits[0] == 0  # before anything was written over
    assert fetching.positions[0] == 0


def test_a_part_that_comes_in_pieces_is_asked_for_again(fetching: Fetching) -> None:
    piece = reply(206, DATA[100_000:150_000], Content_Range="bytes 100000-149999/300000")
    resumed(fetching).server.script.append(piece)
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == ["bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize(
    "content_range",
    ["bytes 0-299999/300000", "bytes 90000-299999/300000", "bytes 100000-299999/400000", ""],
)
def test_another_range_than_asked_for_is_not_mixed_in(
    fetching: Fetching, content_range: str
) -> None:
    resumed(fetching).server.script.append(reply(206, DATA[100_000:], Content_Range=content_range))
    with pytest.raises(BadReplyError):
        fetching.run()
    assert fetching.wanted.part.read_bytes() == DATA[:100_000]


def test_bytes_of_another_file_are_not_mixed_in(fetching: Fetching) -> None:
    other = fetching.server.add(bytes(300_000), "a.wav")
    resumed(fetching)
    # Another server is there now, with another file under our path.
    fetching.server.files[fetching.wanted.url.partition("?")[0]] = bytes(300_000)
    with pytest.raises(CorruptError) as corrupt:
        fetching.run()
    assert (corrupt.value.expected, corrupt.value.given) == (fetching.sound.sha256, other.sha256)
    assert fetching.names == ["a.wav.0123abcd.part"]  # and no name was given


def test_wrong_bytes_get_no_name(fetching: Fetching) -> None:
    wrong = bytearray(DATA)
    wrong[-1] ^= 1
    fetching.server.script.append(reply(200, bytes(wrong)))
    with pytest.raises(CorruptError):
        fetching.run()
    assert "a.wav" not in fetching.names


def test_wrong_bytes_of_an_earlier_run_get_no_name(fetching: Fetching) -> None:
    fetching.wanted.part.write_bytes(bytes(100_000))
    fetching.durable = 100_000
    with pytest.raises(CorruptError):
        fetching.run()
    assert "a.wav" not in fetching.names


def test_more_than_was_promised_is_not_taken(fetching: Fetching) -> None:
    whole = reply(206, DATA[100_000:] + b"more", Content_Range="bytes 100000-299999/300000")
    resumed(fetching).server.script.append(whole)
    assert fetching.run().path.read_bytes() == DATA


def test_a_file_of_another_size_is_not_begun(fetching: Fetching) -> None:
    fetching.server.script.append(reply(200, DATA + b"more"))
    with pytest.raises(BadReplyError, match="300004 bytes"):
        fetching.run()
    assert fetching.positions == []


def test_a_refusal_keeps_what_has_come(fetching: Fetching) -> None:
    resumed(fetching).server.script.append(refuse(503, "Busy", Retry_After="3"))
    with pytest.raises(ServerRefusedError) as refused:
        fetching.run()
    assert refused.value.retry_after == 3.0
    assert fetching.run().path.read_bytes() == DATA


def test_a_file_of_the_user_is_never_overwritten(fetching: Fetching) -> None:
    (fetching.folder / "a.wav").write_bytes(b"mine")
    landed = fetching.run()
    assert landed == Landed(fetching.folder / "a (2).wav", "saved as a (2).wav")
    assert (fetching.folder / "a.wav").read_bytes() == b"mine"
    assert landed.path.read_bytes() == DATA


def test_what_is_there_already_is_not_fetched(fetching: Fetching) -> None:
    (fetching.folder / "a.wav").write_bytes(DATA)
    assert fetching.run() == Landed(fetching.folder / "a.wav", "already there")
    assert fetching.ranges == []


def test_a_pause_is_seen_at_once_and_keeps_every_byte(fetching: Fetching) -> None:
    fetching.server.script.append(stall(100_000))

    def pause() -> None:
        while not fetching.positions or fetching.positions[-1] < 100_000:
            ended.wait(0.005)
        fetching.control.stop()

    ended = threading.Event()
    pauser = threading.Thread(target=pause)
    pauser.start()
    with pytest.raises(StoppedError):
        fetching.run()  # if it were not woken, the silence would outlast this test
    pauser.join()
    fetching.server.released.set()
    assert fetching.durable == 100_000
    assert fetching.run().path.read_bytes() == DATA
    assert fetching.ranges == [None, "bytes=100000-"]


def test_a_pause_before_the_first_byte_is_seen(fetching: Fetching) -> None:
    fetching.control.stop()
    with pytest.raises(StoppedError):
        fetching.run()


def test_a_pause_that_came_before_the_check_wins(fetching: Fetching) -> None:
    fetching.check = False
    with pytest.raises(StoppedError):
        fetching.run()
    assert fetching.names == ["a.wav.0123abcd.part"]
    assert fetching.durable == len(DATA)


def test_commits_every_few_megabytes_and_only_what_is_synced(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = bytes(2 * SYNC_BYTES + 100_000)
    fetching = Fetching(server, server.add(big, "big.wav"), tmp_path)
    synced = [0]
    real = target.sync

    def sync(file: FileIO) -> None:
        real(file)
        synced.append(os.fstat(file.fileno()).st_size)

    monkeypatch.setattr(target, "sync", sync)
    assert fetching.run().path.stat().st_size == len(big)
    steps = [after - before for before, after in pairwise([0, *fetching.commits])]
    assert max(steps) <= SYNC_BYTES + (1 << 20)
    assert set(fetching.commits) <= set(synced)


def test_a_disk_that_runs_full_keeps_what_fitted(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def pwrite(file: int, data: memoryview, offset: int) -> int:
        """Onto a disk with room for 100,000 bytes."""
        if offset >= 100_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, data[: 100_000 - offset], offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", pwrite)
        with pytest.raises(DiskFullError, match=r"The disk is full: .*a\.wav"):
            fetching.run()
    assert fetching.wanted.part.stat().st_size == 100_000
    assert fetching.durable <= 100_000
    assert fetching.run().path.read_bytes() == DATA


def test_a_folder_that_went_away_is_named(fetching: Fetching) -> None:
    fetching.folder.rename(fetching.folder.with_name("elsewhere"))
    with pytest.raises(PathBlockedError, match=r"Cannot use .*a\.wav: No such file"):
        fetching.run()


FAULTS = st.sampled_from(
    [
        cut(0),
        cut(1),
        cut(77_777),
        cut(200_000),
        refuse(500),
        refuse(429),
        reply(200, DATA[:-1]),
        reply(200, bytes(300_000)),
        reply(206, DATA, Content_Range="bytes 0-299999/300000"),
        reply(206, DATA[5:], Content_Range="bytes 5-299999/300000"),
    ]
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(faults=st.lists(FAULTS, max_size=6), kept=st.lists(st.integers(0, 300_000), max_size=6))
def test_whatever_happens_no_name_is_given_to_wrong_bytes(
    server: FaultyServer,
    tmp_path_factory: pytest.TempPathFactory,
    faults: list[Fault],
    kept: list[int],
) -> None:
    folder = tmp_path_factory.mktemp("any")
    fetching = Fetching(server, server.add(DATA, "a.wav"), folder)
    server.script.clear()
    server.script.extend(faults)
    for crash in [*kept, *[300_000] * 10]:
        try:
            assert fetching.run().path.read_bytes() == DATA
            return
        except (CorruptError, BadReplyError):
            fetching.durable = 0  # as the queue does
            fetching.wanted.part.unlink(missing_ok=True)
        except SonotecaError:
            # As a crash leaves it: what is past the durable bytes may be gone.
            fetching.durable = min(fetching.durable, crash)
        assert fetching.names in ([], ["a.wav.0123abcd.part"])
    pytest.fail("never arrived")
