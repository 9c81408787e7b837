"""The lines of docs/archives.md do what it says, exactly as they stand there."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.kit import engines
from tests.kit.archives import unpacked
from tests.together.test_readme import ROOT, library

__all__ = ["library"]

PAGE = (ROOT / "docs" / "archives.md").read_text("utf-8")
CREATE, *LINES = [
    line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_the_lines_work_one_after_the_other(library: str, tmp_path: Path) -> None:
    engines.require("curl")
    work = tmp_path / "work"
    work.mkdir()
    port = library.rpartition(":")[2]
    (tmp_path / ".curlrc").write_text(
        f'connect-to = "localhost:8282:127.0.0.1:{port}"\nfail-with-body\nsilent\nshow-error\n'
    )
    env = os.environ | {"CURL_HOME": str(tmp_path)}

    def run(line: str) -> str:
        done = subprocess.run(
            ["sh", "-c", line], cwd=work, env=env, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    archive = json.loads(run(CREATE))["archive_hash"]
    env["HASH"] = archive
    status, *_, cancelled = [json.loads(said) for said in map(run, LINES) if said]
    assert status == {
        "status": "completed",
        "url": f"http://localhost:8282/archive/get/{archive}.zip",
    }
    assert cancelled == {"status": "cancelled"}
    whole = (work / "Bells.zip").read_bytes()
    assert list(unpacked(whole)) == ["Music/Church bell.wav"]
    assert (work / "again.zip").read_bytes() == whole
    assert (work / "part.bin").read_bytes() == whole[:100]
