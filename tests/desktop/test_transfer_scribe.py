"""What is written down by and by: in order, once, again after trouble, and all of it at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from sonoteca_desktop.transfers.journal import JournalError
from sonoteca_desktop.transfers.scribe import Scribe
from tests.kit.wait import until


class Slow:
    """A disk that takes something only when it is let."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.told: list[str] = []
        self.begun = threading.Event()
        self.released = threading.Event()
        self.trouble = ""
        self.scribe = Scribe(self.told.append)

    def write(self, what: str) -> None:
        self.begun.set()
        assert self.released.wait(10)
        if self.trouble:
            raise JournalError(self.trouble)
        self.written.append(what)

    def soon(self, *names: str) -> None:
        for each in names:
            self.scribe.soon(partial(self.write, each))


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    yield slow
    slow.released.set()
    slow.scribe.close()


def test_who_asks_does_not_wait_and_the_order_is_kept(slow: Slow) -> None:
    slow.soon("a", "b", "c")
    assert slow.begun.wait(10)
    assert slow.written == []
    slow.released.set()
    slow.scribe.close()
    assert slow.written == ["a", "b", "c"]


def test_what_waits_already_is_not_written_twice_but_what_has_begun_is(slow: Slow) -> None:
    write: Callable[[], None] = partial(slow.write, "all")
    slow.scribe.soon(write)
    assert slow.begun.wait(10)
    for _ in range(3):
        slow.scribe.soon(write)  # there is news since it began
    slow.released.set()
    slow.scribe.close()
    assert slow.written == ["all", "all"]


def test_what_cannot_be_written_stays_the_first_and_is_told_once(slow: Slow) -> None:
    slow.trouble = "no room"
    slow.released.set()
    slow.soon("a")
    until(lambda: slow.told == ["no room"])
    slow.soon("b")  # tried again at once, in vain
    slow.trouble = ""
    slow.soon("c")
    until(lambda: slow.written == ["a", "b", "c"])
    assert slow.told == ["no room"]


def test_a_disk_that_takes_nothing_more_does_not_hold_up_the_end(slow: Slow) -> None:
    slow.trouble = "no room"
    slow.released.set()
    slow.soon("a", "b")
    slow.scribe.close()
    assert slow.written == []


def test_a_fault_of_ours_keeps_nothing_else_from_the_disk(
    slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("a bug")

    slow.released.set()
    slow.scribe.soon(broken)
    slow.soon("a")
    slow.scribe.close()
    assert slow.written == ["a"]
    assert "a bug" in caplog.text
    caplog.clear()  # claimed
