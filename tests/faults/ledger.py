"""What clients asked of a server and what it answered: from this follows what must be there.

What was answered holds for ever. What was asked and not answered yet when everything stopped may
have happened or not; what nobody asked for has not.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Literal

GONE = "gone"
THERE = "there"

Kind = Literal["sound", "object"]


def described(description: str) -> str:
    """The state of a sound that is there with this description."""
    return f"{THERE}: {description}"


@dataclass(slots=True)
class Step:
    """Something asked of the server: the state it leads to, and when it was asked and answered."""

    state: str
    asked: float
    answered: float | None = None


@dataclass(slots=True)
class Thing:
    """A sound or an object, and all that one client asked of it, one step after the other."""

    kind: Kind
    name: str  # unique; of an object its digest
    sha256: str
    id: str = ""
    rev: int = 0
    steps: list[Step] = field(default_factory=list)
    settled: bool = False  # looked at since the last step

    def possible(self) -> set[str]:
        """The states that it may be in."""
        states = {GONE}
        for step in self.steps:
            states = {step.state} if step.answered is not None else states | {step.state}
        return states

    @property
    def state(self) -> str:
        """What it is, when nothing is in doubt."""
        return self.steps[-1].state

    def settle(self, state: str) -> None:
        """It was looked at: from here on it is what it was seen to be."""
        self.steps = [Step(state, 0.0, 0.0)]
        self.settled = True


@dataclass(slots=True)
class Ledger:
    """All things of all clients; each thing has one client at a time, the ledger has many."""

    things: dict[str, Thing] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    # Of uploads that can be resumed: when, which, and how many bytes the server said it has.
    offsets: list[tuple[float, str, int]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, thing: Thing, state: str) -> Step:
        """Note that the server is about to be asked for this."""
        step = Step(state, time.time())
        with self._lock:
            self.things[thing.name] = thing
        thing.settled = False
        thing.steps.append(step)
        return step

    def answer(self, step: Step, what: str) -> None:
        """Note that the server has done what it was asked for."""
        step.answered = time.time()
        self.count(what)

    def count(self, what: str) -> None:
        """One more of these was answered."""
        with self._lock:
            self.answered[what] += 1

    def promise(self, path: str, offset: int) -> None:
        """Note that the server says it has so many bytes of this upload."""
        with self._lock:
            self.offsets.append((time.time(), path, offset))

    def refused(self, thing: Thing, step: Step) -> None:
        """The server said no, so nothing has changed."""
        thing.steps.remove(step)
        self.count("refused")

    def as_of(self, moment: float) -> Ledger:
        """The ledger as it was then, with a life of its own."""
        ledger = Ledger(offsets=[each for each in self.offsets if each[0] <= moment])
        for thing in self.things.values():
            steps = [_as_of(step, moment) for step in thing.steps if step.asked <= moment]
            if steps:
                ledger.things[thing.name] = replace(thing, steps=steps)
        return ledger

    def settled_changes(self) -> int:
        """How many changes were answered."""
        steps = (step for thing in self.things.values() for step in thing.steps)
        return sum(step.answered is not None for step in steps)

    def blame(self, fault: str) -> None:
        """Note what a client saw that must not be."""
        with self._lock:
            self.faults.append(fault)


def _as_of(step: Step, moment: float) -> Step:
    answered = step.answered is not None and step.answered <= moment
    return replace(step, answered=step.answered if answered else None)
