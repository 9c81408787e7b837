"""Who carries out which kind of job: the same in the server and in the workers beside it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sonoteca_server.catalog import Catalog
from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.archives import ArchiveJob
from sonoteca_server.jobs.fetch import Fetcher
from sonoteca_server.jobs.landing import Limits
from sonoteca_server.jobs.outward import Outward
from sonoteca_server.jobs.webhooks import Webhooks
from sonoteca_server.jobs.worker import Handler
from sonoteca_server.library.archives import KIND as ARCHIVE
from sonoteca_server.library.hooks import WEBHOOK, Hooks
from sonoteca_server.settings import Settings
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_server.storage.local import LocalBlobs


def fetching_parts(data: Path) -> GrowingParts:
    """Where the files of archives lie while they are fetched."""
    return GrowingParts(data, "fetching")


def job_handlers(settings: Settings, catalog: Catalog, blobs: LocalBlobs) -> dict[str, Handler]:
    """The handlers, by the kinds of jobs that they carry out."""
    outward = Outward(Guard(parse_allow(settings.fetch_allow)), idle_s=settings.fetch_idle_s)
    archives = ArchiveJob(
        catalog,
        blobs,
        fetching_parts(settings.data),
        Fetcher(outward, max_s=settings.max_fetch_s),
        Hooks(settings.webhook_url).archive_ended,
        Limits(
            settings.max_archive_bytes, partial(blobs.check_room, least=settings.min_free_bytes)
        ),
    )
    webhooks = Webhooks(outward, secret=settings.webhook_secret)
    return {ARCHIVE: archives.run, WEBHOOK: webhooks.run}
