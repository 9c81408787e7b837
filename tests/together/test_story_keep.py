"""What is kept on this computer comes by itself, follows the library, and plays without it."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from sonoteca_desktop.app import Desktop
from sonoteca_desktop.models.sounds import Column, Where
from sonoteca_desktop.sync.keeping import Pin
from sonoteca_desktop.sync.mirror import ALL, Scope
from sonoteca_desktop.transfers.queue import State
from sonoteca_desktop.views.commands import Command
from sonoteca_shared.models import Sound
from tests.kit.audio import CapturingOutputs
from tests.kit.desktop import cells, desktop, is_in, rows, wait_for
from tests.kit.http import serve, server_process
from tests.kit.wavs import Plan, build_wav

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


def post(server: str, name: str, *, seed: int, **arguments: str) -> bytes:
    """Upload a sound of a second from elsewhere; its bytes."""
    data = build_wav(Plan(frames=48_000, seed=seed))
    query = "&".join(f"{key}={value}" for key, value in ({"name": name} | arguments).items())
    requests.post(f"{server}/post?{query}", data=data, timeout=10).raise_for_status()
    return data


def named(client: Desktop, name: str) -> Sound:
    every = (client.sounds.sound(row) for row in range(client.sounds.rowCount()))
    return next(sound for sound in every if sound is not None and sound.name == name)


def select(client: Desktop, name: str) -> None:
    row = [one for _, one in rows(client)].index(name)
    client.window.library.table.select_row(row)


def is_kept(client: Desktop, *names: str) -> bool:
    present = {name for _, name in rows(client)}
    return present.issuperset(names) and all(
        client.sounds.where(named(client, name)) is Where.KEPT for name in names
    )


def search(qtbot: QtBot, client: Desktop, text: str, *expected: str) -> None:
    client.window.top.search.setText(text)
    wait_for(qtbot, lambda: sorted(name for _, name in rows(client)) == sorted(expected))


def kept_files(client: Desktop) -> list[bytes]:
    return [
        content
        for path in sorted(client.places.kept.iterdir())
        if (content := content_or_none(path)) is not None
    ]


def content_or_none(path: Path) -> bytes | None:
    """The bytes of a file, or None when it was freed since the folder was read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def test_a_kept_search_follows_the_library_and_plays_with_the_server_away(
    qtbot: QtBot, tmp_path: Path
) -> None:
    ears = CapturingOutputs()
    with server_process(tmp_path / "library") as server:
        sent = {"rain one.wav": post(server.url, "rain one.wav", seed=1)}
        post(server.url, "door.wav", seed=2)
        with desktop(qtbot, server.url, tmp_path / "client", output=ears) as client:
            window = client.window
            wait_for(qtbot, lambda: len(rows(client)) == 2)
            search(qtbot, client, "rain", "rain one.wav")
            window.commands[Command.KEEP_SEARCH].trigger()
            wait_for(qtbot, lambda: is_kept(client, "rain one.wav"))
            assert window.commands[Command.KEEP_SEARCH].text().startswith("Free")
            assert cells(client, Column.STATE) == ["Kept on this computer"]
            sent["rain two.wav"] = post(server.url, "rain two.wav", seed=3)
            wait_for(qtbot, lambda: is_kept(client, "rain one.wav", "rain two.wav"))
            server.kill()
            wait_for(qtbot, lambda: "cannot be reached" in window.top.server.toolTip())
        # And after a start without the server.
        with desktop(qtbot, server.url, tmp_path / "client", output=ears) as client:
            client.window.sidebar.choose(Scope("local"))
            wait_for(qtbot, lambda: sorted(name for _, name in rows(client)) == sorted(sent))
            for name, data in sent.items():
                ears.outputs.clear()
                select(client, name)
                wait_for(qtbot, lambda: ears.outputs and len(ears.last.captured) > 40_000)
                assert ears.last.captured[:40_000] in data


def test_what_is_freed_gives_its_room_back_and_nothing_else_goes(
    qtbot: QtBot, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        window = client.window
        data = post(server, "rain.wav", seed=1)
        other = post(server, "door.wav", seed=2)
        wait_for(qtbot, lambda: len(rows(client)) == 2)
        window.pinRequested.emit([Pin("search", "rain"), Pin("search", "repo:main")])
        wait_for(qtbot, lambda: is_kept(client, "rain.wav", "door.wav"))
        window.downloadRequested.emit([named(client, "rain.wav")], downloads)
        wait_for(qtbot, lambda: (downloads / "rain.wav").exists())
        # One of two that keep it goes: it stays.
        window.freeRequested.emit([Pin("search", "repo:main")], [])
        wait_for(qtbot, lambda: kept_files(client) == [data])
        wait_for(qtbot, lambda: client.sounds.where(named(client, "door.wav")) is Where.CLOUD)
        window.freeRequested.emit([Pin("search", "rain")], [])
        wait_for(qtbot, lambda: kept_files(client) == [])
        wait_for(qtbot, lambda: client.sounds.where(named(client, "rain.wav")) is Where.LOCAL)
        assert (downloads / "rain.wav").read_bytes() == data
        assert other not in kept_files(client)


def test_a_sound_is_kept_and_freed_by_its_menu(qtbot: QtBot, tmp_path: Path) -> None:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        keep = client.window.commands[Command.KEEP]
        data = post(server, "rain.wav", seed=1)
        wait_for(qtbot, lambda: rows(client))
        select(client, "rain.wav")
        assert keep.text() == "Keep on this computer"
        keep.trigger()
        wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
        assert kept_files(client) == [data]
        search(qtbot, client, "-is:pinned")
        search(qtbot, client, "is:pinned", "rain.wav")
        select(client, "rain.wav")
        assert keep.text() == "Free from this computer"
        keep.trigger()
        wait_for(qtbot, lambda: not rows(client))
        assert kept_files(client) == []


def test_a_kept_sound_follows_its_revisions_and_what_matches_no_more_stays(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        post(server, "rain.wav", seed=1)
        wait_for(qtbot, lambda: rows(client))
        sound = named(client, "rain.wav")
        client.window.pinRequested.emit([Pin("search", "name:rain")])
        wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
        newer = post(server, "rain.wav", seed=2, on_conflict="version")
        wait_for(qtbot, lambda: kept_files(client) == [newer])
        path = f"{server}/api/v1/sounds/{sound.id}"
        present = requests.get(path, timeout=10).headers["ETag"]
        headers = {"If-Match": present, "Content-Type": "application/merge-patch+json"}
        requests.patch(path, data=b'{"name":"wind.wav"}', headers=headers, timeout=10)
        wait_for(qtbot, lambda: rows(client) == [("", "wind.wav")])
        qtbot.wait(500)  # nothing happens, and that takes its time
        assert kept_files(client) == [newer]
        select(client, "wind.wav")
        client.window.commands[Command.KEEP].trigger()
        wait_for(qtbot, lambda: kept_files(client) == [])


def test_what_a_search_keeps_cannot_be_freed_alone_and_that_is_said(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        data = post(server, "rain.wav", seed=1)
        wait_for(qtbot, lambda: rows(client))
        client.window.pinRequested.emit([Pin("search", "rain")])
        wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
        select(client, "rain.wav")
        client.window.commands[Command.KEEP].trigger()
        notice = client.window.library.notice
        wait_for(qtbot, lambda: notice.isVisible() and "stays" in notice.accessibleName())
        assert kept_files(client) == [data]


def test_what_is_kept_waits_for_what_somebody_waits_for(qtbot: QtBot, tmp_path: Path) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        for seed in range(6):
            post(server, f"{seed}.wav", seed=seed)
        wait_for(qtbot, lambda: len(rows(client)) == 6)
        client.queue.set_limit(20_000)
        client.window.pinRequested.emit([Pin("search", "repo:main")])
        wait_for(qtbot, lambda: len(client.queue.snapshot()) == 6)
        client.window.downloadRequested.emit([named(client, "5.wav")], downloads)
        wait_for(qtbot, lambda: is_in(client, "5.wav", State.RUNNING))
        client.queue.set_limit(None)
        wait_for(qtbot, lambda: is_kept(client, *(f"{seed}.wav" for seed in range(6))))
        # All of it is shown in one place, and nowhere else twice.
        client.window.sidebar.choose(Scope("local"))
        wait_for(qtbot, lambda: len(rows(client)) == 6)
        client.window.sidebar.choose(ALL)


def test_a_kept_sound_is_copied_not_fetched_when_it_is_downloaded(
    qtbot: QtBot, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    with server_process(tmp_path / "library") as server:
        data = post(server.url, "rain.wav", seed=1)
        with desktop(qtbot, server.url, tmp_path / "c", output=CapturingOutputs()) as client:
            wait_for(qtbot, lambda: rows(client))
            client.window.pinRequested.emit([Pin("search", "rain")])
            wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
            server.kill()
            client.window.downloadRequested.emit([named(client, "rain.wav")], downloads)
            wait_for(qtbot, lambda: (downloads / "rain.wav").exists())
            assert (downloads / "rain.wav").read_bytes() == data


def test_a_file_that_cannot_be_removed_is_told_once_and_holds_nothing_up(
    qtbot: QtBot, tmp_path: Path
) -> None:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        post(server, "rain.wav", seed=1)
        post(server, "door.wav", seed=2)
        wait_for(qtbot, lambda: len(rows(client)) == 2)
        client.window.pinRequested.emit([Pin("search", "rain")])
        wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
        [file] = client.places.kept.iterdir()
        file.unlink()
        file.mkdir()  # as a file system that refuses
        told: list[str] = []
        client.bridge.told.connect(told.append)
        client.window.freeRequested.emit([Pin("search", "rain")], [])
        client.window.pinRequested.emit([Pin("search", "door")])
        wait_for(qtbot, lambda: is_kept(client, "door.wav"))
        assert len(told) == 1
        assert str(file) in told[0]
        file.rmdir()
        client.keeper.look()
        wait_for(qtbot, lambda: not client.sounds.is_pinned(named(client, "rain.wav")))


def test_a_kept_file_that_somebody_removed_comes_again(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    with (
        serve(tmp_path / "library") as server,
        desktop(qtbot, server, tmp_path / "client", output=CapturingOutputs()) as client,
    ):
        data = post(server, "rain.wav", seed=1)
        wait_for(qtbot, lambda: rows(client))
        client.window.pinRequested.emit([Pin("search", "rain")])
        wait_for(qtbot, lambda: is_kept(client, "rain.wav"))
        [file] = client.places.kept.iterdir()
        file.unlink()
        # As when the file manager, in which it was removed, has been left.
        qapp.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)
        wait_for(qtbot, lambda: file.exists() and file.read_bytes() == data)
