"""Who carries out which kind of job: the same in the server and in the workers beside it."""

from __future__ import annotations

from sonoteca_server.catalog import Catalog
from sonoteca_server.jobs.addresses import Guard, parse_allow
from sonoteca_server.jobs.outward import Outward
from sonoteca_server.jobs.webhooks import Webhooks
from sonoteca_server.jobs.worker import Handler
from sonoteca_server.library.hooks import WEBHOOK
from sonoteca_server.settings import Settings
from sonoteca_server.storage.local import LocalBlobs


def job_handlers(settings: Settings, _catalog: Catalog, _blobs: LocalBlobs) -> dict[str, Handler]:
    """The handlers, by the kinds of jobs that they carry out."""
    outward = Outward(Guard(parse_allow(settings.fetch_allow)), idle_s=settings.fetch_idle_s)
    return {WEBHOOK: Webhooks(outward, secret=settings.webhook_secret).run}
