"""Archives as a client sees them: asked for, followed and unpacked."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import requests


class Archiver:
    """The archive service of one server."""

    def __init__(self, server: str) -> None:
        self.server = server

    def ask(self, **wanted: Any) -> requests.Response:
        """The answer to `create`."""
        return requests.post(f"{self.server}/api/archive/create", json=wanted, timeout=20)

    def create(self, **wanted: Any) -> str:
        """The hash of a new archive."""
        answer = self.ask(**wanted)
        assert answer.status_code == 202, answer.text
        archive_hash: str = answer.json()["archive_hash"]
        return archive_hash

    def status(self, archive_hash: str, query: str = "") -> Any:
        """What its status says."""
        path = f"{self.server}/api/archive/status/{archive_hash}{query}"
        answer = requests.get(path, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def address(self, archive_hash: str) -> str:
        """Where the zip is, or will be."""
        return f"{self.server}/archive/get/{archive_hash}.zip"

    def fetch(self, archive_hash: str, **fields: str) -> requests.Response:
        """The zip; fields are of the request's head."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return requests.get(self.address(archive_hash), headers=headers, timeout=20)

    def files(self, archive_hash: str) -> dict[str, bytes]:
        """What is in it."""
        answer = self.fetch(archive_hash)
        assert answer.status_code == 200, answer.text
        return unpacked(answer.content)


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a zip in its order, each checked against its CRC-32."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}
