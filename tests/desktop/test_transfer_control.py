"""A pause in the middle of a block: the worker has ended before it asks for the next one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.download import Download, Wanted
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_shared import digests
from tests.kit.faults import faulty_server

DATA = random.Random(7).randbytes(3_000_000)


def test_the_block_in_hand_is_the_last(tmp_path: Path) -> None:
    seen: list[int] = []
    kept: list[int] = []

    def progressed(position: int) -> None:
        seen.append(position)
        control.stop()

    control = Control(
        Bandwidth(10_000_000),  # in portions of 1/20 s
        progressed=progressed,
        committed=lambda _: None,
        stepping=lambda _: True,
    )
    with faulty_server() as server:
        sound = server.add(DATA, "a.wav")
        wanted = Wanted(
            url=sound.links.file,
            size=sound.size,
            etag=digests.etag(sound.sha256),
            sha256=sound.sha256,
            path=tmp_path / "a.wav",
            part=tmp_path / "a.wav.part",
        )
        client = Client(server.url)
        begun = Segments.begin(sound.size)
        with pytest.raises(StoppedError):
            Download(
                client, wanted, begun, control, remember=lambda now: kept.append(now.safe)
            ).run()
        client.close()
    assert len(seen) == 1
    assert kept == seen  # what had come is safe
    assert 0 < seen[0] <= 500_000
