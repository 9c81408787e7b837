"""A file from another server: whole and right, whatever happens on the way; or an error in time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.fetch import Fetched, Fetcher
from sonoteca_server.jobs.outward import Outward
from sonoteca_server.jobs.replies import Standing
from sonoteca_shared.errors import SonotecaError
from tests.kit.upstream import Answer, File, Upstream, Visit, upstream

DATA = random.Random(1).randbytes(3_000_000)
OTHER = random.Random(2).randbytes(3_000_000)


class Memory:
    """The bytes that came, and how far they are."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.standing = Standing()

    async def open(self) -> None:
        """Memory is always open."""

    async def close(self) -> None:
        """And stays."""

    async def begin(self, standing: Standing) -> None:
        """Drop what is beyond the standing, which is all unless it goes on."""
        del self.data[standing.offset :]
        self.standing = standing

    async def append(self, data: bytes) -> None:
        """Take the next bytes."""
        self.data += data
        self.standing = replace(self.standing, offset=len(self.data))


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def fetch(
    remote: Upstream,
    url: str,
    sink: Memory | None = None,
    *,
    idle_s: float = 5.0,
    slow_s: float = 5.0,
    max_s: float = 15.0,
) -> tuple[Fetched, bytes]:
    """What came of fetching this URL."""
    sink = sink or Memory()

    async def run() -> Fetched:
        outward = Outward(Guard(parse_allow(remote.place)), idle_s=idle_s, slow_s=slow_s)
        fetcher = Fetcher(outward, max_s=max_s, pause=lambda _: 0.0)
        return await fetcher.fetch(url, sink)

    fetched = asyncio.run(run())
    assert fetched.size == len(sink.data)
    return fetched, bytes(sink.data)


def refused(
    remote: Upstream, url: str, *, idle_s: float = 5.0, slow_s: float = 5.0, max_s: float = 15.0
) -> SonotecaError:
    """The error that fetching this URL ends with."""
    with pytest.raises(SonotecaError) as failed:
        fetch(remote, url, idle_s=idle_s, slow_s=slow_s, max_s=max_s)
    return failed.value


def test_a_file_comes_whole_with_the_name_of_its_url(remote: Upstream) -> None:
    fetched, data = fetch(remote, remote.url("/a/take%201.wav?x=1", File(DATA)))
    assert (fetched, data) == (Fetched("take 1.wav", len(DATA), True), DATA)


def test_the_server_is_told_nothing_but_what_is_wanted(remote: Upstream) -> None:
    remote.url("/take1.wav", File(DATA))
    fetch(remote, remote.url("/from", redirect_to("/take1.wav")))
    assert {name.lower() for visit in remote.visits for name in visit.fields} == {
        "host", "user-agent", "accept", "accept-encoding", "connection",
    }  # fmt: skip
    assert remote.visits[-1].fields["Accept-Encoding"] == "identity"


def test_a_name_from_content_disposition_wins_and_is_no_path(remote: Upstream) -> None:
    file = File(b"x", name="attachment; filename=\"a\"; filename*=UTF-8''..%2F..%2Ft%C3%BCr.wav")
    assert fetch(remote, remote.url("/a.wav", file))[0].name == "tür.wav"


def test_a_file_that_is_cut_three_times_comes_whole_and_no_byte_twice(remote: Upstream) -> None:
    file = File(DATA, cuts=(1_000_000, 1, 700_000))
    assert fetch(remote, remote.url("/a.wav", file))[1] == DATA
    assert len(remote.visits) == 4
    assert file.sent == len(DATA)


@pytest.mark.parametrize(("size", "cut"), [(10_000_000, 1_000_000), (400_000, 20_000)])
def test_a_file_that_gets_on_by_little_at_a_time_comes_whole(
    remote: Upstream, size: int, cut: int
) -> None:
    file = File((DATA * 4)[:size], cuts=(cut,) * (size // cut))
    assert fetch(remote, remote.url("/a.wav", file))[1] == file.data
    assert file.sent == size


def test_a_file_that_gets_nowhere_is_given_up_after_six_tries(remote: Upstream) -> None:
    assert refused(remote, remote.url("/a.wav", File(DATA, cuts=(1_000,) * 99))).code == "cut-off"
    assert len(remote.visits) == 6


@pytest.mark.parametrize("etag", ["", 'W/"one"', "one", '"ä"', '"☃"', f'"{1001 * "x"}"'])
def test_without_a_strong_etag_a_cut_file_begins_anew(remote: Upstream, etag: str) -> None:
    file = File(DATA, etag=etag, cuts=(1_000_000,))
    assert fetch(remote, remote.url("/a.wav", file))[1] == DATA
    assert "Range" not in remote.visits[1].fields


def redirect_to(location: str, status: int = 302) -> Answer:
    """Elsewhere."""
    return lambda visit: visit.head(status, Location=location, Content_Length=0)


def then(*answers: Answer) -> Answer:
    """One answer after the other; the last one for ever."""
    left = list(answers)

    def answer(visit: Visit) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(visit)

    return answer


def part(*, size: int = len(OTHER), **fields: object) -> Answer:
    """A 206 that goes on with other bytes up to this size, with these fields changed."""

    def answer(visit: Visit) -> None:
        begin = visit.asked
        if not begin:
            return File(OTHER, etag='"two"')(visit)
        body = OTHER[begin:size]
        honest = {
            "ETag": '"one"',
            "Content_Range": f"bytes {begin}-{size - 1}/{size}",
            "Content_Length": len(body),
        }
        told = {name: text for name, text in (honest | fields).items() if text is not None}
        visit.head(206, **told)
        visit.send(body)
        return None

    return answer


@pytest.mark.parametrize(
    "lie",
    [
        part(ETag='"two"'),
        part(ETag=None),
        part(ETag='W/"one"'),
        part(Content_Range=f"bytes 0-{len(OTHER) - 1}/{len(OTHER)}"),
        part(Content_Range=f"bytes 999999-{len(OTHER) - 1}/{len(OTHER)}"),
        part(Content_Range=f"bytes 1000000-{len(OTHER) - 1}/{len(OTHER) + 1}"),
        part(Content_Range=f"bytes 1000000-{len(OTHER) - 1}/*"),
        part(Content_Range="bytes 0-1999999/3000000"),
        part(Content_Range="bytes 999999-2999998/3000000"),
        part(Content_Range=None),
        part(size=2_000_000),
        part(Content_Range="bytes 1000000-1000009/3000000"),
        File(OTHER, etag='"two"'),
        File(OTHER, etag='"one"', ranges=False),
        File(OTHER, etag=""),
        lambda visit: (visit.head(416, Content_Range="bytes */1000000") if visit.asked
                       else File(OTHER, etag='"two"')(visit)),
    ],
)  # fmt: skip
def test_two_files_are_never_mixed(remote: Upstream, lie: Answer) -> None:
    url = remote.url("/a.wav", then(File(DATA, cuts=(1_000_000,)), lie))
    assert fetch(remote, url)[1] == OTHER
