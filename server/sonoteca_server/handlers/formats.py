"""The formats that sounds are converted to, with what each can hold."""

from __future__ import annotations

from typing import Any

from sonoteca_server.handlers import arguments as args
from sonoteca_server.handlers.handler import Handler
from sonoteca_server.jobs.conversion import NoConverterError
from sonoteca_shared.recipes import TARGETS, Target


class FormatsHandler(Handler):
    """What the ffmpeg of this server can; nothing where there is none."""

    async def get(self) -> None:
        args.read_arguments(self.request, ())
        try:
            offered = (await self.services.conversions.ffmpeg()).formats
        except NoConverterError:
            offered = ()
        found = [_as_sent(target) for name, target in TARGETS.items() if name in offered]
        self.answer({"count": len(found), "results": found})

    head = get


def _as_sent(target: Target) -> dict[str, Any]:
    """A format as the API shows it; None and nothing stand for what it does not have."""
    return {
        "name": target.name,
        "media_type": target.media_type,
        "channels": target.channels,
        "bitdepths": target.depths,
        "bitrates": target.bitrates,
        "samplerates": target.rates,
        "most_samplerate": target.most_rate,
    }
