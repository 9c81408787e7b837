"""Tells another server of an event: signed, tried again for hours, and on record in the log.

The shape is that of Standard Webhooks (https://www.standardwebhooks.com): the id stays the same
over all tries, so that a receiver notices what it has heard already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec

from sonoteca_server.jobs.worker import GiveUpError, RetryLaterError, Task
from sonoteca_shared.errors import BadRequestError, SonotecaError

# How long to wait before each try after the first.
PAUSES_S = (5.0, 60.0, 300.0, 1_800.0, 7_200.0)
# A receiver that is slow has so many places, and what else there is for it comes back later.
_PER_HOST = 4
_BUSY_S = (1.0, 3.0)
_PREFIX = "whsec_"

log = logging.getLogger(__name__)


class BadSecretError(SonotecaError):
    """A secret that says it is base64, and is not."""

    code = "bad-secret"

    def __init__(self) -> None:
        super().__init__(f"what follows “{_PREFIX}” in a secret is base64")


class Answer(Protocol):
    """What another server answered."""

    @property
    def status(self) -> int:
        """Its status."""
        ...


class Outward(Protocol):
    """The way to other servers, which never leads inward."""

    async def post(self, url: str, body: bytes, fields: Mapping[str, str], /) -> Answer:
        """Send this, over a connection to an address that was judged; follows no redirect."""
        ...


class Webhooks:
    """The handler of jobs of kind `webhook`; without a `secret` nothing is signed."""

    def __init__(
        self,
        outward: Outward,
        *,
        secret: str,
        pauses_s: Sequence[float] = PAUSES_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outward = outward
        self._key = signing_key(secret)
        self._pauses_s = pauses_s
        self._clock = clock
        self._under_way: Counter[str] = Counter()

    async def run(self, task: Task) -> dict[str, int]:
        """Send the event of a job; its result is the status of the answer."""
        host = urlsplit(task.args["url"]).netloc
        if self._under_way[host] >= _PER_HOST:
            pause = random.uniform(*_BUSY_S)  # noqa: S311
            raise RetryLaterError(pause, "the receiver has other events to answer first")
        self._under_way[host] += 1
        try:
            return await self._deliver(task)
        finally:
            self._under_way[host] -= 1
            # Without those that have none: nobody says how many receivers there are.
            self._under_way += Counter()

    async def _deliver(self, task: Task) -> dict[str, int]:
        url, body = task.args["url"], msgspec.json.encode(task.args["body"])
        failed = int(task.checkpoint.get("failed", 0))
        fields = headers(task.id, int(self._clock()), body, self._key)
        try:
            status = (await self._outward.post(url, body, fields)).status
        except SonotecaError as error:
            code, detail = error.code, str(error)
            for_good = isinstance(error, BadRequestError)
        else:
            if status // 100 == HTTPStatus.OK // 100:
                self._note(task, "webhook delivered", status=status)
                return {"status": status}
            code, detail = "webhook-refused", f"the receiver answered {status}"
            for_good = status == HTTPStatus.GONE
        self._note(task, "webhook failed", code=code, detail=detail)
        if for_good or failed == len(self._pauses_s):
            raise GiveUpError(code, detail)
        await task.save({"failed": failed + 1})
        # What failed together does not come back together.
        pause = self._pauses_s[failed] * random.uniform(0.8, 1.2)  # noqa: S311
        raise RetryLaterError(pause, detail)

    def _note(self, task: Task, words: str, **facts: Any) -> None:
        # Without path and query: they may hold the receiver's own secret.
        place = urlsplit(task.args["url"])
        told = {
            "webhook": task.id,
            "event": task.args["body"]["type"],
            "receiver": f"{place.scheme}://{place.netloc.rpartition('@')[2]}",
            "attempt": int(task.checkpoint.get("failed", 0)) + 1,
        }
        log.info(words, extra={"facts": told | facts})


def signing_key(secret: str) -> bytes:
    """The key that a secret stands for: the bytes after `whsec_`, else the text as it is."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise BadSecretError from None


def headers(message: str, at: int, body: bytes, key: bytes) -> dict[str, str]:
    """The fields of a webhook; the signature is left out without a key."""
    fields = {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(at),
    }
    if key:
        signed = hmac.digest(key, f"{message}.{at}.".encode() + body, hashlib.sha256)
        fields["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return fields
