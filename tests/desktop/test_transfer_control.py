"""A pause ends the worker, whether it takes a block or waits for the server just then."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import connection as sockets

from sonoteca_desktop.client import Client
from sonoteca_desktop.transfers.bandwidth import Bandwidth
from sonoteca_desktop.transfers.control import Control, StoppedError
from sonoteca_desktop.transfers.download import Download, Wanted
from sonoteca_desktop.transfers.making import Making, Order
from sonoteca_desktop.transfers.segments import Segments
from sonoteca_shared import digests
from tests.kit.faults import Handler, faulty_server

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


def test_a_stop_while_the_line_is_made_takes_when_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And not when the server, which says nothing, is given up: after half an hour."""
    connecting, go_on = threading.Event(), threading.Event()
    connect = sockets.create_connection

    def slowly(*args: Any, **options: Any) -> object:
        connecting.set()
        go_on.wait(15)
        return connect(*args, **options)

    def say_nothing(handler: Handler) -> None:
        handler.server.released.wait(60)

    control = Control(
        Bandwidth(),
        progressed=lambda _: None,
        committed=lambda _: None,
        stepping=lambda _: True,
    )
    ended: list[str] = []

    def look(client: Client, url: str) -> None:
        with pytest.raises(StoppedError):
            Making(client, Order("", "", url), control, lambda _: None).run()
        server.script.clear()
        # What is asked after that is none of what was stopped.
        ended.append(client.request("GET", url).headers["ETag"])

    with faulty_server() as server:
        sound = server.add(DATA, "a.wav")
        server.script.append(say_nothing)
        client = Client(server.url)
        monkeypatch.setattr(sockets, "create_connection", slowly)
        thread = threading.Thread(target=look, args=(client, sound.links.file))
        thread.start()
        assert connecting.wait(15)
        control.stop()
        go_on.set()
        thread.join(10)
        assert ended == [digests.etag(sound.sha256)]
        server.released.set()
        thread.join()
        client.close()
