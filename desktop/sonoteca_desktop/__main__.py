"""sonoteca: the window, or push, pull, list and sync from a shell."""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from pathlib import Path

from sonoteca_desktop.settings import DEFAULT_SERVER, default_folder
from sonoteca_desktop.shell.arguments import COMMANDS, server_address
from sonoteca_shared import __version__
from sonoteca_shared.errors import SonotecaError

_WITH_VALUE = ("--server", "--data")


def main(argv: list[str] | None = None) -> int:
    """Open the window or carry out a command; its exit code."""
    words = sys.argv[1:] if argv is None else argv
    place = _command_at(words)
    if place is not None:
        # Imported here, as the window is below: neither waits for what the other needs.
        from sonoteca_desktop.shell.commands import run as run_command

        return run_command([words[place], *words[:place], *words[place + 1 :]])
    if (mistake := _mistake_in(words)) is not None:
        print(f"sonoteca: {mistake} (see sonoteca --help)", file=sys.stderr)
        return 2
    return _open_window(_parser().parse_args(words))


def _open_window(given: argparse.Namespace) -> int:
    # Two lines that Qt prints wherever PipeWire is absent, and that help nobody.
    quiet = "qt.multimedia.symbolsresolver=false;qt.multimedia.ffmpeg=false"
    os.environ.setdefault("QT_LOGGING_RULES", quiet)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Imported here: `--help` and `--version` need no Qt.
    from sonoteca_desktop.start import run

    try:
        return run(given.server, given.data, given.files)
    except SonotecaError as error:
        print(f"sonoteca: {error}", file=sys.stderr)
        return 1


def _command_at(words: list[str]) -> int | None:
    """The place of push, pull, list or sync, when that is the first word that is no option."""
    place = _first_word_at(words)
    return place if place < len(words) and words[place] in COMMANDS else None


def _mistake_in(words: list[str]) -> str | None:
    """What is wrong with a first word that reads as a command, and neither is one nor a file."""
    word = next(iter(words[_first_word_at(words) :]), "")
    if not word.isalpha() or os.path.lexists(word):
        return None
    meant = difflib.get_close_matches(word, COMMANDS, n=1)
    way = f"did you mean {meant[0]}?" if meant else f"the commands are {', '.join(COMMANDS)}"
    return f"there is no file and no command “{word}”; {way}"


def _first_word_at(words: list[str]) -> int:
    """The place of the first word that is no option, or a place after the last one."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in _WITH_VALUE else 1
    return place


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sonoteca",
        description="Opens the window of a Sonoteca library. From a shell, `sonoteca push`, "
        "`sonoteca pull`, `sonoteca list` and `sonoteca sync` work without it: each has a --help.",
        epilog="example: sonoteca --server http://127.0.0.1:8282 take1.wav",
    )
    parser.add_argument("--version", action="version", version=f"Sonoteca {__version__}")
    parser.add_argument(
        "--server",
        metavar="URL",
        type=server_address,
        help=f"the server (default: the last one, or {DEFAULT_SERVER})",
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, default=default_folder(), help="where to keep things"
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        type=Path,
        help="files or folders to upload; the window that is open takes them",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
