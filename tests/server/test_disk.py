"""What a full or damaged disk does, and in which order bytes reach it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from sonoteca_server.catalog import sqlite
from sonoteca_server.jobs import analysis, decoder
from sonoteca_server.storage import local
from sonoteca_server.storage.local import LocalBlobs, make_folder
from sonoteca_shared.errors import NoSpaceError
from tests.kit.http import serve
from tests.kit.small_disk import fill, small_disk
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav, write_wav


def wav(seed: int = 1, frames: int = 5_000) -> bytes:
    return build_wav(Plan(frames=frames, channels=1, seed=seed))


def post(server: str, data: Any, name: str = "a.wav") -> requests.Response:
    return requests.post(f"{server}/post", params={"name": name}, data=data, timeout=10)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def full(*_args: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_meanwhile_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tmp_path) as server:
        with monkeypatch.context() as patched:
            patched.setattr(os, "pwrite", full)
            answer = post(server, wav(frames=1_000_000))
        assert (answer.status_code, answer.json()["code"]) == (507, "no-space")
        assert post(server, wav()).status_code == 201
    assert files(tmp_path / "incoming") == []


@pytest.mark.parametrize("call", ["open", "fsync", "rename"])
def test_a_disk_that_is_full_at_any_step_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    blobs = LocalBlobs(tmp_path)
    part = blobs.begin()
    part.append(b"bytes")
    monkeypatch.setattr(Path if call == "rename" else os, call, full)
    with pytest.raises(NoSpaceError):
        _ = blobs.begin() if call == "open" else blobs.keep(part)


def test_an_upload_of_unknown_length_leaves_free_what_it_has_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def usage(_path: object) -> SimpleNamespace:
        taken = sum(path.stat().st_size for path in files(tmp_path / "incoming"))
        return SimpleNamespace(free=103_000_000 - taken)

    def pieces() -> Iterator[bytes]:
        data = wav(frames=2_000_000)
        for start in range(0, len(data), 100_000):
            yield data[start : start + 100_000]

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with serve(tmp_path, min_free_bytes=101_000_000) as server:
        assert post(server, pieces()).status_code == 507
        assert requests.get(f"{server}/list", timeout=10).json() == []
    assert files(tmp_path / "incoming") == []


def test_a_disk_that_fills_up_is_said_to_a_client_that_still_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def usage(_path: object) -> SimpleNamespace:
        asked.append(1)
        return SimpleNamespace(free=1 << 40 if len(asked) < 5 else 0)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with serve(tmp_path) as server:
        answer = post(server, bytes(50_000_000))
    assert (answer.status_code, answer.json()["code"]) == (507, "no-space")
    assert files(tmp_path / "incoming") == []


def test_a_catalogue_that_cannot_grow_keeps_no_bytes_without_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite.SqliteHome(tmp_path / "catalog.sqlite").create()
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as empty:
        [taken] = empty.execute("PRAGMA page_count").fetchone()
    pages = f"PRAGMA max_page_count={taken + 20}"
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, pages))
    with serve(tmp_path) as server:
        answers = [post(server, wav(seed), f"{'x' * 200} {seed}.wav") for seed in range(60)]
        statuses = {answer.status_code for answer in answers}
        names = requests.get(f"{server}/list", timeout=10).json()
    assert statuses == {201, 507}
    assert len(names) == [answer.status_code for answer in answers].count(201)
    whole = [path for path in files(tmp_path / "blobs") if path.stat().st_size == len(wav())]
    assert len(whole) == len(names)


def test_edits_on_a_full_disk_leave_room_to_delete(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", size=64 << 20) as disk,
        serve(disk / "library", min_free_bytes=1 << 20) as server,
    ):
        sounds = [post(server, wav(seed), f"{seed}.wav").json() for seed in range(3)]
        paths = [f"{server}/api/v1/sounds/{sound['id']}" for sound in sounds]
        until(lambda: all(map(has_peaks, paths)))
        fill(disk / "others")
        told = [edit(paths[number % 3], f"{number:05}" * 12_000) for number in range(100)]
        assert set(told) == {200, 507}
        assert told == sorted(told)
        assert {add(server) for add in (collect, edit_all, refer)} == {507}
        for path in paths:
            assert requests.delete(path, timeout=10).status_code == 204
            purged = requests.delete(path.replace("/sounds/", "/trash/"), timeout=10)
            assert purged.status_code == 204


def collect(server: str) -> int:
    made = requests.post(f"{server}/api/v1/collections", json={"name": "rain"}, timeout=10)
    return made.status_code


def edit_all(server: str) -> int:
    ids = [sound["id"] for sound in requests.get(f"{server}/info", timeout=10).json()]
    batch = {"ids": ids, "patch": {"rating": 3}}
    return requests.post(f"{server}/api/v1/sounds:batch", json=batch, timeout=10).status_code


def refer(server: str) -> int:
    [sound, *_] = requests.get(f"{server}/info", timeout=10).json()
    again = {"name": "again.wav", "sha256": sound["sha256"]}
    return requests.post(f"{server}/api/v1/sounds", json=again, timeout=10).status_code


def has_peaks(sound: str) -> bool:
    return requests.get(sound, timeout=10).json()["links"]["peaks"] is not None


def edit(sound: str, description: str) -> int:
    rev = requests.get(sound, timeout=10).headers["ETag"]
    headers = {"If-Match": rev, "Content-Type": "application/merge-patch+json"}
    patch = {"description": description}
    return requests.patch(sound, json=patch, headers=headers, timeout=10).status_code


def test_waveforms_come_when_there_is_room_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "_PAUSE_S", 0.01)
    tried = []
    store = analysis.Analysis._store

    async def no_room_at_first(self: analysis.Analysis, *args: Any) -> None:
        tried.append(1)
        if len(tried) < 4:
            raise NoSpaceError
        await store(self, *args)

    monkeypatch.setattr(analysis.Analysis, "_store", no_room_at_first)
    with serve(tmp_path) as server:
        post(server, wav())
        sound = until(
            lambda: [
                sound
                for sound in requests.get(f"{server}/info", timeout=10).json()
                if sound["links"]["peaks"]
            ]
        )[0]
    assert sound["findings"] == []
    assert len(tried) == 4


def test_a_row_that_makes_no_sense_does_not_hold_up_the_other_waveforms(
    tmp_path: Path, claim_errors: Any
) -> None:
    with serve(tmp_path) as server:
        post(server, wav(1), "good.wav")
        post(server, wav(2), "bad.wav")
        until(lambda: len(files(tmp_path / "blobs")) == 4)
    with sqlite3.connect(tmp_path / "catalog.sqlite") as connection:
        connection.execute("UPDATE objects SET peaks_state = 'pending', analysis = 0")
        connection.execute("UPDATE sounds SET doc = '{' WHERE name = 'bad.wav'")
        connection.execute("UPDATE sounds SET doc = replace(doc, '/peaks', '/x')")
    connection.close()
    with serve(tmp_path) as server:
        until(lambda: "/peaks" in requests.get(f"{server}/info?name=good.wav", timeout=10).text)
    claim_errors("no waveform")


def test_the_whole_of_many_wide_channels_is_never_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    preadv = os.preadv

    def spy(fd: int, rooms: list[memoryview], at: int) -> int:
        counts.append(sum(map(len, rooms)))
        return preadv(fd, rooms, at)

    path = write_wav(tmp_path / "a.wav", frames=4_000, channels=1024, bits=64, sound="silence")
    monkeypatch.setattr(os, "preadv", spy)
    decoder.analyse(path, tmp_path / "a.dat")
    assert 0 < max(counts) <= 16 << 20
    assert (tmp_path / "a.dat").stat().st_size == 24 + 16 * 1024 * 4


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_the_good_file_again_mends_every_sound_of_a_damaged_blob(
    tmp_path: Path, claim_errors: Any, damage: str
) -> None:
    with serve(tmp_path) as server:
        links = [post(server, wav(), name).json()["links"]["file"] for name in ("a.wav", "b.wav")]
        until(lambda: len(files(tmp_path / "blobs")) == 2)
        blob = next(p for p in files(tmp_path / "blobs") if p.stat().st_size == len(wav()))
        if damage == "gone":
            blob.unlink()
        else:
            os.truncate(blob, 100)
        assert requests.get(server + links[0], timeout=10).status_code == 500
        assert post(server, wav()).status_code == 200
        for link in links:
            assert requests.get(server + link, timeout=10).content == wav()
        assert len(files(tmp_path / "blobs")) == 2
    claim_errors("failed")


def test_bytes_then_names_are_on_the_disk_and_folders_above_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_sync(fd: int) -> None:
        path = Path(f"/proc/self/fd/{fd}").readlink()
        steps.append(f"sync {path.relative_to(tmp_path)}")
        fsync(fd)

    def noted_rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    make_folder(tmp_path / "new" / "library")
    blobs = LocalBlobs(tmp_path / "new" / "library")
    assert steps == ["sync .", "sync new", "sync new/library", "sync new/library"]

    part = blobs.begin()
    # Made by another thread, which may not have come to sync it.
    monkeypatch.setattr(local, "new_id", lambda: "key-00")
    (tmp_path / "new" / "library" / "blobs" / "00").mkdir()
    steps.clear()
    blobs.keep(part)
    here = "sync new/library"
    assert steps == [
        f"{here}/incoming/{part.path.name}",
        f"{here}/blobs",
        "rename",
        f"{here}/blobs/00",
    ]
