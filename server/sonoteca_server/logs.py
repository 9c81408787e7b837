"""The log: one JSON object a line on stderr, whatever names and paths are in it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

_LONGEST = 2_000


class JsonLines(logging.Formatter):
    """A record as one line of plain ASCII, so that no name can forge a line or move a cursor.

    What a record brings along as `facts` are members of the object.
    """

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
        }
        for name, fact in getattr(record, "facts", {}).items():
            told[name] = fact[:_LONGEST] if isinstance(fact, str) else fact
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told)


def to_stderr(*, quiet: bool = False) -> None:
    """Log there from now on: what went wrong, and every request too unless a person reads it.

    That is so on a terminal, and where it is to be `quiet`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    level = logging.WARNING if quiet or sys.stderr.isatty() else logging.INFO
    # What no line tells need not be found out for each of them
    # (https://docs.python.org/3/howto/logging.html#optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells how, not what
    logging.captureWarnings(capture=True)
