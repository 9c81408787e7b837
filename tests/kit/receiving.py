"""The receiving side of the faulty server: uploads by hash and by tus, as far as a desktop uses it.

Faults are put into `script`, one for each PATCH that comes, and into `creations`.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec

from sonoteca_shared import routes
from sonoteca_shared.models import Sound
from sonoteca_shared.names import numbered
from sonoteca_shared.tus import format_metadata, parse_metadata

_PIECE = 64 << 10


@dataclass
class Upload:
    """An upload on its way, or what became of it."""

    length: int
    metadata: dict[str, str]
    data: bytearray = field(default_factory=bytearray)
    sound: str = ""
    holder: object = None


@dataclass
class Received:
    """What was uploaded: sounds as (folder, name) -> bytes, and how many bytes came on the wire."""

    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sounds: dict[str, Sound] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    creations: deque[Callable[[Any], None]] = field(default_factory=deque)
    ended: list[str] = field(default_factory=list)
    arrived: int = 0
    number: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)


class ReceivingHandler(BaseHTTPRequestHandler):
    """What the faulty server does with what is sent to it."""

    received: Received
    make_sound: Callable[..., Sound]

    def head(self, status: int, length: int, headers: Mapping[str, str] | None = None) -> None:
        raise NotImplementedError

    def refuse(self, status: int, code: str, title: str, detail: str = "", **headers: str) -> None:
        raise NotImplementedError

    def take_question(self, path: str, body: bytes) -> None:
        """`have`, and sounds of bytes that are there."""
        question = json.loads(body)
        have = {sound.sha256: sound for sound in self.received.sounds.values()}
        if path == routes.HAVE:
            self.answer({"missing": [each for each in question["sha256"] if each not in have]})
        elif (known := have.get(question["sha256"])) is not None:
            self.answer(msgspec.to_builtins(known))
        else:
            self.refuse(404, "object-missing", "These bytes are not there")

    def create(self) -> None:
        pairs = parse_metadata(self.headers["Upload-Metadata"]).items()
        metadata = {name: value.decode() for name, value in pairs}
        with self.received.lock:
            self.received.number += 1
            path = f"{routes.UPLOADS}{self.received.number}"
            self.received.uploads[path] = Upload(int(self.headers["Upload-Length"]), metadata)
        self.head(201, 0, {"Location": path})

    def find(self) -> Upload | None:
        upload = self.received.uploads.get(self.path)
        if upload is None:
            self.close_connection = self.command == "PATCH"
            self.refuse(404, "not-found", "There is no such upload")
        return upload

    def look(self) -> None:
        if (upload := self.find()) is not None:
            upload.holder = self  # whoever was sending is overtaken
            self.tell(200, upload)

    def append(self) -> None:
        if (upload := self.find()) is None:
            return
        if int(self.headers["Upload-Offset"]) != len(upload.data):
            self.close_connection = True
            offset = {"Upload_Offset": str(len(upload.data))}
            self.refuse(409, "offset-mismatch", "It stands elsewhere", **offset)
            return
        upload.holder = self
        left = int(self.headers["Content-Length"])
        while left and self.take_piece(upload, min(left, _PIECE)):
            left -= min(left, _PIECE)
        if left:
            self.close_connection = True
            return
        if len(upload.data) == upload.length:
            self.become_sound(upload)
        self.tell(204, upload)

    def take_piece(self, upload: Upload, count: int) -> bool:
        piece = self.rfile.read1(count)
        while 0 < len(piece) < count:
            more = self.rfile.read1(count - len(piece))
            if not more:
                break
            piece += more
        with self.received.lock:
            if upload.holder is not self:
                return False
            upload.data += piece
            self.received.arrived += len(piece)
        return len(piece) == count

    def become_sound(self, upload: Upload) -> None:
        data, asked = bytes(upload.data), upload.metadata["filename"]
        folder, name, number = upload.metadata.get("folder", ""), asked, 1
        kept = self.received.kept
        with self.received.lock:
            while kept.get((folder, name), data) != data:
                number += 1
                name = numbered(asked, number)
            kept[folder, name] = data
            sound = self.make_sound(data, name, folder)
            upload.sound = routes.fill(routes.SOUND, id=sound.id)
            self.received.sounds[upload.sound] = sound

    def tell(self, status: int, upload: Upload) -> None:
        headers = {"Upload-Offset": str(len(upload.data)), "Upload-Length": str(upload.length)}
        headers["Upload-Metadata"] = format_metadata(upload.metadata)
        if upload.sound:
            headers["Sonoteca-Sound"] = upload.sound
        self.head(status, 0, headers)

    def end(self) -> None:
        if self.find() is not None:
            del self.received.uploads[self.path]
            self.received.ended.append(self.path)
            self.head(204, 0)

    def answer(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.head(200, len(body))
        self.wfile.write(body)
