"""Carries out one transfer, whichever way its bytes go, and notes in its row how far it is."""

from __future__ import annotations

import logging
from functools import partial

from sonoteca_desktop.client import Client, ServerRefusedError
from sonoteca_desktop.transfers import archive, orders, target
from sonoteca_desktop.transfers.connections import Connections
from sonoteca_desktop.transfers.control import Control
from sonoteca_desktop.transfers.download import Download, Landed, Wanted, find_landed
from sonoteca_desktop.transfers.entry import Entry
from sonoteca_desktop.transfers.journal import Row
from sonoteca_desktop.transfers.libraries import check_is_from
from sonoteca_desktop.transfers.making import Making, Order
from sonoteca_desktop.transfers.plan import BodyChangedError, Kind, PreparingError
from sonoteca_desktop.transfers.rangecache import RangeCache
from sonoteca_desktop.transfers.roster import Roster
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_desktop.transfers.soundcache import SoundCache
from sonoteca_desktop.transfers.source import size_to_send
from sonoteca_desktop.transfers.tus import Tus
from sonoteca_desktop.transfers.upload import Arrived, Begun, Offer, Upload, end_quietly

_logger = logging.getLogger(__name__)


class Carrier:
    """What the workers do with a transfer; what becomes of its state is for the queue to say."""

    def __init__(
        self,
        client: Client,
        roster: Roster,
        connections: Connections,
        *,
        heard: SoundCache | None,
        repository: str,
    ) -> None:
        self._client = client
        self._roster = roster
        self._connections = connections
        self._heard = heard
        self._repository = repository

    def prepare(self, row: Row) -> None:
        """Look whether it can be done here at all, or raise; it does not count as running yet."""
        if row.kind is Kind.DOWNLOAD:
            target.check_room(row.path.parent, row.size - row.durable)
        else:
            row.size = size_to_send(row.path)

    def carry(self, entry: Entry, control: Control) -> Landed | Arrived:
        """Move all bytes that are still to be moved."""
        with self._connections.one(control):
            if entry.row.kind is Kind.UPLOAD:
                return self._send(entry, control)
            try:
                return self._fetch(entry, control)
            except ServerRefusedError as refusal:
                check_is_from(refusal, before=entry.row.library, now=self._client.library)
                raise

    def commit(self, entry: Entry, position: int) -> None:
        """So many bytes are safe."""
        with self._roster.changing():
            entry.commit(position)
            self._roster.touch(entry)
        self._roster.write()

    def begin_again(self, entry: Entry) -> None:
        """Forget what has come; what cannot be removed is never joined with what comes now."""
        row = entry.row
        # First: who is killed after that finds it missing, and begins again as well.
        self.drop(row)
        with self._roster.changing():
            if row.kind is Kind.DOWNLOAD:
                row.tag = orders.new_tag()
            if row.is_computed:
                row.size, row.etag, row.mark = 0, "", ""
        self._keep(entry, Segments.begin(row.size))
        entry.progressed(0)

    def give_up(self, row: Row) -> bool:
        """Remove what came of a transfer that nobody wants any more; whether it is gone."""
        if row.wish and row.url:
            archive.end_quietly(self._client, row.url)
        return self.drop(row)

    def drop(self, row: Row) -> bool:
        """Remove what came of a transfer so far, here or on the server; whether it is gone."""
        if row.kind is Kind.UPLOAD:
            if row.url:
                end_quietly(Tus(self._client), row.url)
                row.url = ""
            row.stamp = ""  # whatever was wrong with it: look at the file anew
            return True
        part = target.part_path(row.path, row.tag)
        try:
            part.unlink()
        except FileNotFoundError:
            return part.parent.is_dir()  # without it, it lies on a drive that is not plugged in
        except OSError as error:
            _logger.warning("Cannot remove the part file of %s: %s", row.path, error)
            return False
        return True

    def _send(self, entry: Entry, control: Control) -> Arrived:
        row = entry.row
        offer = Offer(row.path, row.name, row.folder, self._repository)
        begun = Begun(row.sha256, row.stamp, row.url, row.durable)
        remember = partial(self._remember, entry)
        return Upload(self._client, offer, begun, control, remember, tries=row.tries).run()

    def _fetch(self, entry: Entry, control: Control) -> Landed:
        if not entry.row.is_computed:
            return self._download(entry, control, self._heard)
        landed = (
            find_landed(_wanted(entry.row), entry.row.mark, control) if entry.row.mark else None
        )
        if landed is not None:
            return landed
        self._have_made(entry, control)
        try:
            return self._download(entry, control, None)
        except ServerRefusedError as refusal:
            if entry.row.wish and refusal.status in archive.GONE:
                raise PreparingError("The server is making it anew", wait=0.0) from refusal
            raise

    def _have_made(self, entry: Entry, control: Control) -> None:
        row = entry.row
        order = Order(row.wish, row.stamp, row.url)
        made = Making(self._client, order, control, partial(self._note_order, entry)).run()
        if row.etag not in ("", made.etag):
            raise BodyChangedError("The server has made it anew: it is fetched from its beginning")
        with self._roster.changing():
            row.size, row.etag = made.size, made.etag
            self._roster.touch(entry)
        self._roster.write()
        target.check_room(row.path.parent, row.size - row.durable)
        control.begin_sending()

    def _note_order(self, entry: Entry, order: Order) -> None:
        with self._roster.changing():
            entry.row.stamp, entry.row.url = order.key, order.url
            self._roster.touch(entry)
        self._roster.write()

    def _download(self, entry: Entry, control: Control, heard: SoundCache | None) -> Landed:
        row = entry.row
        landed = Download(
            self._client,
            _wanted(row),
            Segments.read(row.segments, size=row.size, safe=row.durable),
            control,
            remember=partial(self._keep, entry),
            landing=partial(self._note_mark, entry),
            cache=None if heard is None else _open_heard(heard, row),
            connections=self._connections,
        ).run()
        if heard is not None:
            heard.drop(row.sha256)
        return landed

    def _note_mark(self, entry: Entry, mark: str) -> None:
        with self._roster.changing():
            entry.row.mark = mark
            self._roster.touch(entry)
        self._roster.write()

    def _keep(self, entry: Entry, segments: Segments) -> None:
        with self._roster.changing():
            entry.row.segments = segments.text
            entry.commit(segments.safe)
            self._roster.touch(entry)
        self._roster.write()

    def _remember(self, entry: Entry, begun: Begun) -> None:
        row = entry.row
        with self._roster.changing():
            if begun.path != row.url:
                row.durable = 0
            row.sha256, row.stamp, row.url = begun.sha256, begun.stamp, begun.path
            self._roster.touch(entry)
        self._roster.write()


def _wanted(row: Row) -> Wanted:
    part = target.part_path(row.path, row.tag)
    return Wanted(row.url, row.size, row.etag, row.sha256, row.path, part, bool(row.wish))


def _open_heard(heard: SoundCache, row: Row) -> RangeCache | None:
    """What was heard of a sound; None where that cannot be used, for a download can do without."""
    try:
        return heard.open(row.sha256, row.size)
    except OSError as error:
        _logger.warning("What was heard of %s cannot be used: %s", row.name, error)
        return None
