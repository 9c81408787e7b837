"""Compares a server with the ledger of its clients: what is lost, undone, torn or left behind."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from sonoteca_server.__main__ import main
from tests.faults.ledger import GONE, THERE, Ledger, Thing, described
from tests.faults.load import content_path

_SAMPLE = 30
_SHOWN = 300


@dataclass(slots=True)
class Verdict:
    """What was looked at, and what is wrong."""

    checked: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Checker:
    """Looks at one library through its server, and at its folder with `verify`."""

    def __init__(self, url: str, folder: Path, ledger: Ledger, verdict: Verdict) -> None:
        self._url = url
        self._folder = folder
        self._ledger = ledger
        self._verdict = verdict
        self._session = requests.Session()

    def check(self, *, everything: bool = False, under_way: int = 0) -> None:
        """Compare; what was seen holds from then on.

        Bytes are read of what was touched since the last time, and of a few others.
        """
        self._clients()
        self._offsets()  # which also ends what was cut before its last answer
        listed = self._list()
        touched = [thing for thing in self._ledger.things.values() if not thing.settled]
        rest = [thing for thing in self._ledger.things.values() if thing.settled]
        if not everything and len(rest) > _SAMPLE:
            rest = random.Random(len(rest)).sample(rest, _SAMPLE)
        read = {thing.name for thing in (*touched, *rest)}
        for thing in list(self._ledger.things.values()):
            if thing.kind == "sound":
                self._sound(thing, listed.pop(thing.name, None), read=thing.name in read)
            elif thing.name in read:
                self._object(thing)
        for name in listed:
            self._blame(f"{name} is there, and nobody uploaded it")
        self.verify()
        self._temporary(under_way)

    def verify(self) -> None:
        """`verify --full` beside the server: every row with whole bytes."""
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(told):
            code = main(["verify", "--full", "--data", str(self._folder)])
        self._verdict.checked["verify --full"] += 1
        if code:
            self._blame(f"verify --full: {told.getvalue()[-_SHOWN:]}")

    def _clients(self) -> None:
        self._verdict.faults += self._ledger.faults
        self._ledger.faults.clear()

    def _list(self) -> dict[str, dict[str, Any]]:
        sounds: list[dict[str, Any]] = self._session.get(f"{self._url}/info", timeout=60).json()
        names = Counter(sound["name"] for sound in sounds)
        for name in (name for name, count in names.items() if count > 1):
            self._blame(f"{name} is there {names[name]} times")
        return {sound["name"]: sound for sound in sounds}

    def _sound(self, thing: Thing, found: dict[str, Any] | None, *, read: bool) -> None:
        seen = GONE if found is None else described(found["description"])
        self._compare(thing, seen)
        if found is not None:
            thing.id, thing.rev = found["id"], found["rev"]
            if found["sha256"] != thing.sha256:
                self._blame(f"sound {thing.name} has the digest of other bytes")
            elif read:
                self._read(thing)
        thing.settle(seen)

    def _offsets(self) -> None:
        """No upload has less than was said of it."""
        promised = {path: offset for _, path, offset in sorted(self._ledger.offsets)}
        self._ledger.offsets.clear()
        for path, offset in promised.items():
            answer = self._session.head(
                self._url + path, headers={"Tus-Resumable": "1.0.0"}, timeout=60
            )
            self._verdict.checked["uploads: offset"] += 1
            if not answer.ok or int(answer.headers["Upload-Offset"]) < offset:
                told = f"{answer.status_code}, {answer.headers.get('Upload-Offset')}"
                self._blame(f"upload {path} had {offset} bytes, and now: {told}")

    def _object(self, thing: Thing) -> None:
        seen = THERE if self._read(thing) else GONE
        self._compare(thing, seen)
        thing.settle(seen)

    def _compare(self, thing: Thing, seen: str) -> None:
        self._verdict.checked[f"{thing.kind}s: state"] += 1
        possible = thing.possible()
        if seen not in possible:
            expected = " or ".join(f"“{state}”" for state in sorted(possible))
            self._blame(f"{thing.kind} {thing.name} is “{seen}”, and was answered as {expected}")

    def _read(self, thing: Thing) -> bool:
        """Whether its bytes are there; that they are whole is checked."""
        answer = self._session.get(self._url + content_path(thing), timeout=60)
        self._verdict.checked[f"{thing.kind}s: every byte"] += 1
        if answer.status_code == 404:
            return False
        if not answer.ok or hashlib.sha256(answer.content).hexdigest() != thing.sha256:
            self._blame(f"{thing.kind} {thing.name} is not whole ({answer.status_code})")
        return True

    def _temporary(self, under_way: int) -> None:
        left = sorted(path.name for path in _files(self._folder / "incoming"))
        self._verdict.checked["temporary files"] += len(left)
        if len(left) > under_way + 1:  # one more: the waveform that is being computed
            self._blame(f"{len(left)} temporary files for {under_way} uploads: {left[:5]}")

    def _blame(self, fault: str) -> None:
        self._verdict.faults.append(fault)


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.iterdir() if path.is_file())
