"""Files into the library, in every way that people send them."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from sonoteca_server.library import ingest
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_server.wire.forms import Form
from sonoteca_server.wire.intake import Intake
from sonoteca_shared.wav import describe
from tests.kit.http import serve
from tests.kit.wait import until
from tests.kit.wavs import BROKEN, Plan, build_wav

DATABASES = ("sqlite", "postgresql")


def wav(seed: int = 1, **plan: Any) -> bytes:
    return build_wav(Plan(**({"frames": 4800, "channels": 1} | plan), seed=seed))


def post(server: str, data: bytes, **arguments: str) -> requests.Response:
    return requests.post(f"{server}/post", params=arguments, data=data, timeout=10)


def names(server: str) -> list[str]:
    answer: list[str] = requests.get(f"{server}/list", timeout=10).json()
    return answer


def test_a_raw_body_becomes_a_sound_with_its_facts(server: str) -> None:
    data = wav(samplerate=96_000, bits=24, channels=2)
    answer = post(server, data, name="door.wav", folder="foley/doors")
    sound = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/v1/sounds/{sound['id']}"
    facts = {key: sound[key] for key in ("name", "folder", "samplerate", "bitdepth", "channels")}
    assert facts == {
        "name": "door.wav",
        "folder": "foley/doors",
        "samplerate": 96_000,
        "bitdepth": 24,
        "channels": 2,
    }
    assert sound["sha256"] == hashlib.sha256(data).hexdigest()
    assert (sound["frames"], sound["duration"], sound["size"]) == (4800, 0.05, len(data))
    assert requests.get(server + sound["links"]["file"], timeout=10).content == data


def test_the_content_decides_whatever_the_type_says(server: str) -> None:
    headers = {"Content-Type": "application/json"}
    sent = requests.post(f"{server}/post?name=a.wav", data=wav(), headers=headers, timeout=10)
    assert sent.status_code == 201
    assert requests.post(f"{server}/post", json={"a": 1}, timeout=10).status_code == 422


@pytest.mark.parametrize("field", ["file", "anything"])
def test_a_form_with_one_file_in_any_field_is_taken(server: str, field: str) -> None:
    files = {field: ("C:\\takes\\wïnd.wav", wav(), "application/octet-stream")}
    answer = requests.post(f"{server}/upload", files=files, data={"folder": "a"}, timeout=10)
    assert (answer.status_code, answer.json()["name"]) == (201, "wïnd.wav")
    assert answer.json()["folder"] == "a"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a", ("a.wav", b"x")), ("b", ("b.wav", b"y"))], "two files"),
        ([("a", (None, b"no file"))], "no file"),
        ([("a", ("a.wav", b""))], "empty"),
        ([("folder", (None, b"x")), ("folder", (None, b"y"))], "twice"),
    ],
)
def test_a_form_without_exactly_one_file_is_refused(
    server: str, files: list[Any], words: str
) -> None:
    answer = requests.post(f"{server}/post", files=files, timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_form_that_is_cut_is_refused(server: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n' + wav()
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = requests.post(f"{server}/post", data=body, headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "body-broken")
    assert names(server) == []


def test_a_form_may_come_in_any_pieces_and_only_wanted_fields_are_kept(tmp_path: Path) -> None:
    part = LocalBlobs(tmp_path).begin()
    body = (
        '--x\r\nContent-Disposition: form-data; name="folder"\r\n\r\ncafé\r\n'
        '--x\r\nContent-Disposition: form-data; name="submit"\r\n\r\nUpload\r\n'
        '--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\nRIFF\r\n--x--'
    ).encode()

    async def read() -> Form:
        intake = Intake(part, limit=0, check_room=lambda _count: None)
        form = Form("multipart/form-data; boundary=x", intake, ["folder", "name"])
        for at in range(len(body)):
            await form.add(body[at : at + 1])
        form.finish()
        await intake.finish()
        return form

    form = asyncio.run(read())
    assert (form.fields, form.filename) == ({"folder": "café"}, "a.wav")
    assert part.path.read_bytes() == b"RIFF"
    part.discard()


@pytest.mark.parametrize(
    ("headers", "arguments", "expected"),
    [
        ({"Content-Disposition": 'attachment; filename="a b.wav"'}, {}, "a b.wav"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''caf%C3%A9.wav"}, {}, "café.wav"),
        ({"X-Filename": "field%20note.wav"}, {}, "field note.wav"),
        ({"X-Filename": "other.wav"}, {"name": "chosen.wav"}, "chosen.wav"),
        ({"X-Filename": "café.wav"}, {}, "café.wav"),
        ({"Content-Disposition": 'attachment; filename="café.wav"'}, {}, "café.wav"),
        ({"Content-Disposition": 'a; filename*0*=""; filename*0=x'}, {"name": "b.wav"}, "b.wav"),
        ({}, {"name": "../../etc/passwd"}, "passwd"),
        ({}, {"name": "a\u202egpj.wav"}, "agpj.wav"),
    ],
)
def test_the_name_comes_from_where_it_is_given(
    server: str, headers: dict[str, str], arguments: dict[str, str], expected: str
) -> None:
    sent = {name: value.encode() for name, value in headers.items()}
    answer = requests.post(f"{server}/post", params=arguments, data=wav(), headers=sent, timeout=10)
    assert answer.json()["name"] == expected


def test_without_any_name_the_hash_names_it(server: str) -> None:
    data = wav()
    assert post(server, data).json()["name"] == hashlib.sha256(data).hexdigest()[:12] + ".wav"


def test_the_same_file_again_is_the_same_sound(server: str) -> None:
    first = post(server, wav(), name="a.wav")
    again, unnamed = post(server, wav(), name="a.wav"), post(server, wav())
    assert (again.status_code, unnamed.status_code) == (200, 200)
    assert first.json()["id"] == again.json()["id"] == unnamed.json()["id"]


def test_the_same_bytes_under_another_name_are_a_new_sound(server: str) -> None:
    first, other = post(server, wav(), name="a.wav"), post(server, wav(), name="b.wav")
    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["id"] != other.json()["id"]
    assert first.json()["sha256"] == other.json()["sha256"]


def test_known_bytes_can_be_skipped_wherever_they_are(server: str) -> None:
    first = post(server, wav(), name="a.wav", folder="x").json()
    again = post(server, wav(), name="b.wav", folder="y", on_duplicate="skip")
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert names(server) == ["a.wav"]


def test_other_bytes_under_a_taken_name_are_renamed_and_told(server: str) -> None:
    post(server, wav(1), name="take1.wav")
    second, third = (post(server, wav(seed), name="take1.wav").json() for seed in (2, 3))
    assert (second["name"], second["renamed_from"]) == ("take1 (2).wav", "take1.wav")
    assert third["name"] == "take1 (3).wav"
    again = post(server, wav(3), name="take1.wav")
    assert (again.status_code, again.json()["name"]) == (200, "take1 (3).wav")


def test_the_same_name_in_another_folder_is_free(server: str) -> None:
    post(server, wav(1), name="take1.wav", folder="day 1")
    assert post(server, wav(2), name="take1.wav", folder="day 2").json()["name"] == "take1.wav"


def test_a_taken_name_can_be_rejected(server: str) -> None:
    post(server, wav(1), name="a.wav")
    answer = post(server, wav(2), name="a.wav", on_conflict="reject")
    assert (answer.status_code, answer.json()["code"]) == (409, "name-taken")
    assert names(server) == ["a.wav"]


def test_other_bytes_can_be_the_next_revision(server: str) -> None:
    first = post(server, wav(1), name="a.wav").json()
    answer = post(server, wav(2, frames=9600), name="a.wav", on_conflict="version")
    second = requests.get(f"{server}/api/v1/sounds/{first['id']}", timeout=10)
    assert answer.status_code == 201
    assert (second.json()["rev"], second.headers["ETag"]) == (2, '"2"')
    assert second.json()["frames"] == 9600
    assert requests.get(server + first["links"]["file"], timeout=10).content == wav(1)


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_what_is_no_wav_is_refused_with_reason_and_offset(server: str, kind: str) -> None:
    answer = post(server, BROKEN[kind], name="fine.wav")
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == "application/problem+json"
    if answer.status_code == 422:
        assert "at byte" in answer.json()["detail"]
    assert names(server) == []


def test_content_decides_and_a_strange_ending_is_a_finding(server: str) -> None:
    sound = post(server, wav(), name="song.mp3").json()
    assert [finding["code"] for finding in sound["findings"]] == ["wav.name-extension"]


def test_a_refused_upload_leaves_nothing_behind(tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        post(server, b"no wav", name="a.wav")
        post(server, wav(), name="b.wav")
        post(server, wav(), name="b.wav")
    files = [path for path in (tmp_path / "library" / "blobs").rglob("*") if path.is_file()]
    assert len(files) <= 2  # the bytes, and their waveform if it was computed meanwhile
    assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_a_file_over_the_limit_is_refused_whether_its_length_is_told_or_not(
    tmp_path: Path,
) -> None:
    data = wav(frames=100_000)
    with serve(tmp_path / "library", max_upload_bytes=len(data) - 1) as server:
        told = post(server, data, name="a.wav")
        untold = requests.post(f"{server}/post", data=iter([data]), timeout=10)
        assert (told.status_code, untold.status_code) == (413, 413)
        assert post(server, wav(), name="b.wav").status_code == 201


def test_a_file_over_the_limit_in_small_pieces_is_refused_while_more_come(tmp_path: Path) -> None:
    # Tornado waits for the next piece already when it hands over the one that is too much.
    with serve(tmp_path / "library", max_upload_bytes=1_000) as server:
        address = urlsplit(server)
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            piece = b"7d0\r\n" + bytes(2_000) + b"\r\n"
            head = b"POST /post HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            line.sendall(head + piece)
            assert line.recv(12) == b"HTTP/1.1 413"
            line.sendall(piece * 10 + b"0\r\n\r\n")
            while line.recv(10_000):
                pass  # until our side is closed, and not reset
    assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_a_full_disk_is_said_before_the_body_is_taken(tmp_path: Path) -> None:
    with serve(tmp_path / "library", min_free_bytes=1 << 60) as server:
        answer = post(server, wav(), name="a.wav")
    assert (answer.status_code, answer.json()["code"]) == (507, "no-space")


def test_a_client_that_leaves_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with serve(tmp_path / "library") as server:
        address = urlsplit(server)
        with socket.create_connection((address.hostname, address.port)) as line:
            line.sendall(
                b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nRIFF"
            )
        assert names(server) == []
        assert post(server, wav(), name="a.wav").status_code == 201
    assert list((tmp_path / "library" / "incoming").iterdir()) == []


def test_a_client_that_leaves_after_its_last_byte_has_sent_a_sound(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = threading.Event()

    def when_it_has_left(*args: Any) -> Any:
        assert left.wait(10)
        time.sleep(0.1)  # the server hears of it
        return describe(*args)

    monkeypatch.setattr(ingest, "describe", when_it_has_left)
    data, address = wav(), urlsplit(server)
    with socket.create_connection((address.hostname, address.port)) as line:
        head = f"POST /post?name=a.wav HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}"
        line.sendall(f"{head}\r\n\r\n".encode() + data)
        time.sleep(0.1)  # else it would leave in the middle
    left.set()
    assert until(lambda: names(server)) == ["a.wav"]


def test_a_client_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    with serve(tmp_path / "library", body_idle_s=0.2) as server:
        address = urlsplit(server)
        with socket.create_connection((address.hostname, address.port), timeout=10) as line:
            line.sendall(
                b"POST /post HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n\r\nRIFF"
            )
            assert line.recv(1000) == b""


def test_a_browser_is_sent_back_to_the_page_with_the_result(server: str) -> None:
    headers = {"Accept": "text/html,*/*"}
    files = {"file": ("<b>.wav", wav())}
    page = requests.post(f"{server}/upload", files=files, headers=headers, timeout=10)
    assert [step.status_code for step in page.history] == [303]
    assert "Uploaded" in page.text
    assert "&lt;b&gt;.wav" in page.text
    broken = requests.post(
        f"{server}/upload", files={"file": ("a.wav", b"text")}, headers=headers, timeout=10
    )
    assert broken.status_code == 422
    assert broken.headers["Content-Type"].startswith("text/html")
    assert "at byte 0" in broken.text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"on_conflict": "maybe"}, "maybe"),
        ({"nmae": "a.wav"}, "name"),
        ({"repository": "../x"}, "x"),
        ({"folder": "x/" * 2_001}, "folder"),
    ],
)
def test_a_wish_that_makes_no_sense_is_named(
    server: str, arguments: dict[str, str], word: str
) -> None:
    answer = post(server, wav(), **arguments)
    assert answer.status_code == 400
    assert word in answer.json()["detail"]
