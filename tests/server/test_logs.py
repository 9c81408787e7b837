"""The log is one JSON object a line, and nothing that a client sends can change that."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import requests

from sonoteca_server.logs import JsonLines
from tests.kit.http import server_process
from tests.kit.raw import exchange
from tests.kit.wavs import build_wav

FORGED = '\r\n{"level": "error", "message": "forged"}\r\n\x1b[2J\u009b31m\u202eslaw'


def lines_of(log: Path) -> list[dict[str, Any]]:
    text = log.read_bytes()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in text)
    return [json.loads(line) for line in text.decode().splitlines()]


def test_every_request_is_a_line_and_no_name_can_forge_one(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with server_process(tmp_path / "library", log=log) as server:
        answer = requests.post(
            f"{server.url}/post", params={"name": FORGED}, data=build_wav(), timeout=10
        )
        assert answer.status_code == 201
        for path in (FORGED, "%0d%0aforged", "caf\u00e9"):
            requests.get(f"{server.url}/{path}", timeout=10)
        for raw in (b"/\x1b[2J", b"/\x9b31m", b"/list\x00"):
            exchange(server.url, b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % raw, quiet_s=0.2)
        server.stop()
    lines = lines_of(log)
    asked = [line for line in lines if line["message"] == "request"]
    assert {line["path"].lower() for line in asked} >= {"/post", "/%0d%0aforged"}
    assert next(line for line in asked if line["path"] == "/post").items() >= {
        "method": "POST", "status": 201, "address": "127.0.0.1", "level": "info"
    }.items()  # fmt: skip
    assert not [line for line in lines if line["level"] == "error"]


def test_neither_queries_nor_tokens_are_logged(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with server_process(tmp_path / "library", log=log) as server:
        for method in ("GET", "POST", "BREW"):
            requests.request(
                method,
                f"{server.url}/list",
                params={"name": "hush-query"},
                headers={"Authorization": "Bearer hush-token", "Cookie": "session=hush-cookie"},
                timeout=10,
            )
        exchange(server.url, b"GET /list?hush-raw HTTP/1.1\r\nAuthorization : hush-field\r\n\r\n")
        server.stop()
    assert "/list" in log.read_text()
    assert "hush" not in log.read_text()


def test_a_fault_of_ours_is_one_line_with_its_traceback() -> None:
    try:
        raise OSError(FORGED)
    except OSError:
        record = logging.LogRecord(
            "server", logging.ERROR, __file__, 1, "%s failed", (FORGED,), sys.exc_info()
        )
    line = JsonLines().format(record)
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"{FORGED} failed"
    assert "OSError" in json.loads(line)["traceback"]


def test_what_is_told_with_a_line_is_cut_to_a_length() -> None:
    record = logging.LogRecord("server", logging.INFO, __file__, 1, "a" * 99_999, (), None)
    record.facts = {"path": "b" * 99_999, "status": 200}
    line = JsonLines().format(record)
    assert len(line) < 5_000
    assert json.loads(line)["status"] == 200
