"""No URL, redirect, name server or certificate leads the server where it is not to go."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import pytest

from sonoteca_server.jobs.addresses import Guard, NotPublicError, parse_allow, parse_url
from sonoteca_server.jobs.fetch import Fetched, Fetcher
from sonoteca_server.jobs.outward import CannotConnectError, CertificateError, Outward
from sonoteca_shared.errors import SonotecaError
from tests.kit.certificates import Authority
from tests.kit.outgoing import Outgoing, outgoing
from tests.kit.upstream import File, Upstream, upstream
from tests.server.test_fetch import Memory, redirect_to

PUBLIC = "8.8.8.8"


class Names:
    """A name server that says something else each time it is asked."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> list[str]:
        """The next answer; the last one for ever."""
        self.asked.append(host)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


def fetch(
    url: str, *, allow: str = "", names: Names | None = None, tls: ssl.SSLContext | None = None
) -> tuple[Fetched | SonotecaError, Outgoing]:
    """What came of it, and what was connected to for it."""

    async def run() -> Fetched:
        guard = Guard(parse_allow(allow))
        resolve = names or Names(["127.0.0.1"])
        outward = Outward(guard, idle_s=5.0, resolve=resolve, tls=tls)
        fetcher = Fetcher(outward, max_s=15.0, pause=lambda _: 0.0)
        return await fetcher.fetch(url, Memory())

    with outgoing() as seen:
        try:
            return asyncio.run(run()), seen
        except SonotecaError as error:
            return error, seen


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/take1.wav",
        "http://127.0.0.1:{other}/take1.wav",
        "//127.0.0.1:{other}/take1.wav",
        "http://localhost:{other}/take1.wav",
        "http://inward.example/take1.wav",
        "http://[::1]:{other}/take1.wav",
        "http://[::ffff:127.0.0.1]:{other}/take1.wav",
        "http://2130706433:{other}/take1.wav",
        "http://0.0.0.0:{other}/take1.wav",
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/take1.wav",
        "http://user@127.0.0.1:{port}/take1.wav",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/take1.wav",
    ],
)
def test_no_redirect_leads_inward(remote: Upstream, location: str) -> None:
    with upstream() as other:
        other.url("/take1.wav", File(b"secret"))
        location = location.format(port=remote.port, other=other.port)
        url = remote.url("/a.wav", redirect_to(location))
        failed, seen = fetch(url, allow=remote.place)
        assert isinstance(failed, SonotecaError)
        assert failed.code in ("address-not-public", "bad-url")
        assert set(seen.places) == {("127.0.0.1", remote.port)}
        assert (remote.paths(), other.paths()) == (["/a.wav"], [])


@pytest.mark.parametrize(
    "answers",
    [
        [["127.0.0.1"]],
        [["::1"]],
        [[PUBLIC, "127.0.0.1"]],
        [["127.0.0.1", PUBLIC]],
        [[PUBLIC, "::ffff:127.0.0.1"]],
        [[PUBLIC, "64:ff9b::7f00:1"]],
        [["2002:7f00:1::"]],
        [["169.254.169.254"]],
        [["0.0.0.0"]],
    ],
)
def test_a_name_with_an_inward_address_is_not_connected_to(answers: list[list[str]]) -> None:
    failed, seen = fetch("http://rebinding.example/a.wav", names=Names(*answers))
    assert isinstance(failed, NotPublicError)
    assert (seen.places, seen.names) == ([], [])


def test_a_port_that_is_not_the_webs_is_not_even_looked_up() -> None:
    names = Names([PUBLIC])
    failed, seen = fetch("http://example.org:8080/a.wav", names=names)
    assert isinstance(failed, NotPublicError)
    assert (seen.places, names.asked) == ([], [])


def test_a_name_that_turns_inward_later_is_judged_anew_for_each_try() -> None:
    names = Names([PUBLIC], [PUBLIC], ["127.0.0.1"])
    failed, seen = fetch("http://rebinding.example/a.wav", names=names)
    assert isinstance(failed, NotPublicError)
    # One look-up for each connection, and each to the address that was judged.
    assert (names.asked, seen.names) == (["rebinding.example"] * 3, [])
    assert seen.places == [(PUBLIC, 80)] * 2


def test_a_name_is_judged_anew_for_each_hop(remote: Upstream) -> None:
    url = remote.url("/a.wav", redirect_to("http://rebinding.example/b.wav"))
    names = Names([PUBLIC], ["127.0.0.1"])
    failed, seen = fetch(url, allow=remote.place, names=names)
    assert isinstance(failed, NotPublicError)
    assert seen.places == [("127.0.0.1", remote.port), (PUBLIC, 80), ("127.0.0.1", remote.port)]


@pytest.mark.parametrize("slow", ["name server", "host"])
def test_who_takes_no_connection_is_given_up(slow: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        if slow == "name server":
            await asyncio.Event().wait()
        return ["127.0.0.1"]

    async def run(port: int) -> None:
        place = f"slow.example:{port}"
        guard = Guard(parse_allow(place))
        outward = Outward(guard, idle_s=60.0, connect_s=0.3, resolve=resolve)
        async with outward.ask(parse_url(f"http://{place}/")):
            pass

    with contextlib.ExitStack() as lines:
        # Nobody takes the first of these, so there is no room for one more.
        full = lines.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            line = lines.enter_context(socket.socket())
            line.setblocking(False)
            line.connect_ex(full.getsockname())
        with pytest.raises(CannotConnectError):
            asyncio.run(run(full.getsockname()[1]))


def test_an_allowed_name_is_connected_to_as_its_name_server_says(remote: Upstream) -> None:
    remote.url("/a.wav", File(b"sound"))
    place = f"nas.lan:{remote.port}"
    fetched, seen = fetch(f"http://{place}/a.wav", allow=place)
    assert isinstance(fetched, Fetched)
    assert seen.places == [("127.0.0.1", remote.port)]
    assert remote.visits[0].fields["Host"] == place


def test_a_refusal_is_the_same_whether_or_not_something_listens(remote: Upstream) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as closed:
        port = closed.getsockname()[1]
    told = []
    for other in (remote.port, port):
        failed, seen = fetch(f"http://127.0.0.1:{other}/a.wav")
        assert isinstance(failed, NotPublicError)
        assert seen.places == []
        told.append(str(failed).replace(str(other), "N"))
    assert told[0] == told[1]
    assert told[0].endswith("to allow it add 127.0.0.1:N to FETCH_ALLOW")
    assert remote.visits == []


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_tls_is_verified_against_the_name_and_not_the_address(authority: Authority) -> None:
    with upstream(authority.serve_as("sounds.example")) as remote:
        remote.url("/a.wav", File(b"sound"))
        place = f"sounds.example:{remote.port}"
        fetched, _ = fetch(f"https://{place}/a.wav", allow=place, tls=authority.trust)
        assert isinstance(fetched, Fetched)


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_a_certificate_of_somebody_else_is_refused_at_once(authority: Authority, name: str) -> None:
    with upstream(authority.serve_as(name)) as remote:
        remote.url("/a.wav", File(b"sound"))
        place = f"sounds.example:{remote.port}"
        failed, seen = fetch(f"https://{place}/a.wav", allow=place, tls=authority.trust)
        assert isinstance(failed, CertificateError)
        assert (len(seen.places), remote.visits) == (1, [])


def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    with upstream(authority.serve_as("127.0.0.1")) as remote:
        failed, _ = fetch(f"https://{remote.place}/a.wav", allow=remote.place)
        assert isinstance(failed, CertificateError)


def test_a_request_is_posted_under_the_same_rules(remote: Upstream) -> None:
    remote.url("/hook", redirect_to("http://127.0.0.1/"))

    async def post(allow: str) -> int:
        outward = Outward(Guard(parse_allow(allow)), idle_s=5.0)
        answer = await outward.post(remote.url("/hook"), b'{"a": 1}', {"webhook-id": "1"})
        return answer.status

    assert asyncio.run(post(remote.place)) == 302
    visit = remote.visits[0]
    assert (visit.method, visit.body, visit.fields["webhook-id"]) == ("POST", b'{"a": 1}', "1")
    with pytest.raises(NotPublicError):
        asyncio.run(post(""))
    assert len(remote.visits) == 1
