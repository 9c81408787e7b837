"""What was measured of a sound is a fact of its bytes: told, searched, and kept by every edit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import requests
from sqlalchemy import Connection, select

from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import ANALYSE_EARLIER, objects, revisions, sounds
from sonoteca_shared.models import Sound
from tests.judge import tags
from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav
from tests.server.conftest import BOTH

DATABASES = BOTH
LOUD = build_wav(Plan(seconds=0.5, sound="tone", samplerate=16_000))
QUIET = build_wav(Plan(seconds=0.5, sound="silence", samplerate=16_000))


def upload(server: str, data: bytes, **where: str) -> dict[str, Any]:
    answer = requests.post(f"{server}/post", params=where, data=data, timeout=10)
    assert answer.status_code in (200, 201), answer.text
    sound: dict[str, Any] = answer.json()
    return sound


def measured(api: Api, sound_id: str) -> dict[str, Any]:
    """The sound once it is measured."""

    def look() -> dict[str, Any]:
        sound: dict[str, Any] = api.get(f"/sounds/{sound_id}")
        return sound if sound["loudness"] else {}

    return until(look)


def test_a_new_sound_is_measured_which_the_feed_tells_and_nobody_edited(server: str) -> None:
    api = Api(server)
    sound = upload(server, LOUD, name="loud.wav")
    assert sound["loudness"] is None
    now = measured(api, sound["id"])
    assert -12 < now["loudness"]["integrated"] < -5
    assert now["rev"] == 1
    assert now["links"]["peaks"]
    news = [change for change in api.get("/changes")["results"] if change["id"] == sound["id"]]
    assert news[-1]["sound"]["loudness"] == now["loudness"]


def test_loudness_is_searched_and_sorted_by(server: str) -> None:
    api = Api(server)
    for name, data in (("loud.wav", LOUD), ("quiet.wav", QUIET)):
        measured(api, upload(server, data, name=name)["id"])
    assert api.names(q="loud>-30") == ["loud.wav"]
    assert api.names(q="peak<-1") == ["loud.wav"]
    assert api.names(q="loud<-30") == []  # silence has no loudness
    assert api.names(sort="loudness") == ["loud.wav", "quiet.wav"]


def test_bytes_that_were_measured_need_not_be_measured_again(server: str) -> None:
    api = Api(server)
    first = measured(api, upload(server, LOUD, name="a.wav")["id"])
    second = upload(server, LOUD, name="b.wav")
    assert second["loudness"] == first["loudness"]
    assert sorted(api.names(q="loud>-30")) == ["a.wav", "b.wav"]


def test_every_revision_has_the_loudness_of_its_own_bytes(server: str) -> None:
    api = Api(server)
    sound = upload(server, QUIET, name="a.wav")
    path = f"/sounds/{sound['id']}"
    quiet = measured(api, sound["id"])
    assert upload(server, LOUD, name="a.wav", on_conflict="version")["id"] == sound["id"]
    loud = until(lambda: (api.get(path)["loudness"] or {}).get("integrated"))
    assert api.post(f"{path}/revert", rev=1).status_code == 200
    assert api.get(path)["loudness"] == quiet["loudness"]
    assert api.names(q="loud>-30") == []
    assert api.post(f"{path}/revert", rev=2).status_code == 200
    assert api.get(path)["loudness"]["integrated"] == loud
    assert api.names(q="loud>-30") == ["a.wav"]


def test_what_the_file_says_of_its_loudness_stays_what_the_file_says(server: str) -> None:
    api = Api(server)
    said = tags.bext(version=2, loudness=(-2310, 720, -130, 100, -2000))
    data = build_wav(Plan(seconds=0.5, sound="tone", samplerate=16_000, before=((b"bext", said),)))
    sound = measured(api, upload(server, data, name="a.wav")["id"])
    assert sound["embedded"]["bext"]["loudness"]["integrated"] == -23.1
    assert sound["loudness"]["integrated"] > -12


def test_a_sound_of_before_is_measured_later_and_keeps_its_waveform(
    tmp_path: Path, database: str
) -> None:
    with serve(tmp_path, database=database) as server:
        sound = measured(Api(server), upload(server, LOUD, name="a.wav")["id"])
    before = in_catalog(tmp_path, database, forget)
    with serve(tmp_path, database=database) as server:
        assert measured(Api(server), sound["id"]) == sound
    assert in_catalog(tmp_path, database, waveform) == before


def in_catalog(folder: Path, database: str, function: Callable[[Connection], str]) -> str:
    """What a function on the catalogue says, while nobody serves it."""
    catalog = home_of(database, folder).open()
    try:
        return asyncio.run(catalog.write(function))
    finally:
        catalog.close()


def forget(connection: Connection) -> str:
    """All as if nobody had ever measured; the blob of the waveform."""
    connection.execute(objects.update().values(loudness=None, analysis=ANALYSE_EARLIER))
    doc = connection.execute(select(sounds.c.doc)).scalar_one()
    old = msgspec.structs.replace(msgspec.json.decode(doc, type=Sound), loudness=None)
    values = {"doc": msgspec.json.encode(old).decode(), "loudness": None}
    connection.execute(sounds.update().values(values))
    return waveform(connection)


def waveform(connection: Connection) -> str:
    """The blob of the only waveform."""
    return str(connection.execute(select(objects.c.peaks_blob)).scalar_one())


def test_a_revision_that_was_kept_before_it_was_measured_comes_back_with_its_loudness(
    tmp_path: Path, database: str
) -> None:
    with serve(tmp_path, database=database) as server:
        api = Api(server)
        sound = measured(api, upload(server, LOUD, name="a.wav")["id"])
        assert api.patch(f"/sounds/{sound['id']}", 1, description="edited").status_code == 200

    def keep_as_it_was(connection: Connection) -> str:
        doc = connection.execute(select(revisions.c.doc)).scalar_one()
        old = msgspec.structs.replace(msgspec.json.decode(doc, type=Sound), loudness=None)
        connection.execute(revisions.update().values(doc=msgspec.json.encode(old).decode()))
        return ""

    in_catalog(tmp_path, database, keep_as_it_was)
    with serve(tmp_path, database=database) as server:
        api = Api(server)
        assert api.post(f"/sounds/{sound['id']}/revert", rev=1).status_code == 200
        assert api.get(f"/sounds/{sound['id']}")["loudness"] == sound["loudness"]
        assert api.names(q="loud>-30") == ["a.wav"]
