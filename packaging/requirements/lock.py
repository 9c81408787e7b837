"""Writes the lock files beside it from pyproject.toml, keeping every version that still fits.

    .venv/bin/python packaging/requirements/lock.py              all of them
    .venv/bin/python packaging/requirements/lock.py --upgrade    with the newest versions
    .venv/bin/python packaging/requirements/lock.py --to FOLDER server    somewhere else, for a look

They hold for every system and Python that we support, name a hash for each file, and no address:
pip and uv both install them with --require-hashes, from whichever registry the machine uses.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROJECT = "pyproject.toml"
SERVER = ["--extra", "server", "--extra", "postgres", "--extra", "convert"]
LOCKS = {
    "build": ["--group", "build"],  # what makes the wheel, and not what it asks for
    "server": [PROJECT, *SERVER],
    "dev": [PROJECT, *SERVER, "--extra", "desktop", "--group", "dev"],
}
COMPILE = [
    *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal"),
    *("--python-version", "3.11", "--generate-hashes", "--no-header", "--no-emit-index-url"),
]


def write_lock(name: str, folder: Path, *more: str) -> int:
    """Compile one lock into this folder, starting from the versions of the present one."""
    target = folder / f"{name}.txt"
    present = HERE / target.name
    if present.exists() and present != target:
        shutil.copy(present, target)
    command = [*COMPILE, *LOCKS[name], *more, "-o", str(target)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode


def main() -> int:
    """Read the command line and write what it asks for."""
    parser = argparse.ArgumentParser(description="Write the lock files from pyproject.toml.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(LOCKS)}; all")
    parser.add_argument(
        "--to", type=Path, default=HERE, metavar="FOLDER", help="beside this script"
    )
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    options = parser.parse_args()
    more = ["--upgrade"] if options.upgrade else []
    codes = [write_lock(name, options.to, *more) for name in options.names or LOCKS]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
