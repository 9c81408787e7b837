"""One window for each data folder: a second start hands its files to it, and ends.

One line of JSON goes over a local socket, and an empty line comes back when it was taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_CONNECT_MS = 500
_ANSWER_MS = 5_000
_TAKEN = b"\n"


class Call(msgspec.Struct, frozen=True):
    """What a second start was asked for: a server, "" for any, and files to upload."""

    server: str = ""
    files: tuple[bytes, ...] = ()
    """As the file system has their paths, which need not be text."""

    @classmethod
    def of(cls, server: str | None, files: Sequence[Path]) -> Call:
        """A call of these; files are meant as seen from where this program was started."""
        return cls(server or "", tuple(os.fsencode(path.absolute()) for path in files))

    @property
    def paths(self) -> list[Path]:
        """The files."""
        return [Path(os.fsdecode(each)) for each in self.files]


class Door(QObject):
    """Where a running window hears of later starts; only the same user may knock.

    Signals:
        called(Call): a second start asks for something.
    """

    called = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = _name(folder)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._let_in)

    def open(self) -> None:
        """Begin to listen; whoever holds the journal of the folder may, and nobody else."""
        QLocalServer.removeServer(self._name)  # left by one that crashed
        self._server.listen(self._name)

    def close(self) -> None:
        """Listen no more."""
        self._server.close()

    def _let_in(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(self._listen)
            socket.disconnected.connect(socket.deleteLater)
            self._take(socket)

    def _listen(self) -> None:
        socket = self.sender()
        assert isinstance(socket, QLocalSocket)
        self._take(socket)

    def _take(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            return
        try:
            call = msgspec.json.decode(bytes(socket.readLine().data()), type=Call)
        except msgspec.DecodeError:
            socket.abort()
            return
        socket.write(_TAKEN)
        socket.flush()
        self.called.emit(call)


def hand_over(folder: Path, call: Call) -> bool:
    """Have the window that runs on this folder do it; whether there is one that took it."""
    socket = QLocalSocket()
    socket.connectToServer(_name(folder))
    if not socket.waitForConnected(_CONNECT_MS):
        return False
    socket.write(msgspec.json.encode(call) + b"\n")
    taken = socket.waitForReadyRead(_ANSWER_MS)
    socket.disconnectFromServer()
    return taken


def _name(folder: Path) -> str:
    return f"sonoteca-{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}"
