"""What a server offers besides sounds as they are: formats, presets, collections."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from PySide6.QtCore import QObject, Signal

from sonoteca_desktop.client import Client, ServerRefusedError
from sonoteca_desktop.sync.collections import list_all
from sonoteca_shared import routes
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.recipes import OPTIONS, TARGETS, texts_of


@dataclass(frozen=True, slots=True)
class Preset:
    """Options of a recipe that the server keeps under a name."""

    name: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Offer:
    """What sounds can be exported to, and what others found useful."""

    formats: tuple[str, ...]
    presets: tuple[Preset, ...]


class _Format(msgspec.Struct):
    """A format of the server, of which its name says all else."""

    name: str


class _Formats(msgspec.Struct):
    """The formats that a server converts to."""

    results: list[_Format]


class _Presets(msgspec.Struct):
    """The presets of a server."""

    results: list[dict[str, Any]]


class Offers(QObject):
    """Asks in a thread of its own; a server that cannot be reached says nothing.

    Signals:
        collectionsFound(list[Collection]): the collections as they are now.
        offered(Offer): what sounds can be exported to.
    """

    collectionsFound = Signal(list)
    offered = Signal(object)

    def __init__(self, client: Client, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._client = client

    def ask_collections(self) -> None:
        self._run(lambda: self.collectionsFound.emit(list_all(self._client)))

    def ask_offer(self) -> None:
        self._run(lambda: self.offered.emit(find_offer(self._client)))

    def _run(self, work: Callable[[], None]) -> None:
        def quietly() -> None:
            # The window may be gone before the answer is there.
            with contextlib.suppress(SonotecaError, RuntimeError):
                work()

        threading.Thread(target=quietly, name="offers", daemon=True).start()


def find_offer(client: Client) -> Offer:
    """What this server offers; an older one that does not say is taken to have all formats."""
    try:
        found = client.read(routes.FORMATS, _Formats)
        offered = {each.name for each in found.results}
        presets = client.read(routes.PRESETS, _Presets).results
    except ServerRefusedError as refusal:
        if refusal.status != HTTPStatus.NOT_FOUND:
            raise
        offered, presets = set(TARGETS), []
    # Parts of a WAV are cut without any converter.
    formats = tuple(name for name in TARGETS if name in offered) or ("wav",)
    return Offer(formats, tuple(map(_preset, presets)))


def _preset(sent: Mapping[str, Any]) -> Preset:
    options = texts_of({name: sent.get(name) for name in OPTIONS})
    return Preset(str(sent.get("name", "")), options)
