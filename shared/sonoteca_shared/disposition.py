"""The Content-Disposition of a file, with a name in any script (RFC 6266, RFC 8187)."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote

# attr-char of RFC 8187 section 3.2.1, less what `quote` keeps anyway.
_ATTR_CHAR = "!#$&+-.^_`|~"
_FILENAME = re.compile(
    r"""(?:^|;)\s*filename(\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))""", re.IGNORECASE
)
# Only these two are taken back: browsers once sent whole Windows paths, bare.
_ESCAPED = re.compile(r'\\(["\\])')


def attachment(name: str) -> str:
    """The field for a file to be kept under this name."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(c for c in plain if c.isprintable() and c not in '"\\/%;')
    extended = quote(name, safe=_ATTR_CHAR)
    return (
        f"attachment; filename=\"{plain.strip() or 'download.wav'}\"; filename*=UTF-8''{extended}"
    )


def parse_filename(field: str) -> str | None:
    """The name that a Content-Disposition field gives; None when it gives none that can be read."""
    plain, extended = None, None
    for star, quoted, bare in _FILENAME.findall(field):
        text = _ESCAPED.sub(r"\1", quoted) or bare.strip()
        if star:
            extended = _extended(text) or extended
        else:
            plain = plain or text
    return extended or plain or None


def _extended(text: str) -> str | None:
    """A value as RFC 8187 writes it: the charset, a language and the name, percent-encoded."""
    charset, _, rest = text.partition("'")
    _, quote_mark, name = rest.partition("'")
    known = {"utf-8": "utf-8", "iso-8859-1": "latin-1"}.get(charset.lower())
    return unquote(name, encoding=known) if known and quote_mark else None
