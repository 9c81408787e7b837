"""Typed calls to one Sonoteca server, over requests.

Bytes are read with `read_some`, which hands out what has arrived and turns every kind of network
trouble into one error. To wake a thread that waits in it, another thread calls `interrupt`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
import urllib3

from sonoteca_desktop.answers import Answer, parse_retry_after, read_up_to, reason
from sonoteca_desktop.line import Line
from sonoteca_shared import __version__, routes
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import ChangePage, Problem, Sound, SoundPage, Uploaded

BLOCK = 256 << 10

UNEXPLAINED = "unexplained"
"""The code of a refusal that is none of ours: from another server, or from what is on the way."""

_CONNECT_TIMEOUT = 10.0
_MOST_REDIRECTS = 5
# More than any answer of ours has; what is longer is not read to its end.
_LONGEST_ANSWER = 256 << 20
_LONGEST_REFUSAL = 64 << 10
_SILENCE_TIMEOUT = 30.0
# After the last byte of an upload the server syncs the file to its disk before it answers.
UPLOAD_TIMEOUT = 300.0

_Answer = TypeVar("_Answer")


class ServerUnreachableError(SonotecaError):
    """The network between us and the server does not work; trying again later may."""

    code = "server-unreachable"


class ServerReplacedError(ServerUnreachableError):
    """Something else answers where the server should: a page to log in to the network, say."""

    code = "server-replaced"

    def __init__(self, base_url: str, what: str) -> None:
        super().__init__(f"The server at {base_url} cannot be reached: {what}")


class ServerRefusedError(SonotecaError):
    """The server was reached and said no; `title` and `detail` are its own words."""

    code = "server-refused"

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{title.rstrip('.')}: {detail}" if detail else title)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.retry_after = retry_after


class CursorExpiredError(SonotecaError):
    """The server no longer knows the changes since this cursor: start again without one."""

    code = "cursor-expired"


class Body(Protocol):
    """What is uploaded: its length is sent first, then its blocks one after another.

    A body tells its own trouble (a source that cannot be read, a pause) with an error that is no
    OSError: those would be taken for network trouble.
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes | memoryview]: ...


@dataclass(frozen=True, slots=True)
class Posted:
    """What an upload became; `created` is False when the server had it already."""

    sound: Uploaded
    created: bool


class _Missing(msgspec.Struct):
    """The answer of `have`."""

    missing: list[str]


class Understood(msgspec.Struct, frozen=True):
    """What the server made of a query, and the parts that it left out."""

    understood: str = ""
    ignored: tuple[str, ...] = ()


class FoundPage(SoundPage, frozen=True, kw_only=True):
    """A page of the sounds that match a query."""

    query: Understood = Understood()


class Client:
    """One server; callable from any thread, each has connections of its own."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.library = ""
        """What the last answer called its library; "" until one did."""
        self._here = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def changes(self, cursor: str | None, *, limit: int = 1000) -> ChangePage:
        """The changes after the cursor (None: from the beginning); or CursorExpiredError."""
        path = routes.with_query(routes.CHANGES, since=cursor or "", limit=str(limit))
        try:
            return self.decode(self.request("GET", path), ChangePage)
        except ServerRefusedError as refusal:
            if refusal.status == HTTPStatus.GONE:
                raise CursorExpiredError(str(refusal)) from refusal
            raise

    def peaks(self, sound: Sound, spp: int) -> bytes:
        """The waveform overview of a sound as audiowaveform writes it (.dat, version 2)."""
        path = routes.fill(routes.SOUND_PEAKS, id=sound.id)
        path = routes.with_query(path, spp=str(spp))
        headers = {"Accept": "application/octet-stream"}
        return self.request("GET", path, headers=headers).content

    def read(self, path: str, answer: type[_Answer]) -> _Answer:
        """What is at a path, as this type."""
        return self.decode(self.request("GET", path), answer)

    def sound(self, path: str) -> Sound:
        """The sound at a path that the server named."""
        return self.read(path, Sound)

    def find(self, path: str) -> FoundPage:
        """The page of sounds at a path: `/api/v1/sounds?…`, or the `next` of another page."""
        return self.read(path, FoundPage)

    def missing(self, repository: str, digests: Sequence[str]) -> list[str]:
        """Those of at most 1,000 SHA-256 whose bytes the repository has not."""
        answer = self._ask(routes.HAVE, {"repository": repository, "sha256": digests})
        return self.decode(answer, _Missing).missing

    def refer(self, sha256: str, *, name: str, folder: str, repository: str) -> Posted | None:
        """Make a sound of bytes that the repository has; None when it has not."""
        # Bytes that the library has under another name are reported, not added a second time.
        wish = {"repository": repository, "name": name, "folder": folder, "on_duplicate": "skip"}
        try:
            response = self._ask(routes.SOUNDS, {"sha256": sha256, **wish})
        except ServerRefusedError as refusal:
            # A server that takes nothing but bytes here is an older one.
            if refusal.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE):
                raise
            return None
        sound = self.decode(response, Uploaded)
        return Posted(sound, created=response.status_code == HTTPStatus.CREATED)

    def get_from(
        self,
        path: str,
        start: int,
        *,
        etag: str | None = None,
        end: int | None = None,
        silence_timeout: float | None = None,
    ) -> requests.Response:
        """A stream of the bytes [start, end) of a path, to be closed by the caller.

        The caller has to look at the status: 206 starts where its Content-Range says, 200 is the
        whole from byte 0 (always asked for with start 0 and no end, and given when the bytes are
        no longer those of `etag`). A status from 400 on is a ServerRefusedError.
        """
        headers = {}
        if start or end is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            if etag:
                headers["If-Range"] = etag
        return self._open("GET", path, headers=headers, silence_timeout=silence_timeout)

    def close(self) -> None:
        """Let go of all idle connections, those of other threads too."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def leave(self) -> None:
        """Let go of the connection of the calling thread, which may need it no more."""
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is not None:
            session.close()

    @property
    def line(self) -> Line:
        """What carries the requests of the calling thread; any other thread may cut it."""
        self._session()
        line: Line = self._here.line
        return line

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Body | bytes | None = None,
        silence_timeout: float | None = None,
    ) -> Answer:
        """Send one request; the answer when it is a success, else the error that it means."""
        silence = silence_timeout or _SILENCE_TIMEOUT
        response = self._open(method, path, headers=headers, data=data, silence_timeout=silence)
        with self._network(), response:
            content = read_up_to(response, _LONGEST_ANSWER)
        if len(content) > _LONGEST_ANSWER:
            raise ServerReplacedError(self.base_url, "what answers there does not end")
        return Answer(response.status_code, response.headers, content)

    def _open(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Body | bytes | None = None,
        silence_timeout: float | None = None,
    ) -> requests.Response:
        """A successful answer whose body is still to be read."""
        with self._network():
            response = self._session().request(
                method,
                self._url(path),
                headers=headers,
                data=data,  # type: ignore[arg-type]  # the stubs do not know sized iterables
                stream=True,
                timeout=(_CONNECT_TIMEOUT, silence_timeout or _SILENCE_TIMEOUT),
                # A redirected POST would become a GET, and the upload be taken for done.
                allow_redirects=method == "GET",
            )
            self.library = response.headers.get(routes.LIBRARY, self.library)
            if response.ok and not self._is_replaced(response):
                return response
            with response:
                raise _refusal(response)

    def _is_replaced(self, response: requests.Response) -> bool:
        """False, or ServerReplacedError for what our server never answers to a client."""
        what = ""
        if response.is_redirect:
            what = f"it sends us on to {response.headers['Location'][:100]}"
        elif response.headers.get("Content-Type", "").startswith("text/html"):
            what = "a page answers in its place, perhaps to log in to this network"
        if what:
            response.close()
            raise ServerReplacedError(self.base_url, what)
        return False

    def _ask(self, path: str, question: object) -> Answer:
        headers = {"Content-Type": "application/json"}
        return self.request("POST", path, headers=headers, data=msgspec.json.encode(question))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._here, "session", None)
        if session is None:
            session = requests.Session()
            # A proxy (or ~/.netrc) of the environment is never meant for this very computer.
            session.trust_env = not is_loopback(self.base_url)
            session.max_redirects = _MOST_REDIRECTS
            session.headers["User-Agent"] = f"sonoteca/{__version__}"
            session.headers["Accept"] = "application/json"
            # Bytes are counted and compared: a coding on the way would change both.
            session.headers["Accept-Encoding"] = "identity"
            self._here.session, self._here.line = session, Line()
            session.mount(self.base_url, self._here.line)
            with self._lock:
                self._sessions.add(session)
        return session

    def _url(self, path: str) -> str:
        """The URL of a path; paths come from the server, and must not lead to another one."""
        if path.startswith(f"{self.base_url}/"):
            return path
        if path.startswith("/"):
            return self.base_url + path
        raise ServerRefusedError(
            HTTPStatus.OK, "foreign-link", "The server gave a link that leads elsewhere", path
        )

    def decode(self, response: Answer, answer: type[_Answer]) -> _Answer:
        """What came, as this type; ServerRefusedError when it is something else."""
        try:
            return msgspec.json.decode(response.content, type=answer)
        except msgspec.DecodeError as error:
            raise ServerRefusedError(
                response.status_code,
                "not-understood",
                f"What answers at {self.base_url} does not speak as a Sonoteca server does",
                str(error),
            ) from error

    @contextlib.contextmanager
    def _network(self) -> Iterator[None]:
        try:
            yield
        except (requests.TooManyRedirects, ValueError) as error:
            # In circles, or to what is no URL that can be asked.
            raise ServerReplacedError(self.base_url, "it sends us astray") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise ServerUnreachableError(
                f"The server at {self.base_url} cannot be reached: {reason(error)}"
            ) from error


def read_some(response: requests.Response, count: int = BLOCK) -> bytes:
    """What has arrived of a streamed response, at most `count` bytes; nothing at its end.

    Whether the end came too early is for the caller to say: it knows how much there must be.
    """
    try:
        data: bytes | None = response.raw.read1(count, decode_content=False)
    # A socket that is shut down by `interrupt` may also say OSError or ValueError (closed file).
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ServerUnreachableError(f"The connection broke: {reason(error)}") from error
    return data or b""  # None once the response is closed


def interrupt(response: requests.Response) -> None:
    """Wake the thread that reads this response, from another thread; the reader closes it.

    `response.close()` would wait for that thread until its read timed out.
    """
    # Already at its end, or being closed by its reader: there is nobody left to wake.
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
        response.raw.shutdown()


def is_loopback(url: str) -> bool:
    """Whether a URL names this very computer."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(response: requests.Response) -> ServerRefusedError:
    retry_after = parse_retry_after(response.headers)
    try:
        problem = msgspec.json.decode(read_up_to(response, _LONGEST_REFUSAL), type=Problem)
    except (msgspec.DecodeError, requests.RequestException):
        # An answer to HEAD has no body; of an upload it may say why it was refused.
        code = response.headers.get("Sonoteca-Refused", "")
        title = f"The server answered {response.status_code} {response.reason or ''}".strip()
        if code:
            title = f"The server looked at the file and does not take it ({code})"
        return ServerRefusedError(response.status_code, code or UNEXPLAINED, title, "", retry_after)
    return ServerRefusedError(
        response.status_code, problem.code, problem.title, problem.detail, retry_after
    )
