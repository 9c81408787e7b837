"""The mirror follows the server, through restarts of either and changes of library."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from sonoteca_desktop.client import Client
from sonoteca_desktop.sync.engine import SyncEngine, SyncState, catch_up
from sonoteca_desktop.sync.mirror import Mirror
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.jobs import submit_now
from sonoteca_shared.query import parse
from tests.kit.garbage import spoil
from tests.kit.http import serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav


def post(server: str, seed: int) -> None:
    data = build_wav(Plan(frames=100, seed=seed))
    requests.post(f"{server}/post?name={seed}.wav", data=data, timeout=10)


def names(mirror: Mirror) -> list[str]:
    """The names of all sounds of a mirror; none while it is being begun anew."""
    with contextlib.suppress(sqlite3.DatabaseError):
        found = mirror.sounds(mirror.keys(sort="name"))
        return [sound.name for sound in found if sound is not None]
    return []


@contextlib.contextmanager
def following(server: str, mirror: Mirror) -> Iterator[list[SyncState]]:
    told: list[SyncState] = []
    client = Client(server)
    engine = SyncEngine(mirror, client, told.append)
    engine.start()
    try:
        yield told
    finally:
        engine.stop()
        client.close()


def test_what_is_there_and_what_comes_arrives(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with serve(tmp_path / "library") as server:
        post(server, 1)
        with following(server, mirror) as told:
            until(lambda: mirror.count() == 1)
            post(server, 2)
            until(lambda: mirror.count() == 2)
            assert told[0].reached
            assert any(state.changed for state in told)


@pytest.mark.timeout(40)
def test_a_server_that_goes_is_told_and_found_again(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with server_process(tmp_path / "library") as server, following(server.url, mirror) as told:
        until(lambda: told and told[-1].reached)
        server.kill()
        until(lambda: told[-1].reached is False)
        assert told[-1].retry_at is not None
        assert told[-1].sentence
        server.start()
        post(server.url, 1)
        until(lambda: told[-1].reached and mirror.count() == 1, seconds=20)


def test_another_library_under_the_same_address_replaces_the_copy(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with serve(tmp_path / "one") as server:
        post(server, 1)
        with following(server, mirror):
            until(lambda: mirror.count() == 1)
    with serve(tmp_path / "two") as server:
        post(server, 2)
        with following(server, mirror) as told:
            until(lambda: mirror.keys(parse("2").tree) and mirror.count() == 1)
            assert [state.replaced for state in told].count(True) == 1


def test_a_copy_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with sqlite3.connect(tmp_path / "mirror.sqlite") as damage:
        damage.execute("DROP TABLE sounds")
    damage.close()
    with serve(tmp_path / "library") as server:
        post(server, 1)
        with following(server, mirror) as told:
            until(lambda: told)
            assert "cannot be written" in told[-1].sentence
            assert (told[-1].reached, told[-1].retry_at is None) == (True, False)


def test_a_copy_that_is_damaged_while_it_is_used_is_fetched_anew(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with serve(tmp_path / "library") as server:
        post(server, 1)
        with following(server, mirror):
            until(lambda: mirror.count() == 1)
            spoil(tmp_path / "mirror.sqlite")
            post(server, 2)
            until(lambda: len(names(mirror)) == 2)
            assert names(mirror) == ["1.wav", "2.wav"]
    mirror.close()
    assert len(names(Mirror(tmp_path / "mirror.sqlite"))) == 2


def test_a_shell_takes_a_damaged_copy_in_anew(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with serve(tmp_path / "library") as server, contextlib.closing(Client(server)) as client:
        post(server, 1)
        catch_up(mirror, client)
        spoil(tmp_path / "mirror.sqlite")
        catch_up(mirror, client)
        assert names(mirror) == ["1.wav"]


def test_collections_are_followed_with_what_is_in_them(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")

    def inside(name: str) -> list[str]:
        keys = mirror.keys(parse(f'in:"{name}"').tree, sort="name")
        return [sound.name for sound in mirror.sounds(keys) if sound is not None]

    with serve(tmp_path / "library") as server:
        for seed in (1, 2):
            post(server, seed)
        ids = [one["id"] for one in requests.get(f"{server}/info", timeout=10).json()]
        base = f"{server}/api/v1/collections"
        made = requests.post(base, json={"name": "Before"}, timeout=10).json()
        one = f"{base}/{made['id']}"
        requests.post(f"{one}/sounds", json={"ids": ids[:1]}, timeout=10)
        with following(server, mirror):
            until(lambda: inside("before") == ["1.wav"])
            requests.post(f"{one}/sounds", json={"ids": ids[1:]}, timeout=10)
            until(lambda: inside("before") == ["1.wav", "2.wav"])
            requests.delete(one, timeout=10)
            until(lambda: inside("before") == [])


def test_a_copy_of_an_older_version_is_fetched_anew(tmp_path: Path) -> None:
    Mirror(tmp_path / "mirror.sqlite").close()
    with sqlite3.connect(tmp_path / "mirror.sqlite") as older:
        older.executescript(
            "DROP TABLE sounds; CREATE TABLE sounds (key INTEGER PRIMARY KEY, words TEXT);"
            "INSERT INTO facts VALUES ('cursor', 'somewhere'); PRAGMA user_version = 1"
        )
    older.close()
    mirror = Mirror(tmp_path / "mirror.sqlite")
    assert mirror.cursor is None
    with serve(tmp_path / "library") as server:
        post(server, 1)
        with following(server, mirror):
            until(lambda: mirror.count() == 1)


def test_what_jobs_do_is_no_news_to_the_window(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    with serve(tmp_path / "library") as server:
        with following(server, mirror) as told:
            until(lambda: told and told[-1].reached)
            before = mirror.cursor
            told.clear()
            catalog = home_of("sqlite", tmp_path / "library").join()
            try:
                asyncio.run(catalog.write(submit_now, "nobody's", {}))
            finally:
                catalog.close()
            until(lambda: mirror.cursor != before)
            post(server, 1)
            until(lambda: mirror.count() == 1)
        assert told
        assert all(state.changed for state in told)
