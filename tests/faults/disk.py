"""A disk that knows what is only in memory yet, and so what a power cut may leave.

Files and folders are told apart by what they are, not by their names. Each has what is on the disk
and the changes since; `fsync` moves the changes that came before it to the disk. What a cut leaves
of the others is decided by a model:

strict: nothing at all. A new name is gone, a removed name is back (POSIX promises no more).
names: every name, but of the bytes behind them zeros, or nothing (as with delayed allocation).
mixed: of each folder's changes those up to some moment; of each page of 4 KiB likewise.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MODELS = ("strict", "names", "mixed")
PAGE = 4096


@dataclass(eq=False, slots=True)
class File:
    """A file: its bytes on the disk, and what was written since as (when, offset, bytes).

    A change of its length is (when, length, None).
    """

    size: int = 0
    disk: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, int, bytes | None]] = field(default_factory=list)

    def write(self, when: int, offset: int, data: bytes) -> None:
        """New bytes, in memory for now."""
        self.since.append((when, offset, data))
        self.size = max(self.size, offset + len(data))

    def resize(self, when: int, size: int) -> None:
        """A new length, in memory for now."""
        self.since.append((when, size, None))
        self.size = size

    def sync(self, when: int) -> None:
        """What changed before this is on the disk now."""
        while self.since and self.since[0][0] < when:
            _, offset, data = self.since.pop(0)
            _apply(self.disk, offset, data)

    def left(self, model: str, chance: random.Random) -> bytes:
        """What a cut leaves of it."""
        if model == "strict" or not self.since:
            return bytes(self.disk)
        size = chance.choice((self.size, len(self.disk)))
        if model == "names":
            return bytes(self.disk[:size].ljust(size, b"\0"))
        # The page as it is after the first so many changes, a number of its own for each page.
        after = [chance.randint(0, len(self.since)) for _ in range(0, size, PAGE)]
        left, now = bytearray(size), bytearray(self.disk)
        for count in range(len(self.since) + 1):
            for page in (number for number, upto in enumerate(after) if upto == count):
                start, end = page * PAGE, min(size, page * PAGE + PAGE)
                left[start:end] = now[start:end].ljust(end - start, b"\0")
            if count < len(self.since):
                _apply(now, *self.since[count][1:])
        return bytes(left)


@dataclass(eq=False, slots=True)
class Folder:
    """A folder: its names on the disk, and those that came (or went: None) since."""

    disk: dict[str, Node] = field(default_factory=dict)
    live: dict[str, Node] = field(default_factory=dict)
    since: list[tuple[int, str, Node | None]] = field(default_factory=list)

    def put(self, when: int, name: str, node: Node | None) -> None:
        """A name that stands for something now, or for nothing; in memory for now."""
        self.since.append((when, name, node))
        _name(self.live, name, node)

    def sync(self, when: int) -> None:
        """What changed before this is on the disk now."""
        while self.since and self.since[0][0] < when:
            _name(self.disk, *self.since.pop(0)[1:])

    def left(self, model: str, chance: random.Random) -> dict[str, Node]:
        """The names that a cut leaves."""
        upto = {"strict": 0, "names": len(self.since)}.get(model)
        upto = chance.randint(0, len(self.since)) if upto is None else upto
        names = dict(self.disk)
        for _, name, node in self.since[:upto]:
            _name(names, name, node)
        return names


Node = File | Folder


class Disk:
    """The folder `root`, which is on the disk itself, and everything below it."""

    def __init__(self, root: Path) -> None:
        self._root = PurePosixPath(root)
        self._top = Folder()

    def knows(self, path: str) -> bool:
        """Whether this lies below the root."""
        return self._root in PurePosixPath(path).parents or path == str(self._root)

    def find(self, path: str) -> Node | None:
        """What has this name now."""
        node: Node | None = self._top
        for name in PurePosixPath(path).relative_to(self._root).parts:
            if not isinstance(node, Folder):
                return None
            node = node.live.get(name)
        return node

    def name(self, when: int, path: str, node: Node | None) -> None:
        """Give this name to something, or to nothing."""
        folder = self.find(str(PurePosixPath(path).parent))
        assert isinstance(folder, Folder), path
        folder.put(when, PurePosixPath(path).name, node)

    def cut(self, target: Path, model: str, chance: random.Random) -> None:
        """Write what a power cut at this moment leaves into a new folder."""
        _write(self._top, target, lambda node: node.left(model, chance))


def _write(
    folder: Folder,
    target: Path,
    left: Callable[[Node], bytes | dict[str, Node]],
) -> None:
    target.mkdir()
    names = left(folder)
    assert isinstance(names, dict)
    for name, node in names.items():
        if isinstance(node, Folder):
            _write(node, target / name, left)
        else:
            data = left(node)
            assert isinstance(data, bytes)
            (target / name).write_bytes(data)


def _name(names: dict[str, Node], name: str, node: Node | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _apply(data: bytearray, offset: int, new: bytes | None) -> None:
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    if new is None:
        del data[offset:]
    else:
        data[offset : offset + len(new)] = new
