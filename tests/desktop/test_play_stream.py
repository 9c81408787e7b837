"""A sound that comes over the network while it plays."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client, ServerRefusedError, ServerUnreachableError
from sonoteca_desktop.transfers import stream as streams
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_desktop.transfers.stream import Stream, StreamClosedError, StreamFailedError
from sonoteca_shared.digests import etag
from sonoteca_shared.models import Sound
from tests.kit import faults
from tests.kit.faults import FaultyServer, faulty_server
from tests.kit.throttle import Line, line
from tests.kit.wait import until

MEGABYTE = 1 << 20
CONTENT = random.Random(7).randbytes(6 * MEGABYTE)
OpenStream = Callable[..., tuple[Stream, RangeCache]]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def sound(server: FaultyServer) -> Sound:
    return server.add(CONTENT, "sound.wav")


@pytest.fixture
def slow(server: FaultyServer) -> Iterator[Line]:
    with line(server.url) as slow:
        yield slow


@pytest.fixture
def listen(slow: Line, sound: Sound, tmp_path: Path) -> Iterator[OpenStream]:
    """Open a stream on the sound; it is closed at the end of the test."""
    opened: list[Stream] = []

    def listen(ahead: int = MEGABYTE, tag: str = "") -> tuple[Stream, RangeCache]:
        cache = RangeCache(tmp_path / "sound.heard", len(CONTENT))
        tag = tag or etag(sound.sha256)
        opened.append(Stream(Client(slow.url), sound.links.file, tag, cache, ahead=ahead))
        return opened[-1], cache

    yield listen
    for each in opened:
        each.close(wait=5)


def settled(slow: Line) -> int:
    """What was sent when no more is being sent."""
    seen: list[int] = []

    def quiet() -> bool:
        seen.append(slow.sent)
        return len(seen) > 10 and len(set(seen[-10:])) == 1

    until(quiet)
    return seen[-1]


def ranges_asked(server: FaultyServer) -> list[str | None]:
    return [each.headers.get("Range") for each in server.downloads()]


def test_waits_for_bytes_and_reads_what_is_there(listen: OpenStream) -> None:
    stream, cache = listen()
    assert stream.fetch(1000, 5000) == CONTENT[1000:6000]
    assert stream.fetch(len(CONTENT) - 10, 500) == CONTENT[-10:]
    assert stream.fetch(len(CONTENT), 10) == b""
    assert cache.read(1000, 5000) == CONTENT[1000:6000]


def test_never_reads_far_ahead_of_the_playhead(
    listen: OpenStream, slow: Line, server: FaultyServer
) -> None:
    stream, cache = listen(ahead=MEGABYTE)
    stream.fetch(0, 1)
    settled(slow)
    assert MEGABYTE <= cache.total <= MEGABYTE + 256 * 1024
    stream.aim(2 * MEGABYTE // 2)
    until(lambda: cache.available(0) >= 2 * MEGABYTE)
    settled(slow)
    assert cache.total <= 2 * MEGABYTE + 256 * 1024
    assert len(server.asked) == 1  # on one connection all along


def test_lets_the_connection_go_when_it_rests_for_long(
    listen: OpenStream, slow: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "REST_S", 0.05)
    stream, cache = listen()
    stream.fetch(0, 1)
    until(lambda: slow.connections == 1 and slow.open_connections == 0)
    assert stream.fetch(MEGABYTE, 2 * MEGABYTE) == CONTENT[MEGABYTE : 3 * MEGABYTE]
    assert cache.read(0, 3 * MEGABYTE) == CONTENT[: 3 * MEGABYTE]


def test_opens_a_connection_again_only_for_a_far_seek(
    listen: OpenStream, slow: Line, server: FaultyServer
) -> None:
    stream, _ = listen(ahead=MEGABYTE)
    slow.limit(2 * MEGABYTE)
    stream.fetch(0, 50_000)
    stream.fetch(200_000, 1000)  # will be there soon
    stream.fetch(1000, 1000)  # is there
    assert len(server.asked) == 1
    assert stream.fetch(4_000_000, 1000) == CONTENT[4_000_000:4_001_000]
    assert ranges_asked(server) == [None, "bytes=4000000-"]
    assert server.asked[-1].headers["If-Range"].startswith('"sha256-')


def test_what_is_there_is_not_fetched_again(
    listen: OpenStream, server: FaultyServer, slow: Line
) -> None:
    stream, cache = listen(ahead=8 * MEGABYTE)
    cache.write(MEGABYTE, CONTENT[MEGABYTE : 5 * MEGABYTE])
    stream.aim(2 * MEGABYTE)
    until(lambda: cache.available(2 * MEGABYTE) == 4 * MEGABYTE)
    settled(slow)
    stream.aim(0)
    until(lambda: cache.complete)
    assert str(ranges_asked(server)[-1]).endswith(f"-{MEGABYTE - 1}")
    assert cache.path.read_bytes() == CONTENT
    # The first connection, to byte 0, may have brought something before it was dropped.
    assert slow.sent < 2 * MEGABYTE + 600_000


def test_goes_on_where_it_was_after_the_line_broke(
    listen: OpenStream, server: FaultyServer, slow: Line
) -> None:
    server.script.extend([faults.cut(100_000), faults.hang_up, faults.refuse(503)])
    stream, cache = listen(ahead=8 * MEGABYTE)
    until(lambda: cache.available(0) > 2 * MEGABYTE)
    slow.cut()
    until(lambda: cache.complete)
    assert cache.path.read_bytes() == CONTENT
    assert "bytes=100000-" in ranges_asked(server)
    assert slow.sent < len(CONTENT) + MEGABYTE
    assert stream.error is None


def test_stopping_drops_the_connection_at_once_even_when_nothing_comes(
    listen: OpenStream, slow: Line
) -> None:
    stream, _ = listen()
    stream.fetch(0, 1)
    slow.pause()
    until(lambda: slow.open_connections == 1)
    stream.close(wait=5)
    until(lambda: slow.open_connections == 0)
    with pytest.raises(StreamClosedError):
        stream.fetch(5 * MEGABYTE, 1)


def test_a_seek_does_not_wait_for_a_line_that_hangs(
    listen: OpenStream, server: FaultyServer
) -> None:
    server.script.append(faults.stall(1000))
    stream, _ = listen()
    stream.fetch(0, 1000)
    assert stream.fetch(3_000_000, 1000) == CONTENT[3_000_000:3_001_000]


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (faults.refuse(404, "There is no such file"), ServerRefusedError, "no such file"),
        (
            faults.reply(200, CONTENT, ETag='"sha256-other"'),
            StreamFailedError,
            "another sound in this place",
        ),
        (faults.reply(200, CONTENT[:100]), StreamFailedError, "does not send the part"),
        (
            faults.reply(206, CONTENT[1:], Content_Range=f"bytes 1-{len(CONTENT) - 1}/*"),
            StreamFailedError,
            "does not send the part",
        ),
        (faults.reply(206, CONTENT), StreamFailedError, "does not send the part"),
    ],
)
def test_takes_no_byte_that_may_be_wrong(
    listen: OpenStream,
    server: FaultyServer,
    fault: faults.Fault,
    error: type[Exception],
    words: str,
) -> None:
    server.script.append(fault)
    stream, cache = listen()
    with pytest.raises(error, match=words):
        stream.fetch(0, 1000)
    assert cache.total == 0
    with pytest.raises(error, match=words):
        stream.read(0, 1000)


def test_the_whole_instead_of_a_part_is_not_taken_for_the_part(
    listen: OpenStream, server: FaultyServer
) -> None:
    stream, cache = listen(ahead=1000)
    stream.fetch(0, 1)
    server.script.append(faults.reply(200, CONTENT))
    with pytest.raises(StreamFailedError, match="Download the sound to hear it"):
        stream.fetch(5_000_000, 10)
    assert cache.available(5_000_000) == 0


def test_what_is_there_can_be_heard_although_the_server_is_gone(
    listen: OpenStream, slow: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PATIENCE_S", 0.1)
    stream, _ = listen()
    stream.fetch(0, 100_000)
    slow.close()
    with pytest.raises(ServerUnreachableError, match="cannot be reached"):
        stream.fetch(5 * MEGABYTE, 10)
    assert stream.read(0, 1000) == CONTENT[:1000]
    assert stream.ready(0, 1000)


def test_a_full_disk_is_named_with_the_folder(
    listen: OpenStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RangeCache, "write", full)
    stream, _ = listen()
    with pytest.raises(StreamFailedError, match=r"cannot be kept in .*: No space left on device"):
        stream.fetch(0, 10)
