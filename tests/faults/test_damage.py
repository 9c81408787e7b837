"""Damaged catalogues and blobs: no start on what cannot be read, no bytes that are not whole."""

from __future__ import annotations

import http.client
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from sonoteca_server.app import CannotStartError, Library
from sonoteca_server.catalog import CatalogDamagedError
from sonoteca_server.catalog.engines import home_of
from sonoteca_shared.errors import SonotecaError
from tests.faults.checker import Checker, Verdict
from tests.faults.kills import PROGRAM
from tests.faults.ledger import Ledger
from tests.faults.load import Hand, Load, delete, put
from tests.kit.http import ServerProcess, serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav

PAGE = 4096
COUNT = 40


@pytest.fixture(scope="module")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of a few recordings whose server has stopped."""
    folder = tmp_path_factory.mktemp("full")
    with serve(folder) as server:
        for seed in range(COUNT):
            data = build_wav(Plan(frames=100, seed=seed))
            assert requests.post(f"{server}/post", data=data, timeout=10).ok
    with closing(sqlite3.connect(folder / "catalog.sqlite")) as database:
        database.execute("VACUUM")  # pages that hold nothing may be anything
    return folder


def start(full_store: Path, folder: Path, catalogue: bytes) -> SonotecaError | None:
    """Why a server does not start with this catalogue; nothing may have changed then."""
    if not folder.exists():
        shutil.copytree(full_store, folder)
    for file in folder.glob("catalog.sqlite*"):
        file.unlink()
    (folder / "catalog.sqlite").write_bytes(catalogue)
    blobs = sorted((folder / "blobs").rglob("*-*"))
    try:
        Library(folder, home_of("sqlite", folder)).close()
    except SonotecaError as error:
        assert sorted((folder / "blobs").rglob("*-*")) == blobs
        return error
    return None


@pytest.mark.timeout(60)
def test_no_page_of_the_catalogue_can_be_garbage(full_store: Path, tmp_path: Path) -> None:
    whole = (full_store / "catalog.sqlite").read_bytes()
    chance = random.Random(1)
    assert start(full_store, tmp_path / "copy", whole) is None
    for at in range(0, len(whole), PAGE):
        for page in (chance.randbytes(PAGE), bytes(PAGE)):
            damaged = whole[:at] + page + whole[at + PAGE :]
            error = start(full_store, tmp_path / "copy", damaged)
            assert isinstance(error, CatalogDamagedError), f"page {at // PAGE}: {error}"
            assert "restore it from a backup" in str(error)


@pytest.mark.parametrize("part", [0.0, 0.001, 0.02, 0.5, 0.75, 0.99])
def test_a_catalogue_that_was_cut_does_not_start(
    full_store: Path, tmp_path: Path, part: float
) -> None:
    whole = (full_store / "catalog.sqlite").read_bytes()
    error = start(full_store, tmp_path / "copy", whole[: int(part * len(whole))])
    assert isinstance(error, CannotStartError if part == 0 else CatalogDamagedError)
    assert "backup" in str(error)


def test_a_catalogue_without_a_table_over_a_full_store_does_not_start(
    full_store: Path, tmp_path: Path
) -> None:
    whole = (full_store / "catalog.sqlite").read_bytes()
    for old, new in ((b"sounds", b"soundz"), (b"samplerate", b"samplerite")):
        assert old in whole
        error = start(full_store, tmp_path / "copy", whole.replace(old, new))
        assert isinstance(error, CatalogDamagedError)


@pytest.mark.parametrize("name", ["catalog.sqlite", "another.sqlite"])
def test_an_empty_catalogue_over_a_full_store_does_not_start(
    full_store: Path, tmp_path: Path, name: str
) -> None:
    home_of("sqlite", tmp_path).create()
    empty = (tmp_path / "catalog.sqlite").read_bytes()[:PAGE]
    # The head of a database that says that it has one page, and no table.
    head = bytearray(empty[:100] + b"\x0d" + bytes(4) + b"\x10\x00" + bytes(PAGE - 107))
    head[28:32] = (1).to_bytes(4)
    content = bytes(head) if name == "catalog.sqlite" else b""
    error = start(full_store, tmp_path / "copy", content)
    assert isinstance(error, CannotStartError)
    assert "an empty one would hide them all" in str(error)


def test_a_blob_that_is_cut_while_it_is_sent_breaks_the_connection(
    tmp_path: Path, claim_errors: Callable[[str], None]
) -> None:
    size = 64 << 20
    with serve(tmp_path) as server:
        oid = requests.put(f"{server}/data/main", data=bytes(size), timeout=30).json()["oid"]
        line = http.client.HTTPConnection(urlsplit(server).netloc, timeout=10)
        line.request("GET", f"/data/main/{oid}")
        answer = line.getresponse()
        assert (answer.status, answer.length) == (200, size)
        (blob,) = (tmp_path / "blobs").rglob("*-*")
        os.truncate(blob, size - 1)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
        line.close()
    claim_errors("ended while it was sent")


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_upkeep_under_load_takes_what_was_deleted_and_nothing_else(tmp_path: Path) -> None:
    ledger, verdict = Ledger(), Verdict()
    server = ServerProcess(tmp_path, program=PROGRAM)
    try:
        hand = Hand(server.url, ledger, seed=1)
        put(hand)
        (blob,) = (tmp_path / "blobs").rglob("*-*")
        with Load(server.url, ledger, seed=2):
            delete(hand)
            until(lambda: not blob.exists(), seconds=30)
        Checker(server.url, tmp_path, ledger, verdict).check(everything=True)
    finally:
        server.kill()
    assert ledger.answered["objects put"] > ledger.answered["objects deleted"] > 1
    assert verdict.faults == []


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_server_that_is_told_to_stop_under_load_keeps_what_it_answered(tmp_path: Path) -> None:
    ledger, verdict = Ledger(), Verdict()
    with server_process(tmp_path) as server:
        host = urlsplit(server.url).netloc
        silent = http.client.HTTPConnection(host, timeout=30)
        silent.putrequest("POST", "/post")
        silent.putheader("Content-Length", "1000000")
        silent.endheaders(b"RIFF")
        with Load(server.url, ledger, seed=3):
            until(lambda: ledger.answered["uploads"] > 5)
            assert server.stop() == 0
        # Within 15 seconds, of which 10 are the silent client's.
        with suppress(OSError):
            silent.close()
        server.start()
        Checker(server.url, tmp_path, ledger, verdict).check(everything=True)
    assert verdict.faults == []
