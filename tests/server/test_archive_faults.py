"""Archives when things break: a blob is damaged, either end is killed, time passes."""

from __future__ import annotations

import hashlib
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from sonoteca_server.catalog.filters import SoundFilter
from sonoteca_server.library import choices
from sonoteca_server.library.archives import ArchiveRequest, Archives
from sonoteca_server.storage import BlobDamagedError
from sonoteca_shared.errors import NotFoundError
from tests.kit import engines
from tests.kit.api import Api
from tests.kit.archives import Archiver, unpacked
from tests.kit.http import serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav, write_wav
from tests.server.test_upkeep import DAY, World, nothing, story, world
from tests.server.test_verify import blob_of

__all__ = ["world"]


def wav(seed: int) -> bytes:
    return build_wav(Plan(frames=200_000, seed=seed))


def upload(server: str, data: bytes, name: str) -> str:
    answer = requests.post(f"{server}/post?name={name}", data=data, timeout=20)
    made: str = answer.json()["id"]
    return made


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_zip_is_never_sent_as_whole_with_a_damaged_file(
    tmp_path: Path, claim_errors: Any, damage: str
) -> None:
    with serve(tmp_path) as server:
        sounds = [upload(server, wav(seed), f"{seed}.wav") for seed in (1, 2)]
        archiver = Archiver(server)
        archive = archiver.create(sounds=sounds)
        whole = archiver.fetch(archive).content
        blob = blob_of(tmp_path, wav(2))
        if damage == "gone":
            blob.unlink()
        else:
            blob.write_bytes(wav(2)[:1_000])
        with pytest.raises(requests.exceptions.RequestException):
            archiver.fetch(archive)
        # Who comes for the rest is told why there is none.
        start = len(wav(1)) + 100
        refused = archiver.fetch(archive, Range=f"bytes={start}-")
        assert refused.status_code == 500
        assert refused.json()["code"] == f"blob-{'missing' if damage == 'gone' else 'damaged'}"
        assert archiver.fetch(archive, Range="bytes=0-999").content == whole[:1_000]
        # The good file again mends it, and the tag is as it was.
        upload(server, wav(2), "2.wav")
        assert archiver.fetch(archive, Range=f"bytes={start}-").content == whole[start:]
    claim_errors(blob.name)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings of 20 MB."""
    folder = tmp_path_factory.mktemp("large")
    for seed in range(4):
        write_wav(folder / f"{seed}.wav", bits=24, frames=20_000_000 // 6, seed=seed)
    return sorted(folder.iterdir())


def test_curl_goes_on_after_a_kill_of_either_end(tmp_path: Path, large: list[Path]) -> None:
    curl = engines.require("curl")
    with server_process(tmp_path / "library") as server:
        sounds = [upload(server.url, path.read_bytes(), path.name) for path in large]
        archiver = Archiver(server.url)
        archive = archiver.create(sounds=sounds)
        size = int(requests.head(archiver.address(archive), timeout=10).headers["Content-Length"])
        part = tmp_path / "part.zip"
        command = [str(curl), "-sf", "-C", "-", "-o", str(part), archiver.address(archive)]
        slow = [*command, "--limit-rate", "20M"]

        def fetched(least: int) -> bool:
            return part.exists() and part.stat().st_size > least

        with subprocess.Popen(slow) as client:
            until(lambda: fetched(size // 8))
            client.kill()
        reached = part.stat().st_size
        assert reached < size
        with subprocess.Popen(slow) as client:
            until(lambda: fetched(reached + size // 8))
            server.kill()
            assert client.wait() != 0
        assert part.stat().st_size < size
        server.start()
        assert subprocess.run(command, check=False).returncode == 0
        whole = requests.get(archiver.address(archive), timeout=60).content
    assert hashlib.sha256(part.read_bytes()).digest() == hashlib.sha256(whole).digest()
    assert unpacked(whole) == {path.name: path.read_bytes() for path in large}


async def archive_of(world: World, *, expiry_s: float) -> tuple[Archives, str]:
    """An archive of all sounds."""
    archives = Archives(world.catalog, world.blobs, nothing, nothing, expiry_s=expiry_s)
    everything = partial(choices.by_query, wanted=SoundFilter())
    request = ArchiveRequest(choose=everything, origin="http://here", digest="")
    return archives, await archives.create(request)


@story
async def test_upkeep_keeps_what_an_archive_holds_until_it_expires(world: World) -> None:
    oid = await world.post()
    archives, archive = await archive_of(world, expiry_s=1_000 * DAY)
    await world.purge(oid)
    for _ in range(3):
        await world.later()
    assert (await world.rows(), len(world.listed())) == (1, 1)
    assert len(await archives.layout(archive)) == 1
    await world.run("UPDATE archives SET expires = 0")
    for _ in range(4):
        await world.later()
    assert (await world.rows(), len(world.listed())) == (0, 0)
    with pytest.raises(NotFoundError):
        await archives.find(archive)


@story
async def test_what_a_cancelled_archive_held_goes(world: World) -> None:
    oid = await world.post()
    archives, archive = await archive_of(world, expiry_s=1_000 * DAY)
    await world.purge(oid)
    await archives.cancel(archive)
    for _ in range(4):
        await world.later()
    assert (await world.rows(), len(world.listed())) == (0, 0)


@story
async def test_a_crc32_is_not_made_of_damaged_bytes(world: World) -> None:
    await world.post()
    archives, archive = await archive_of(world, expiry_s=DAY)
    await world.run("UPDATE objects SET crc32 = NULL")
    (key,) = world.listed()
    data = bytearray(world.blobs.path(key).read_bytes())
    data[-1] ^= 1
    world.blobs.path(key).chmod(0o600)
    world.blobs.path(key).write_bytes(data)
    with pytest.raises(BlobDamagedError):
        await archives.layout(archive)
    data[-1] ^= 1
    world.blobs.path(key).write_bytes(data)
    assert len(await archives.layout(archive)) == 1


def test_a_repository_that_an_archive_needs_stays(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        api = Api(server)
        sound = api.upload(1, repository="loans")
        archive = Archiver(server).create(sounds=[sound["id"]])
        api.delete(f"/sounds/{sound['id']}")
        api.delete(f"/trash/{sound['id']}")
        kept = api.delete("/repositories/loans")
        assert (kept.status_code, kept.json()["code"]) == (409, "not-empty")
        assert "archive" in kept.json()["detail"]
        path = f"{server}/data/loans/{sound['sha256']}"
        refused = requests.delete(path, timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (409, "object-in-use")
        requests.delete(f"{server}/api/archive/status/{archive}", timeout=10)
        assert api.delete("/repositories/loans").status_code == 204
