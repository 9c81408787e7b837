"""`sonoteca-server` with an impatient upkeep: what nobody refers to goes after seconds, not days.

    .venv/bin/python -m tests.faults.server serve --data FOLDER --port 0

So upkeep works in the middle of the load, and what it must not take is at risk as it never is.
"""

from __future__ import annotations

import sys
from functools import partial

from sonoteca_server import __main__, app
from sonoteca_server.jobs.upkeep import Upkeep

GRACE_S = 3.0
EVERY_S = 0.2

if __name__ == "__main__":
    vars(app)["Upkeep"] = partial(Upkeep, grace_s=GRACE_S, every_s=EVERY_S)
    sys.exit(__main__.main())
