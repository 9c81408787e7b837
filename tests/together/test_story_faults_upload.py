"""Uploads to our own server through a proxy that spoils them: each fault, and what it leads to."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.transfers import tus
from sonoteca_desktop.transfers.queue import State
from tests.kit import spoil
from tests.kit.desk import Workplace
from tests.kit.http import serve
from tests.kit.proxy import Exchange, Fault, FaultProxy, honest
from tests.kit.spoil import edit, lose_answer, page, redirect, refuse, say, swallow, then
from tests.kit.wavs import write_wav

pytestmark = pytest.mark.usefixtures("no_patience")

MIB = 1 << 20
SIZE = 3_000_044
SEEDS = itertools.count(100)
CUTS = [random.Random(5).randrange(800_000) for _ in range(6)]
BREAK = swallow(1_000_000)
SEND, LOOK, BEGIN, ASK, TELL = "PATCH /files/", "HEAD /files/", "POST /files/", "POST /api", "GET /"
ODD = "The server's replies make no sense"
ELSEWHERE = "cannot be reached: it sends us on to http://a.example/"
BUSY = "The server is busy; trying again in "
DONE, WAITING, BLOCKED, FAILED = State.DONE, State.WAITING, State.BLOCKED, State.FAILED


@dataclass(frozen=True)
class Case:
    """Faults in requests of one kind, one each, until the server is itself again; what that does.

    A look comes only after a break: there, the first PATCH is broken by the test.
    """

    what: str
    where: str
    faults: list[Fault]
    ends: State = State.DONE
    says: str = ""
    wire: float = 1.1
    """So many times the file may go over the line, at most."""


CASES = [
    Case("cuts", SEND, [swallow(count) for count in CUTS], wire=1.5),
    Case("resets", SEND, [swallow(count, reset=True) for count in CUTS], wire=1.5),
    Case("no answer", SEND, [spoil.hang_up] * 3, wire=1.3),
    Case("the last answer is lost", SEND, [lose_answer]),
    Case("the last answer is silence", SEND, [spoil.stall(head=False)]),
    Case("the first answer is lost", BEGIN, [lose_answer]),
    Case("the question is lost", ASK, [lose_answer, spoil.hang_up]),
    Case("the sound is lost", TELL, [lose_answer, spoil.hang_up]),
    Case("where it stands is lost", LOOK, [lose_answer, spoil.hang_up]),
    Case("the offset went back", LOOK, [edit(Upload_Offset="0")], wire=2.1),
    Case("the offset is ahead", LOOK, [edit(Upload_Offset="2000000")], wire=2.1),
    Case("the offset is behind the end", LOOK, [edit(Upload_Offset="9999999")], wire=2.1),
    Case("the offset is no number", LOOK, [edit(Upload_Offset="-1"), edit(Upload_Offset="x")],
         wire=2.1),
    Case("no offset", LOOK, [edit(Upload_Offset="")], wire=2.1),
    Case("whole, and no word of the sound", SEND, [then(say(204, Upload_Offset=str(SIZE)))]),
    Case("a sound elsewhere", SEND,
         [then(say(204, Upload_Offset=str(SIZE), Sonoteca_Sound="http://a.example/x"))],
         FAILED, "a link that leads elsewhere"),
    Case("409 with words", SEND, [refuse(409, "offset-mismatch", "Elsewhere")], wire=2.1),
    Case("409 without", SEND, [say(409)], wire=2.1),
    Case("409 always", SEND, [say(409)] * 99, FAILED, ODD, wire=13),
    Case("423", SEND, [say(423)] * 3, wire=4.1),
    Case("404", SEND, [refuse(404, "not-found", "No upload")], wire=2.1),
    Case("404 to a look", LOOK, [say(404)], wire=2.1),
    Case("410", SEND, [say(410)], wire=2.1),
    Case("410 to a look", LOOK, [say(410)], wire=2.1),
    Case("412", SEND, [say(412, Tus_Version="2.0.0")], FAILED, "The server answered 412"),
    Case("413 of ours", SEND, [refuse(413, "too-large", "Too large")], FAILED, "Too large"),
    Case("413 on the way", SEND, [page(413)], wire=2.1),
    Case("413 on the way, always", SEND, [page(413)] * 9, FAILED, "The server answered 413", 3),
    Case("422", SEND, [refuse(422, "not-a-wav", "Not a WAV")], FAILED, "Not a WAV"),
    Case("460", SEND, [say(460)], FAILED, "The server answered 460"),
    Case("401", BEGIN, [refuse(401, "sign-in", "Sign in")], BLOCKED, "Sign in"),
    Case("403", BEGIN, [refuse(403, "forbidden", "Not for you")], FAILED, "Not for you"),
    Case("501", SEND, [say(501)], FAILED, "The server answered 501"),
    Case("507", BEGIN, [refuse(507, "no-space", "The disk is full")], BLOCKED, "disk is full"),
    Case("503 for 40 s", SEND, [spoil.busy(503)], WAITING, BUSY + "40 s"),
    Case("429 until 40 s later", BEGIN, [spoil.busy(429, date=True)], WAITING, BUSY + "40 s"),
    Case("500", SEND, [say(500)] * 3, wire=4.1),
    Case("502 as a page", SEND, [page(502)] * 3, wire=4.1),
    Case("504 after everything went", SEND, [then(page(504))]),
    Case("a page for the bytes", SEND, [page()] * 2, wire=3.1),
    Case("a page although they arrived", SEND, [then(page())]),
    Case("a page for a beginning", BEGIN, [page()] * 5),
    Case("a page for a look", LOOK, [page()] * 5),
    Case("a page for a question", ASK, [page()] * 5),
    Case("a page for the sound", TELL, [page()] * 5),
    Case("no JSON", ASK, [say(200, b"hello")], FAILED, "does not speak as a Sonoteca server"),
    Case("sent elsewhere", SEND, [redirect("http://a.example/", 307)] * 999, WAITING, ELSEWHERE,
         wire=99),
    Case("begun elsewhere", BEGIN, [say(201, Location="http://a.example/files/1")] * 3, FAILED,
         "the server sends uploads elsewhere"),
    Case("a beginning that is sent elsewhere", BEGIN, [redirect("http://a.example/", 308)] * 999,
         WAITING, ELSEWHERE),
    Case("an answer without end", ASK, [spoil.endless(503)]),
    Case("200 fields", SEND, [spoil.flood(200)]),
    Case("one wrong bit", SEND, [spoil.flip_sent], wire=2.1),
    Case("one wrong bit, always", SEND, [spoil.flip_sent] * 2, FAILED,
         "not those that were announced", 2.1),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as url:
        yield url


@pytest.fixture(autouse=True)
def less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed sooner."""
    monkeypatch.setattr(tus, "UPLOAD_TIMEOUT", 2.0)


def kept(server: str, name: str) -> list[str]:
    """The SHA-256 of the sounds of this name."""
    sounds = requests.get(f"{server}/info", params={"name": name}, timeout=10).json()
    return [sound["sha256"] for sound in sounds]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_an_upload_comes_through_or_says_why_it_does_not(
    server: str, proxy: FaultProxy, desk: Workplace, tmp_path: Path, case: Case
) -> None:
    seed = next(SEEDS)
    source = write_wav(tmp_path / f"take{seed}.wav", frames=750_000, seed=seed)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if case.where == LOOK:
        proxy.spoil(SEND, BREAK)
    proxy.spoil(case.where, *case.faults)
    key = desk.queue.upload(source, "field")
    desk.until_state(key, case.ends)
    if case.ends is not DONE:
        desk.until(lambda: case.says in desk[key].note)
        assert kept(server, source.name) in ([], [digest])
    assert sum(each.sent for each in proxy.asked(SEND)) <= case.wire * SIZE
    if case.ends is not DONE:
        proxy.behave()
        desk.queue.retry(key)
        desk.until_state(key, DONE)
    assert kept(server, source.name) == [digest]
    assert hashlib.sha256(source.read_bytes()).hexdigest() == digest


def smaller_than(most: int, otherwise: Fault) -> Fault:
    """Be honest to requests with no more bytes than that."""

    def fault(exchange: Exchange) -> None:
        fits = (exchange.request.length or 0) <= most
        (honest if fits else otherwise)(exchange)

    return fault


@pytest.mark.parametrize(
    ("most", "otherwise", "wire"),
    [(1 * MIB, page(413), 3.1), (8 * MIB, page(413), 2.1), (8 * MIB, page(504), 3.1)],
)
def test_what_is_too_much_for_the_way_goes_in_pieces(
    server: str,
    proxy: FaultProxy,
    desk: Workplace,
    tmp_path: Path,
    most: int,
    otherwise: Fault,
    wire: float,
) -> None:
    """As through a proxy that keeps every request until it is whole."""
    seed = next(SEEDS)
    source = write_wav(tmp_path / f"take{seed}.wav", frames=4 * 750_000, seed=seed)
    proxy.spoil(SEND, *[smaller_than(most, otherwise)] * 99)
    desk.until_state(desk.queue.upload(source, "field"), DONE)
    assert kept(server, source.name) == [hashlib.sha256(source.read_bytes()).hexdigest()]
    assert sum(each.sent for each in proxy.asked(SEND)) <= wire * source.stat().st_size


def test_a_server_that_has_fewer_bytes_than_it_said_is_not_believed(
    server: str, proxy: FaultProxy, desk: Workplace, tmp_path: Path
) -> None:
    seed = next(SEEDS)
    source = write_wav(tmp_path / f"take{seed}.wav", frames=750_000, seed=seed)
    proxy.spoil(SEND, BREAK, BREAK)
    proxy.spoil(LOOK, honest, edit(Upload_Offset="500000"))
    desk.until_state(desk.queue.upload(source, "field"), DONE)
    assert kept(server, source.name) == [hashlib.sha256(source.read_bytes()).hexdigest()]
    assert len(proxy.asked(BEGIN)) == 2
    assert len(proxy.asked("DELETE /files/")) == 1
