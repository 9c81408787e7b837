"""Carries out an upload: by hash when the server has the bytes, else by tus from where it was."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sonoteca_desktop.client import Client, ServerRefusedError
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.plan import BadReplyError, WayOn, way_on
from sonoteca_desktop.transfers.source import Rest, Source
from sonoteca_desktop.transfers.tus import Standing, Tus
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound
from sonoteca_shared.names import clean_folder, clean_name, numbered

_TURNS = 4
# What is sent in one request when all that is left proved to be too much for the way.
_PIECES = (8 << 20, 1 << 20)
_TRIES_WHOLE = 2
_MOMENT = 1.0
_MOST_COPIES = 1_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What to send, and as what the library is to keep it."""

    path: Path
    name: str
    folder: str
    repository: str = "main"


@dataclass(frozen=True, slots=True)
class Begun:
    """What is remembered of an upload so that it goes on where it was."""

    sha256: str = ""
    stamp: str = ""
    """The file's, when it was hashed."""
    path: str = ""
    """Where on the server the upload goes on; "" before there is one."""
    told: int = 0
    """So many bytes the server said that it has."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The sound that a file became, and what to tell the user of it."""

    sound: Sound
    note: str = ""


class Upload:
    """One run of an upload. `remember` has kept what it is given when it returns."""

    def __init__(
        self,
        client: Client,
        offer: Offer,
        begun: Begun,
        control: Control,
        remember: Callable[[Begun], None],
        *,
        tries: int = 0,
    ) -> None:
        self._client = client
        self._tus = Tus(client)
        self._offer = offer
        self._begun = begun
        self._control = control
        self._keep = remember
        # Who keeps a request until it is whole, and then has no time for it, passes on a piece.
        self._most = None if tries < _TRIES_WHOLE else _PIECES[0]

    def run(self) -> Arrived:
        """Do what is still to be done; the sound that came of it."""
        self._source = Source(self._offer.path)
        try:
            with self._client.line.open_to_cuts() as cut, self._control.breaking(cut):
                return self._run()
        except StoppedError:
            self._look_back()
            raise

    def _run(self) -> Arrived:
        if self._begun.stamp != str(self._source.before):
            self._hash()
        if not self._begun.path and (known := self._find_known()) is not None:
            self._control.begin_check()
            return known
        sound = self._client.sound(self._send())
        return Arrived(sound, _note_of_sent(sound, self._offer))

    def _hash(self) -> None:
        """Learn what the file is now; what was sent of another one is of no use."""
        stale = self._begun.path
        self._control.begin_hash()
        self._remember(Begun())
        if stale:
            end_quietly(self._tus, stale)
        digest = self._source.digest(self._control)
        self._remember(Begun(digest, str(self._source.before)))

    def _find_known(self) -> Arrived | None:
        """The sound without sending, when the library has these bytes."""
        sha256, offer = self._begun.sha256, self._offer
        if self._client.missing(offer.repository, [sha256]):
            return None
        posted = self._client.refer(
            sha256, name=offer.name, folder=offer.folder, repository=offer.repository
        )
        if posted is None:  # they went away just now
            return None
        return Arrived(posted.sound, _note_of(posted.sound, offer, created=posted.created))

    def _send(self) -> str:
        """Send what the server lacks; the path of the sound."""
        for _ in range(_TURNS):
            try:
                standing = self._stand()
                if standing.sound:
                    self._control.begin_check()
                else:
                    standing = self._append_all(standing.offset)
                if standing.sound:
                    return standing.sound
            except ServerRefusedError as refusal:
                self._turn(refusal)
        raise BadReplyError("the server takes the bytes, and has fewer of them than it took")

    def _stand(self) -> Standing:
        """How far the upload is; begins it, if it has to."""
        if not self._begun.path:
            self._create()
            return Standing(0)
        standing = self._tus.look(self._begun.path)
        if standing.offset > self._source.size:
            raise BadReplyError("the server has more bytes than the file")
        if standing.offset == self._source.size and not standing.sound:
            raise BadReplyError("the server has every byte, and does not say what became of them")
        if standing.offset < self._begun.told:
            raise BadReplyError("the server has fewer bytes than it said before")
        self._note(standing)
        return standing

    def _note(self, standing: Standing) -> None:
        self._begun = replace(self._begun, told=standing.offset)
        self._control.progressed(standing.offset)
        self._control.committed(standing.offset)

    def _create(self) -> None:
        metadata = {
            "filename": self._offer.name,
            "sha256": self._begun.sha256,
            "repository": self._offer.repository,
            "folder": self._offer.folder,
            # Bytes that the library has under another name are reported, not added once more.
            "on_duplicate": "skip",
        }
        path = self._tus.create(self._source.size, metadata)
        # Before the first byte: what the server has must be found again after a crash.
        self._remember(replace(self._begun, path=path, told=0))
        self._control.progressed(0)

    def _append_all(self, offset: int) -> Standing:
        """Send from an offset on, in one request or in several, as long as that leads on."""
        while True:
            self._control.begin_sending()
            rest = Rest(self._source, offset, self._control, self._most)
            standing = self._tus.append(self._begun.path, offset, rest)
            if standing.sound or not offset < standing.offset < self._source.size:
                return standing
            self._note(standing)
            offset = standing.offset

    def _turn(self, refusal: ServerRefusedError) -> None:
        """Get ready for another attempt at once, or raise the refusal again."""
        way = way_on(refusal)
        if way is None or not self._begun.path:
            raise refusal
        if way is WayOn.ANEW:
            self._remember(replace(self._begun, path="", told=0))
        elif way is WayOn.SMALLER:
            smaller = [each for each in _PIECES if self._most is None or each < self._most]
            if not smaller:
                raise refusal
            self._most = smaller[0]

    def _look_back(self) -> None:
        """Learn how far it is, now that we stop: what the socket took need not have arrived."""
        if self._begun.path:
            with contextlib.suppress(SonotecaError):
                self._note(self._tus.look(self._begun.path, timeout=_MOMENT))

    def _remember(self, begun: Begun) -> None:
        self._keep(begun)
        self._begun = begun


def end_quietly(tus: Tus, path: str) -> None:
    """Have the server drop an upload; if it does not hear of it, it will after some quiet days."""
    with contextlib.suppress(SonotecaError):
        tus.end(path)


def _note_of(sound: Sound, offer: Offer, *, created: bool) -> str:
    """What to tell the user of a finished upload, if anything."""
    as_asked = sound.name == clean_name(offer.name)
    if created:
        return "" if as_asked else f"saved as {sound.name}"
    if as_asked and sound.folder == clean_folder(offer.folder):
        return "already there"
    return f"already there as {sound.folder}/{sound.name}".replace(" /", " ")


def _note_of_sent(sound: Sound, offer: Offer) -> str:
    # Somebody may have brought the same bytes meanwhile: then the sound lies elsewhere.
    name = clean_name(offer.name)
    names = {name} | {numbered(name, number) for number in range(2, _MOST_COPIES)}
    created = sound.folder == clean_folder(offer.folder) and sound.name in names
    return _note_of(sound, offer, created=created)
