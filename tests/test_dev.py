"""dev.py: what it promises before anything is installed, and what it says when things go wrong."""

import ast
import socket
import subprocess
import sys
from pathlib import Path

import dev
import pytest

from tests.kit.http import serve

ROOT = Path(dev.__file__).parent


def test_an_old_python_can_read_it_up_to_the_sentence_that_asks_for_a_newer_one() -> None:
    source = Path(dev.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 6))
    checks = [
        number
        for number, node in enumerate(tree.body)
        if isinstance(node, ast.If) and "version_info" in ast.unparse(node.test)
    ]
    before = tree.body[1 : checks[0]]  # the docstring is the first
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in before)


def test_every_system_package_is_named_for_every_package_manager() -> None:
    rows = dev.system_packages("python", "desktop", "container", "test", "check")
    assert {row.section for row in rows} == {"python", "desktop", "container", "test", "check"}
    assert [row for row in rows if list(row.names) != list(dev.INSTALLERS)] == []
    assert len({row.probe for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("probe", "there"),
    [
        ("import:json", True),
        ("import:no_such_module", False),
        (sys.executable, True),
        ("/no/such/file", False),
        ("no-such-program", False),
        ("libno-such.so.9", False),
    ],
)
def test_looks_for_libraries_modules_files_and_programs(probe: str, there: bool) -> None:
    assert dev.SystemPackage("desktop", probe, {}).is_present() is there


def test_a_changed_lock_asks_for_a_new_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dev.fingerprint()
    changed = tmp_path / "dev.txt"
    changed.write_bytes(dev.LOCK.read_bytes() + b"# one more\n")
    monkeypatch.setattr(dev, "LOCK", changed)
    assert dev.fingerprint() != before


def test_a_taken_port_is_left_to_who_has_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(dev, "PORT", taken.getsockname()[1])
        assert dev.free_port() == 0
    assert "is taken" in capsys.readouterr().out
    assert dev.free_port() == dev.PORT


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    no_folder = tmp_path / "data"
    no_folder.write_text("not a folder", encoding="utf-8")
    done = run_dev(no_folder)
    assert done.returncode == 1
    assert "the server ended (exit code" in done.stderr
    assert str(no_folder) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_start_names_the_first_and_ends(tmp_path: Path) -> None:
    with serve(tmp_path / "server") as server:
        (tmp_path / "address").write_text(server, encoding="utf-8")
        done = run_dev(tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"already running at {server}" in done.stdout
        assert len(done.stdout.splitlines()) == 1


def test_what_a_killed_start_left_behind_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "DATA", tmp_path)
    dev.end_if_running()
    with serve(tmp_path / "server") as server:
        (tmp_path / "address").write_text(server, encoding="utf-8")
        with pytest.raises(SystemExit):
            dev.end_if_running()
    dev.end_if_running()


def run_dev(data: Path) -> "subprocess.CompletedProcess[str]":
    """`dev.py run` with this data folder, on any port, in the Python that runs the tests."""
    program = (
        "import pathlib, sys, dev\n"
        "dev.set_up = lambda: None\n"
        "dev.free_port = lambda: 0\n"
        "dev.PYTHON, dev.DATA = sys.executable, pathlib.Path(sys.argv[1])\n"
        "sys.exit(dev.main(['run']))\n"
    )
    command = [sys.executable, "-c", program, str(data)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["run", "--help"], 0), ([], 2)])
def test_says_how_to_use_it(
    words: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.main(words) == code
    assert "python3 dev.py run" in capsys.readouterr().out
