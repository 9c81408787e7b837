"""How the engines answer common questions: by an index, never by reading all sounds.

The plans are those of the statements that are really sent, in a catalogue of invented sounds large
enough that a planner has a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from sonoteca_server.catalog import feed, search
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.catalog.orders import SORTS, Cursor, Order
from sonoteca_server.catalog.schema import sounds
from sonoteca_shared.query import parse
from tests.bench.million import build

COUNT = 20_000

pytestmark = pytest.mark.timeout(180)  # the first test of each engine fills its catalogue

# What reads every row: SQLite names a table and no index, PostgreSQL says it.
_SQLITE_SCAN = re.compile(
    r"SCAN (sounds|sound_tags|changes|objects)\b(?!.*USING (COVERING )?INDEX)"
)
_POSTGRESQL_SCAN = re.compile(r"Seq Scan on (sounds|sound_tags|changes|objects)\b")
# What sorts all that it reads. (PostgreSQL may sort where it knows that there is little.)
_SORT = re.compile(r"USE TEMP B-TREE FOR ORDER BY")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """A look into a catalogue of many sounds, whose engine knows how they are spread."""
    database = "sqlite"
    if request.param == "postgresql":
        database = request.getfixturevalue("cluster").create()
    folder = tmp_path_factory.mktemp("library")
    build(database, folder, COUNT, seed=1)
    with home_of(database, folder).look() as looking:
        yield looking


class Plans:
    """The plans of the statements that a connection is sent within the block."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sent: list[tuple[str, Any]] = []

    def __enter__(self) -> Plans:
        event.listen(self._connection, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._connection, "before_cursor_execute", self._note)

    def _note(self, _c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        self._sent.append((statement, parameters))

    def scans(self) -> list[str]:
        """The steps that read a whole table, each with its statement."""
        sqlite = self._connection.dialect.name == "sqlite"
        return self._steps(_SQLITE_SCAN if sqlite else _POSTGRESQL_SCAN)

    def walks(self) -> list[str]:
        """The steps that read all sounds, be it along an index; SQLite says it of either."""
        return self._steps(re.compile(r"SCAN sounds|Seq Scan on sounds"))

    def sorts(self) -> list[str]:
        """The steps that sort, each with its statement."""
        return self._steps(_SORT)

    def _steps(self, kind: re.Pattern[str]) -> list[str]:
        how = "EXPLAIN QUERY PLAN" if self._connection.dialect.name == "sqlite" else "EXPLAIN"
        found = []
        for statement, parameters in self._sent:
            steps = self._connection.exec_driver_sql(f"{how} {statement}", parameters)
            found += [f"{row[-1]} in {statement}" for row in steps if kind.search(row[-1])]
        assert self._sent
        return found


FILTERS: dict[str, dict[str, Any]] = {
    "everything": {},
    "name": {"name": "AMBForest_rain 01.wav"},
    "beginning of a name": {"name": "AMBForest*"},
    "folder": {"folder": "AMB/Forest"},
    "repository": {"repository": "rare"},
    "minduration": {"minduration": 600.0},
    "maxduration": {"maxduration": 0.1},
    "sizes": {"minsize": 100_000, "maxsize": 110_000},
    "rare rate": {"samplerate": 8_000},
    "common rate": {"samplerate": 48_000},
    "channels": {"channels": 16},
    "bitdepth": {"bitdepth": 4},
    "format": {"format": "adpcm"},
    "tag": {"tags": ("rain",)},
    "uploaded_by": {"uploaded_by": "guest"},
    "created_after": {"created_after": "2019-04-01T00:00:00Z"},
    "word": {"query": parse("rain").tree},
    "rare word": {"query": parse("chikla").tree},
    "phrase": {"query": parse('"tin roof"').tree},
    "two words": {"query": parse("rain door").tree},
    "loudness": {"query": parse("loud<-50").tree},
    "word and filter": {"query": parse("rain rate:8k").tree},
}


@pytest.mark.parametrize("sort", ["created", "name"])
@pytest.mark.parametrize("asked", FILTERS)
def test_a_page_reads_no_whole_table(connection: Connection, asked: str, sort: str) -> None:
    with Plans(connection) as plans:
        search.find_page(connection, SoundFilter(**FILTERS[asked]), Order(sort), size=50)
    if (asked, sort) == ("everything", "created"):
        assert plans.sorts() == []  # the first rows of the table are the page
    else:
        assert plans.scans() == []


@pytest.mark.parametrize(
    "asked", ["name", "rare rate", "channels", "bitdepth", "format", "rare word", "word and filter"]
)
def test_what_is_rare_is_looked_up_one_by_one(connection: Connection, asked: str) -> None:
    with Plans(connection) as plans:
        search.find_page(connection, SoundFilter(**FILTERS[asked]), Order("duration"), size=50)
    assert plans.walks() == []


@pytest.mark.parametrize("asked", FILTERS)
def test_a_count_reads_no_whole_table(connection: Connection, asked: str) -> None:
    with Plans(connection) as plans:
        search.count(connection, SoundFilter(**FILTERS[asked]))
    assert plans.scans() == []


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize("sort", SORTS)
def test_a_page_deep_in_an_order_begins_in_its_index(
    connection: Connection, sort: str, descending: bool
) -> None:
    order = Order(sort, descending)
    row = connection.execute(
        select(order.column.label("value"), sounds.c.seq)
        .where(order.column.is_not(None))
        .order_by(sounds.c.seq.desc())
        .limit(1)
    ).one()
    with Plans(connection) as plans:
        search.find_page(
            connection, SoundFilter(), order, size=50, cursor=Cursor(order, row.value, row.seq)
        )
    assert plans.scans() == []
    assert plans.sorts() == []


def test_the_feed_and_a_sound_by_its_id_are_looked_up(connection: Connection) -> None:
    first = feed.read(connection, None, 1)
    some = connection.execute(select(sounds.c.id).limit(1)).scalar_one()
    with Plans(connection) as plans:
        feed.read(connection, first.cursor, 50)
        connection.execute(select(sounds.c.doc).where(sounds.c.id == some)).one()
    assert plans.scans() == []
