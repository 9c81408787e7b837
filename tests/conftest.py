"""What holds for every test: no display needed, no error passes unnoticed, no engine assumed."""

import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.kit import engines


def has_display() -> bool:
    """Whether a real window could be opened here."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


# Without a display Qt does not fail but abort, and takes the whole run of tests with it.
if not has_display():
    os.environ["QT_QPA_PLATFORM"] = "offscreen"

# The markers of tests that cannot do without an engine (pyproject.toml says what they mean).
MARKED = {"audio": "pulseaudio"}


def pytest_configure() -> None:
    """Programs that tests start can be interrupted, also where this one was told not to be.

    What a shell runs in the background ignores SIGINT, and whatever it starts inherits that.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def engines_of_markers(request: pytest.FixtureRequest) -> None:
    """Skip (or, where all is required, fail) a marked test whose engine is missing."""
    for marker, engine in MARKED.items():
        if request.node.get_closest_marker(marker):
            engines.require(engine)
    if request.node.get_closest_marker("window"):
        if not has_display():
            engines.require("xvfb")
            engines.missing("no display; `python3 dev.py test` opens one by itself")
        if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
            engines.missing("Qt runs offscreen (QT_QPA_PLATFORM)")


@pytest.fixture(autouse=True)
def garbage_of_this_thread() -> Iterator[None]:
    """Collect garbage here alone, as the program does (background.py says why)."""
    gc.disable()
    yield
    if gc.get_count()[0] > 20_000:
        gc.collect()


PHASES: tuple[Literal["setup", "call", "teardown"], ...] = ("setup", "call", "teardown")


@pytest.fixture(autouse=True)
def unclaimed_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail a test during which something was logged as ERROR that it did not claim.

    Tests cannot see a worker thread or a handler break; its log record they can.
    """
    yield
    records = [record for phase in PHASES for record in caplog.get_records(phase)]
    errors = [record for record in records if record.levelno >= logging.ERROR]
    if errors:
        formatter = logging.Formatter("%(name)s: %(message)s")
        told = "\n".join(formatter.format(record) for record in errors)
        pytest.fail(f"logged as an error, and not claimed by claim_errors:\n{told}", pytrace=False)


@pytest.fixture
def claim_errors(caplog: pytest.LogCaptureFixture) -> Callable[[str], None]:
    """Say that an ERROR record with these words was expected; it fails when there is none."""

    def claim(words: str) -> None:
        claimed = 0
        for phase in PHASES:
            records = caplog.get_records(phase)
            unclaimed = [
                record
                for record in records
                if record.levelno < logging.ERROR or words not in record.getMessage()
            ]
            claimed += len(records) - len(unclaimed)
            records[:] = unclaimed
        assert claimed, f"nothing was logged as an error with these words: {words}"

    return claim


@pytest.fixture(scope="session")
def real_wavs() -> Path:
    """The folder of real recordings that SONOTECA_TEST_WAVS names."""
    named = os.environ.get("SONOTECA_TEST_WAVS")
    if not named:
        pytest.skip("SONOTECA_TEST_WAVS names no folder of real recordings")
    folder = Path(named)
    assert folder.is_dir(), f"SONOTECA_TEST_WAVS is not a folder: {folder}"
    return folder
