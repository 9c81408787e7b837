"""What comes back from a server: read within bounds, and its troubles in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import requests
import urllib3

_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that came whole."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


def read_up_to(response: requests.Response, most: int) -> bytes:
    """The body, or what has come of it when that is more than `most` bytes."""
    parts: list[bytes] = []
    length = 0
    for part in response.iter_content(_BLOCK):
        parts.append(part)
        length += len(part)
        if length > most:
            break
    return b"".join(parts)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a Retry-After field asks to wait (RFC 9110 section 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        # Against the reply's own Date: our clock may be wrong.
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


# The first that is in the chain of causes gives the sentence; the most telling come first.
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (urllib3.exceptions.NameResolutionError, "its name is not known to this network"),
    (urllib3.exceptions.SSLError, "the secure connection could not be made"),
    (ConnectionRefusedError, "nothing answers there"),
    (urllib3.exceptions.ConnectTimeoutError, "it does not answer"),
    (urllib3.exceptions.ReadTimeoutError, "it has gone silent"),
    (TimeoutError, "it has gone silent"),
    (ConnectionResetError, "the connection broke"),
    (urllib3.exceptions.ProtocolError, "the connection broke"),
)


def reason(error: BaseException) -> str:
    """Why the network failed, for a user."""
    causes = list(_causes(error))
    for kind, sentence in _REASONS:
        if any(isinstance(cause, kind) for cause in causes):
            return sentence
    return str(error) or type(error).__name__


def _causes(error: BaseException) -> Iterable[BaseException]:
    """An error and all that it was made from: urllib3 and requests wrap one in another."""
    seen: set[int] = set()
    ahead: list[object] = [error]
    while ahead:
        cause = ahead.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            ahead += [*cause.args, getattr(cause, "reason", None), cause.__context__]
