"""What a user asks the queue for, as it is remembered."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from sonoteca_desktop.client import is_loopback
from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.journal import Pin, Row
from sonoteca_desktop.transfers.plan import Kind
from sonoteca_desktop.transfers.source import name_of
from sonoteca_shared import digests, routes
from sonoteca_shared.models import Sound
from sonoteca_shared.names import with_ending

# Of a WAV the server cuts a part without changing a sample of it.
_EXACT = frozenset({"format", "start", "end"})


def server_name(url: str) -> str:
    """By what transfers with a server are remembered."""
    # A server on this computer may get another port with every start.
    return "this computer" if is_loopback(url) else url


def new_tag() -> str:
    """What makes the name of a part file one that no other has."""
    return secrets.token_hex(4)


def download(server: str, sound: Sound, folder: Path) -> Row:
    """A sound that is to be fetched into a folder."""
    return Row(
        kind=Kind.DOWNLOAD,
        server=server,
        url=sound.links.file,
        name=sound.name,
        folder=sound.folder,
        path=folder / target.safe_name(sound.name),
        tag=new_tag(),
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
        tag=new_tag(),
        size=size,
        sha256=sha256,
        added=time.time(),
    )


def archive(server: str, wish: Wish, path: Path) -> Row:
    """Files that the server is to put together; the zip becomes this file."""
    text = msgspec.json.encode(wish).decode()
    return _computed(server, path, name=path.name, wish=text)


def export(server: str, sound: Sound, options: Mapping[str, str], folder: Path) -> Row:
    """A sound as the server makes it by these options of a recipe, in a folder."""
    asked = {name: text for name, text in options.items() if text}
    if asked.keys() <= _EXACT and asked.get("format", "wav") == "wav":
        asked.pop("format", None)  # its own bytes, which no conversion touches
        if not asked:
            return download(server, sound, folder)
    url = routes.with_query(routes.fill(routes.SOUND_FILE, id=sound.id), **asked)
    name = exported_name(sound, options)
    row = _computed(server, folder / name, name=name, url=url)
    row.folder, row.sound_id = sound.folder, sound.id
    return row


def exported_name(sound: Sound, options: Mapping[str, str]) -> str:
    """The name of the file that an export becomes, unless there is another one of that name."""
    return target.safe_name(with_ending(sound.name, options.get("format", "wav")))


def _computed(server: str, path: Path, *, name: str, url: str = "", wish: str = "") -> Row:
    """Something whose size and digest nobody knows before the server has made it."""
    return Row(
        kind=Kind.DOWNLOAD,
        server=server,
        url=url,
        name=name,
        path=path,
        tag=new_tag(),
        size=0,
        added=time.time(),
        wish=wish,
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
