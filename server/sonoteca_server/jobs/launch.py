"""Puts a program into its jail: run as a script, it limits itself and then becomes the program.

    python -I -S launch.py PARENT CPU MEMORY FILES SIZE PROGRAM ARGUMENT…

Limits are set by the child itself, before it is the program: nothing runs between fork and exec in
a server that has threads. It knows the standard library alone, so that it starts in an instant.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_NICE = 10
# A second after the soft limit the hard one ends what has not ended by itself.
_GRACE_S = 1


def main() -> None:
    """Limit this process as the arguments say, and become the program."""
    parent, cpu, memory, files, size = map(int, sys.argv[1:6])
    for which, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + _GRACE_S),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_NOFILE, files, files),
        (resource.RLIMIT_FSIZE, size, size),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _limit(which, soft, hard)
    os.nice(_NICE)
    # Python ignores these two for itself, and what is ignored stays so in the program.
    for number in (signal.SIGXFSZ, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if sys.platform == "linux":
        leave_network()
        _die_with(parent)
    program = sys.argv[6:]
    os.execv(program[0], program)  # noqa: S606 - there is no shell, which is the point


def _limit(which: int, soft: int, hard: int) -> None:
    """Set a limit; where a lower one holds already it stays."""
    _, present = resource.getrlimit(which)
    if present != resource.RLIM_INFINITY:
        soft, hard = min(soft, present), min(hard, present)
    resource.setrlimit(which, (soft, hard))


def leave_network() -> bool:
    """Move this process into a network of its own, which has nothing in it; whether that went.

    Root may do so; others may in a user namespace of their own, where the system lets them.
    """
    unshare = ctypes.CDLL(None).unshare
    return any(unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent ends, however that comes about.

    After the namespaces: a change of rights makes the kernel forget it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)  # it ended before we asked


if __name__ == "__main__":
    main()
