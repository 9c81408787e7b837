"""What a user asks the queue for, as it is remembered."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from sonoteca_desktop.client import is_loopback
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.journal import Pin, Row
from sonoteca_desktop.transfers.plan import Kind
from sonoteca_desktop.transfers.source import name_of
from sonoteca_shared import digests
from sonoteca_shared.models import Sound


def server_name(url: str) -> str:
    """By what transfers with a server are remembered."""
    # A server on this computer may get another port with every start.
    return "this computer" if is_loopback(url) else url


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


def keep(server: str, sound: Sound, folder: Path, pin: Pin) -> Row:
    """A sound that is to be fetched for a pin, into a folder of our own, under its digest."""
    row = download(server, sound, folder)
    row.path, row.kept = folder / f"{sound.sha256}.wav", pin.key
    return row


def fetch(server: str, url: str, *, size: int, sha256: str, path: Path) -> Row:
    """Any bytes of a server, by their path there, that are to become a file."""
    return Row(
        kind=Kind.DOWNLOAD,
        server=server,
        url=url,
        name=path.name,
        path=path,
        tag=secrets.token_hex(4),
        size=size,
        sha256=sha256,
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
