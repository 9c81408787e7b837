"""Events that other servers asked to be told of: each telling is a job, which `webhooks` does."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from sonoteca_server.catalog import feed, jobs
from sonoteca_server.library.archive_rows import ArchiveState, Finished
from sonoteca_shared import routes

WEBHOOK = "webhook"
"""What the jobs are called that tell."""


class Hooks:
    """Who is told: the receiver of the whole library, if any, and those that a request named."""

    def __init__(self, url: str) -> None:
        self._url = url

    def archive_ended(self, connection: Connection, finished: Finished) -> None:
        """Have it told that an archive is whole or never will be, in the transaction of its end."""
        data: dict[str, Any] = {"archive_hash": finished.hash, "status": finished.state}
        if finished.state == ArchiveState.COMPLETED:
            path = routes.fill(routes.ARCHIVE_FILE, hash=finished.hash)
            data["url"] = finished.origin + path
        at = feed.timestamp(feed.now(connection))
        body = {"type": f"archive.{finished.state}", "timestamp": at, "data": data}
        for url in dict.fromkeys(filter(None, (self._url, finished.callback_url))):
            jobs.submit_now(
                connection,
                WEBHOOK,
                {"url": url, "body": body},
                key=f"{finished.hash} {finished.state} {url}",
                subject=finished.hash,
                quiet=True,
            )
