"""Waveform overviews: at any zoom, as audiowaveform's binary format or its JSON."""

from __future__ import annotations

import time
from functools import partial

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.downloads import ContentHandler, modified
from sonoteca_server.handlers.handler import JSON
from sonoteca_server.handlers.sounds import checked_id
from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL, find_overview, reduced, zooms
from sonoteca_server.library.sounds import PeaksFile
from sonoteca_server.storage import BlobMissingError, Blobs
from sonoteca_server.wire.bodies import Extent, Extents, Outlet, Slice, in_thread
from sonoteca_server.wire.conditions import Representation
from sonoteca_server.wire.errors import PeaksPendingError
from sonoteca_shared import peaks as overview
from sonoteca_shared.digests import computed_etag
from sonoteca_shared.errors import BadRequestError, NotFoundError
from sonoteca_shared.peaks import Head, parse_head

_MAX_FACTOR = 1 << 16
# Pixels of all channels in an answer that has to be made: some 4 MB of memory, 15 as JSON.
_MOST_MADE = 1 << 19
# Numbers that are written in one go.
_PIECE = 16 << 10
# Whoever changes what is in an overview changes this, so that nobody keeps the old one.
_CODE = 1
_BINARY = "application/octet-stream"


class PeaksHandler(ContentHandler):
    """The waveform overview of a sound; JSON where Accept asks for it."""

    async def get(self, sound_id: str) -> None:
        given = args.read_arguments(self.request, ("spp",))
        spp = _zoom(given)
        peaks = await self.services.sounds.peaks(checked_id(sound_id))
        if peaks.state == "failed":
            raise NotFoundError("no waveform could be computed for this sound")
        if peaks.blob is None:
            raise PeaksPendingError
        as_json = JSON in self.request.headers.get("Accept", "")
        finding = partial(_body, self.services.blobs, peaks.blob, spp, as_json=as_json)
        try:
            with self.turn():
                body = Extents([await in_thread(finding)])
        except (BlobMissingError, ValueError):
            await self.services.sounds.lose_peaks(peaks)
            raise PeaksPendingError from None
        await self._send(peaks, spp, body, as_json=as_json)

    head = get

    async def _send(self, peaks: PeaksFile, spp: int, body: Extents, *, as_json: bool) -> None:
        kind, ending = (JSON, "json") if as_json else (_BINARY, "dat")
        tag = computed_etag(f"peaks/{_CODE}/{peaks.sha256}/{spp}/{ending}")
        self.set_header("Vary", "Accept")
        file = Representation(body.size, tag, modified(peaks.created), kind)
        async with Outlet(self.services.blobs, self) as outlet:
            await self.carry_out(self.plan(file, f"{peaks.name}.{ending}"), body, outlet)


def _zoom(given: args.Arguments) -> int:
    """How many samples a pixel is to have."""
    spp = args.parse_whole("spp", given.get("spp", str(SAMPLES_PER_PIXEL)))
    if spp % SAMPLES_PER_PIXEL or not 1 <= spp // SAMPLES_PER_PIXEL <= _MAX_FACTOR:
        raise BadRequestError(
            f"“spp” is a multiple of {SAMPLES_PER_PIXEL}, "
            f"up to {SAMPLES_PER_PIXEL * _MAX_FACTOR}, not {spp}"
        )
    return spp


def _body(blobs: Blobs, key: str, spp: int, *, as_json: bool) -> Extent:
    """An overview as it is kept, or made of a finer one; ValueError when the blob is none.

    BadRequestError when it is not as it is kept, and too long to be made at once.
    """
    blob = blobs.open(key)
    try:
        kept = find_overview(blob.read_at, blob.size, spp)
        factor = spp // kept.head.samples_per_pixel
        if factor == 1 and not as_json:
            return Slice(key, blob.size, kept.start, kept.end)
        _check_length(kept.head.coarser(factor), parse_head(blob.read_at(0, Head.SIZE)))
        if factor == 1:
            data = blob.read_at(kept.start, kept.head.size)
        else:
            data = reduced(blob.read_at, kept, factor)
    finally:
        blob.close()
    return _as_json(data) if as_json else data


def _check_length(wanted: Head, finest: Head) -> None:
    if wanted.length * wanted.channels <= _MOST_MADE:
        return
    factor = -(-finest.length // (_MOST_MADE // finest.channels))
    kept = ", ".join(str(head.samples_per_pixel) for head in zooms(finest))
    raise BadRequestError(
        f"“spp={wanted.samples_per_pixel}” would be {wanted.length} pixels of this sound: ask for "
        f"“spp={factor * SAMPLES_PER_PIXEL}” or more, or in the binary form for one of {kept}"
    )


def _as_json(data: bytes) -> bytes:
    peaks = overview.parse(data)
    document = {
        "version": 2,
        "channels": peaks.channels,
        "sample_rate": peaks.samplerate,
        "samples_per_pixel": peaks.samples_per_pixel,
        "bits": peaks.bits,
        "length": peaks.length,
    }
    written = []
    for at in range(0, len(peaks.values), _PIECE):
        written.append(",".join(map(str, peaks.values[at : at + _PIECE])))
        time.sleep(0)  # whoever waits for Python's lock gets it
    numbers = ",".join(written).encode()
    return b'%b,"data":[%b]}' % (msgspec.json.encode(document)[:-1], numbers)
