"""A process that fills an archive is killed: the next one goes on where the last promise was."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.kit.archiving import Archiving, Made
from tests.kit.jobs import World, in_world
from tests.kit.upstream import File, Upstream, Visit, upstream

DATABASES = ("sqlite", "postgresql")
SIZE = 40_000_000
KILLS = 2
PLACES = ("0", "1", "2")


class Unhurried(File):
    """A file that comes piece by piece, so that there is a middle to be killed in."""

    def __call__(self, visit: Visit) -> None:
        """Answer with what was asked for."""
        begin = visit.asked
        told = {"ETag": self.etag, "Content_Length": len(self.data) - begin}
        if begin:
            told["Content_Range"] = f"bytes {begin}-{len(self.data) - 1}/{len(self.data)}"
        visit.head(206 if begin else 200, **told)
        for at in range(begin, len(self.data), 1 << 18):
            if visit.pause(0.03):
                return
            visit.send(self.data[at : at + (1 << 18)])


@pytest.fixture
def remote() -> Iterator[Upstream]:
    with upstream() as server:
        yield server


@contextlib.contextmanager
def worker(database: str, folder: Path, remote: Upstream) -> Iterator[None]:
    """A process that fills archives; killed with the block."""
    command = [sys.executable, "-m", "tests.kit.archive_worker", database, str(folder)]
    with subprocess.Popen([*command, remote.place], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"working\n"
            yield
        finally:
            process.send_signal(signal.SIGKILL)


@pytest.mark.timeout(120)
def test_no_byte_that_was_promised_is_fetched_again(
    tmp_path: Path, database: str, remote: Upstream
) -> None:
    chance = random.Random(5)
    files = {place: Unhurried(chance.randbytes(SIZE)) for place in PLACES}
    urls = [remote.url(f"/{place}.wav", file) for place, file in files.items()]

    async def work(world: World) -> Made:
        archiving = Archiving(world, tmp_path, remote)
        archive = await archiving.order(urls)
        made = await archiving.find(archive)
        for _ in range(KILLS):
            before, seen = made, len(remote.visits)
            with worker(database, tmp_path, remote):
                await archiving.until(partial(_is_further, before), archive, patience_s=30.0)
            _check(remote.visits[seen:], before)
            made = await archiving.find(archive)
        seen = len(remote.visits)
        with worker(database, tmp_path, remote):
            await archiving.until(lambda made: made.state == "completed", archive, patience_s=30.0)
        _check(remote.visits[seen:], made)
        return await archiving.find(archive)

    made = in_world(database, tmp_path, work)
    assert made.files == {f"{place}.wav": file.data for place, file in files.items()}
    assert made.errors == []


def _is_further(before: Made, made: Made) -> bool:
    """Whether more is promised of one of the files than before."""
    return any(_offset(made, place) > _offset(before, place) for place in made.promised)


def _check(visits: list[Visit], before: Made) -> None:
    """Each file was asked for from exactly where its promise ended, and not when it was there."""
    begun = {visit.path[1]: visit.asked for visit in reversed(visits)}
    assert begun, "nothing was gone on with"
    assert begun == {place: _offset(before, place) for place in begun}
    assert not {f"{place}.wav" for place in begun} & before.files.keys()


def _offset(made: Made, place: str) -> int:
    return int(made.promised[place]["offset"]) if place in made.promised else 0
