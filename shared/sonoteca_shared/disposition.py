"""The Content-Disposition of a download, with a name in any script (RFC 6266, RFC 8187)."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

# attr-char of RFC 8187 section 3.2.1, less what `quote` keeps anyway.
_ATTR_CHAR = "!#$&+-.^_`|~"


def attachment(name: str) -> str:
    """The field for a file to be kept under this name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(c for c in plain if c.isprintable() and c not in '"\\/%;')
    extended = quote(name, safe=_ATTR_CHAR)
    return (
        f"attachment; filename=\"{plain.strip() or 'download.wav'}\"; filename*=UTF-8''{extended}"
    )
