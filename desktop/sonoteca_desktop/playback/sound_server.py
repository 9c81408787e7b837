"""Whether the sound server of this computer is still there, which Qt does not tell.

When PulseAudio (or PipeWire in its place) ends and is not back three seconds later, Qt 6.11 goes on
naming its devices, and a QAudioSink that is started on one of them aborts the whole program
(`pa_context_get_state` of no context). So we look whether this process has a line to it. And when
there is none at the start, Qt never looks for one again.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


class SoundServer:
    """Looks for the line to the sound server; where there never was one, none is missed."""

    def __init__(self) -> None:
        self._seen = False

    @property
    def lost(self) -> bool:
        """Whether there was a line before, and there is none now."""
        connected = is_connected(b"pulse")
        self._seen = self._seen or connected
        return self._seen and not connected

    @property
    def was_never_there(self) -> bool:
        """Whether there is none to tell of devices, so that none will ever be told of."""
        is_linux = _DESCRIPTORS.is_dir()
        return is_linux and not self._seen and not is_connected(b"pulse", b"pipewire")


def is_connected(*names: bytes) -> bool:
    """Whether this process has a line to a sound server of such a name on this computer."""
    try:
        return any(_leads_to(names, each) for each in _DESCRIPTORS.iterdir())
    except OSError:
        return False  # not a Linux


def _leads_to(names: tuple[bytes, ...], descriptor: Path) -> bool:
    try:
        if not descriptor.readlink().name.startswith("socket:"):
            return False
        copy = os.dup(int(descriptor.name))
    except OSError:
        return False  # closed meanwhile, by another thread
    with socket.socket(fileno=copy) as line:
        if line.family != socket.AF_UNIX:
            return False
        try:
            peer = line.getpeername()
        except OSError:
            return False  # of a pair, or one that listens
    return any(name in os.fsencode(peer) for name in names)
