"""The file-system calls of a server as strace saw them, with their data and their time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# What changes files or folders, or puts them on the disk. `lseek` says where a `write` goes.
CALLS = (
    "open,openat,creat,write,pwrite64,writev,pwritev,pwritev2,lseek,ftruncate,truncate,fallocate,"
    "rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "fsync,fdatasync,sync_file_range,copy_file_range,sendfile"
)
_LONGEST = 4 << 20
_LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_UNFINISHED = " <unfinished ...>"
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_PLACE = re.compile(r"^(?:\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2})*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that went well; `began` and `ended` are places in the order of all calls."""

    name: str
    paths: tuple[str, ...]  # of the file behind a descriptor, or named by the call
    data: bytes
    numbers: tuple[int, ...]  # the arguments behind those, as far as they are numbers
    flags: str
    result: int
    began: int
    ended: int
    at: float  # when it ended or later, in seconds since the epoch


def command(log: Path) -> list[str]:
    """What runs a program so that its calls come into the log."""
    return [
        "strace", "-f", "--seccomp-bpf", "-qq", "-y", "-ttt", "-xx", "-s", str(_LONGEST),
        "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(log),
    ]  # fmt: skip


def read(log: Path) -> Iterator[Call]:
    """The calls of a log in the order of their ends; a last line that was cut off is left out."""
    open_: dict[str, tuple[str, int]] = {}
    with log.open(encoding="ascii") as lines:
        for number, line in enumerate(lines):
            matched = _LINE.match(line)
            if matched is None:
                continue
            thread, at, text = matched.groups()
            began = number
            if text.endswith(_UNFINISHED):
                open_[thread] = (text.removesuffix(_UNFINISHED), number)
                continue
            resumed = _RESUMED.match(text)
            if resumed is not None:
                head, began = open_.pop(thread)
                text = head + resumed[2]
            call = _parse(text, began, number, float(at))
            if call is not None:
                yield call


def _parse(text: str, began: int, ended: int, at: float) -> Call | None:
    matched = _CALL.match(text)
    if matched is None or matched[3] == "?" or int(matched[3]) < 0:
        return None
    name, arguments = matched[1], matched[2]
    places = [_unhex(place) for place in _PLACE.findall(arguments)]
    texts = []
    for found in _TEXT.finditer(arguments):
        assert not found[2], f"a {name} was longer than strace was told to keep"
        texts.append(_unhex(found[1]))
    rest = _TEXT.sub("", _PLACE.sub("", arguments)).split(",")
    numbers = tuple(int(word) for word in rest if word.strip().isdigit())
    data = b""
    if name in ("write", "pwrite64", "writev", "pwritev", "pwritev2"):
        data, texts = b"".join(texts), []
    elif name.startswith(("open", "rename", "link", "unlink", "mkdir", "symlink")):
        places = []  # the folder that a relative path starts from, and ours are absolute
    paths = tuple(path.decode() for path in (*places, *texts))
    return Call(name, paths, data, numbers, arguments, int(matched[3]), began, ended, at)


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
