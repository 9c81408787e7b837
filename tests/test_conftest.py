"""The net under all tests: an error that is logged, or an engine that is missing, is noticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def outcome(test: str, folder: Path, **environment: str) -> str:
    """The closing words of a run of pytest over this one test, under our conftest.py."""
    (folder / "test_it.py").write_text(test, encoding="utf-8")
    settings = [
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
    ]
    command = [sys.executable, "-m", "pytest", *settings, str(folder)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    inherited.pop("SONOTECA_TEST_REQUIRE", None)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


IN_A_THREAD = """
import logging, threading
def test_it({fixtures}):
    thread = threading.Thread(target=logging.getLogger("worker").error, args=["the disk is full"])
    thread.start()
    thread.join()
    {claim}
"""


def test_an_error_that_nobody_claims_fails_the_test(tmp_path: Path) -> None:
    said = outcome(IN_A_THREAD.format(fixtures="", claim=""), tmp_path)
    assert "worker: the disk is full" in said
    assert "1 passed, 1 error" in said


@pytest.mark.parametrize(
    ("words", "expected"), [("disk is full", "1 passed in"), ("else", "1 failed, 1 error")]
)
def test_an_error_is_claimed_by_its_words(tmp_path: Path, words: str, expected: str) -> None:
    test = IN_A_THREAD.format(fixtures="claim_errors", claim=f"claim_errors({words!r})")
    assert expected in outcome(test, tmp_path)


NEEDS_XDOTOOL = """
from tests.kit import engines
def test_it():
    engines.require("xdotool")
"""


def test_a_missing_engine_skips_with_its_name(tmp_path: Path) -> None:
    said = outcome(NEEDS_XDOTOOL, tmp_path, PATH="")
    assert "xdotool is not installed (in Debian: xdotool)" in said
    assert "1 skipped" in said


def test_a_missing_engine_fails_where_all_is_required(tmp_path: Path) -> None:
    said = outcome(NEEDS_XDOTOOL, tmp_path, PATH="", SONOTECA_TEST_REQUIRE="all")
    assert "xdotool is not installed" in said
    assert "1 failed" in said


NEEDS_A_SCREEN = """
import pytest
@pytest.mark.window
def test_it():
    pass
"""


def test_a_test_with_a_window_asks_for_a_screen(tmp_path: Path) -> None:
    said = outcome(NEEDS_A_SCREEN, tmp_path, DISPLAY="", WAYLAND_DISPLAY="", PATH="")
    assert "xvfb is not installed" in said
    assert "1 skipped" in said
