"""push, pull and list from a shell: the real program, a real server, and lines that break."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.faults import FaultyServer, faulty_server
from tests.kit.http import ServerProcess, server_process
from tests.kit.shell import Shell
from tests.kit.small_disk import small_disk
from tests.kit.throttle import Line, line
from tests.kit.wait import until
from tests.kit.wavs import write_broken, write_wav

MEGABYTE = 1 << 20
LONG = 32 * MEGABYTE
SLOW = 4 * MEGABYTE
TWICE_AT_MOST = 12 * MEGABYTE
"""Of one interruption: what is not durable yet, and what lies in sockets."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(tmp_path / "library", log=tmp_path / "server.log") as server:
        yield server


@pytest.fixture
def shell(server: ServerProcess, tmp_path: Path) -> Shell:
    return Shell(server.url, tmp_path / "home")


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Line]:
    with line(server.url) as wire:
        yield wire


@pytest.fixture
def slow_shell(wire: Line, tmp_path: Path) -> Shell:
    """A shell whose bytes are counted on their way."""
    return Shell(wire.url, tmp_path / "home")


@pytest.fixture
def files() -> Iterator[FaultyServer]:
    """A server of files that is not ours, and misbehaves on demand."""
    with faulty_server() as server:
        yield server


def long_file(path: Path) -> Path:
    return write_wav(path, frames=LONG // 4, channels=2, bits=16)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def interrupt(program: subprocess.Popen[str], number: int) -> tuple[int, str]:
    os.kill(program.pid, number)
    told = program.communicate(timeout=20)[1]
    return program.returncode, told


def test_a_folder_is_pushed_listed_and_pulled_elsewhere(shell: Shell, tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    for number, name in enumerate(("door.wav", "rain/roof.wav", "rain/läuft/日本.wav")):
        write_wav(recordings / name, seconds=0.2 + number, seed=number)
    (recordings / "notes.txt").write_text("not a sound")

    pushed = shell.run("push", "--folder", "field", recordings)
    assert pushed.returncode == 0, pushed.stderr
    assert "field/recordings/door.wav  38 KB  sent" in pushed.stdout
    assert pushed.stderr == "sonoteca: 1 file that is no WAV was left out.\n"

    listed = shell.run("list", "roof")
    assert listed.stdout == "roof.wav  field/recordings/rain      0:01.2  48 kHz · 16\n"
    found = [json.loads(each) for each in shell.run("list", "--json").stdout.splitlines()]
    assert {each["name"] for each in found} == {"door.wav", "roof.wav", "日本.wav"}

    pulled = shell.run("pull", "", "--to", tmp_path / "copy")
    assert pulled.returncode == 0, pulled.stderr
    (recordings / "notes.txt").unlink()
    assert tree(tmp_path / "copy" / "field" / "recordings") == tree(recordings)
    assert list((tmp_path / "home" / "errands").iterdir()) == []


def test_what_is_there_is_neither_sent_nor_fetched_again(
    slow_shell: Shell, wire: Line, tmp_path: Path
) -> None:
    recording = long_file(tmp_path / "long.wav")
    copies = tmp_path / "copies"
    assert slow_shell.run("push", recording).returncode == 0
    assert slow_shell.run("pull", "long", "--to", copies).returncode == 0
    asked, sent = wire.asked, wire.sent
    again = slow_shell.run("push", recording), slow_shell.run("pull", "long", "--to", copies)
    assert [each.returncode for each in again] == [0, 0]
    assert all("1 already there" in each.stdout for each in again)
    assert wire.asked - asked < MEGABYTE
    assert wire.sent - sent < MEGABYTE
    assert list(tree(copies)) == ["long.wav"]


def test_a_file_of_the_users_is_not_overwritten(shell: Shell, tmp_path: Path) -> None:
    recording = write_wav(tmp_path / "take1.wav")
    shell.run("push", recording)
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "take1.wav").write_text("mine")
    pulled = shell.run("pull", "take1", "--to", tmp_path / "sounds", "--json")
    assert json.loads(pulled.stdout)["note"] == "saved as take1 (2).wav"
    kept = {"take1.wav": b"mine", "take1 (2).wav": recording.read_bytes()}
    assert tree(tmp_path / "sounds") == kept


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_pull_goes_on_where_it_stopped(
    slow_shell: Shell, wire: Line, tmp_path: Path, number: signal.Signals
) -> None:
    recording = long_file(tmp_path / "long.wav")
    assert slow_shell.run("push", recording).returncode == 0
    wire.limit(SLOW)
    before = wire.sent
    pull = ("pull", "long", "--to", tmp_path / "copies")
    with slow_shell.start(*pull) as first:
        until(lambda: wire.sent - before > LONG // 4)
        code, told = interrupt(first, number)
    if number == signal.SIGINT:
        assert code == 130
        assert told == "sonoteca: stopped. The same command goes on where it stopped.\n"
    assert "long.wav" not in tree(tmp_path / "copies")
    wire.limit(None)
    second = slow_shell.run(*pull)
    assert second.returncode == 0, second.stderr
    assert tree(tmp_path / "copies") == {"long.wav": recording.read_bytes()}
    assert wire.sent - before < LONG + TWICE_AT_MOST


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_push_goes_on_where_it_stopped(
    slow_shell: Shell, wire: Line, tmp_path: Path, number: signal.Signals
) -> None:
    recording = long_file(tmp_path / "long.wav")
    push = ("push", recording, "--limit", "4M")
    with slow_shell.start(*push) as first:
        until(lambda: wire.asked > LONG // 4)
        code, _ = interrupt(first, number)
        assert code in (130, -signal.SIGKILL)
    second = slow_shell.run("push", recording, "--limit", "40M")
    assert second.returncode == 0, second.stderr
    assert "long.wav  34 MB  sent" in second.stdout
    assert wire.asked < LONG + TWICE_AT_MOST
    slow_shell.run("pull", "", "--to", tmp_path / "copies")
    assert tree(tmp_path / "copies") == {"long.wav": recording.read_bytes()}


def test_the_same_command_twice_at_once_is_refused(
    slow_shell: Shell, wire: Line, tmp_path: Path
) -> None:
    push = ("push", long_file(tmp_path / "long.wav"), "--limit", "4M")
    with slow_shell.start(*push) as first:
        until(lambda: wire.asked > MEGABYTE)
        second = slow_shell.run(*push)
        interrupt(first, signal.SIGINT)
    assert second.returncode == 1
    assert second.stderr.startswith("sonoteca: Another Sonoteca is using the list of transfers")


def test_each_file_that_fails_is_told_and_the_others_go_through(
    shell: Shell, tmp_path: Path
) -> None:
    folder = tmp_path / "recordings"
    write_wav(folder / "good.wav")
    write_broken(folder / "text.wav", "text")
    (folder / "empty.wav").touch()
    pushed = shell.run("push", folder, tmp_path / "nowhere.wav")
    assert pushed.returncode == 1
    told = {each.partition(": ")[2].partition(": ")[0]: each for each in pushed.stderr.splitlines()}
    assert set(told) == {str(tmp_path / "nowhere.wav"), *map(str, folder.glob("[te]*.wav"))}
    assert "there is no such file" in told[str(tmp_path / "nowhere.wav")]
    assert told[str(folder / "text.wav")].endswith(
        ". Nothing of it was added. Put a WAV file there, saved as such in an editor, then try "
        "again."
    )
    assert "the same command" not in pushed.stderr.lower()
    assert (
        "The file is empty. Nothing of it was added. Put a good" in told[str(folder / "empty.wav")]
    )
    assert json.loads(shell.run("list", "--json").stdout)["name"] == "good.wav"


def test_a_folder_that_may_not_be_made_ends_a_pull_in_words(shell: Shell, tmp_path: Path) -> None:
    shell.run("push", write_wav(tmp_path / "take1.wav"))
    (tmp_path / "taken").write_text("a file")
    pulled = shell.run("pull", "", "--to", tmp_path / "taken")
    assert pulled.returncode == 1
    assert pulled.stderr == f"sonoteca: {tmp_path / 'taken'}: File exists. Name another folder\n"


def test_a_server_that_stays_away_ends_a_push_and_the_next_one_goes_on(
    server: ServerProcess, slow_shell: Shell, wire: Line, tmp_path: Path
) -> None:
    recording, text = long_file(tmp_path / "long.wav"), write_broken(tmp_path / "text.wav", "text")
    push = ("push", recording, text, "--limit", "4M", "--patience", "2")
    with slow_shell.start(*push) as first:
        until(lambda: wire.asked > LONG // 2)
        server.kill()
        refused, away = first.communicate(timeout=30)[1].splitlines()
        assert first.returncode == 1
    assert refused.startswith(f"sonoteca: {text}: This is not a WAV")
    reason = "The server cannot be reached. The same command goes on where it stopped."
    assert away == f"sonoteca: {recording}: {reason}"
    server.start()
    assert "long.wav  34 MB  sent" in slow_shell.run(*push).stdout
    assert wire.asked < LONG + TWICE_AT_MOST


def test_a_disk_without_room_ends_a_pull_in_words(shell: Shell, tmp_path: Path) -> None:
    shell.run("push", write_wav(tmp_path / "take1.wav"))
    with small_disk(tmp_path / "small", size=20 * MEGABYTE) as disk:
        pulled = shell.run("pull", "", "--to", disk)
    assert pulled.returncode == 1
    assert "Not enough room in" in pulled.stderr
    assert "are always left free. When that is mended, the same command goes on." in pulled.stderr


def test_parts_of_a_query_that_make_no_sense_are_told(shell: Shell, tmp_path: Path) -> None:
    shell.run("push", write_wav(tmp_path / "take1.wav"))
    listed = shell.run("list", "take1 dur<x")
    assert (listed.returncode, listed.stdout.split()[0]) == (0, "take1.wav")
    assert "left out of the query, for it makes no sense: “dur<x”" in listed.stderr
    pulled = shell.run("pull", "dur<x", "--to", tmp_path / "copies")
    assert pulled.returncode == 1  # it would mean the whole library
    assert not (tmp_path / "copies").exists()


def test_columns_fit_the_terminal_and_bars_are_drawn(shell: Shell, tmp_path: Path) -> None:
    name = "日本の庭の雨がとても長い間降り続けているところの録音.wav"
    seen = shell.run_on_terminal(
        "push", write_wav(tmp_path / name), "--folder", "x" * 50, columns=90
    )
    assert "0 of 1 files " in seen
    assert "━━" in seen
    assert "1 sent" in seen
    [row] = shell.run_on_terminal("list").splitlines()
    assert "…" in row
    assert sum(2 if ord(each) > 0x2E80 else 1 for each in row) <= 60
    assert row.endswith("48 kHz · 16")


def test_a_name_is_no_command_to_the_terminal(shell: Shell, tmp_path: Path) -> None:
    pushed = shell.run("push", write_broken(tmp_path / "a\x1b[2J\u202eb.wav", "text"))
    assert pushed.returncode == 1
    assert "a\ufffd[2J\ufffdb.wav: This is not a WAV" in pushed.stderr


@pytest.mark.parametrize("words", [("push", "."), ("pull", "", "--to", "."), ("list",)])
def test_a_server_that_is_away_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = Shell("http://127.0.0.1:1", tmp_path / "home").run(*words)
    assert ended.returncode == 1
    sentence = "The server at http://127.0.0.1:1 cannot be reached: nothing answers there"
    assert [each for each in ended.stderr.splitlines() if "left out" not in each] == [
        f"sonoteca: {sentence}"
    ]


@pytest.mark.parametrize(
    "words",
    [("pull",), ("push",), ("pull", "x", "--to", ".", "--limit", "fast"),
     ("pull", "http://127.0.0.1:1/x", "--to", "x"), ("list", "--nonsense"),
     ("list", "--server", "nonsense", "x"), ("list", "--server", "http://a:b", "x")],
)  # fmt: skip
def test_wrong_usage_is_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = Shell("http://127.0.0.1:1", tmp_path).run(*words)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["push", "pull", "list"])
def test_help_has_an_example(tmp_path: Path, command: str) -> None:
    shown = Shell("http://127.0.0.1:1", tmp_path).run(command, "--help")
    assert shown.returncode == 0
    assert f"example: sonoteca {command} " in shown.stdout


def test_commands_load_no_window() -> None:
    code = "import sys, sonoteca_desktop.shell.commands; print('PySide6' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def fetch(files: FaultyServer, data: bytes, **given: str | int) -> tuple[str | Path, ...]:
    """The words by which a program asks for a file of this content."""
    url = files.url + files.add(data, "a.wav").links.file
    sha256 = given.get("sha256", hashlib.sha256(data).hexdigest())
    return ("pull", url, "--sha256", str(sha256), "--size", str(len(data)))


def test_a_url_becomes_a_whole_file_though_the_line_breaks(
    files: FaultyServer, tmp_path: Path
) -> None:
    data = random.Random(1).randbytes(LONG)
    files.pace = 0.002
    shell, words = Shell("", tmp_path / "home"), (*fetch(files, data), "--to", tmp_path / "x.bin")
    with shell.start(*words) as first:
        until(lambda: files.sent > LONG // 2)
        interrupt(first, signal.SIGKILL)
    assert not (tmp_path / "x.bin").exists()
    files.pace = 0.0
    assert shell.run(*words).returncode == 0
    assert (tmp_path / "x.bin").read_bytes() == data
    assert files.sent < LONG + TWICE_AT_MOST
    assert "Range" in files.downloads()[-1].headers


def test_a_url_with_other_bytes_becomes_no_file(files: FaultyServer, tmp_path: Path) -> None:
    words = fetch(files, b"these bytes", sha256="0" * 64)
    ended = Shell("", tmp_path / "home").run(*words, "--to", tmp_path / "x.bin")
    assert ended.returncode == 1
    assert f"{tmp_path / 'x.bin'}: What arrived is not the file" in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


def test_a_url_never_becomes_another_file_than_was_named(
    files: FaultyServer, tmp_path: Path
) -> None:
    (tmp_path / "x.bin").write_text("mine")
    ended = Shell("", tmp_path / "home").run(*fetch(files, b"data"), "--to", tmp_path / "x.bin")
    assert ended.returncode == 1
    assert "another file has that name" in ended.stderr
    assert (tmp_path / "x.bin").read_text() == "mine"
