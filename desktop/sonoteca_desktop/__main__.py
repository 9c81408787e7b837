"""sonoteca: the window."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from sonoteca_desktop.settings import DEFAULT_SERVER, default_folder
from sonoteca_shared import __version__
from sonoteca_shared.errors import SonotecaError


def main(argv: list[str] | None = None) -> int:
    """Open the window; its exit code."""
    given = _parser().parse_args(argv)
    # Two lines that Qt prints wherever PipeWire is absent, and that help nobody.
    quiet = "qt.multimedia.symbolsresolver=false;qt.multimedia.ffmpeg=false"
    os.environ.setdefault("QT_LOGGING_RULES", quiet)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Imported here: `--help` and `--version` need no Qt.
    from sonoteca_desktop.app import run

    try:
        return run(given.server, given.data, given.files)
    except SonotecaError as error:
        print(f"sonoteca: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sonoteca",
        description="Opens the window of a Sonoteca library.",
        epilog="example: sonoteca --server http://127.0.0.1:8282 take1.wav",
    )
    parser.add_argument("--version", action="version", version=f"Sonoteca {__version__}")
    parser.add_argument(
        "--server", metavar="URL", help=f"the server (default: the last one, or {DEFAULT_SERVER})"
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, default=default_folder(), help="where to keep things"
    )
    parser.add_argument(
        "files", metavar="FILE", nargs="*", type=Path, help="files or folders to upload"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
