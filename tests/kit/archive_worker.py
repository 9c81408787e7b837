"""A worker for archives as a program of its own, to be killed: `DATABASE FOLDER ALLOW`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sonoteca_server.library.archives import KIND
from tests.kit.archiving import Archiving
from tests.kit.jobs import World, in_world

# A killed one keeps its jobs for so long.
LEASE_S = 2.0


async def work(world: World) -> None:
    """Fill archives until killed."""
    archiving = Archiving(world, Path(sys.argv[2]), allow=sys.argv[3])
    async with world.working({KIND: archiving.job.run}, lease_s=LEASE_S):
        sys.stdout.write("working\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    in_world(sys.argv[1], Path(sys.argv[2]), work)
