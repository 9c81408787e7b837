"""A clock that is set back: no sound is missing from a list for that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from sqlalchemy import Connection

from sonoteca_server.catalog import feed
from tests.kit.api import Api
from tests.server.conftest import BOTH

DATABASES = BOTH

A_DAY_BEFORE = ("2026-11-16T00:00:10", "2026-11-16T00:00:05", "2026-11-15T23:59:58")
YEARS_BEFORE = ("2026-11-10T08:00:00", "2031-01-01T08:00:00", "1970-01-01T00:00:09",
                "2026-11-12T08:00:00")  # fmt: skip


@pytest.mark.parametrize("moments", [A_DAY_BEFORE, YEARS_BEFORE])
def test_dates_find_the_same_sounds_in_every_order(
    server: str, moments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(moments)

    def told(_connection: Connection) -> datetime:
        return datetime.fromisoformat(f"{moment}+00:00")

    for seed, moment in enumerate(clock):
        with monkeypatch.context() as patched:
            patched.setattr(feed, "now", told)
            Api(server).upload(seed, f"{moment.replace(':', '')}.wav")
    for asked in moments:
        for bound, holds in (("created_after", asked.__le__), ("created_before", asked.__ge__)):
            expected = {f"{moment.replace(':', '')}.wav" for moment in moments if holds(moment)}
            for sort in ("created", "-created", "name"):
                given = {bound: asked, "sort": sort}
                found = requests.get(f"{server}/list", params=given, timeout=10).json()
                assert set(found) == expected, given


def test_what_is_trashed_while_the_clock_is_in_1970_has_all_its_time(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Api(server).upload(1, "a.wav")
    with monkeypatch.context() as patched:
        patched.setattr(feed, "now", lambda _connection: datetime(1970, 1, 1, tzinfo=UTC))
        requests.delete(f"{server}/api/v1/sounds/{sound['id']}", timeout=10)
    [kept] = requests.get(f"{server}/api/v1/trash", timeout=10).json()["results"]
    assert kept["trashed"] >= sound["created"]
