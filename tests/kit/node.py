"""Programs of Node with packages from npm, as the lock in `tests/kit/js` pins them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.engines import missing, require

_PROGRAMS = Path(__file__).parent / "js"


def program(config: pytest.Config, name: str) -> list[str]:
    """The command that runs one of these; its packages are installed into pytest's cache."""
    node, npm = require("nodejs"), require("npm")
    assert config.cache is not None
    folder = Path(config.cache.mkdir("node"))
    lock = (_PROGRAMS / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / hashlib.sha256(lock).hexdigest()
    if not installed.exists():
        for each in ("package.json", "package-lock.json"):
            shutil.copy(_PROGRAMS / each, folder)
        command = [str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
        if "network" in done.stderr or "ENOTFOUND" in done.stderr:
            missing("no package registry of npm can be reached")
        assert done.returncode == 0, done.stderr
        installed.touch()
    shutil.copy(_PROGRAMS / name, folder)
    return [str(node), str(folder / name)]
