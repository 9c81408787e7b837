"""Waveform overviews: at any zoom, as audiowaveform's binary format or its JSON."""

from __future__ import annotations

from functools import partial

import msgspec

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.downloads import ContentHandler, modified
from sonoteca_server.handlers.handler import JSON
from sonoteca_server.handlers.sounds import checked_id
from sonoteca_server.library.peaks import SAMPLES_PER_PIXEL, find_overview, reduced
from sonoteca_server.library.sounds import PeaksFile
from sonoteca_server.storage import BlobMissingError, Blobs
from sonoteca_server.wire.bodies import Extent, Extents, Outlet, Slice, in_thread
from sonoteca_server.wire.conditions import Representation
from sonoteca_server.wire.errors import PeaksPendingError
from sonoteca_shared import peaks as overview
from sonoteca_shared.digests import computed_etag
from sonoteca_shared.errors import BadRequestError, NotFoundError

_MAX_FACTOR = 1 << 16
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
    """An overview as it is kept, or made of a finer one; ValueError when the blob is none."""
    blob = blobs.open(key)
    try:
        kept = find_overview(blob.read_at, blob.size, spp)
        factor = spp // kept.head.samples_per_pixel
        if factor == 1 and not as_json:
            return Slice(key, blob.size, kept.start, kept.end)
        data = blob.read_at(kept.start, kept.head.size)
    finally:
        blob.close()
    if factor != 1:
        data = reduced(data, factor)
    return _as_json(data) if as_json else data


def _as_json(data: bytes) -> bytes:
    peaks = overview.parse(data)
    document = {
        "version": 2,
        "channels": peaks.channels,
        "sample_rate": peaks.samplerate,
        "samples_per_pixel": peaks.samples_per_pixel,
        "bits": peaks.bits,
        "length": peaks.length,
        "data": list(peaks.values),
    }
    return msgspec.json.encode(document)
