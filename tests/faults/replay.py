"""Does to a remembered disk what a server did to the real one, call by call."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.disk import Disk, File, Folder
from tests.faults.trace import Call


class Replay:
    """Takes the calls of a server in order; those outside the disk's folder do not matter."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        # Where the next `write` goes; no file of ours is open for that more than once.
        self._at: dict[str, int] = {}

    def matters(self, call: Call) -> bool:
        """Whether the disk is another one after this call."""
        return any(self._disk.knows(path) for path in call.paths)

    def do(self, call: Call) -> None:
        """What this call did."""
        if self.matters(call):
            does = _DOES.get(call.name)
            assert does is not None, f"{call.name} is not replayed yet: {call.paths}"
            does(self, call)

    def _sync(self, call: Call) -> None:
        node = self._disk.find(call.paths[0])
        if node is not None:
            node.sync(call.began)

    def _seek(self, call: Call) -> None:
        self._at[call.paths[0]] = call.result

    def _make_folder(self, call: Call) -> None:
        self._disk.name(call.ended, call.paths[0], Folder())

    def _link(self, call: Call) -> None:
        old, new = call.paths
        self._disk.name(call.ended, new, self._disk.find(old))

    def _remove(self, call: Call) -> None:
        self._disk.name(call.ended, call.paths[0], None)

    def _open(self, call: Call) -> None:
        path = call.paths[0]
        node = self._disk.find(path)
        if node is None:
            node = File()
            self._disk.name(call.ended, path, node)
        if isinstance(node, File) and ("O_TRUNC" in call.flags or call.name == "creat"):
            node.resize(call.ended, 0)
        if "O_RDONLY" not in call.flags:
            self._at[path] = 0

    def _write(self, call: Call) -> None:
        path, data = call.paths[0], call.data[: call.result]
        node = self._disk.find(path)
        if not isinstance(node, File):
            return  # it has no name any more, so a cut leaves nothing of it
        if call.name in ("pwrite64", "pwritev"):
            node.write(call.ended, call.numbers[-1], data)
        else:
            node.write(call.ended, self._at[path], data)
            self._at[path] += len(data)

    def _resize(self, call: Call) -> None:
        node = self._disk.find(call.paths[0])
        if not isinstance(node, File):
            return
        if call.name == "fallocate":
            node.resize(call.ended, max(node.size, sum(call.numbers[-2:])))
        else:
            node.resize(call.ended, call.numbers[-1])

    def _rename(self, call: Call) -> None:
        old, new = call.paths
        node = self._disk.find(old)
        self._disk.name(call.ended, new, node)
        self._disk.name(call.ended, old, None)


_DOES: dict[str, Callable[[Replay, Call], None]] = {
    **dict.fromkeys(("open", "openat", "creat"), Replay._open),
    **dict.fromkeys(("write", "writev", "pwrite64", "pwritev"), Replay._write),
    **dict.fromkeys(("truncate", "ftruncate", "fallocate"), Replay._resize),
    **dict.fromkeys(("fsync", "fdatasync"), Replay._sync),
    **dict.fromkeys(("mkdir", "mkdirat"), Replay._make_folder),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), Replay._remove),
    **dict.fromkeys(("rename", "renameat", "renameat2"), Replay._rename),
    **dict.fromkeys(("link", "linkat"), Replay._link),
    "lseek": Replay._seek,
}
