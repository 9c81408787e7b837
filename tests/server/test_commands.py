"""sonoteca-server from a shell: serve, db, settings; and what a crash leaves."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from sonoteca_server.__main__ import main
from sonoteca_server.settings import SettingsError, load
from tests.kit.http import ServerProcess, serve, server_process
from tests.kit.wait import until
from tests.kit.wavs import Plan, build_wav


@dataclass(frozen=True)
class Done:
    """A command that was run."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str) -> Done:
    """Run a command as the shell would, but in this process, which is much quicker."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([*words])
    return Done(code, out.getvalue(), err.getvalue())


def test_serve_prints_its_address_and_stops_when_asked(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    assert requests.get(f"{server.url}/healthz", timeout=10).status_code == 200
    assert server.stop() == 0


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    with server_process(tmp_path) as server:
        acknowledged: list[str] = []

        def upload() -> None:
            for seed in range(1000):
                data = build_wav(Plan(frames=2_000, seed=seed))
                try:
                    answer = requests.post(
                        f"{server.url}/post", params={"name": f"{seed}.wav"}, data=data, timeout=10
                    )
                except requests.ConnectionError:
                    return
                acknowledged.append(answer.json()["links"]["file"])
                if len(acknowledged) == 20:
                    ready.set()

        ready = threading.Event()
        thread = threading.Thread(target=upload)
        thread.start()
        assert ready.wait(10)
        server.kill()
        thread.join()
        server.start()
        assert len(acknowledged) >= 20
        for path in acknowledged:
            assert requests.get(server.url + path, timeout=10).status_code == 200
        sounds = requests.get(f"{server.url}/info", timeout=10).json()
        for sound in sounds:
            got = requests.get(server.url + sound["links"]["file"], timeout=10)
            assert len(got.content) == sound["size"]
        # What the kill cut is swept; at most the waveform that is being computed comes and goes.
        until(lambda: not list((tmp_path / "incoming").iterdir()))


def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    with serve(tmp_path):
        second = run("serve", "--data", str(tmp_path), "--port", "0")
    assert second.returncode == 1
    assert "another server" in second.stderr
    assert "Traceback" not in second.stderr


def test_recordings_without_their_catalogue_are_not_hidden(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        requests.post(f"{server}/post", data=build_wav(), timeout=10)
    for file in tmp_path.glob("catalog.sqlite*"):
        file.unlink()
    refused = run("serve", "--data", str(tmp_path), "--port", "0")
    assert refused.returncode == 1
    assert "backup" in refused.stderr


def test_a_damaged_catalogue_stops_the_start(tmp_path: Path) -> None:
    assert run("db", "create", "--data", str(tmp_path)).returncode == 0
    (tmp_path / "catalog.sqlite").write_bytes(b"no database" * 1000)
    refused = run("serve", "--data", str(tmp_path), "--port", "0")
    assert refused.returncode == 1
    assert "catalog.sqlite" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_taken_port_is_named_with_the_way_out(tmp_path: Path) -> None:
    with serve(tmp_path / "one") as server:
        port = server.rpartition(":")[2]
        words = ["serve", "--data", str(tmp_path / "two"), "--port", port]
        command = [sys.executable, "-m", "sonoteca_server", *words]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=15)
    assert refused.returncode == 1
    assert port in refused.stderr
    assert "--port" in refused.stderr
    assert not (tmp_path / "two").exists()


def test_open_access_off_loopback_must_be_said(tmp_path: Path) -> None:
    refused = run("serve", "--data", str(tmp_path), "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1
    assert "--access open" in refused.stderr


def test_create_destroy_and_reset(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "library"))
    assert run("db", "create", *data).returncode == 0
    assert run("db", "create", *data).returncode == 1
    with serve(tmp_path / "library") as server:
        requests.post(f"{server}/post", data=build_wav(), timeout=10)
        assert run("db", "reset", "--yes", *data).returncode == 1
    unsure = run("db", "reset", *data)
    assert (unsure.returncode, "--yes" in unsure.stderr) == (1, True)
    assert run("db", "reset", "--yes", *data).returncode == 0
    with serve(tmp_path / "library") as server:
        assert requests.get(f"{server}/list", timeout=10).json() == []
    assert run("db", "destroy", "--yes", *data).returncode == 0
    assert not list((tmp_path / "library").glob("catalog*"))
    assert run("db", "destroy", "--yes", *data).returncode == 1


def test_a_catalogue_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    assert run("db", "create", "--data", str(tmp_path)).returncode == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    refused = run("serve", "--data", str(tmp_path), "--port", "0")
    assert (refused.returncode, "newer" in refused.stderr) == (1, True)


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    for folder in (tmp_path, tmp_path / "blobs"):
        refused = run("serve", "--data", str(folder), "--port", "0")
        assert (refused.returncode, str(folder) in refused.stderr) == (1, True)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("a file")
    refused = run("serve", "--data", str(tmp_path / "a.wav"), "--port", "0")
    assert refused.returncode == 1
    assert f"{tmp_path / 'a.wav'} is a file, not a folder" in refused.stderr


def test_a_quiet_server_logs_no_requests(tmp_path: Path) -> None:
    for flags in ((), ("--quiet",)):
        log = tmp_path / f"log{len(flags)}"
        with server_process(tmp_path / "library", *flags, log=log) as server:
            requests.get(f"{server.url}/list", timeout=10)
            assert server.stop() == 0
    assert "/list" in (tmp_path / "log0").read_text()
    assert (tmp_path / "log1").read_text() == ""


@pytest.mark.parametrize("name", ["a?b#c", "a%20b", "ä b;c=d&e"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    assert run("db", "create", "--data", str(tmp_path / name)).returncode == 0
    assert (tmp_path / name / "catalog.sqlite").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_running_upload_may_finish_while_nothing_new_is_begun(tmp_path: Path) -> None:
    with server_process(tmp_path) as server, requests.Session() as other:
        assert other.get(f"{server.url}/list", timeout=10).json() == []
        address, data = ("127.0.0.1", int(server.url.rpartition(":")[2])), build_wav()
        with socket.create_connection(address, timeout=10) as line:
            head = f"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}"
            line.sendall(f"{head}\r\n\r\n".encode() + data[:1000])
            until(lambda: list((tmp_path / "incoming").iterdir()))
            os.kill(server.pid, signal.SIGTERM)
            until(lambda: not answers(address))
            late = other.get(f"{server.url}/list", timeout=10)
            assert (late.status_code, late.json()["code"]) == (503, "stopping")
            line.sendall(data[1000:])
            assert line.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert server.wait() == 0
        server.start()
        assert len(requests.get(f"{server.url}/list", timeout=10).json()) == 1


def answers(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=10).close()
    except ConnectionRefusedError:
        return False
    return True


def test_ctrl_c_leaves_the_decoder_to_its_parent() -> None:
    command = [sys.executable, "-m", "sonoteca_server.jobs.decoder"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as decoder:
        assert decoder.stdin is not None
        assert decoder.stdout is not None
        for _ in range(2):
            decoder.stdin.write(b'{"source":"/nowhere","target":"/nowhere"}\n')
            decoder.stdin.flush()
            assert b"nowhere" in decoder.stdout.readline()
            decoder.send_signal(signal.SIGINT)
        _, errors = decoder.communicate(timeout=10)
    assert (decoder.returncode, errors) == (0, b"")


def test_settings_come_from_file_then_environment_then_flags(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('host = "::1"\nport = 1\nmax_upload_bytes = 5\n')
    environment = {"SONOTECA_PORT": "2", "SONOTECA_MAX_UPLOAD_BYTES": "6"}
    settings, sources = load({"max_upload_bytes": "7", "host": None}, environment, file)
    assert (settings.host, settings.port, settings.max_upload_bytes) == ("::1", 2, 7)
    assert (sources["port"], sources["max_upload_bytes"]) == ("environment", "flag")
    assert (sources["host"], sources["data"]) == (str(file), "default")


@pytest.mark.parametrize(
    ("environment", "text", "word"),
    [
        ({"SONOTECA_PROT": "1"}, "", "port"),
        ({"SONOTECA_PORT": "x"}, "", "number"),
        ({"SONOTECA_PORT": "-1"}, "", "less"),
        ({"SONOTECA_PORT": "65536"}, "", "65535"),
        ({"SONOTECA_BODY_IDLE_S": "nan"}, "", "end"),
        ({"SONOTECA_PUBLIC_URL": "sounds.example"}, "", "https"),
        (
            {"SONOTECA_FETCH_ALLOW": "127.0.0.1:9000,nas"},
            "",
            "“fetch_allow”: “nas” is not host:port",
        ),
        ({"SONOTECA_FETCH_IDLE_S": "0"}, "", "more than 0"),
        ({"SONOTECA_MAX_FETCH_S": "0"}, "", "more than 0"),
        ({"SONOTECA_WEBHOOK_URL": "https://example.org/hook"}, "", "webhook_secret"),
        ({"SONOTECA_WEBHOOK_URL": "example.org"}, 'webhook_secret = "x"', "webhook_url"),
        ({"SONOTECA_WEBHOOK_SECRET": "whsec_x"}, "", "base64"),
        ({}, "colour = 1", "colour"),
        ({}, "port = 82.5", "“port” takes a whole number, not “82.5”"),
        ({}, "port = true", "“port” takes a whole number"),
        ({}, "trash_s = true", "“trash_s” takes a number"),
        ({}, 'host = ["::1"]', "“host” takes text"),
        ({}, "data = 5", "“data” takes a path"),
        ({"SONOTECA_DATA": ""}, "", "empty"),
        ({}, "not toml", "server.toml"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(
    tmp_path: Path, environment: dict[str, str], text: str, word: str
) -> None:
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=word):
        load({}, environment, file)


@pytest.mark.parametrize("command", [("settings",), ("db", "dump")])
def test_who_reads_only_the_beginning_is_told_of_no_error(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    words = ("--data", str(tmp_path))
    assert run("db", "create", *words).returncode == 0
    program = (sys.executable, "-m", "sonoteca_server", *command, *words)
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_settings_shows_values_and_sources(tmp_path: Path) -> None:
    words = ("--data", str(tmp_path), "--port", "9000", "--webhook-secret", "hunter2")
    shown = run("settings", *words)
    assert shown.returncode == 0
    assert "port = 9000" in shown.stdout
    assert "hunter2" not in shown.stdout
    assert "# flag" in shown.stdout
