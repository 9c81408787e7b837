"""Requests to other servers: each over a connection of its own that leads nowhere inward.

A name is looked up once, every address of it is judged, and the connection goes to one of just
these; TLS is verified against the name. No proxy, no cookie, no credential, no Referer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import h11

from sonoteca_server.jobs.addresses import Guard, Target, parse_url
from sonoteca_shared import __version__
from sonoteca_shared.errors import SonotecaError

CONNECT_S = 10.0
HEAD_BYTES = 64 << 10
# Bytes a second. Who is slower for `SLOW_S` in all is given up, so that a byte now and then buys no
# time; what comes faster earns it back.
SLOWEST = 1_024
SLOW_S = 60.0
_BLOCK = 256 << 10
# The addresses that are tried: a name with very many would keep us connecting.
_MOST_ADDRESSES = 3
_MOST_INTERIM = 10
# How long a server may take to close, which is when bytes beyond the announced length show.
_CLOSE_S = 0.5
_looking_up = ThreadPoolExecutor(8, "looking-up")

Resolve = Callable[[str, int], Awaitable[list[str]]]


class ExchangeError(SonotecaError):
    """A request to another server came to nothing; `lasting` when trying again changes nothing."""

    code = "exchange-failed"
    lasting = False


class HostUnknownError(ExchangeError):
    """No name server knows the host."""

    code = "host-unknown"
    lasting = True


class CannotConnectError(ExchangeError):
    """The host takes no connection, or none within the time."""

    code = "cannot-connect"


class CertificateError(ExchangeError):
    """The host does not prove that it is who the URL says."""

    code = "certificate-not-valid"
    lasting = True


class SilentError(ExchangeError):
    """The server said nothing for too long."""

    code = "silent"


class SlowError(ExchangeError):
    """The server sends so little that a file would never end."""

    code = "slow"


class CutOffError(ExchangeError):
    """The connection ended before the answer did."""

    code = "cut-off"


class BadAnswerError(ExchangeError):
    """What came back is not HTTP as RFC 9112 has it, or not within our limits."""

    code = "bad-answer"


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, best first, as this machine's resolver knows them."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_looking_up, ask)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Outward:
    """The way from this server to others.

    `idle_s` is how long one of them may be silent, `slow_s` for how long it may send less than
    `SLOWEST`, `connect_s` how long connecting may take.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        idle_s: float,
        slow_s: float = SLOW_S,
        connect_s: float = CONNECT_S,
        resolve: Resolve = look_up,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._idle_s = idle_s
        self._slow_s = slow_s
        self._connect_s = connect_s
        self._resolve = resolve
        self._tls = tls or ssl.create_default_context()

    @contextlib.asynccontextmanager
    async def ask(
        self,
        target: Target,
        *,
        method: str = "GET",
        fields: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> AsyncIterator[Answer]:
        """The answer to one request, its body still to come; the connection ends with the block.

        NotPublicError before anything is connected to; ExchangeError when there is no answer.
        Redirects are answers like any other.
        """
        reader, writer = await self._connect(target)
        try:
            answer = Answer(target, reader, idle_s=self._idle_s, slow_s=self._slow_s)
            await answer.begin(writer, method, fields or {}, body)
            yield answer
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def post(self, url: str, body: bytes, fields: Mapping[str, str]) -> Answer:
        """Send this to a URL; the head of the answer, whose body nobody reads."""
        async with self.ask(parse_url(url), method="POST", fields=fields, body=body) as answer:
            return answer

    async def _connect(self, target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._guard.check_target(target)
        try:
            async with asyncio.timeout(self._connect_s):
                addresses = await self._addresses(target)
                self._guard.check_addresses(target, addresses)
                return await self._connect_first(target, addresses[:_MOST_ADDRESSES])
        except TimeoutError:
            raise CannotConnectError(
                f"{target.place} did not answer within {self._connect_s:.0f} seconds"
            ) from None

    async def _addresses(self, target: Target) -> list[str]:
        if target.is_address:
            return [target.host]
        try:
            found = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise CannotConnectError(f"no name server answers for {target.host}") from error
            found = []
        except UnicodeError:
            found = []
        if not found:
            raise HostUnknownError(f"no address is known for the host {target.host}")
        return found

    async def _connect_first(
        self, target: Target, addresses: list[str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failed: Exception | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(self._connect_s / len(addresses)):
                    return await self._connect_to(target, address)
            except ssl.SSLCertVerificationError as error:
                raise CertificateError(f"{target.place}: {error.verify_message}") from error
            except (OSError, TimeoutError) as error:
                failed = error
        words = (isinstance(failed, OSError) and failed.strerror) or "no answer in time"
        raise CannotConnectError(f"{target.place} takes no connection: {words}") from failed

    async def _connect_to(
        self, target: Target, address: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if target.scheme == "http":
            return await asyncio.open_connection(address, target.port, limit=_BLOCK)
        # The address is a number, so nothing is looked up again; the name is what TLS verifies.
        return await asyncio.open_connection(
            address, target.port, limit=_BLOCK, ssl=self._tls, server_hostname=target.host
        )


class Answer:
    """What another server answered: status and fields, then the body, piece by piece."""

    def __init__(
        self, target: Target, reader: asyncio.StreamReader, *, idle_s: float, slow_s: float
    ) -> None:
        self.target = target
        self.status = 0
        self._reader = reader
        self._idle_s = idle_s
        self._slow_s = slow_s
        self._ended = False
        self._fields: dict[str, list[str]] = {}
        self._protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    @property
    def length(self) -> int | None:
        """The length that was announced, in bytes."""
        value = self.field("content-length")
        return int(value) if value else None

    @property
    def is_framed(self) -> bool:
        """Whether the end of the body can be told from the end of the connection."""
        return self.length is not None or "transfer-encoding" in self._fields

    def field(self, name: str) -> str:
        """The value of a field; "" when it is missing, or when it is given twice and differs."""
        values = set(self._fields.get(name, ()))
        return values.pop() if len(values) == 1 else ""

    async def begin(
        self, writer: asyncio.StreamWriter, method: str, fields: Mapping[str, str], body: bytes
    ) -> None:
        """Send the request and read the head of the answer, all within the time of one silence."""
        try:
            async with asyncio.timeout(self._idle_s):
                for part in self._request(method, fields, body):
                    writer.write(part)
                await writer.drain()
                await self._read_head()
        except TimeoutError:
            raise SilentError(
                f"{self.target.place} sent no whole answer within {self._idle_s:.0f} seconds"
            ) from None
        except OSError as error:
            raise self._cut_off() from error

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes of the body; CutOffError when some of those announced do not come."""
        clock, credit = asyncio.get_running_loop().time, self._slow_s
        while True:
            began = clock()
            event = await self._next_in_time(credit)
            if isinstance(event, h11.EndOfMessage):
                break
            credit -= clock() - began
            if isinstance(event, h11.Data):
                credit = min(self._slow_s, credit + len(event.data) / SLOWEST)
                # Only what we wait for the server counts, not what is done with its bytes.
                yield bytes(event.data)
        await self._expect_end()

    async def _next_in_time(self, credit: float) -> h11.Event:
        try:
            async with asyncio.timeout(min(self._idle_s, credit)):
                return await self._next()
        except TimeoutError:
            place = self.target.place
            if credit < self._idle_s:
                few = f"less than {SLOWEST} bytes a second for {self._slow_s:.0f} seconds"
                raise SlowError(f"{place} sent {few}") from None
            raise SilentError(f"{place} sent nothing for {self._idle_s:.0f} seconds") from None
        except OSError as error:
            raise self._cut_off() from error

    def _request(self, method: str, fields: Mapping[str, str], body: bytes) -> list[bytes]:
        target = self.target
        head = {
            "Host": target.authority,
            "User-Agent": f"Sonoteca/{__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        if method != "GET":
            head["Content-Length"] = str(len(body))
        request = h11.Request(
            method=method, target=target.path, headers=list((head | dict(fields)).items())
        )
        events = [request, h11.Data(data=body), h11.EndOfMessage()]
        return [part for event in events if (part := self._protocol.send(event))]

    async def _read_head(self) -> None:
        for _ in range(_MOST_INTERIM):
            event = await self._next()
            if isinstance(event, h11.Response):
                break
        else:
            raise BadAnswerError(f"{self.target.place} does not come to an answer")
        if sum(len(name) + len(value) for name, value in event.headers) > HEAD_BYTES:
            raise BadAnswerError(f"{self.target.place} sent a head of over {HEAD_BYTES} bytes")
        self.status = event.status_code
        for name, value in event.headers:
            self._fields.setdefault(name.decode("ascii"), []).append(_text(value))

    async def _next(self) -> h11.Event:
        while True:
            try:
                event = self._protocol.next_event()
            except h11.RemoteProtocolError as error:
                if self._ended:
                    raise self._cut_off() from error
                raise BadAnswerError(f"{self.target.place} does not speak HTTP: {error}") from None
            if isinstance(event, h11.Event):
                return event
            data = await self._reader.read(_BLOCK if self.status else HEAD_BYTES)
            self._ended = not data
            self._protocol.receive_data(data)

    async def _expect_end(self) -> None:
        """BadAnswerError when more comes than was announced: then either may be wrong."""
        more, _ = self._protocol.trailing_data
        if not more and not self._ended:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_S):
                    more = await self._reader.read(1)
        if more:
            raise BadAnswerError(f"{self.target.place} sent more bytes than it had announced")

    def _cut_off(self) -> CutOffError:
        when = "in the middle of the file" if self.status else "before it had answered"
        return CutOffError(f"{self.target.place} ended the connection {when}")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
