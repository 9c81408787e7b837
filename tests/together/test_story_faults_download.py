"""Downloads from our own server through a proxy that spoils them: each fault, and what it leads to.

Each over one connection, and over several. In the folder lies a file of the user's that has the
sound's name. Whatever happens, it stays.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from sonoteca_desktop import client as client_module
from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.queue import State
from sonoteca_shared.models import Sound
from tests.kit import spoil
from tests.kit.desk import Workplace
from tests.kit.fetching import share_small_files
from tests.kit.http import serve
from tests.kit.proxy import Fault, FaultProxy
from tests.kit.spoil import cut, edit, endless, flip, page, refuse, say, stall, whole
from tests.kit.wavs import write_wav

pytestmark = pytest.mark.usefixtures("no_patience")

SIZE = 3_000_044
# What lies in sockets when a segment is shared or given up is much beside so small a file.
SHARED = 0.8
MINE = b"a file of the user's"
NAMES = ["take (2).wav", "take.wav"]
BREAK = cut(500_000)
CUTS = [random.Random(4).randrange(500_000) for _ in range(6)]
ODD = "The server's replies make no sense"
ASTRAY = "cannot be reached: it sends us astray"
BUSY = "The server is busy; trying again in "


@dataclass(frozen=True)
class Case:
    """Faulty replies for the file, one each, until the server is itself again; what that does."""

    what: str
    faults: list[Fault]
    ends: State = State.DONE
    says: str = ""
    wire: float = 1.1
    """So many times the file may go over one line, at most."""
    shared: float = SHARED
    """So many times more over several."""


DONE, WAITING, BLOCKED, FAILED = State.DONE, State.WAITING, State.BLOCKED, State.FAILED
CASES = [
    Case("cuts", [cut(count) for count in CUTS]),
    # What the system had received and not handed out goes with the connection.
    Case("resets", [cut(count, reset=True) for count in CUTS], wire=2.5),
    Case("cut in the last byte", [cut(SIZE - 1)]),
    Case("no answer", [spoil.hang_up] * 5),
    Case("slow", [spoil.slow]),
    Case("silence before the answer", [stall(head=False)]),
    Case("silence in the middle", [stall(1_000_000)]),
    Case("503 without a time", [refuse(503, "busy", "Busy")] * 3),
    Case("503 for 40 s", [spoil.busy(503)], WAITING, BUSY + "40 s"),
    Case("503 until 40 s later", [spoil.busy(503, date=True)], WAITING, BUSY + "40 s"),
    Case("429 for 40 s", [spoil.busy(429)], WAITING, BUSY + "40 s"),
    Case("429 until 40 s later", [spoil.busy(429, date=True)], WAITING, BUSY + "40 s"),
    Case("503 for ever", [say(503, Retry_After="9" * 400)], WAITING, BUSY + "3600 s"),
    Case("502 as a page", [page(502)] * 3),
    Case("503 that never ends", [endless(503)], wire=9),
    Case("408", [say(408)]),
    Case("another part", [BREAK, spoil.in_place_of(12_345)], wire=2.4),
    Case("an earlier part", [BREAK, spoil.in_place_of(0)], wire=2.4),
    Case("a part that lies", [BREAK, edit(Content_Range=f"bytes 5-{SIZE - 1}/{SIZE}")], wire=2.1),
    Case("a part in lines", [BREAK, edit(Content_Range="lines 1-2/3")], wire=2.1),
    Case("a part of nothing said", [BREAK, edit(Content_Range="")], wire=2.1),
    Case("a part of another size",
         [BREAK, edit(Content_Range=f"bytes 500000-{SIZE - 1}/{SIZE + 1}")], wire=2.1),
    Case("a part in pieces", [BREAK, edit(lambda data: data[:99],
         Content_Range=f"bytes 500000-500098/{SIZE}")],
         shared=SHARED + 1),  # whoever else has asked meanwhile takes it for a lie
    Case("never the right part", [BREAK, *[say(206, b"no", Content_Range="bytes 1-2/3")] * 99],
         FAILED, ODD),
    Case("another ETag in the middle", [BREAK, edit(ETag='"sha256-00"')], wire=2.1),
    Case("a weak ETag", [BREAK, edit(ETag='W/"sha256-00"')], wire=2.1),
    Case("no ETag", [BREAK, edit(ETag="")]),
    Case("the whole for a part", [BREAK, whole()], wire=1.5),
    Case("the whole of another file", [BREAK, whole(ETag='"other"')], wire=1.5),
    Case("cut short by its length", [edit(lambda data: data[:-1000])], wire=2.1),
    Case("a part cut short", [BREAK, spoil.longer(-5000)]),
    Case("a part that is longer", [BREAK, spoil.longer(5000)]),
    Case("promised more than it is", [spoil.longer(5000)], wire=2.1),
    Case("zeros without end", [endless(200)], wire=6),
    Case("one wrong bit", [edit(flip)], wire=2.1),
    Case("one wrong bit, always", [edit(flip)] * 99, FAILED, "What arrived is not the file", 2.1),
    Case("416 at the end", [cut(SIZE - 1), say(416, Content_Range=f"bytes */{SIZE}")], wire=2.1),
    Case("416, always", [BREAK, *[say(416)] * 99], FAILED, ODD),
    Case("gzip", [spoil.zipped], wire=2.1),
    Case("gzip, always", [spoil.zipped] * 99, FAILED, "the file coded as gzip", wire=3.1),
    Case("a page to log in, for a while", [BREAK, *[page()] * 5]),
    Case("in circles", [BREAK, *[spoil.in_circles] * 999], WAITING,
         ASTRAY),
    Case("sent to another protocol", [BREAK, *[spoil.redirect("ftp://a.example/")] * 999], WAITING,
         ASTRAY),
    Case("200 fields", [spoil.flood(200)] * 2, wire=3.1),
    Case("a field of 200 KB", [spoil.flood(1, 200_000)] * 2, wire=3.1),
    Case("a name that leads elsewhere",
         [edit(Content_Disposition='attachment; filename="../../up.wav"')]),
    Case("204", [say(204)] * 2),
    Case("304", [say(304)] * 2),
    Case("401", [refuse(401, "sign-in", "Sign in")], BLOCKED, "Sign in"),
    Case("403", [refuse(403, "forbidden", "Not for you")], FAILED, "Not for you"),
    Case("404", [refuse(404, "not-found", "No such file")], FAILED, "No such file"),
    Case("410", [refuse(410, "gone", "It is gone")], FAILED, "It is gone"),
    Case("412", [BREAK, refuse(412, "changed", "Another one")], FAILED, "Another one", wire=1.5),
    Case("501", [say(501)], FAILED, "The server answered 501"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(tmp_path_factory.mktemp("library")) as url:
        yield url


@pytest.fixture(scope="module")
def data(server: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = write_wav(tmp_path_factory.mktemp("source") / "take.wav", frames=750_000, seed=8)
    assert path.stat().st_size == SIZE
    added = requests.post(f"{server}/post?name=take.wav", data=path.read_bytes(), timeout=30)
    assert added.status_code == 201
    return path.read_bytes()


@pytest.fixture
def sound(proxy: FaultProxy, data: bytes) -> Sound:
    assert data
    client = Client(proxy.url)
    [change] = [each for each in client.changes(None).results if each.sound is not None]
    client.close()
    assert change.sound is not None
    return change.sound


@pytest.fixture(params=[False, True], ids=["one", "several"])
def several(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the file comes over several connections."""
    if request.param:
        share_small_files(monkeypatch)
    return bool(request.param)


@pytest.fixture
def desk(desk: Workplace, several: bool) -> Workplace:
    desk.queue.arrangement.set_several(several=several)
    (desk.sounds / "take.wav").write_bytes(MINE)
    return desk


@pytest.fixture(autouse=True)
def less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed sooner."""
    monkeypatch.setattr(client_module, "_SILENCE_TIMEOUT", 0.5)


def assert_arrived(desk: Workplace, key: int, data: bytes) -> None:
    done = desk.until_state(key, DONE)
    assert (done.path, done.note) == (desk.sounds / "take (2).wav", "saved as take (2).wav")
    assert done.path.read_bytes() == data
    assert desk.names == NAMES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_download_comes_through_or_says_why_it_does_not(
    proxy: FaultProxy, desk: Workplace, sound: Sound, data: bytes, case: Case, several: bool
) -> None:
    proxy.spoil("GET /data/", *case.faults)
    key = desk.queue.download(sound, desk.sounds)
    ended = desk.until_state(key, case.ends)
    received = sum(each.received for each in proxy.asked("GET /data/"))
    assert received <= (case.wire + case.shared * several) * SIZE
    if case.ends is not DONE:
        desk.until(lambda: case.says in desk[key].note)
        assert "take (2).wav" not in desk.names
        assert not list(desk.sounds.glob("*.part")) or ended.done < SIZE
        proxy.behave()
        desk.queue.retry(key)
    assert_arrived(desk, key, data)
    assert (desk.sounds / "take.wav").read_bytes() == MINE


def test_a_server_may_send_us_to_where_the_bytes_are(
    server: str, proxy: FaultProxy, desk: Workplace, sound: Sound, data: bytes, several: bool
) -> None:
    """Within itself, and to another one: the digest says whether they are the right ones."""
    moved = sound.links.file.replace("take.wav", "moved.wav")
    proxy.spoil("GET /data/", spoil.redirect(moved), BREAK, spoil.redirect(server + moved))
    assert_arrived(desk, desk.queue.download(sound, desk.sounds), data)
    assert [each.path for each in proxy.asked("GET /data/")][1] == moved
    assert proxy.received < (1.1 + SHARED * several) * SIZE
