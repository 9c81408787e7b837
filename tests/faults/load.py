"""Clients that keep a server busy, and note in a ledger what it answers.

Each thread takes one thing after another into its hand and does something with it. What it may do
is a list of functions, so that a new kind of request is one function more.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from urllib.parse import urlsplit

import requests

from tests.faults.ledger import GONE, THERE, Ledger, Thing, described
from tests.kit.wavs import Plan, build_wav

REPOSITORY = "faults"
_TIMEOUT_S = 30.0
_names = itertools.count(1)


class Hand:
    """One client: what it has made so far, and its own connection and chance."""

    def __init__(self, url: str, ledger: Ledger, seed: int) -> None:
        self.url = url
        self.ledger = ledger
        self.chance = random.Random(seed)
        self.mine: list[Thing] = []
        self._session = requests.Session()

    def send(self, method: str, path: str, **more: object) -> requests.Response:
        """A request and its whole answer; ConnectionError when the server goes, or says so."""
        try:
            answer = self._session.request(
                method,
                self.url + path,
                timeout=_TIMEOUT_S,
                **more,  # type: ignore[arg-type]
            )
        except requests.exceptions.ChunkedEncodingError as error:
            raise requests.ConnectionError from error
        if answer.status_code == 503:
            raise requests.ConnectionError(answer.text)
        return answer

    def pick(self, kind: str, *, there: bool) -> Thing | None:
        """One of the latest things of this kind; None when there is none."""
        fitting = [
            thing
            for thing in self.mine[-30:]
            if thing.kind == kind and (thing.state != GONE) == there
        ]
        return self.chance.choice(fitting) if fitting else None

    def change(
        self, thing: Thing, state: str, what: str, method: str, path: str, **more: object
    ) -> requests.Response | None:
        """Ask for a change and note the answer; None when it was refused."""
        step = self.ledger.ask(thing, state)
        answer = self.send(method, path, **more)
        if answer.status_code >= 500 and answer.status_code != 507:
            self.ledger.blame(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        if not answer.ok:
            self.ledger.refused(thing, step)
            return None
        self.ledger.answer(step, what)
        return answer


Play = Callable[[Hand], None]


def upload(hand: Hand) -> None:
    """A new recording, in one request; mostly small, some larger than a block."""
    number = next(_names)
    frames = hand.chance.choice((100, 2_000, 20_000, 400_000))
    data = build_wav(Plan(frames=frames, channels=1, seed=hand.chance.getrandbits(60)))
    thing = Thing("sound", f"{number}.wav", hashlib.sha256(data).hexdigest())
    path = f"/post?name={thing.name}"
    answer = hand.change(thing, described(""), "uploads", "POST", path, data=data)
    if answer is not None:
        thing.id, thing.rev = answer.json()["id"], answer.json()["rev"]
        hand.mine.append(thing)


def resume(hand: Hand) -> None:
    """A new recording by tus, in pieces; each offset that is told is a promise."""
    data = build_wav(Plan(frames=60_000, channels=1, seed=hand.chance.getrandbits(60)))
    thing = Thing("sound", f"{next(_names)}.wav", hashlib.sha256(data).hexdigest())
    name = base64.b64encode(thing.name.encode()).decode()
    tus = {"Tus-Resumable": "1.0.0"}
    begin = {**tus, "Upload-Length": str(len(data)), "Upload-Metadata": f"filename {name}"}
    begun = hand.send("POST", "/files/", headers=begin)
    if not begun.ok:
        hand.ledger.count("refused")
        return
    path, at = urlsplit(begun.headers["Location"]).path, 0
    hand.ledger.promise(path, 0)
    piece = hand.chance.choice((30_000, 70_000, len(data)))
    while at < len(data):
        more = {
            **tus,
            "Upload-Offset": str(at),
            "Content-Type": "application/offset+octet-stream",
        }
        body = data[at : at + piece]
        last = at + piece >= len(data)
        step = hand.ledger.ask(thing, described("")) if last else None
        answer = hand.send("PATCH", path, headers=more, data=body)
        if not answer.ok:
            # In doubt, even when refused: what is there is kept, and may become a sound later.
            hand.ledger.count("refused")
            return
        if step is not None:
            hand.ledger.answer(step, "uploads by tus")
        at += len(body)
        hand.ledger.promise(path, int(answer.headers["Upload-Offset"]))


def edit(hand: Hand) -> None:
    """A new description for a sound."""
    thing = hand.pick("sound", there=True)
    if thing is None:
        return
    text = f"edited {next(_names)}"
    answer = hand.change(
        thing,
        described(text),
        "edits",
        "PATCH",
        f"/api/v1/sounds/{thing.id}",
        json={"description": text},
        headers={"If-Match": f'"{thing.rev}"', "Content-Type": "application/json"},
    )
    if answer is not None:
        thing.rev = answer.json()["rev"]


def trash(hand: Hand) -> None:
    """A sound into the trash."""
    thing = hand.pick("sound", there=True)
    if thing is not None:
        hand.change(thing, GONE, "trashed", "DELETE", f"/api/v1/sounds/{thing.id}")


def put(hand: Hand) -> None:
    """Bytes into a repository; sometimes those that were deleted a moment ago."""
    again = hand.pick("object", there=False) if hand.chance.random() < 0.3 else None
    if again is None:
        seed, size = hand.chance.getrandbits(60), hand.chance.choice((1, 5_000, 700_000))
    else:
        seed, size = (int(part) for part in again.id.split())
    data = random.Random(seed).randbytes(size) + seed.to_bytes(8)
    thing = again or Thing("object", hashlib.sha256(data).hexdigest(), "", f"{seed} {size}")
    thing.sha256 = thing.name
    answer = hand.change(thing, THERE, "objects put", "PUT", f"/data/{REPOSITORY}", data=data)
    if answer is not None and thing is not again:
        hand.mine.append(thing)


def delete(hand: Hand) -> None:
    """An object out of its repository."""
    thing = hand.pick("object", there=True)
    if thing is not None:
        hand.change(thing, GONE, "objects deleted", "DELETE", f"/data/{REPOSITORY}/{thing.name}")


def read(hand: Hand) -> None:
    """The bytes of something that is there, which must be whole."""
    thing = hand.pick(hand.chance.choice(("sound", "object")), there=True)
    if thing is None:
        return
    answer = hand.send("GET", content_path(thing))
    if not answer.ok or hashlib.sha256(answer.content).hexdigest() != thing.sha256:
        hand.ledger.blame(f"{thing.name} was read as {answer.status_code}, and is not whole")
    hand.ledger.count("downloads")


def content_path(thing: Thing) -> str:
    """Where the bytes of a thing are read."""
    repository = "main" if thing.kind == "sound" else REPOSITORY
    return f"/data/{repository}/{thing.sha256}"


PLAYS: tuple[Play, ...] = (upload, resume, upload, put, put, edit, trash, delete, read)


class Load:
    """Some clients at once, until the server is gone or the block is left."""

    def __init__(
        self,
        url: str,
        ledger: Ledger,
        *,
        seed: int,
        threads: int = 4,
        plays: Sequence[Play] = PLAYS,
    ) -> None:
        self._plays = plays
        self._ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(Hand(url, ledger, seed * 1_000 + number),))
            for number in range(threads)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, hand: Hand) -> None:
        while not self._ending.is_set():
            try:
                hand.chance.choice(self._plays)(hand)
            except requests.ConnectionError:
                return  # what was asked stays in doubt
            except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
                hand.ledger.blame(f"a client broke: {error!r}")
                return
