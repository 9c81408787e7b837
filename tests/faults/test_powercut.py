"""Power cuts on remembered disks, and servers that forget an fsync, which has to show."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.disk import MODELS, PAGE, Disk, File, Folder
from tests.faults.powercut import cut_again_and_again
from tests.kit import engines

CARELESS = "tests.faults.careless"


def run(work: Path, moments: int, seconds: float) -> None:
    engines.require("strace")
    seed = random.SystemRandom().getrandbits(32)
    cuts = cut_again_and_again(work, moments=moments, seed=seed, seconds=seconds)
    assert cuts.verdict.faults == [], cuts.table()
    assert cuts.moments == moments
    assert cuts.most > 0


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_five_power_cuts_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    run(tmp_path, 5, 3.0)


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_forty_power_cuts_lose_nothing_that_was_answered(tmp_path: Path) -> None:
    run(tmp_path, 40, 10.0)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("omitted", ["bytes", "folders", "commits"])
def test_a_server_that_forgets_an_fsync_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, omitted: str
) -> None:
    engines.require("strace")
    monkeypatch.setenv("SONOTECA_TEST_OMIT", omitted)
    cuts = cut_again_and_again(tmp_path, moments=3, seed=3, seconds=2.0, program=CARELESS)
    caplog.clear()  # the servers' own words about what they miss
    disks = {fault.partition(" ")[0] for fault in cuts.verdict.faults}
    # Names that are kept anyway need no fsync of their folder.
    assert disks == set(MODELS) - ({"names"} if omitted == "folders" else set())


def test_what_a_cut_leaves_of_a_file() -> None:
    file, chance = File(), random.Random(1)
    file.write(1, 0, b"a" * PAGE)
    file.write(2, PAGE, b"b" * PAGE)
    file.sync(2)
    assert file.left("strict", chance) == b"a" * PAGE
    left = {model: {file.left(model, chance) for _ in range(50)} for model in MODELS}
    assert left["names"] == {b"a" * PAGE, b"a" * PAGE + bytes(PAGE)}
    assert left["mixed"] == {*left["names"], b"a" * PAGE + b"b" * PAGE}
    file.resize(3, 10)
    file.sync(4)
    assert {file.left(model, chance) for model in MODELS} == {b"a" * 10}


def test_what_a_cut_leaves_of_a_folder(tmp_path: Path) -> None:
    disk, chance = Disk(tmp_path), random.Random(1)
    disk.name(1, f"{tmp_path}/old", File())
    disk.name(2, f"{tmp_path}/sub", Folder())
    top = disk.find(str(tmp_path))
    assert isinstance(top, Folder)
    top.sync(3)
    disk.name(4, f"{tmp_path}/sub/new", disk.find(f"{tmp_path}/old"))
    disk.name(5, f"{tmp_path}/old", None)

    def left(model: str) -> set[str]:
        target = tmp_path / model
        disk.cut(target, model, chance)
        return {str(path.relative_to(target)) for path in target.rglob("*")}

    assert left("strict") == {"old", "sub"}
    assert left("names") == {"sub", "sub/new"}
