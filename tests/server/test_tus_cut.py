"""Uploads that break off: no byte is lost that arrived, none is promised that is not there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import uploads
from sonoteca_server.library import objects
from sonoteca_server.library.uploads import Uploads
from sonoteca_server.storage.growing import GrowingParts
from tests.kit.http import serve, server_process
from tests.kit.tus import ask, create, head, meta, offset, open_patch, patch, reset
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

MIB = 1 << 20


def wav(frames: int = 1_000_000, seed: int = 1) -> bytes:
    return build_wav(Plan(frames=frames, channels=1, seed=seed))


DATA = wav()


def sha256_of(server: str, answer: requests.Response) -> str:
    path = answer.headers["Sonoteca-Sound"]
    return str(requests.get(server + path, timeout=10).json()["sha256"])


def assert_whole(server: str, answer: requests.Response, data: bytes = DATA) -> None:
    assert sha256_of(server, answer) == hashlib.sha256(data).hexdigest()


def arrived(folder: Path) -> int:
    """How many bytes the server has written of its one upload."""
    return sum(path.stat().st_size for path in (folder / "uploads").iterdir())


def is_closed(line: socket.socket) -> bool:
    """Whether the server has ended this line (waits for it)."""
    try:
        return line.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("end", [socket.socket.close, reset], ids=["FIN", "RST"])
@pytest.mark.parametrize("count", [1, 1_234_567, 2 * MIB - 1])
def test_every_byte_that_arrived_before_a_break_is_kept(
    tmp_path: Path, count: int, end: Any
) -> None:
    data = wav(2_000_000)
    with serve(tmp_path) as server:
        url = create(server, len(data))
        with open_patch(url, 0, len(data)) as line:
            line.sendall(data[:count])
            until(lambda: _unread(line) == 0)
            end(line)
        assert until(lambda: offset(url)) == count
        assert_whole(server, patch(url, count, data[count:]), data)


def _unread(line: socket.socket) -> int:
    """The bytes of this line that the server's kernel has not handed to the server yet."""
    here, there = line.getsockname(), line.getpeername()
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    for row in (each.split() for each in table):
        ports = tuple(int(address.rpartition(":")[2], 16) for address in row[1:3])
        if ports == (there[1], here[1]):
            return int(row[4].rpartition(":")[2], 16)
    return 0


def test_chunks_that_arrived_before_a_break_are_kept(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        chunked = {"Content-Length": "", "Transfer-Encoding": "chunked", "Expect": "100-continue"}
        with open_patch(url, 0, 0, chunked) as line:
            assert line.recv(1_000).startswith(b"HTTP/1.1 100 ")  # now somebody listens
            line.sendall(b"2710\r\n" + DATA[:10_000] + b"\r\n2710\r\n" + DATA[10_000:15_000])
            until(lambda: _unread(line) == 0)
        assert until(lambda: offset(url)) >= 10_000
        at = offset(url)
        assert_whole(server, patch(url, at, DATA[at:]))


def test_a_silent_client_is_given_up_and_its_bytes_kept(tmp_path: Path) -> None:
    with serve(tmp_path, body_idle_s=0.2) as server:
        url = create(server, len(DATA))
        with open_patch(url, 0, len(DATA)) as line:
            line.sendall(DATA[:777])
            assert is_closed(line)
        assert offset(url) == 777


def test_who_comes_back_ends_the_line_that_is_dead(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        with open_patch(url, 0, len(DATA)) as dead:
            dead.sendall(DATA[:600_000])
            until(lambda: arrived(tmp_path) >= 512 << 10)
            told = offset(url)
            assert told >= 512 << 10
            assert is_closed(dead)
        assert_whole(server, patch(url, told, DATA[told:]))


def test_bytes_of_an_overtaken_request_never_mix_in(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        with open_patch(url, 0, len(DATA)) as first, open_patch(url, 0, len(DATA)) as second:
            second.sendall(DATA[:1_000])
            assert is_closed(first)
            with contextlib.suppress(ConnectionError):
                first.sendall(bytes(MIB))
            second.sendall(DATA[1_000:])
            assert second.recv(12) == b"HTTP/1.1 204"
        assert_whole(server, head(url))


def test_the_same_bytes_three_times_at_once_are_stored_once(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))

        def send(_number: int) -> int:
            try:
                return patch(url, 0, DATA[:900_000]).status_code
            except requests.ConnectionError:
                return 0  # overtaken

        for _ in range(3):
            with ThreadPoolExecutor(3) as pool:
                assert set(pool.map(send, range(3))) <= {0, 204, 409}
        at = offset(url)
        assert at <= 900_000
        assert_whole(server, patch(url, at, DATA[at:]))


def test_an_upload_can_be_ended_while_it_is_sent(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        with open_patch(url, 0, len(DATA)) as line:
            line.sendall(DATA[:1_000])
            assert ask("DELETE", url).status_code == 204
            assert is_closed(line)
        assert head(url).status_code == 404
        assert arrived(tmp_path) == 0


def test_a_piece_whose_checksum_cannot_be_known_is_dropped(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        patch(url, 0, DATA[:100])
        checked = {"Upload-Checksum": "sha1 " + "A" * 27 + "="}
        with open_patch(url, 100, 600_000, checked) as line:
            line.sendall(DATA[100:590_000])
            until(lambda: arrived(tmp_path) > 500_000)
        assert offset(url) == 100
        assert_whole(server, patch(url, 100, DATA[100:]))


def test_what_was_told_is_there_after_the_server_was_killed(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        url = create(server.url, len(DATA), Upload_Metadata=meta(filename="a.wav"))
        patch(url, 0, DATA[:400_000])
        with open_patch(url, 400_000, len(DATA) - 400_000) as line:
            line.sendall(DATA[400_000:1_500_000])
            until(lambda: arrived(tmp_path) > 900_000)
            server.kill()
        server.start()
        at = offset(url)
        assert 400_000 <= at <= 1_500_000
        assert arrived(tmp_path) == at
        assert_whole(server.url, patch(url, at, DATA[at:]))
        assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.timeout(60)
def test_what_came_over_a_slow_line_survives_a_kill(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        url = create(server.url, len(DATA))
        with open_patch(url, 0, len(DATA)) as line:
            sent = 0
            while not (certain := durable(tmp_path)):
                line.sendall(DATA[sent : sent + 100])
                sent += 100
            server.kill()
        server.start()
        assert certain <= offset(url) <= sent
        assert_whole(server.url, patch(url, offset(url), DATA[offset(url) :]))


def durable(folder: Path) -> int:
    """How many bytes of the one upload the catalogue knows to be certain."""
    with home_of("sqlite", folder).look() as connection:
        return int(connection.execute(select(uploads.c.durable)).scalar_one())


@pytest.mark.parametrize("step", ["before the blob", "before the row", "after the row"])
def test_a_server_that_ends_while_it_finishes_finishes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim_errors: Any, step: str
) -> None:
    async def killed(*_args: Any) -> Any:
        raise RuntimeError("killed here")

    with serve(tmp_path) as server, monkeypatch.context() as patched:
        url = create(server, len(DATA))
        if step == "before the blob":
            patched.setattr(objects, "keep", killed)
        elif step == "before the row":
            patched.setattr(objects, "enter", killed)
        else:
            patched.setattr(GrowingParts, "discard", lambda *_: 1 / 0)
        assert patch(url, 0, DATA).status_code == 500
    with serve(tmp_path) as again:
        told = head(url.replace(server, again))
        assert told.headers["Upload-Offset"] == str(len(DATA))
        assert_whole(again, told)
        assert len(requests.get(f"{again}/list", timeout=10).json()) == 1
        until(lambda: not list((tmp_path / "uploads").iterdir()))
    claim_errors("failed")


def test_what_is_refused_late_is_refused_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim_errors: Any
) -> None:
    data = b"RIFF" + bytes(1_000)
    with serve(tmp_path) as server, monkeypatch.context() as patched:
        url = create(server, len(data))
        patched.setattr(Uploads, "seal", lambda *_: 1 / 0)
        assert patch(url, 0, data).status_code == 500
    with serve(tmp_path) as again:
        for _ in range(2):
            told = head(url.replace(server, again))
            assert (told.status_code, told.headers["Sonoteca-Refused"]) == (410, "not-a-wav")
    claim_errors("failed")


def test_a_part_that_was_lost_is_not_promised(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, 1_000)
        patch(url, 0, bytes(500))
    part = next((tmp_path / "uploads").iterdir())
    part.write_bytes(bytes(499))
    with serve(tmp_path) as again:
        assert head(url.replace(server, again)).status_code == 410


def test_what_nobody_was_told_of_is_cut_off(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        url = create(server, len(DATA))
        patch(url, 0, DATA[:500])
    with next((tmp_path / "uploads").iterdir()).open("ab") as part:
        part.write(bytes(len(DATA)))
    with serve(tmp_path) as again:
        url = url.replace(server, again)
        assert offset(url) == 500
        last = patch(url, 500, DATA[500:])
        assert_whole(again, last)
        sound = requests.get(again + last.headers["Sonoteca-Sound"], timeout=10).json()
        assert requests.get(again + sound["links"]["file"], timeout=10).content == DATA


def test_a_server_that_stops_ends_an_upload_and_keeps_its_bytes(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        url = create(server.url, len(DATA))
        with open_patch(url, 0, len(DATA)) as line:
            line.sendall(DATA[:1_000_000])
            until(lambda: arrived(tmp_path) >= 512 << 10)
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 8  # it does not wait as for a one-shot upload
        server.start()
        at = offset(url)
        assert at >= 512 << 10
        assert_whole(server.url, patch(url, at, DATA[at:]))


class Clock:
    now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def test_an_upload_ends_when_it_was_quiet_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, made = Clock(), []
    begin = Uploads.__init__

    def with_our_clock(self: Uploads, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs, clock=clock)
        made.append((self, asyncio.get_running_loop()))

    def sweep() -> None:
        asyncio.run_coroutine_threadsafe(made[0][0].expire(), made[0][1]).result(10)

    monkeypatch.setattr(Uploads, "__init__", with_our_clock)
    with serve(tmp_path, upload_expiry_s=100) as server:
        url, done = create(server, 500), create(server, len(DATA))
        patch(done, 0, DATA)
        clock.now += 60
        assert patch(url, 0, bytes(10)).headers["Upload-Expires"] == "Sun, 09 Sep 2001 01:49:20 GMT"
        clock.now += 99
        sweep()
        assert offset(url) == 10
        clock.now += 1
        assert head(url).status_code == 410
        assert patch(url, 10, b"x").status_code == 410
        sweep()
        assert (head(url).status_code, arrived(tmp_path)) == (410, 0)
        assert head(done).headers["Sonoteca-Sound"]
        clock.now += 100
        sweep()
        assert head(url).status_code == 404
        clock.now += 86_400
        sweep()
        assert head(done).status_code == 404


@pytest.mark.long
@pytest.mark.timeout(300)
def test_kills_at_any_moment_lose_nothing_that_was_told(tmp_path: Path) -> None:
    chance = random.Random(5)
    with server_process(tmp_path) as server:
        for number in range(40):
            data = wav(400_000, seed=number)
            url = create(server.url, len(data))
            killer = threading.Timer(chance.uniform(0, 0.08), server.kill)
            killer.start()
            told = send_until_cut(url, data)
            killer.join()
            server.start()
            assert offset(url) >= told
            told = offset(url)
            while told < len(data):
                told = send_until_cut(url, data, told)
            assert_whole(server.url, head(url), data)
        assert len(requests.get(f"{server.url}/list", timeout=10).json()) == 40
        assert server.stop() == 0


def send_until_cut(url: str, data: bytes, told: int = 0) -> int:
    """Send in small pieces; the offset that was told last."""
    with contextlib.suppress(requests.RequestException):
        while told < len(data):
            told = int(patch(url, told, data[told : told + 90_000]).headers["Upload-Offset"])
    return told
