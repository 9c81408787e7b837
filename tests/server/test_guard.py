"""No web page of another site can use a library through its owner's browser."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.kit.http import serve
from tests.kit.wavs import build_wav


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:80", "library.localhost"])
def test_loopback_names_are_answered(server: str, host: str) -> None:
    assert requests.get(f"{server}/list", headers={"Host": host}, timeout=10).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.1", "[::1", "[", "a:b:c"]
)
@pytest.mark.parametrize("path", ["/list", "/", "/healthz", "/nowhere"])
def test_other_hosts_are_misdirected(server: str, host: str, path: str) -> None:
    answer = requests.get(server + path, headers={"Host": host}, timeout=10)
    assert answer.status_code == 421
    assert "PUBLIC_URL" in answer.text


def test_the_public_host_is_answered(tmp_path: Path) -> None:
    with serve(tmp_path, public_url="https://sounds.example") as server:
        for host, status in (("sounds.example", 200), ("other.example", 421)):
            answer = requests.get(f"{server}/list", headers={"Host": host}, timeout=10)
            assert answer.status_code == status


def test_the_page_under_the_public_address_may_change_things(tmp_path: Path) -> None:
    # What ends the TLS talks plain HTTP to us, so the page's origin is not what we see ourselves.
    with serve(tmp_path, public_url="https://sounds.example/") as server:
        for origin, status in (("https://sounds.example", 201), ("https://other.example", 403)):
            headers = {"Host": "sounds.example", "Origin": origin}
            answer = requests.post(f"{server}/post", data=build_wav(), headers=headers, timeout=10)
            assert answer.status_code == status


def test_no_host_at_all_is_misdirected(server: str) -> None:
    assert requests.get(f"{server}/list", headers={"Host": ""}, timeout=10).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_foreign_pages_may_not_change_anything(server: str, headers: dict[str, str]) -> None:
    answer = requests.post(f"{server}/post", data=build_wav(), headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign-origin")
    assert requests.get(f"{server}/list", timeout=10).json() == []


def test_our_own_page_may(server: str) -> None:
    headers = {"Origin": server, "Sec-Fetch-Site": "same-origin"}
    answer = requests.post(f"{server}/post", data=build_wav(), headers=headers, timeout=10)
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/list", "GET, HEAD"),
        ("PUT", "/post", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("PROPFIND", "/list", "GET, HEAD"),
        ("TRACE", "/data/main", "PUT"),
    ],
)
def test_a_method_that_is_not_taken_names_those_that_are(
    server: str, method: str, path: str, allowed: str
) -> None:
    answer = requests.request(method, server + path, timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.json()["code"] == "method-not-allowed"


def test_an_unknown_path_is_a_problem_document(server: str) -> None:
    answer = requests.get(f"{server}/nowhere", timeout=10)
    document = answer.json()
    assert answer.status_code == document["status"] == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert document["error"] == document["title"]
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= set(document)


@pytest.mark.parametrize("path", ["/", "/list", "/post", "/nowhere", "/page.css"])
def test_every_answer_forbids_what_it_does_not_need(server: str, path: str) -> None:
    headers = requests.get(server + path, timeout=10).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Server"] == "Sonoteca"
