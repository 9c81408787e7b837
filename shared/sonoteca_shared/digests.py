"""SHA-256 as names of bytes, and the headers that carry it."""

from __future__ import annotations

import base64
import hashlib
import re

_HEX = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether the text is a SHA-256 in lower-case hexadecimal."""
    return _HEX.fullmatch(text) is not None


def etag(sha256: str) -> str:
    """The strong entity tag of bytes with this digest (RFC 9110 section 8.8.3)."""
    return f'"sha256-{sha256}"'


def computed_etag(recipe: str) -> str:
    """The strong entity tag of bytes that are computed, from all that they follow from."""
    return f'"x-{hashlib.sha256(recipe.encode()).hexdigest()}"'


def repr_digest(sha256: str) -> str:
    """The Repr-Digest field of bytes with this digest (RFC 9530 section 3)."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"
