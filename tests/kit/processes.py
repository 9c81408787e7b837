"""Processes as Linux lists them: who runs, and who belongs to whom."""

from __future__ import annotations

from pathlib import Path


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it."""
    found = _stat(pid)
    return found is not None and found[1] != "Z"


def children(parent: int, name: str) -> list[int]:
    """The running processes of this name that the parent has started."""
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    stats = {pid: _stat(pid) for pid in pids}
    return [pid for pid, found in stats.items() if found and found[0] == name
            and found[1] != "Z" and int(found[2]) == parent]  # fmt: skip


def _stat(pid: int) -> tuple[str, str, str] | None:
    """Name, state and parent of a process; None when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, parent = rest.split()[:2]
    return name, state, parent
