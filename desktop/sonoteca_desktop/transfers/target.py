"""Where a download ends: a safe name, a part file beside it, and never over a user's file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import time
import unicodedata
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from sonoteca_desktop.transfers.plan import DiskFullError, PathBlockedError
from sonoteca_shared.names import numbered

SPARE_ROOM = 64 << 20
"""What we leave free on a disk, for everybody else."""

_LONGEST = 200  # bytes of a name; file systems take 255, and the part file's name is longer
_MOST_COPIES = 10_000
_BLOCK = 1 << 20
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
# Not to be used as file names on Windows, whatever follows the first dot.
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL})


def safe_name(name: str) -> str:
    """A name from the catalogue as the name of a file that any system takes, and no path."""
    text = "".join(
        # Control characters, lone surrogates, and formats such as those that turn the direction
        # of writing round, so that a name looks like another.
        "_" if unicodedata.category(each) in ("Cc", "Cf", "Cs") else each
        for each in unicodedata.normalize("NFC", name)
    )
    text = _FORBIDDEN.sub("_", text).strip().rstrip(". ")
    stem, dot, rest = text.partition(".")
    if _DEVICE.fullmatch(stem.strip()):
        text = f"{stem.strip()}_{dot}{rest}"
    return _shorten(text) if text.strip("_") else "sound.wav"


def _shorten(name: str) -> str:
    if len(name.encode()) <= _LONGEST:
        return name
    suffix = Path(name).suffix
    suffix = suffix if len(suffix.encode()) <= 20 else ""
    stem = name.removesuffix(suffix)
    room = _LONGEST - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + suffix


def part_path(path: Path, tag: str) -> Path:
    """Where the bytes are gathered that will be `path`: in the same folder, so on its disk."""
    return path.with_name(f"{path.name}.{tag}.part")


def check_room(folder: Path, missing: int) -> None:
    """Whether the folder is there, may be written to, and has room; or says what is wrong."""
    with local_trouble(folder):
        if not folder.is_dir():
            # Never made by us: it may lie on a drive that is not plugged in just now.
            raise FileNotFoundError(errno.ENOENT, "the folder is not there")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "the folder may not be written to")
        free = shutil.disk_usage(folder).free
    if free < missing + SPARE_ROOM:
        raise DiskFullError(
            f"Not enough room in {folder}: {_amount(free)} free, {_amount(missing)} needed, "
            f"and {_amount(SPARE_ROOM)} are always left free"
        )


def open_part(part: Path) -> FileIO:
    """The part file, made if it is not there; unbuffered."""
    flags = os.O_RDWR | os.O_CREAT
    # A link that somebody laid there would lead our bytes elsewhere.
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return FileIO(os.open(part, flags, 0o666), "r+")


def write_at(file: FileIO, data: bytes, offset: int) -> None:
    """Write all of it at a place of the file; several threads may, each at its own."""
    rest = memoryview(data)
    while rest:
        written = os.pwrite(file.fileno(), rest, offset)
        rest, offset = rest[written:], offset + written


def sync(file: FileIO) -> None:
    """The file's bytes are on the disk when this returns."""
    getattr(os, "fdatasync", os.fsync)(file.fileno())


def is_of_this_boot(file: FileIO) -> bool:
    """Whether a file was written to since this computer started.

    Then all that was written is there: what a program gave to the system outlives the program.
    """
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    running = time.monotonic() if clock is None else time.clock_gettime(clock)
    return os.fstat(file.fileno()).st_mtime > time.time() - running


def is_whole(file: FileIO, path: Path, size: int) -> bool:
    """Whether an open file still is the one of this path, and has so many bytes."""
    facts = os.fstat(file.fileno())
    return facts.st_size == size and os.path.samestat(facts, path.lstat())


def digest(path: Path, go_on: Callable[[], None]) -> str:
    """The SHA-256 of a file; `go_on` is called between blocks, and may raise."""
    with path.open("rb", buffering=0) as file:
        return digest_on(hashlib.sha256(), file, go_on)


def digest_on(sha256: hashlib._Hash, file: FileIO, go_on: Callable[[], None]) -> str:
    """The SHA-256 with the rest of a file, from where it is to be read next."""
    buffer = memoryview(bytearray(_BLOCK))
    while count := file.readinto(buffer):
        go_on()
        sha256.update(buffer[:count])
    return sha256.hexdigest()


def find_copy(path: Path, size: int, sha256: str, go_on: Callable[[], None]) -> Path | None:
    """A file of this name, or a numbered one after it, that has the very bytes already."""
    for candidate in _names(path):
        if not os.path.lexists(candidate):
            return None
        if not candidate.is_file() or candidate.stat().st_size != size:
            continue
        # What may not be read is not ours, and stays what it is.
        with contextlib.suppress(PermissionError):
            if digest(candidate, go_on) == sha256:
                return candidate
    return None


def mark(file: FileIO) -> str:
    """By what a whole part file is known again when it has its name."""
    facts = os.fstat(file.fileno())
    return f"{facts.st_ino}:{facts.st_size}"


def find_marked(path: Path, mark: str) -> Path | None:
    """The file of this name, or a numbered one after it, that was the part file of this mark."""
    for candidate in _names(path):
        if not os.path.lexists(candidate):
            return None
        facts = candidate.lstat()
        if f"{facts.st_ino}:{facts.st_size}" == mark:
            return candidate
    return None


def land(part: Path, path: Path) -> Path:
    """Give a whole part file its name, or the next free numbered one; durable on return."""
    for candidate in _names(path):
        try:
            _take_name(part, candidate)
        except FileExistsError:
            continue
        _sync_folder(path.parent)
        return candidate
    raise PathBlockedError(f"There are too many files named like {path}")


@contextlib.contextmanager
def local_trouble(path: Path) -> Iterator[None]:
    """Inside, trouble with files of this computer becomes an error that names the path."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(f"The disk is full: {path}") from error
        reason = error.strerror or type(error).__name__
        raise PathBlockedError(f"Cannot use {path}: {reason}") from error


def _names(path: Path) -> Iterator[Path]:
    yield path
    for number in range(2, _MOST_COPIES):
        yield path.with_name(numbered(path.name, number))


def _take_name(part: Path, name: Path) -> None:
    """Rename, or FileExistsError: `os.replace` would overwrite what the user has there."""
    if os.name == "nt":
        part.rename(name)  # refuses to overwrite, there
        return
    try:
        os.link(part, name)
    except FileExistsError:
        # After a crash between this step and the last one the name is ours already.
        if not os.path.samestat(name.lstat(), part.lstat()):
            raise
    except OSError as error:
        # No hard links on FAT and some network drives.
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, "taken", str(name)) from error
        part.rename(name)
        return
    part.unlink()


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # cannot be opened there, and needs not be
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _amount(count: int) -> str:
    if count >= 10**9:
        return f"{count / 10**9:.1f} GB"
    return f"{count / 10**6:.0f} MB"
