"""Where things lie on this computer, and what the user chose."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
import platformdirs

DEFAULT_SERVER = "http://127.0.0.1:8282"
ClosingChoice: TypeAlias = Literal["ask", "keep", "stop"]


class Choices(msgspec.Struct, kw_only=True):
    """What the user chose, kept from one start to the next."""

    server: str = DEFAULT_SERVER
    theme: str = "dark"
    volume: float = 1.0
    download_folder: str = ""
    export_folder: str = ""
    """Where zips and exported sounds went the last time."""
    export: dict[str, str] = {}
    """How sounds were exported the last time: options of a recipe."""
    geometry: str = ""
    cache_bytes: int = 2 << 30
    """How much of what was heard is kept on this computer; what plays now may take more."""
    closing: ClosingChoice = "ask"
    """What becomes of running transfers when the window is closed."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders and files of this client; everything but `choices` belongs to one server."""

    folder: Path
    server: str

    @property
    def choices(self) -> Path:
        """What the user chose."""
        return self.folder / "settings.json"

    @property
    def journal(self) -> Path:
        """Transfers that have to survive a restart."""
        return self.folder / "journal.sqlite"

    @property
    def errands(self) -> Path:
        """The journals of commands of the shell, one each."""
        return self.folder / "errands"

    @property
    def mirror(self) -> Path:
        """The local catalogue."""
        return self._own / "mirror.sqlite"

    @property
    def sounds(self) -> Path:
        """Bytes that were heard."""
        return self._own / "sounds"

    @property
    def kept(self) -> Path:
        """Sounds that are kept here for good."""
        return self._own / "kept"

    @property
    def overviews(self) -> Path:
        """Waveforms that were seen."""
        return self._own / "overviews"

    @property
    def _own(self) -> Path:
        # A host and a port make no file name that every system takes; their digest does.
        return self.folder / "servers" / hashlib.sha256(self.server.encode()).hexdigest()[:16]


def default_folder() -> Path:
    """Where the client keeps its things when nobody said otherwise."""
    return Path(platformdirs.user_data_dir("sonoteca")) / "desktop"


def load_choices(path: Path) -> Choices:
    """The choices of the last start; the defaults where there are none that can be read."""
    with contextlib.suppress(OSError, msgspec.DecodeError, msgspec.ValidationError):
        return msgspec.json.decode(path.read_bytes(), type=Choices)
    return Choices()


def save_choices(path: Path, choices: Choices) -> None:
    """Keep the choices; the old ones stay whole until the new ones are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(msgspec.json.encode(choices))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
