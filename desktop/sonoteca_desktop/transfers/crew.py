"""Those who fetch one file together: the thread that has it in hand, and others that help."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sonoteca_desktop.transfers.connections import Connections
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.fetching import Fetcher
from sonoteca_desktop.transfers.part import Part
from sonoteca_desktop.transfers.plan import goes_on_without
from sonoteca_desktop.transfers.segments import AT_ONCE
from sonoteca_shared.errors import SonotecaError

_logger = logging.getLogger(__name__)

MakeFetcher = Callable[[Control, Callable[[], None]], Fetcher]


class Crew:
    """Fetches what is missing of a part file.

    The leader is the thread that calls `run`. Once the server has shown that it sends parts, others
    help, as long as there are connections for them. Whoever has trouble with his own connection
    leaves his segment to the rest; what would meet them all ends the run.
    """

    def __init__(
        self,
        control: Control,
        part: Part,
        connections: Connections | None,
        make: MakeFetcher,
        leave: Callable[[], None],
    ) -> None:
        self._control = control
        self._part = part
        self._connections = connections
        self._make = make
        self._leave = leave
        self._leader = control.child()
        self._lock = threading.Lock()
        self._helpers: dict[threading.Thread, Control] = {}
        self._hurt = False
        self._trouble: Exception | None = None

    def run(self) -> None:
        """Fetch everything; the first trouble that is not one connection's own is raised."""
        try:
            with self._control.breaking(self._leader.stop):
                self._lead(self._make(self._leader, self._hire))
        except StoppedError:
            self._dismiss()
            if self._trouble is not None:
                raise self._trouble from None
            raise
        finally:
            self._dismiss()

    def _lead(self, fetcher: Fetcher) -> None:
        while not self._part.segments.complete:
            try:
                fetcher.work()
            except SonotecaError as error:
                self._wait_for_others(error)
            # What is left is in the hands of others, and comes back when they fail.
            self._join()
            self._leader.go_on()

    def _wait_for_others(self, error: SonotecaError) -> None:
        """The leader's connection has failed: those of the others may bring the rest."""
        if goes_on_without(error):
            self._join()
            self._leader.go_on()
        if not self._part.segments.complete:
            raise error

    def _hire(self) -> None:
        """Let others help, if they find something to do."""
        connections = self._connections
        while connections is not None and self._has_work():
            control = self._control.child()
            if not connections.help(control):
                return
            helper = threading.Thread(
                target=self._help, args=(control, connections), name="transfer-helper", daemon=True
            )
            with self._lock:
                self._helpers[helper] = control
            helper.start()

    def _has_work(self) -> bool:
        with self._lock:
            enough = self._hurt or len(self._helpers) >= AT_ONCE - 1
        return not enough and self._part.segments.take() is not None

    def _help(self, control: Control, connections: Connections) -> None:
        try:
            with self._control.breaking(control.stop):
                self._make(control, lambda: None).work()
        except StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - the leader raises it
            self._take(error)
        finally:
            self._leave()
            connections.give_back(control)
            with self._lock:
                del self._helpers[threading.current_thread()]

    def _take(self, error: Exception) -> None:
        """A helper has failed: nobody takes its place in this run."""
        _logger.info("A connection less: %s", error)
        with self._lock:
            self._hurt = True
            if goes_on_without(error):
                return
            self._trouble = self._trouble or error
        self._leader.stop()

    def _dismiss(self) -> None:
        with self._lock:
            controls = list(self._helpers.values())
        for each in controls:
            each.stop()
        self._join()

    def _join(self) -> None:
        with self._lock:
            helpers = list(self._helpers)
        for each in helpers:
            each.join()
