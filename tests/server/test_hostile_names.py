"""Names and paths that lie: they reach no file, and come back as harmless names."""

from __future__ import annotations

import http.client
import os
import re
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import requests

from tests.kit.http import serve
from tests.kit.traversal import spellings
from tests.kit.wavs import build_wav, chunk, fmt_chunk, riff

WAV = build_wav()
CANARY = b"canary-7b1f0e"
SECRETS = (CANARY, b"root:x:0", b"SQLite format 3")
SOUND_ID = "0198c3f4-7d1e-7c3a-9b1e-0123456789ab"
OID = "0" * 64

# Every path that takes a name or an id; {} is where the lie goes.
PLACES = (
    "/{}",
    "/data/{}",
    "/data/main/{}",
    "/data/{}/" + OID,
    "/sound/{}",
    "/api/v1/sounds/{}",
    "/api/v1/sounds/{}/file",
    "/api/v1/sounds/{}/peaks",
    "/api/v1/sounds/{}/chunks",
    "/api/v1/sounds/{}/findings",
    "/api/v1/sounds/{}/history",
    "/download?name={}",
    "/download?folder={}",
    "/download?repository={}",
    "/data/main/" + OID + "?filename={}",
)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    (tmp_path / "canary.txt").write_bytes(CANARY)
    return tmp_path / "library"


@pytest.fixture
def server(library: Path) -> Iterator[str]:
    with serve(library) as address:
        yield address


def targets(library: Path) -> list[str]:
    files = (library.parent / "canary.txt", library / "catalog.sqlite", Path("/etc/passwd"))
    return [str(file).removeprefix("/") for file in files]


def shows_a_secret(body: bytes) -> bool:
    return any(secret in body for secret in SECRETS)


def upload(server: str, wav: bytes = WAV, **wishes: str) -> requests.Response:
    return requests.post(f"{server}/post", params=wishes, data=wav, timeout=15)


def asked_raw(line: http.client.HTTPConnection, method: str, path: str) -> tuple[int, bytes]:
    """Ask exactly so, without the tidying that libraries do."""
    line.putrequest(method, path, skip_accept_encoding=True)
    line.endheaders()
    answer = line.getresponse()
    return answer.status, answer.read()


def test_there_are_over_three_hundred_spellings_and_a_secret_would_be_seen(
    library: Path, server: str
) -> None:
    for target in targets(library):
        assert len(set(spellings(target))) > 300
        assert shows_a_secret(Path(f"/{target}").read_bytes())
    told = riff(fmt_chunk(), chunk(b"data", CANARY))
    assert upload(server, told, name="told.wav").status_code == 201
    assert shows_a_secret(requests.get(f"{server}/download?name=told.wav", timeout=10).content)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("place", PLACES)
def test_no_spelling_of_a_path_reaches_a_file(library: Path, server: str, place: str) -> None:
    upload(server, name="here.wav")
    address = urlsplit(server)
    line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    try:
        for target in targets(library):
            for spelling in spellings(target):
                status, body = asked_raw(line, "GET", place.format(spelling))
                assert not shows_a_secret(body), spelling
                # The page, and what `*` or no folder at all mean to a filter.
                ours = status == 200 and (place == "/{}" or body == WAV)
                assert 400 <= status < 500 or ours, (status, spelling)
    finally:
        line.close()


@pytest.mark.timeout(120)
def test_no_spelling_deletes_or_writes_a_file(library: Path, server: str) -> None:
    upload(server, name="here.wav")
    address = urlsplit(server)
    line = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    try:
        for target in targets(library):
            for spelling in spellings(target):
                for place in ("/data/{}/" + OID, "/data/main/{}", "/api/v1/sounds/{}"):
                    status, _ = asked_raw(line, "DELETE", place.format(spelling))
                    assert 400 <= status < 500, (status, spelling)
    finally:
        line.close()
    assert (library.parent / "canary.txt").read_bytes() == CANARY
    assert requests.get(f"{server}/list", timeout=10).json() == ["here.wav"]


@pytest.mark.timeout(120)
def test_a_file_of_any_name_and_folder_lands_where_all_do(library: Path, server: str) -> None:
    upload(server, name="first.wav")
    around = tree(library.parent)
    blobs = files_in(library)

    def send(spelling: str) -> None:
        name = unquote(spelling, errors="replace")
        sent = upload(server, name=name, folder=name)
        assert sent.status_code in (200, 201), (spelling, sent.text)
        kept = sent.json()
        assert not re.search(r"[/\\\x00-\x1f\x7f]", kept["name"])
        assert kept["name"] not in (".", "..")
        assert not kept["folder"].startswith("/")
        assert ".." not in kept["folder"].split("/")
        told = requests.get(server + kept["links"]["file"], timeout=15)
        assert told.content == WAV

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(send, each) for each in sorted(set(spellings("etc/passwd")))]:
            done.result()
    assert tree(library.parent) == around
    # The same bytes again and again: one blob, whatever it is called.
    assert len(files_in(library) - blobs) <= 1  # at most its waveform


def files_in(library: Path) -> set[Path]:
    """What the library keeps besides its catalogue."""
    return {path for path in library.rglob("*") if path.is_file() and path.parent != library}


def tree(folder: Path) -> set[str]:
    """What lies around the library."""
    return {entry.name for entry in os.scandir(folder)}


@pytest.mark.parametrize("place", ["query", "form"])
def test_a_repository_of_a_lying_name_is_refused(library: Path, server: str, place: str) -> None:
    for spelling in sorted(set(spellings("etc/passwd")))[:: 5 if place == "form" else 1]:
        name = unquote(spelling, errors="replace")
        if not name:  # nothing said is “main”
            continue
        if place == "query":
            sent = upload(server, repository=name)
        else:
            files = {"file": ("a.wav", WAV)}
            sent = requests.post(
                f"{server}/post", data={"repository": name}, files=files, timeout=15
            )
        assert sent.status_code == 400, (spelling, sent.text)
    assert requests.get(f"{server}/list", timeout=10).json() == []
    assert (library.parent / "canary.txt").exists()


# What a file is called → what it is called in the library ("" for a name of our own).
NAMES: dict[str, str] = {
    "take 1.wav": "take 1.wav",
    "Türknall.wav": "Türknall.wav",
    "cafe\u0301.wav": "caf\u00e9.wav",
    "音.wav": "音.wav",
    "🔊.wav": "🔊.wav",
    "../../etc/passwd": "passwd",
    "..\\..\\boot.ini": "boot.ini",
    "/etc/passwd": "passwd",
    "C:\\sounds\\a.wav": "a.wav",
    "a/b\\c.wav": "c.wav",
    "..": "",
    ".": "",
    "...": "",
    " ": "",
    "/": "",
    ".hidden": ".hidden",
    "-rf": "-rf",
    "a\r\nSet-Cookie: x=1.wav": "aSet-Cookie: x=1.wav",
    "a\nb.wav": "ab.wav",
    "a\x00b.wav": "ab.wav",
    "a\x1b[2Jb.wav": "a[2Jb.wav",
    "a\x7fb.wav": "ab.wav",
    "a\u0085b.wav": "ab.wav",
    "a\u009bb.wav": "ab.wav",
    "a\u2028b.wav": "ab.wav",
    "a\u2029b.wav": "ab.wav",
    "a\u202egnp.wav": "agnp.wav",
    "a\u2066b\u2069.wav": "ab.wav",
    'quote"d.wav': 'quote"d.wav',
    "it's.wav": "it's.wav",
    "semi;colon.wav": "semi;colon.wav",
    'a"; filename="b.wav': 'a"; filename="b.wav',
    "a%0d%0ab.wav": "a%0d%0ab.wav",
    "%2e%2e%2fa.wav": "%2e%2e%2fa.wav",
    "100%.wav": "100%.wav",
    "a=b&c.wav": "a=b&c.wav",
    "<script>alert(1)</script>.wav": "script>.wav",
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "{{7*7}}.wav": "{{7*7}}.wav",
    "$(id).wav": "$(id).wav",
    "`id`.wav": "`id`.wav",
    "=HYPERLINK(1).wav": "=HYPERLINK(1).wav",
    "CON": "CON",
    "nul.wav": "nul.wav",
    "a.wav.": "a.wav.",
    "UTF-8''a.wav": "UTF-8''a.wav",
    "=?utf-8?B?YQ==?=.wav": "=?utf-8?B?YQ==?=.wav",
    "n" * 5_000 + ".wav": "n" * 251 + ".wav",
    "\u00e9" * 200: "\u00e9" * 127,
}


@pytest.mark.parametrize("given", NAMES, ids=[ascii(name)[:40] for name in NAMES])
def test_a_name_comes_back_harmless(server: str, given: str) -> None:
    sent = upload(server, name=given)
    assert sent.status_code == 201
    kept = sent.json()["name"]
    assert kept == (NAMES[given] or kept)
    assert kept == unicodedata.normalize("NFC", kept)
    assert 0 < len(kept.encode()) <= 255
    assert requests.get(f"{server}/list", timeout=10).json() == [kept]
    told = requests.get(f"{server}/download", timeout=10)
    assert told.raw.headers.getlist("Content-Disposition") == [told.headers["Content-Disposition"]]
    form = r'attachment; filename="([^"/\\%;\x00-\x1f\x7f-\xff]+)"; filename\*=UTF-8\'\'(\S+)'
    field = re.fullmatch(form, told.headers["Content-Disposition"])
    assert field is not None, told.headers["Content-Disposition"]
    assert unquote(field[2]) == kept
    assert re.fullmatch(r"[A-Za-z0-9!#$&+.^_`|~%-]+", field[2])
    assert told.headers["Content-Type"] == "audio/wav"
    assert told.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in told.headers
    page = requests.get(f"{server}/", timeout=10).text
    assert "<script>alert" not in page
    assert "<img src=x" not in page
