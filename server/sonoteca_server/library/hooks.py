"""Events that other servers asked to be told of: each telling is a job, which `webhooks` does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from sonoteca_server.catalog import feed, jobs

WEBHOOK = "webhook"


def tell(
    connection: Connection, event: str, data: dict[str, Any], urls: Iterable[str], *, key: str
) -> None:
    """Have each of these URLs told of an event, such as `archive.completed`, within a transaction.

    Empty ones are left out. The same key is told to a URL once, however often this is called.
    """
    body = {"type": event, "timestamp": feed.timestamp(feed.now(connection)), "data": data}
    for url in dict.fromkeys(filter(None, urls)):
        args = {"url": url, "body": body}
        jobs.submit_now(connection, WEBHOOK, args, key=f"{key} {url}", subject=key, quiet=True)
