"""What a user asks the queue for, as it is remembered."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.journal import Row
from sonoteca_desktop.transfers.plan import Kind
from sonoteca_desktop.transfers.source import name_of
from sonoteca_shared import digests
from sonoteca_shared.models import Sound


def download(server: str, sound: Sound, folder: Path) -> Row:
    """A sound that is to be fetched into a folder."""
    return Row(
        kind=Kind.DOWNLOAD,
        server=server,
        url=sound.links.file,
        name=sound.name,
        folder=sound.folder,
        path=folder / target.safe_name(sound.name),
        tag=secrets.token_hex(4),
        size=sound.size,
        etag=digests.etag(sound.sha256),
        sha256=sound.sha256,
        sound_id=sound.id,
        added=time.time(),
    )


def upload(server: str, path: Path, folder: str) -> Row:
    """A file that is to be sent into a folder of the library."""
    try:
        size = path.stat().st_size
    except OSError:
        size = 0  # the worker will tell why
    return Row(
        kind=Kind.UPLOAD,
        server=server,
        name=name_of(path),
        folder=folder,
        path=path,
        size=size,
        added=time.time(),
    )
