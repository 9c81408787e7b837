"""Where this server may go by itself: to public addresses, and to what its admin named exactly.

Pure rules. A URL is read strictly, since two readers of an odd one would see two hosts in it; then
its port is judged, and every address that its name has, before a connection is made.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from sonoteca_shared.errors import BadRequestError

MAX_URL_BYTES = 4_096
PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65_535
_MAX_HOST = 253

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# What the last label of no name is, and of every spelling of an IPv4 address (WHATWG URL, 3.5).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# What may stand in a path or a query besides letters and digits; the rest is percent-encoded.
_KEPT = "!#$%&'()*+,/:;=?@[]~-._"

# Public is what the internet routes. `is_global` alone lets through what wraps an IPv4 address.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
_NOT_GLOBAL_6 = tuple(
    ipaddress.IPv6Network(each)
    # Teredo and other special purposes, documentation (twice), 6to4.
    for each in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16")
)
# Protocol assignments and the relays of 6to4, which some Pythons take for global.
_NOT_GLOBAL_4 = tuple(ipaddress.IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24"))


class BadUrlError(BadRequestError):
    """A URL that cannot be fetched, whoever allows what: it is not one, or not of HTTP."""

    code = "bad-url"


class NotPublicError(BadRequestError):
    """A URL leads to where this server does not go unless its admin says so.

    The words are the same for every such place: they tell nothing of what is there.
    """

    code = "address-not-public"

    def __init__(self, place: str, why: str = "is not a public address") -> None:
        super().__init__(f"{place} {why}; to allow it add {place} to FETCH_ALLOW")
        self.place = place


@dataclass(frozen=True, slots=True)
class Target:
    """An http or https URL as it was understood: the host in ASCII, the path ready to be sent."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Host and port, as `FETCH_ALLOW` names them."""
        return f"{_in_url(self.host)}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an address by itself, with no name to be looked up."""
        return ":" in self.host or self.host.rpartition(".")[2].isdecimal()

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        return _in_url(self.host) if self.port == PORTS[self.scheme] else self.place

    @property
    def url(self) -> str:
        """The URL in its one spelling."""
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str) -> Target:
    """Read a URL strictly; BadUrlError says what is wrong with it."""
    if len(text.encode(errors="replace")) > MAX_URL_BYTES:
        raise BadUrlError(f"a URL has {MAX_URL_BYTES} bytes at most; this one begins {text[:60]}")
    shown = text[:200]
    _check_seen(text)
    match = _URL.fullmatch(text)
    if match is None:
        raise BadUrlError(f"“{shown}” is not a URL such as https://example.org/take1.wav")
    scheme, authority, path, query = match.groups(default="")
    if scheme.lower() not in PORTS:
        raise BadUrlError(f"“{scheme}:” is not fetched, only http and https are: {shown}")
    if "@" in authority:
        # A password would end up in logs and reports, and "user@" hides the host from a reader.
        raise BadUrlError("a URL with a user name or a password before its host is not fetched")
    host, port = _parse_authority(authority, shown)
    target = quote((path or "/") + query, safe=_KEPT)
    return Target(scheme.lower(), host, PORTS[scheme.lower()] if port is None else port, target)


def follow(target: Target, location: str) -> Target:
    """Where a redirect from here leads; BadUrlError as above."""
    location = location.strip(" \t")
    # First of all: joining would drop such characters without a word.
    _check_seen(location)
    return parse_url(urljoin(target.url, location))


def parse_allow(text: str) -> frozenset[tuple[str, int]]:
    """Read `FETCH_ALLOW`, `host:port` with commas between; BadUrlError names what is not that."""
    return frozenset(_parse_place(each.strip()) for each in text.split(",") if each.strip())


class Guard:
    """Says where to go and where not: the public internet, and the exact places allowed."""

    def __init__(self, allow: frozenset[tuple[str, int]] = frozenset()) -> None:
        self._allow = allow

    def check_target(self, target: Target) -> None:
        """NotPublicError for a port that is neither the web's nor allowed; asks no name server."""
        if not self._allows(target) and target.port not in PORTS.values():
            raise NotPublicError(target.place, "is not on port 80 or 443")

    def check_addresses(self, target: Target, addresses: Iterable[str]) -> None:
        """NotPublicError unless every address of the target's name is public, or it is allowed."""
        # Every one: a name with a public address beside an inward one is a trap.
        if not self._allows(target) and not all(is_public(each) for each in addresses):
            raise NotPublicError(target.place)

    def _allows(self, target: Target) -> bool:
        return (target.host, target.port) in self._allow


def is_public(text: str) -> bool:
    """Whether this is the address of a single host on the public internet."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            # A scope names an interface of this machine: nothing public has one.
            wrapped = any(address in network for network in _NOT_GLOBAL_6)
            return address in _GLOBAL_6 and not wrapped and address.scope_id is None
        address = address.ipv4_mapped
    special = address.is_multicast or any(address in network for network in _NOT_GLOBAL_4)
    return address.is_global and not special


def _check_seen(text: str) -> None:
    """BadUrlError for what a person does not see, and for what two readers see differently."""
    if not text.isprintable() or " " in text or "\\" in text:
        shown = ascii(text[:200])[1:-1]
        raise BadUrlError(f"“{shown}” has a space, a backslash or a control character in it")


def _parse_authority(authority: str, shown: str) -> tuple[str, int | None]:
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise BadUrlError(f"“{authority}” is no host with a port: {shown}")
    host, digits = match[1], match[2]
    if not digits:
        return _parse_host(host), None
    if len(digits) > len(str(_MAX_PORT)) or not 0 < int(digits) <= _MAX_PORT:
        raise BadUrlError(f"a port is a number from 1 to {_MAX_PORT}, not {digits}")
    return _parse_host(host), int(digits)


def _parse_host(text: str) -> str:
    """A host in the one spelling that is compared, looked up and sent."""
    if text.startswith("["):
        return _parse_ipv6(text[1:-1])
    host = _in_ascii(text).removesuffix(".")
    labels = host.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > _MAX_HOST:
        raise BadUrlError(f"“{text}” is not the name or the address of a host")
    if not _NUMBER.fullmatch(labels[-1]):
        return host
    # Octal, hexadecimal, short and one-number spellings: each library reads them as it likes.
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise BadUrlError(
            f"“{text}” is an odd spelling of an address: write it as four decimal numbers"
        ) from None


def _parse_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise BadUrlError(f"“[{text}]” is not an IPv6 address") from None
    if address.scope_id is not None:
        raise BadUrlError(f"“[{text}]” names an interface of this machine, which is not fetched")
    return str(address)


def _in_ascii(text: str) -> str:
    """A host name as name servers know it; digits in circles and the like become plain ones."""
    if text.isascii():
        return text.lower()
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise BadUrlError(f"“{text}” cannot be the name of a host") from None


def _parse_place(text: str) -> tuple[str, int]:
    try:
        host, port = _parse_authority(text, text)
    except BadUrlError:
        port = None
        host = ""
    if port is None:
        raise BadUrlError(f"“{text}” is not host:port, such as 127.0.0.1:9000 or [::1]:9000")
    return host, port


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
