"""Turns at fetching: few connections to one host, and none to one that wants to be left alone."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.fetch import AT_ONCE, PER_HOST, Fetched, Fetcher
from sonoteca_server.jobs.outward import Outward
from tests.kit.upstream import Answer, File, Upstream, Visit, upstream
from tests.server.test_fetch import DATA, Memory, redirect_to, then


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for_by_all_files_of_the_host(remote: Upstream, status: int) -> None:
    busy: Answer = lambda visit: visit.head(status, Retry_After=1, Content_Length=0)  # noqa: E731
    told = threading.Event()
    came: list[tuple[str, float]] = []

    def noting(answer: Answer) -> Answer:
        def note(visit: Visit) -> None:
            came.append((visit.path, time.monotonic()))
            answer(visit)
            told.set()

        return note

    async def run() -> None:
        outward = Outward(Guard(parse_allow(remote.place)), idle_s=5.0)
        fetcher = Fetcher(outward, max_s=15.0, pause=lambda _: 0.0)
        first = remote.url("/a.wav", noting(then(busy, File(DATA))))
        fetching = asyncio.create_task(fetcher.fetch(first, Memory()))
        await asyncio.to_thread(told.wait)
        # Time to read the answer, which is here before any other connection could be.
        await asyncio.sleep(0.1)
        await fetcher.fetch(remote.url("/b.wav", noting(File(DATA))), Memory())
        await fetching

    asyncio.run(run())
    assert sorted(path for path, _ in came) == ["/a.wav", "/a.wav", "/b.wav"]
    assert min(at for _, at in came[1:]) - came[0][1] >= 0.9


async def named(_host: str, _port: int) -> list[str]:
    """Every host is the one of the test."""
    return ["127.0.0.1"]


def by_name(remote: Upstream, *hosts: str) -> Fetcher:
    """Whoever may fetch from the server of the test, by these names."""
    guard = Guard(parse_allow(",".join(f"{host}:{remote.port}" for host in hosts)))
    outward = Outward(guard, idle_s=10.0, resolve=named)
    return Fetcher(outward, max_s=30.0, pause=lambda _: 0.0)


def test_who_is_busy_behind_a_redirect_is_left_alone_and_nobody_else(remote: Upstream) -> None:
    busy = threading.Event()

    def once_busy(visit: Visit) -> None:
        if not busy.is_set():
            busy.set()
            visit.head(429, Retry_After=20, Content_Length=0)
        else:
            File(b"sound")(visit)

    async def run() -> None:
        fetcher = by_name(remote, "a.example", "b.example")
        there = f"http://b.example:{remote.port}/there.wav"
        remote.answers |= {
            "/here.wav": redirect_to(there),
            "/there.wav": once_busy,
            "/other.wav": File(b"other"),
        }
        moved = f"http://a.example:{remote.port}/here.wav"
        waiting = [asyncio.create_task(fetcher.fetch(moved, Memory()))]
        await asyncio.to_thread(busy.wait)
        # Time to read the answer, which is here before any other connection could be.
        await asyncio.sleep(0.1)
        waiting.append(asyncio.create_task(fetcher.fetch(there, Memory())))
        await fetcher.fetch(f"http://a.example:{remote.port}/other.wav", Memory())
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    asyncio.run(run())
    assert remote.paths() == ["/here.wav", "/there.wav", "/other.wav"]


def test_many_redirects_to_one_host_have_its_few_connections(remote: Upstream) -> None:
    counted = threading.Lock()
    under_way: list[int] = [0]

    def answer(visit: Visit) -> None:
        with counted:
            under_way.append(under_way[-1] + 1)
        visit.pause(0.2)  # in which one too many would come
        with counted:
            under_way.append(under_way[-1] - 1)
        File(b"sound")(visit)

    async def run() -> None:
        hosts = [f"{n}.example" for n in range(12)]
        fetcher = by_name(remote, "all.example", *hosts)
        remote.answers["/here.wav"] = redirect_to(f"http://all.example:{remote.port}/there.wav")
        remote.answers["/there.wav"] = answer
        urls = [f"http://{host}:{remote.port}/here.wav" for host in hosts]
        await asyncio.gather(*(fetcher.fetch(url, Memory()) for url in urls))

    asyncio.run(run())
    assert max(under_way) == PER_HOST


@pytest.mark.parametrize(("hosts", "most"), [("a", PER_HOST), ("abc", AT_ONCE)])
def test_one_host_has_few_connections_and_all_together_some_more(
    remote: Upstream, hosts: str, most: int
) -> None:
    counted = threading.Lock()
    under_way: list[int] = [0]
    full = threading.Event()

    def answer(visit: Visit) -> None:
        with counted:
            under_way.append(under_way[-1] + 1)
            if under_way[-1] == most:
                full.set()
        full.wait(5.0)
        if len(remote.visits) <= most + 1:
            visit.pause(0.3)  # in which one too many would come
        with counted:
            under_way.append(under_way[-1] - 1)
        File(b"sound")(visit)

    async def run() -> list[Fetched]:
        fetcher = by_name(remote, *(f"{host}.example" for host in hosts))
        remote.answers["/a.wav"] = answer
        urls = [f"http://{host}.example:{remote.port}/a.wav" for host in hosts] * 20
        return await asyncio.gather(*(fetcher.fetch(url, Memory()) for url in urls))

    assert len(asyncio.run(run())) == 20 * len(hosts)
    assert max(under_way) == most
