"""`sonoteca-server` that leaves out an fsync: of bytes, folders or commits (SONOTECA_TEST_OMIT).

It shows that tests.faults.powercut would see a server that forgot one.
"""

from __future__ import annotations

import os
import stat
import sys

from sonoteca_server import __main__
from sonoteca_server.catalog import sqlite

fsync = os.fsync


def careless(fd: int) -> None:
    """Put what this is on the disk, unless it is to be left out."""
    is_folder = stat.S_ISDIR(os.fstat(fd).st_mode)
    if os.environ["SONOTECA_TEST_OMIT"] != ("folders" if is_folder else "bytes"):
        fsync(fd)


if __name__ == "__main__":
    vars(os)["fsync"] = careless
    if os.environ["SONOTECA_TEST_OMIT"] == "commits":
        vars(sqlite)["_PRAGMAS"] = (*sqlite._PRAGMAS, "PRAGMA synchronous=OFF")
    sys.exit(__main__.main())
