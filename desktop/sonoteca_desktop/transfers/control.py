"""What a running transfer and the queue that runs it say to each other."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial

import requests

from sonoteca_desktop.client import interrupt
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.plan import Event
from sonoteca_shared.errors import SonotecaError


class StoppedError(SonotecaError):
    """The transfer was told to stop; what has come so far is kept."""

    code = "stopped"


class Control:
    """One run of a transfer: it asks here what it may do and tells how far it is.

    `progressed` and `committed` are told a position in the file: reached, and safe on disk.
    `stepping` is asked whether an event may happen: not when a pause came before.
    """

    def __init__(
        self,
        bandwidth: Bandwidth,
        *,
        progressed: Callable[[int], None],
        committed: Callable[[int], None],
        stepping: Callable[[Event], bool],
    ) -> None:
        self._bandwidth = bandwidth
        self._stepping = stepping
        self._lock = threading.Lock()
        self._stopped = False
        self._cuts: list[Callable[[], None]] = []
        self.progressed = progressed
        self.committed = committed

    @property
    def stopped(self) -> bool:
        """Whether the transfer has to end now."""
        return self._stopped

    def stop(self) -> None:
        """End the transfer, from any thread, whatever it waits for just now."""
        with self._lock:
            self._stopped = True
            cuts = list(self._cuts)
        self._bandwidth.wake()
        for cut in cuts:
            cut()

    def child(self) -> Control:
        """For somebody who helps with this run: it can be stopped alone."""
        return Control(
            self._bandwidth,
            progressed=self.progressed,
            committed=self.committed,
            stepping=self._stepping,
        )

    def go_on(self) -> None:
        """Nothing, or StoppedError."""
        if self._stopped:
            raise StoppedError("stopped")

    def take(self, wanted: int) -> int:
        """How many of the `wanted` bytes may go now, at least one; or StoppedError."""
        allowed = self._bandwidth.take(wanted, lambda: self._stopped)
        self.go_on()
        return allowed

    def give_back(self, count: int) -> None:
        """Bytes that were allowed and did not go."""
        self._bandwidth.give_back(count)

    def begin_hash(self) -> None:
        """The file is read first; StoppedError when a pause came before."""
        self._step(Event.HASH)

    def begin_sending(self) -> None:
        """The file is sent from here on, or again; StoppedError when a pause came before."""
        self._step(Event.START)

    def begin_check(self) -> None:
        """All bytes are over; StoppedError when a pause came before."""
        self._step(Event.CHECK)

    def _step(self, event: Event) -> None:
        self.go_on()
        if not self._stepping(event):
            raise StoppedError("stopped")

    def reading(self, response: requests.Response) -> contextlib.AbstractContextManager[None]:
        """While this response is read, `stop` wakes its reader."""
        return self.breaking(partial(interrupt, response))

    @contextlib.contextmanager
    def breaking(self, cut: Callable[[], None]) -> Iterator[None]:
        """Meanwhile `stop` breaks the line with `cut`, so that nobody waits for the server."""
        with self._lock:
            self._cuts.append(cut)
        try:
            self.go_on()
            yield
        except SonotecaError as error:
            if self._stopped and not isinstance(error, StoppedError):
                # The line broke because we broke it.
                raise StoppedError("stopped") from error
            raise
        finally:
            with self._lock:
                self._cuts.remove(cut)
