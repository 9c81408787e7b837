"""Jobs over HTTP: listed, shown, cancelled, and told in the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import Connection

from sonoteca_server.catalog import Catalog
from sonoteca_server.catalog import jobs as rows
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.schema import jobs
from tests.kit.api import Api
from tests.kit.http import serve
from tests.kit.wait import until

DATABASES = ("sqlite", "postgresql")


@pytest.fixture
def catalog(server: str, tmp_path: Path, database: str) -> Iterator[Catalog]:
    """The catalogue of the running server, as a worker beside it has it."""
    assert server
    catalog = home_of(database, tmp_path / "library").join()
    yield catalog
    catalog.close()


@pytest.fixture
def api(server: str) -> Api:
    return Api(server)


def submit(catalog: Catalog, kind: str = "nobody's", **options: Any) -> str:
    """A job of a kind that nobody carries out, so that it stays as it is."""
    return asyncio.run(catalog.write(rows.submit_now, kind, {"secret": 1}, **options))


def test_a_job_shows_how_it_stands_and_not_what_it_was_given(api: Api, catalog: Catalog) -> None:
    job_id = submit(catalog, delay_s=3_600)
    job = api.get(f"/jobs/{job_id}")
    due = job.pop("due")
    assert due > job.pop("created")
    assert job == {
        "id": job_id, "rev": 1, "kind": "nobody's", "state": "ready", "attempts": 0,
        "ended": None, "progress": None, "error": None, "result": None,
    }  # fmt: skip


def test_jobs_are_listed_newest_first_page_by_page(api: Api, catalog: Catalog) -> None:
    made = [submit(catalog, kind) for kind in ("one", "two", "one", "one")]
    asyncio.run(catalog.write(rows.cancel, made[3]))
    first = api.get("/jobs?kind=one&page_size=2")
    assert [job["id"] for job in first["results"]] == [made[3], made[2]]
    assert (first["count"], first["previous"]) == (3, None)
    query = parse_qs(urlsplit(first["next"]).query)
    assert (query["kind"], query["page_size"]) == (["one"], ["2"])
    second = api.get(first["next"].removeprefix("/api/v1"))
    assert [job["id"] for job in second["results"]] == [made[0]]
    assert [job["id"] for job in api.get("/jobs?state=cancelled")["results"]] == [made[3]]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/jobs?state=gone", 400, "ready, running, done, failed, cancelled"),
        ("/jobs?kin=one", 400, "did you mean “kind”"),
        ("/jobs?kind=%00", 400, "NUL"),
        ("/jobs?cursor=x", 400, "cursor"),
        ("/jobs?page_size=0", 400, "page_size"),
        ("/jobs/x", 404, "no job"),
        ("/jobs/01980000-0000-7000-8000-000000000000", 404, "no job"),
    ],
)
def test_what_is_asked_wrongly_is_refused_in_words(
    api: Api, path: str, status: int, words: str
) -> None:
    answer = api.ask("GET", path)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_job_can_be_cancelled_and_stays_so(api: Api, catalog: Catalog) -> None:
    job_id = submit(catalog)
    for _ in range(2):
        answer = api.delete(f"/jobs/{job_id}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert api.get(f"/jobs/{job_id}")["ended"] is not None
    assert api.delete("/jobs/01980000-0000-7000-8000-000000000000").status_code == 404


def test_upkeep_forgets_jobs_that_ended_long_ago(tmp_path: Path, database: str) -> None:
    home = home_of(database, tmp_path)
    home.create()
    catalog = home.join()
    try:
        old, new = submit(catalog), submit(catalog)
        for each in (old, new):
            asyncio.run(catalog.write(rows.cancel, each))

        def age(connection: Connection) -> None:
            connection.execute(jobs.update().where(jobs.c.id == old).values(due=0))

        asyncio.run(catalog.write(age))
    finally:
        catalog.close()
    with serve(tmp_path, database=database) as server:
        until(lambda: Api(server).ask("GET", f"/jobs/{old}").status_code == 404)
        assert Api(server).get(f"/jobs/{new}")["state"] == "cancelled"


def test_the_feed_tells_of_jobs_to_who_follows_it(api: Api, catalog: Catalog) -> None:
    since = api.cursor()
    job_id = submit(catalog)
    api.delete(f"/jobs/{job_id}")
    told = api.news(since, "job")
    assert [(each["type"], each["id"], each["rev"], each["sound"]) for each in told] == [
        ("job.changed", job_id, 1, None),
        ("job.changed", job_id, 2, None),
    ]
    # Who begins anew gets the sounds, as ever.
    assert api.get("/changes")["results"] == []
