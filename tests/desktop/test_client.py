from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from urllib3.util import connection as sockets

from sonoteca_desktop import client as client_module
from sonoteca_desktop.answers import parse_retry_after
from sonoteca_desktop.client import (
    Client,
    CursorExpiredError,
    ServerRefusedError,
    ServerReplacedError,
    ServerUnreachableError,
    interrupt,
    is_loopback,
    read_some,
)
from sonoteca_shared.errors import SonotecaError
from tests.kit.faults import (
    FaultyServer,
    Handler,
    cut,
    faulty_server,
    hang_up,
    make_sound,
    refuse,
    reply,
    stall,
)
from tests.kit.receiving import Upload


class Blocks:
    """A body of so many blocks of 64 KiB."""

    def __init__(self, count: int, trouble: Exception | None = None) -> None:
        self.count = count
        self.trouble = trouble

    def __len__(self) -> int:
        return self.count << 16

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.count):
            yield b"a" * (1 << 16)
            if self.trouble:
                raise self.trouble


def send(server: FaultyServer, client: Client, body: Blocks) -> None:
    server.received.uploads["/files/1"] = Upload(len(body), {"filename": "a.wav"})
    headers = {"Upload-Offset": "0"}
    client.request("PATCH", "/files/1", headers=headers, data=body)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def client(server: FaultyServer) -> Iterator[Client]:
    client = Client(server.url + "/")
    yield client
    client.close()


def test_reads_changes_from_the_cursor_on(server: FaultyServer, client: Client) -> None:
    server.script.append(reply(200, b'{"cursor": "c2", "more": false, "results": []}'))
    page = client.changes("c 1", limit=10)
    assert (page.cursor, page.more, page.results) == ("c2", False, [])
    assert server.asked[0].arguments == {"since": "c 1", "limit": "10"}


def test_tells_when_a_cursor_is_too_old(server: FaultyServer, client: Client) -> None:
    server.script.append(refuse(410, "This cursor has expired"))
    with pytest.raises(CursorExpiredError, match="expired"):
        client.changes("old")


def test_fetches_peaks_at_a_zoom(server: FaultyServer, client: Client) -> None:
    sound = server.add(b"RIFF", "a.wav")
    server.script.append(reply(200, b"\x02\0\0\0"))
    assert client.peaks(sound, 512) == b"\x02\0\0\0"
    assert server.asked[0].path == f"/api/v1/sounds/{sound.id}/peaks?spp=512"


def test_a_refusal_says_what_the_server_says(server: FaultyServer, client: Client) -> None:
    server.script.append(refuse(422, "Not a usable WAV.", "no fmt chunk", Retry_After="7"))
    with pytest.raises(ServerRefusedError) as refused:
        client.changes(None)
    error = refused.value
    assert str(error) == "Not a usable WAV: no fmt chunk"
    assert (error.status, error.code, error.retry_after) == (422, "no", 7.0)


def test_a_refusal_without_words_names_its_status(server: FaultyServer, client: Client) -> None:
    server.script.append(reply(502, b"<html>proxy</html>"))
    with pytest.raises(ServerRefusedError, match="The server answered 502 Bad Gateway"):
        client.changes(None)


def test_an_answer_of_another_kind_of_server_is_refused(
    server: FaultyServer, client: Client
) -> None:
    server.script.append(reply(200, b"<html>Welcome to the hotel</html>"))
    with pytest.raises(ServerRefusedError, match="does not speak as a Sonoteca server"):
        client.changes(None)


def test_says_when_nothing_answers() -> None:
    with faulty_server() as server:
        url = server.url
    with pytest.raises(ServerUnreachableError) as gone:
        Client(url).changes(None)
    assert str(gone.value) == f"The server at {url} cannot be reached: nothing answers there"


def test_says_when_a_name_is_not_known() -> None:
    with pytest.raises(ServerUnreachableError, match="its name is not known"):
        Client("http://no-such-host.invalid:8282").changes(None)


def test_says_when_the_connection_breaks(server: FaultyServer, client: Client) -> None:
    server.script.append(hang_up)
    with pytest.raises(ServerUnreachableError, match="the connection broke"):
        client.changes(None)


def test_a_body_is_sent_with_its_length(server: FaultyServer, client: Client) -> None:
    send(server, client, Blocks(3))
    asked = server.asked[-1]
    assert asked.headers["Content-Length"] == str(3 << 16)
    assert server.received.uploads["/files/1"].data == b"a" * (3 << 16)


def test_a_refusal_in_the_middle_of_a_body_is_heard(server: FaultyServer, client: Client) -> None:
    def refuse_early(handler: Handler) -> None:
        handler.rfile.read(1 << 16)
        refuse(422, "Not a usable WAV", "text")(handler)

    server.script.append(refuse_early)
    with pytest.raises(ServerRefusedError, match="Not a usable WAV: text"):
        send(server, client, Blocks(1000))


def test_trouble_of_the_body_itself_stays_what_it_is(server: FaultyServer, client: Client) -> None:
    with pytest.raises(SonotecaError, match="no, wait") as error:
        send(server, client, Blocks(2, SonotecaError("no, wait")))
    assert type(error.value) is SonotecaError


def test_a_body_that_is_sent_elsewhere_is_no_success(server: FaultyServer, client: Client) -> None:
    server.script.append(refuse(303, Location="/log-in"))
    with pytest.raises(ServerReplacedError, match="it sends us on to /log-in"):
        send(server, client, Blocks(1))
    assert len(server.asked) == 1


def test_a_page_is_no_answer_of_the_server(server: FaultyServer, client: Client) -> None:
    server.script.append(reply(200, b"<p>Log in", Content_Type="text/html; charset=utf-8"))
    with pytest.raises(ServerReplacedError, match="a page answers in its place"):
        client.get_from("/x", 0)


@pytest.mark.parametrize("location", ["/x", "ftp://a.example/", "http://["])
def test_a_redirect_that_leads_nowhere_is_no_answer(
    server: FaultyServer, client: Client, location: str
) -> None:
    server.script += [refuse(302, Location=location)] * 99
    with pytest.raises(ServerReplacedError, match="it sends us astray"):
        client.get_from("/x", 0)
    assert len(server.asked) <= 6


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_without_end_is_not_read_to_its_end(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(client_module, "_LONGEST_ANSWER", 1 << 20)

    def go_on_and_on(handler: Handler) -> None:
        handler.head(status, 1 << 40)
        while True:
            handler.send(bytes(1 << 20))

    server.script.append(go_on_and_on)
    with pytest.raises(ServerReplacedError if status == 200 else ServerRefusedError):
        client.sound("/x")


def test_asks_for_sounds_of_bytes_that_may_be_there(server: FaultyServer, client: Client) -> None:
    sound = make_sound(b"there", "a.wav")
    server.received.sounds["/there"] = sound
    assert client.missing("main", [sound.sha256, "0" * 64]) == ["0" * 64]
    posted = client.refer(sound.sha256, name="b.wav", folder="x", repository="main")
    assert posted is not None
    assert posted.sound.name == "a.wav"
    assert client.refer("0" * 64, name="b.wav", folder="x", repository="main") is None
    assert json.loads(server.asked[-1].body) == {
        "sha256": "0" * 64,
        "repository": "main",
        "name": "b.wav",
        "folder": "x",
        "on_duplicate": "skip",
    }


def test_asks_for_bytes_as_they_are(server: FaultyServer, client: Client) -> None:
    sound = server.add(b"0123456789", "a.wav")
    with client.get_from(sound.links.file, 4, etag='"x"', end=6) as response:
        assert response.status_code == 200  # another file, says If-Range
    with client.get_from(sound.links.file, 4, end=6) as response:
        assert (response.status_code, read_some(response)) == (206, b"45")
    with client.get_from(sound.links.file, 0, etag='"x"') as response:
        assert read_some(response, 3) == b"012"
        assert read_some(response) == b"3456789"
        assert read_some(response) == b""
    ranges = [(each.headers.get("Range"), each.headers.get("If-Range")) for each in server.asked]
    assert ranges == [("bytes=4-5", '"x"'), ("bytes=4-5", None), (None, None)]
    assert {each.headers["Accept-Encoding"] for each in server.asked} == {"identity"}


def test_bytes_that_end_too_early_are_trouble(server: FaultyServer, client: Client) -> None:
    sound = server.add(b"0123456789", "a.wav")
    server.script.append(cut(4))
    with client.get_from(sound.links.file, 0) as response:
        assert read_some(response) == b"0123"
        with pytest.raises(ServerUnreachableError, match="The connection broke"):
            read_some(response)


def test_a_waiting_reader_can_be_woken(server: FaultyServer, client: Client) -> None:
    sound = server.add(b"0123456789", "a.wav")
    server.script.append(stall(4))
    with client.get_from(sound.links.file, 0) as response:
        assert read_some(response) == b"0123"
        threading.Timer(0.05, interrupt, [response]).start()
        with pytest.raises(ServerUnreachableError):
            read_some(response)
    interrupt(response)  # too late, and no harm


def test_links_cannot_lead_to_another_server(server: FaultyServer, client: Client) -> None:
    for link in ("http://elsewhere.invalid/a", "@elsewhere.invalid/a", "a"):
        with pytest.raises(ServerRefusedError, match="leads elsewhere"):
            client.get_from(link, 0)
    sound = server.add(b"0123", "a.wav")
    with client.get_from(server.url + sound.links.file, 0) as response:
        assert read_some(response) == b"0123"


def test_a_server_on_this_computer_is_never_asked_through_a_proxy(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    server.script.append(
        reply(200, json.dumps({"cursor": "", "more": False, "results": []}).encode())
    )
    assert client.changes(None).results == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8282", True),
        ("http://a.localhost", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("https://sounds.example", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_knows_this_computer(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        ("Mon, 05 Jan 2026 10:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_reads_how_long_to_wait_by_the_servers_clock(value: str, expected: float | None) -> None:
    headers = {"Retry-After": value, "Date": "Mon, 05 Jan 2026 10:00:00 GMT"}
    assert parse_retry_after(headers) == expected


def test_the_system_looks_whether_a_silent_line_is_dead(
    server: FaultyServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    connect = sockets.create_connection

    def note(*args: Any, **options: Any) -> socket.socket:
        made.append(connect(*args, **options))
        return made[-1]

    monkeypatch.setattr(sockets, "create_connection", note)
    client.request("GET", server.add(b"RIFF", "a.wav").links.file)
    [line] = made
    assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def room_of(client: Client, path: str) -> int:
    """How many bytes the system holds on a connection before anybody reads them."""
    with client.get_from(path, 0) as response:
        connection = response.raw.connection
        assert connection is not None
        room: int = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        while read_some(response):
            pass
    return room


def test_connections_of_a_time_hold_little_and_those_of_before_and_after_as_usual(
    server: FaultyServer, client: Client
) -> None:
    path = server.add(b"sound", "a.wav").links.file
    usual = room_of(client, path)
    with client.line.holding(64 << 10):
        assert room_of(client, path) in (64 << 10, 2 * (64 << 10))  # Linux doubles it
    assert room_of(client, path) == usual
