"""Where the server goes by itself: the public internet, and what `FETCH_ALLOW` names exactly."""

from __future__ import annotations

import pytest

from sonoteca_server.jobs.addresses import (
    BadUrlError,
    Guard,
    NotPublicError,
    follow,
    is_public,
    parse_allow,
    parse_url,
)

INWARD = """
0.0.0.0 0.0.0.1 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.0.0.2
127.255.255.255 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9
192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255
198.51.100.1 203.0.113.1 224.0.0.1 224.0.0.251 239.255.255.250 240.0.0.1 255.255.255.254
255.255.255.255 :: ::1 ::2 ::127.0.0.1 ::8.8.8.8 ::ffff:0.0.0.0 ::ffff:10.0.0.1 ::ffff:127.0.0.1
::ffff:169.254.169.254 ::ffff:192.168.1.1 ::ffff:224.0.0.1 ::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8
64:ff9b::127.0.0.1 64:ff9b::8.8.8.8 64:ff9b::10.0.0.1 64:ff9b:1::1 100::1 2001::1
2001:0:7f00:1::80ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1
2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fdff::1 fe80::1 fe80::1%1 fec0::1
ff02::1 ff05::2 ff0e::1 2a00:1450::1%eth0 localhost 127.1 0x7f.0.0.1 1.2.3 1.2.3.4.5 01.2.3.4
"""

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1
169.253.255.255 172.15.255.255 172.32.0.1 191.255.255.255 192.0.3.1 192.167.255.255 193.0.0.1
198.17.255.255 198.20.0.1 223.255.255.255 2a00:1450:4001:81b::200e 2606:4700:4700::1111
2001:4860:4860::8888 2001:200::1 2003::1 2400::1 3ffe::1 ::ffff:8.8.8.8
"""

# Where a URL leads as we understand it; nothing else is ever looked up, sent or connected to.
UNDERSTOOD = {
    "http://example.org": "http://example.org/",
    "HTTP://EXAMPLE.ORG/A": "http://example.org/A",
    "http://example.org./a": "http://example.org/a",
    "http://example.org:/a": "http://example.org/a",
    "http://example.org:80/a": "http://example.org/a",
    "http://example.org:0080/a": "http://example.org/a",
    "https://example.org:443/a": "https://example.org/a",
    "https://example.org:80/a": "https://example.org:80/a",
    "http://example.org?x=1": "http://example.org/?x=1",
    "http://example.org/a?x=/../b#c?d": "http://example.org/a?x=/../b",
    "http://example.org#@127.0.0.1/": "http://example.org/",
    "http://example.org/@127.0.0.1": "http://example.org/@127.0.0.1",
    "http://example.org/ä b".replace(" ", "%20"): "http://example.org/%C3%A4%20b",
    "http://bücher.example/": "http://xn--bcher-kva.example/",
    "http://\uff25xample.org/": "http://example.org/",
    "http://example。org/": "http://example.org/",
    "http://a_b.example.org/": "http://a_b.example.org/",
    "http://127.0.0.1/": "http://127.0.0.1/",
    "http://127.0.0.1./": "http://127.0.0.1/",
    "http://①②⑦.⓪.⓪.①/": "http://127.0.0.1/",
    "http://\uff11\uff12\uff17.0.0.1/": "http://127.0.0.1/",
    "http://[::1]:80/": "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]:81/": "http://[::1]:81/",
    "http://[::FFFF:127.0.0.1]/": "http://[::ffff:7f00:1]/",
}

REFUSED = [
    "", " ", "example.org", "//example.org/", "http:example.org", "http:/example.org", "http:///a",
    "http://", "http://:80/", "http://?a", "file:///etc/passwd", "ftp://example.org/",
    "gopher://127.0.0.1:6379/_X", "dict://127.0.0.1/", "ldap://127.0.0.1/", "data:text/plain,a",
    "javascript:alert(1)", "jar:http://a!/", "unix:/run/docker.sock", "http+unix://%2frun/a",
    "http://user@example.org/", "http://user:word@example.org/", "http://example.org@127.0.0.1/",
    "http://127.0.0.1#@example.org\\/", "http://127.0.0.1\\@example.org/", "http:\\\\example.org",
    "http://127.0.0.1%20/", "http://127.0.0.1%00.example.org/", "http://exa%6dple.org/",
    "http://example.org\x00/", "http://example.org\r\nHost: a/", "http://exa\tmple.org/",
    "http://example.org/a b", "http://example.org/\u202egnp.exe", "http://exam\u200bple.org/",
    "http://example.org:a/", "http://example.org:-1/", "http://example.org:0/", "http://example.org:65536/",
    "http://example.org:٨٠/", "http://example.org:80:80/", "http://example.org:8 0/", "http://a:1e3/",
    "http://0177.0.0.1/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://2130706433/",
    "http://127.1/", "http://127.0.1/", "http://0/", "http://127.0.0.1.1/", "http://127.0.0.01/",
    "http://127.0.0.0x1/", "http://256.0.0.1/", "http://a.0x/", "http://0x/",
    "http://[::1/", "http://::1/", "http://[127.0.0.1]/", "http://[::1]a/", "http://[v1.a]/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25]/", "http://[]/",
    "http://a..b/", "http://.a/", "http://-a/", "http://a-/", "http://a!/", "http://a,b/", "http://*/",
    "http://..../", f"http://{'a' * 64}.org/", f"http://{'a.' * 130}org/", "http://\ud800/",
    f"http://example.org/{'a' * 4096}", "ws://example.org/", "http://127.0.0.1:80a/",
    "http://[::ffff:127.0.0.1/", "http://example.org:443\t/", "http://0300.0250.0.1/", "http://0xa.1/",
    "http://ä..b/",
]  # fmt: skip


@pytest.mark.parametrize("address", INWARD.split())
def test_an_address_that_leads_inward_is_never_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC.split())
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(("url", "understood"), UNDERSTOOD.items())
def test_a_url_is_understood_in_one_way(url: str, understood: str) -> None:
    target = parse_url(url)
    assert target.url == understood
    assert parse_url(target.url) == target


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_two_readers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(BadUrlError):
        parse_url(url)


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("/b", "http://example.org/b"),
        ("b?c#d", "http://example.org/x/b?c"),
        ("//127.0.0.1/b", "http://127.0.0.1/b"),
        ("https://other.example:8443", "https://other.example:8443/"),
        ("http:b", "http://example.org/x/b"),
        (" /b\t", "http://example.org/b"),
        ("file:///etc/passwd", None),
        ("gopher://127.0.0.1:25/", None),
        ("http://user:word@127.0.0.1/", None),
        ("http://2130706433/", None),
        ("/\\127.0.0.1/", None),
        ("ht\ttp://127.0.0.1/", None),
    ],
)
def test_a_redirect_is_read_as_strictly(location: str, leads: str | None) -> None:
    here = parse_url("http://example.org/x/a")
    if leads is None:
        with pytest.raises(BadUrlError):
            follow(here, location)
    else:
        assert follow(here, location).url == leads


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.org/", ["8.8.8.8"]),
        ("https://example.org/", ["8.8.8.8", "2606:4700:4700::1111"]),
        ("https://example.org:80/", ["8.8.8.8"]),
        ("http://127.0.0.1:9000/", ["127.0.0.1"]),
        ("http://[::1]:9000/", ["::1"]),
        ("http://nas.lan:9000/", ["192.168.1.2", "fd00::2"]),
        ("https://NAS.lan.:9000/", ["192.168.1.2"]),
    ],
)
def test_goes_to_public_addresses_and_to_what_is_allowed(url: str, addresses: list[str]) -> None:
    guard = Guard(parse_allow("127.0.0.1:9000, [::1]:9000,Nas.lan:9000"))
    guard.check_target(parse_url(url))
    guard.check_addresses(parse_url(url), addresses)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.org/", ["127.0.0.1"]),
        ("http://example.org/", ["8.8.8.8", "127.0.0.1"]),
        ("http://example.org/", ["8.8.8.8", "2606:4700:4700::1111", "fd00::1"]),
        ("http://example.org:8080/", ["8.8.8.8"]),
        ("http://example.org:22/", ["8.8.8.8"]),
        ("http://127.0.0.1/", ["127.0.0.1"]),
        ("http://127.0.0.1:9001/", ["127.0.0.1"]),
        ("http://127.0.0.2:9000/", ["127.0.0.2"]),
        # Never by suffix or prefix, nor by another name of the same machine.
        ("http://localhost:9000/", ["127.0.0.1"]),
        ("http://evil.nas.lan:9000/", ["192.168.1.2"]),
        ("http://nas.lan.evil.org:9000/", ["192.168.1.2"]),
        ("http://nas.lan/", ["192.168.1.2"]),
        ("http://nas.lan:90/", ["192.168.1.2"]),
    ],
)
def test_goes_nowhere_else_and_names_the_setting(url: str, addresses: list[str]) -> None:
    guard, target = Guard(parse_allow("127.0.0.1:9000,nas.lan:9000")), parse_url(url)
    with pytest.raises(NotPublicError, match=f"add {target.place} to FETCH_ALLOW$"):
        _check(guard, url, addresses)


def test_whatever_the_name_has_as_addresses_the_refusal_is_the_same() -> None:
    told = set()
    for addresses in (["127.0.0.1"], ["10.1.2.3", "::1"], ["169.254.169.254"]):
        with pytest.raises(NotPublicError) as refused:
            _check(Guard(), "http://example.org/", addresses)
        told.add(str(refused.value))
    assert len(told) == 1


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "a:b", ":80", "*.lan:80", "a:0", "a:65536", "http://a:80", "a:80/b", "::1:80"],
)
def test_the_setting_takes_exact_places_alone(text: str) -> None:
    with pytest.raises(BadUrlError, match="host:port"):
        parse_allow(f"nas.lan:80,{text}")


def test_nothing_is_allowed_by_an_empty_setting() -> None:
    assert parse_allow("") == parse_allow(" , ") == frozenset()


def _check(guard: Guard, url: str, addresses: list[str]) -> None:
    guard.check_target(parse_url(url))
    guard.check_addresses(parse_url(url), addresses)
