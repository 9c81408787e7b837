"""The local catalogue: it says what the server would, without it."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sonoteca_desktop.sync.mirror import SORTS, Here, Mirror, Scope
from sonoteca_shared.models import Change, ChangePage, Links, Sound
from sonoteca_shared.query import parse
from tests.kit.garbage import spoil

BASE = Sound(
    id="",
    rev=1,
    repository="main",
    folder="",
    name="",
    sha256="",
    size=1,
    duration=1.0,
    samplerate=48_000,
    bitdepth=16,
    channels=1,
    frames=48_000,
    format="pcm",
    container="RIFF",
    created=datetime(2026, 1, 1, tzinfo=UTC),
    links=Links(file=""),
)


def sound(number: int, name: str, **facts: Any) -> Sound:
    identity = {"id": f"id-{number:03d}", "sha256": f"{number:064x}", "name": name}
    return msgspec.structs.replace(BASE, **(identity | facts))


def page(cursor: str, *sounds: Sound, kind: str = "sound.created") -> ChangePage:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    changes = [Change(type=kind, id=one.id, rev=one.rev, at=at, sound=one) for one in sounds]
    return ChangePage(cursor=cursor, more=False, results=changes)


LIBRARY = (
    sound(1, "Take 10.wav", folder="day 1", duration=2.0, size=50),
    sound(2, "take 2.wav", folder="day 1/b", duration=1.5, size=70, samplerate=96_000),
    sound(3, "Café walla.wav", duration=0.5, size=60, description="a crowd, indoors"),
    sound(4, "door.wav", folder="day 10", duration=9.0, size=10),
)


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    mirror.apply(page("c1", *LIBRARY))
    return mirror


def names(mirror: Mirror, words: str = "", **question: Any) -> list[str]:
    found = mirror.sounds(mirror.keys(parse(words, local=True).tree, **question))
    return [one.name for one in found if one is not None]


TAKE10, TAKE2, CAFE, DOOR = (one.name for one in LIBRARY)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, [TAKE10, TAKE2, CAFE, DOOR]),
        ({"descending": True}, [DOOR, CAFE, TAKE2, TAKE10]),
        ({"sort": "name"}, [CAFE, DOOR, TAKE2, TAKE10]),
        ({"sort": "folder"}, [CAFE, TAKE10, TAKE2, DOOR]),
        ({"sort": "duration", "descending": True}, [DOOR, TAKE10, TAKE2, CAFE]),
        ({"sort": "size"}, [DOOR, TAKE10, CAFE, TAKE2]),
        ({"sort": "samplerate", "descending": True}, [TAKE2, DOOR, CAFE, TAKE10]),
        ({"words": "cafe"}, [CAFE]),
        ({"words": "IN cro"}, [CAFE]),
        ({"words": "alla"}, []),
        ({"words": "  "}, [TAKE10, TAKE2, CAFE, DOOR]),
        ({"words": "100% ' OR 11"}, []),
        ({"words": "is:pinned"}, []),
        ({"words": "is:pinned", "here": Here(pinned=frozenset({f"{4:064x}"}))}, [DOOR]),
        ({"scope": Scope("folder", "day 1")}, [TAKE10, TAKE2]),
        ({"scope": Scope("folder", "day 1"), "words": "2"}, [TAKE2]),
        ({"scope": Scope("local"), "here": Here(local=frozenset({f"{4:064x}", "else"}))}, [DOOR]),
        ({"scope": Scope("local")}, []),
    ],
)
def test_answers_questions(mirror: Mirror, question: dict[str, Any], expected: list[str]) -> None:
    assert names(mirror, **question) == expected


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_has_its_reverse(mirror: Mirror, sort: str) -> None:
    assert names(mirror, sort=sort) == names(mirror, sort=sort, descending=True)[::-1]


def test_folders_are_counted(mirror: Mirror) -> None:
    assert mirror.folders() == [("day 1", 1), ("day 1/b", 1), ("day 10", 1)]
    assert mirror.count() == 4


def test_a_change_replaces_and_a_purge_removes(mirror: Mirror) -> None:
    keys = mirror.keys()
    renamed = sound(1, "Renamed.wav")
    mirror.apply(page("c2", renamed, kind="sound.changed"))
    assert mirror.find("id-001") == renamed
    assert mirror.keys() == keys
    mirror.apply(page("c3", renamed, kind="sound.trashed"))
    assert mirror.find("id-001") is None
    assert mirror.sounds(keys)[0] is None
    mirror.apply(page("c4", sound(9, "x.wav"), kind="repository.changed"))
    assert mirror.count() == 3


def test_the_same_bytes_are_found_by_their_digest(mirror: Mirror) -> None:
    mirror.apply(page("c2", sound(5, "copy.wav", sha256=f"{4:064x}")))
    found = mirror.with_content(f"{4:064x}")
    assert found is not None
    assert found.name == DOOR
    assert mirror.with_content("nothing") is None


def test_all_is_there_again_after_a_restart_and_gone_after_a_reset(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    assert mirror.cursor is None
    mirror.apply(page("c1", *LIBRARY))
    mirror.close()
    mirror = Mirror(tmp_path / "mirror.sqlite")
    assert (mirror.cursor, mirror.count()) == ("c1", 4)
    mirror.reset()
    assert (mirror.cursor, mirror.count()) == (None, 0)


def test_a_damaged_copy_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "mirror.sqlite"
    path.write_bytes(b"no database, but long enough to be taken for one. " * 400)
    mirror = Mirror(path)
    assert (mirror.cursor, mirror.count()) == (None, 0)
    mirror.apply(page("c1", *LIBRARY))
    assert mirror.count() == 4
    mirror.close()


def test_what_was_asked_for_before_a_new_beginning_is_not_taken_in(tmp_path: Path) -> None:
    mirror = Mirror(tmp_path / "mirror.sqlite")
    before = mirror.begun
    spoil(tmp_path / "mirror.sqlite")
    with pytest.raises(sqlite3.DatabaseError):
        mirror.count()
    mirror.apply(page("c9", LIBRARY[3]), begun=before)
    assert (mirror.cursor, mirror.count()) == (None, 0)
    mirror.close()


def test_a_page_counts_whole_or_not_at_all(mirror: Mirror) -> None:
    broken = sound(7, "x.wav", duration=None)
    with pytest.raises(Exception, match="NOT NULL"):
        mirror.apply(page("c2", sound(6, "y.wav"), broken))
    assert (mirror.cursor, mirror.count()) == ("c1", 4)


def test_other_threads_see_what_was_applied(mirror: Mirror) -> None:
    seen: list[list[str]] = []
    mirror.apply(page("c2", sound(8, "late.wav")))
    thread = threading.Thread(target=lambda: seen.append(names(mirror, words="late")))
    thread.start()
    thread.join()
    assert seen == [["late.wav"]]
