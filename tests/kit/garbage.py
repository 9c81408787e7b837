"""Damage to the files of a running program, as a failing disk does it."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def spoil(database: Path) -> None:
    """Fill an SQLite file with garbage, so that whoever has it open meets that at the next look."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        # A write makes the others forget what they hold in memory; the log of it must be empty.
        connection.execute("CREATE TABLE spoilt (fact)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with database.open("r+b") as file:
            file.write(b"\xa5" * database.stat().st_size)
