"""A disk that is really full, of bytes or of names: what is refused, and what goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_server.storage.ballast import SIZE, Ballast
from tests.faults.checker import Checker, Verdict
from tests.faults.ledger import Ledger
from tests.faults.load import Hand, Load, delete, edit, put, read, trash, upload
from tests.kit.http import ServerProcess, server_process
from tests.kit.small_disk import fill, small_disk, take_names
from tests.kit.wait import until

MIB = 1 << 20
FLAGS = ("--min-free-bytes", str(4 * MIB))
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def fill_bytes(disk: Path) -> Callable[[], None]:
    fill(disk / "other program")
    return (disk / "other program").unlink


def fill_names(disk: Path) -> Callable[[], None]:
    take_names(disk / "other program")
    return lambda: shutil.rmtree(disk / "other program")


@pytest.fixture(params=["bytes", "names"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    names = 400 if request.param == "names" else 0
    with small_disk(tmp_path / "disk", size=64 * MIB, names=names) as folder:
        yield folder


@pytest.fixture
def fill_up(request: pytest.FixtureRequest) -> Callable[[Path], Callable[[], None]]:
    """Fills the disk, and gives what empties it again."""
    kind = request.node.callspec.params["disk"]
    return fill_bytes if kind == "bytes" else fill_names


def check(server: ServerProcess, folder: Path, ledger: Ledger) -> None:
    verdict = Verdict()
    Checker(server.url, folder, ledger, verdict).check(everything=True)
    assert verdict.faults == []


def incoming(folder: Path) -> list[Path]:
    return list((folder / "incoming").iterdir())


def begin(server: ServerProcess, ledger: Ledger) -> Hand:
    """A client that has something to read, to edit and to delete, and waits for nothing."""
    hand = Hand(server.url, ledger, seed=5)
    for _ in range(12):
        upload(hand)
        put(hand)
    assert ledger.answered["refused"] == 0
    until(lambda: all(sound["links"]["peaks"] for sound in hand.send("GET", "/info").json()))
    return hand


def test_what_is_refused_on_a_full_disk_and_what_goes_on(
    disk: Path, fill_up: Callable[[Path], Callable[[], None]]
) -> None:
    folder, ledger = disk / "library", Ledger()
    with server_process(folder, *FLAGS) as server:
        hand = begin(server, ledger)
        make_room = fill_up(disk)
        for path, method in (("/post?name=late.wav", "POST"), ("/data/faults", "PUT")):
            refused = requests.request(method, server.url + path, data=b"RIFF" * 99, timeout=10)
            assert (refused.status_code, refused.json()["code"]) == (507, "no-space")
            assert "disk is full" in refused.json()["detail"]
        for play in (read, edit, trash, delete, read) * 4:
            play(hand)
        assert ledger.answered["trashed"] >= 4
        assert ledger.answered["objects deleted"] >= 4
        assert (ledger.answered["refused"], ledger.faults, incoming(folder)) == (0, [], [])
        check(server, folder, ledger)

        make_room()
        upload(hand)
        assert ledger.answered["uploads"] == 13
        assert Ballast(folder).missing == 0
        check(server, folder, ledger)


@pytest.mark.parametrize("end", [ServerProcess.kill, ServerProcess.stop])
def test_a_server_starts_on_a_full_disk_and_deletes(
    disk: Path,
    fill_up: Callable[[Path], Callable[[], None]],
    end: Callable[[ServerProcess], object],
) -> None:
    folder, ledger = disk / "library", Ledger()
    with server_process(folder, *FLAGS) as server:
        hand = begin(server, ledger)
        end(server)
        fill_up(disk)
        server.start()
        check(server, folder, ledger)
        for play in (trash, delete, read) * 4:
            play(hand)
        assert ledger.answered["trashed"] == ledger.answered["objects deleted"] == 4
        assert (ledger.answered["refused"], ledger.faults, incoming(folder)) == (0, [], [])
        check(server, folder, ledger)


def more(ledger: Ledger, what: str) -> None:
    """Wait until the server has answered a few more of these."""
    before = ledger.answered[what]
    until(lambda: ledger.answered[what] > before + 3, seconds=30)


def test_a_disk_that_fills_up_under_load_harms_nothing(
    disk: Path, fill_up: Callable[[Path], Callable[[], None]]
) -> None:
    folder, ledger = disk / "library", Ledger()
    with server_process(folder, *FLAGS) as server:
        with Load(server.url, ledger, seed=7):
            for _ in range(3):
                make_room = fill_up(disk)
                more(ledger, "refused")
                make_room()
                more(ledger, "downloads")
        check(server, folder, ledger)
        server.kill()
        fill_up(disk)
        server.start()
        check(server, folder, ledger)


def test_ballast_is_made_where_there_is_room_and_given_up_where_there_is_none(
    tmp_path: Path,
) -> None:
    with small_disk(tmp_path / "disk", size=4 * SIZE) as disk:
        ballast = Ballast(disk)
        assert (ballast.missing, ballast.give_up()) == (SIZE, False)
        ballast.keep()
        assert Ballast(disk).missing == ballast.missing == 0
        assert shutil.disk_usage(disk).used >= SIZE
        ballast.give_up_if_scarce()
        assert ballast.missing == 0
        fill(disk / "other")
        ballast.give_up_if_scarce()
        assert ballast.missing == SIZE
        assert shutil.disk_usage(disk).free >= SIZE
        ballast.keep()
        assert ballast.missing == SIZE  # there is hardly more room than for that


def test_ballast_is_made_as_far_as_names_go(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size=4 * SIZE, names=6) as disk:
        ballast = Ballast(disk)
        ballast.keep()
        assert 0 < ballast.missing < SIZE
        ballast.give_up_if_scarce()
        assert ballast.missing == SIZE
