"""Puts the server together; the one file that knows every part."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from sqlalchemy import select
from tornado.netutil import bind_sockets
from tornado.web import Application

from sonoteca_server.catalog import CatalogOlderError, Home, feed
from sonoteca_server.catalog.engines import home_of
from sonoteca_server.catalog.facets import FacetCounts
from sonoteca_server.catalog.schema import objects
from sonoteca_server.handlers import url_specs
from sonoteca_server.handlers.handler import Handler, Running, Services, UnknownPath
from sonoteca_server.job_handlers import fetching_parts, job_handlers
from sonoteca_server.jobs.analysis import Analysis
from sonoteca_server.jobs.conversion import Conversions
from sonoteca_server.jobs.derivatives import Derivatives
from sonoteca_server.jobs.leftovers import Leftovers
from sonoteca_server.jobs.queue import Jobs
from sonoteca_server.jobs.upkeep import Upkeep
from sonoteca_server.jobs.worker import Worker
from sonoteca_server.library.archives import Archives
from sonoteca_server.library.collections import Collections
from sonoteca_server.library.editing import Editing
from sonoteca_server.library.hooks import Hooks
from sonoteca_server.library.ingest import Ingest
from sonoteca_server.library.lists import Lists
from sonoteca_server.library.objects import Objects
from sonoteca_server.library.presets import Presets
from sonoteca_server.library.repositories import Repositories
from sonoteca_server.library.sounds import Sounds
from sonoteca_server.library.trash import Trash
from sonoteca_server.library.uploads import Uploads
from sonoteca_server.settings import Settings
from sonoteca_server.storage.growing import GrowingParts
from sonoteca_server.storage.local import LocalBlobs, make_folder
from sonoteca_server.wire.connections import raise_open_files
from sonoteca_server.wire.patience import Limits
from sonoteca_server.wire.sendfile import SendingServer
from sonoteca_server.wire.turns import Turns
from sonoteca_shared.errors import SonotecaError

_FINISH_S = 10.0  # what requests that cannot be resumed have when the server is to stop
_CLOSE_S = 3.0
_IDLE_S = 75.0  # longer than browsers and most clients keep a connection that they do not use
_BACKLOG = 1_024
# What the jobs know the server by: there is one for a data folder.
_PLACE = "server"

log = logging.getLogger(__name__)


class CannotStartError(SonotecaError):
    """The server must not, or cannot, start as it was told to."""

    code = "cannot-start"


class Library:
    """A data folder in use by this process alone: its lock, its blobs and its catalogue."""

    def __init__(self, folder: Path, home: Home) -> None:
        self._lock = lock_folder(folder)
        try:
            self.blobs = LocalBlobs(folder)
            self.blobs.sweep()
            self.blobs.ballast.give_up_if_scarce()
            self.parts = GrowingParts(folder)
            if not self.blobs.empty and not home.exists():
                raise CannotStartError(
                    f"{folder} holds recordings, but there is no catalogue in {home}: restore it "
                    "from a backup; an empty one would hide them all"
                )
            if self.blobs.empty and _knows_recordings(home):
                raise CannotStartError(
                    f"the catalogue in {home} knows recordings, but {folder} holds none: look "
                    "whether --data is right and its disk there, or restore it from a backup; "
                    "“db reset” begins anew, without them"
                )
            self.catalog = home.open(self.blobs.ballast.give_up)
            self.blobs.ballast.keep()
        except OSError as error:
            os.close(self._lock)
            raise CannotStartError(f"{folder} cannot be used: {error}") from error
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Finish what is written and let others in."""
        self.catalog.close()
        os.close(self._lock)


def _knows_recordings(home: Home) -> bool:
    """Whether a catalogue names bytes; one of an older shape is not asked."""
    if not home.exists():
        return False
    try:
        with home.look() as connection:
            return connection.execute(select(objects.c.seq).limit(1)).first() is not None
    except CatalogOlderError:
        return False


def lock_folder(folder: Path) -> int:
    """Claim a data folder for this process; CannotStartError when another one has it."""
    refusal = f"another server is using {folder}: stop it first, or choose another --data"
    return _lock(folder, "server.lock", fcntl.LOCK_EX, refusal)


def lock_workers(folder: Path, *, alone: bool) -> int:
    """Claim a data folder as a worker does, beside others; or `alone`, when none may be there."""
    refusal = f"a worker is using {folder}: stop it first"
    if not alone:
        refusal = f"{folder} is being removed"
    how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    return _lock(folder, "workers.lock", how, refusal)


def _lock(folder: Path, name: str, how: int, refusal: str) -> int:
    if folder.is_file():
        raise CannotStartError(f"{folder} is a file, not a folder: name another one with --data")
    try:
        make_folder(folder)
        lock = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStartError(f"{folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise CannotStartError(refusal) from None
    return lock


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; the address is printed once requests are answered."""
    raise_open_files()
    async with running(settings) as address:
        print(f"Sonoteca server on {address}", flush=True)  # noqa: T201 - contract
        await asked_to_stop()


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[str]:
    """A server that answers under the address given, until the block is left."""
    _check_access(settings)
    for each in _listen(settings):  # who cannot be reached makes no library
        each.close()
    library = Library(settings.data, home_of(settings.database, settings.data))
    try:
        sockets = _listen(settings)
        analysis = Analysis(library.catalog, library.blobs)
        news = asyncio.Event()
        jobs = Jobs(library.catalog, news.set)
        await jobs.free(_PLACE)
        worker = Worker(
            jobs, job_handlers(settings, library.catalog, library.blobs), news=news, place=_PLACE
        )
        services = _services(settings, library, analysis, jobs)
        server = SendingServer(
            make_application(services, await library.catalog.read(feed.name)),
            limits=Limits(settings.header_timeout_s, settings.body_idle_s, _IDLE_S),
        )
        server.add_sockets(sockets)
        upkeep = Upkeep(
            library.catalog,
            library.blobs,
            services.trash,
            services.uploads,
            services.archives,
            Leftovers(library.catalog, fetching_parts(settings.data)),
        )
        runs = (analysis, upkeep, services.facets, services.conversions, worker)
        working = [asyncio.create_task(each.run()) for each in runs]
        try:
            host, port = sockets[0].getsockname()[:2]
            yield f"http://{_in_url(host)}:{port}"
        finally:
            await _stop(server, services, working)
    finally:
        library.close()


def _services(settings: Settings, library: Library, analysis: Analysis, jobs: Jobs) -> Services:
    ingest = Ingest(library.catalog, library.blobs, analysis.wake)
    room = partial(library.blobs.room, least=settings.min_free_bytes)
    conversions = Conversions(room, at_once=settings.conversions)
    return Services(
        facets=FacetCounts(library.catalog),
        conversions=conversions,
        derivatives=Derivatives(library.catalog, library.blobs, conversions, room),
        presets=Presets(library.catalog),
        jobs=jobs,
        lists=Lists(library.catalog),
        sounds=Sounds(library.catalog, library.blobs, analysis.wake),
        ingest=ingest,
        objects=Objects(library.catalog, library.blobs),
        editing=Editing(library.catalog, analysis.wake),
        collections=Collections(library.catalog, analysis.wake),
        repositories=Repositories(library.catalog, analysis.wake),
        trash=Trash(library.catalog, analysis.wake, keep_s=settings.trash_s),
        uploads=Uploads(library.catalog, library.parts, ingest, expiry_s=settings.upload_expiry_s),
        archives=Archives(
            library.catalog,
            library.blobs,
            jobs.wake,
            Hooks(settings.webhook_url).archive_ended,
            expiry_s=settings.archive_expiry_s,
        ),
        blobs=library.blobs,
        running=Running(),
        turns=Turns(),
        public_url=settings.public_url,
        max_upload_bytes=settings.max_upload_bytes,
        min_free_bytes=settings.min_free_bytes,
    )


async def _stop(
    server: SendingServer, services: Services, working: list[asyncio.Task[None]]
) -> None:
    """No new requests; running ones have a moment to finish, what can be resumed ends now."""
    server.stop()
    await services.running.stop(patience_s=_FINISH_S)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_S):
            await server.close_all_connections()
            await services.uploads.close()
            await services.conversions.close()
    for task in working:
        task.cancel()
    for task in working:
        with contextlib.suppress(asyncio.CancelledError):
            await task


def make_application(services: Services, library: str) -> Application:
    """The table of URLs as an application; requests are logged by us, and without queries.

    Every answer names the library, so that none is taken for that of another one.
    """
    return Application(
        list(url_specs(services)),
        default_handler_class=UnknownPath,
        default_handler_args={"services": services},
        library=library,
        log_function=_log_request,
    )


def _log_request(handler: object) -> None:
    assert isinstance(handler, Handler)
    if not log.isEnabledFor(logging.INFO):
        return
    request = handler.request
    facts = {
        "request_id": handler.request_id,
        "address": request.remote_ip,
        "method": request.method,
        "path": request.path,
        "status": handler.get_status(),
        "milliseconds": round(1000 * request.request_time(), 1),
    }
    # As `log.info`, which would look for its caller in every frame of the stack.
    told = {"facts": facts}
    log.handle(log.makeRecord(log.name, logging.INFO, "", 0, "request", (), None, extra=told))


async def asked_to_stop() -> None:
    """Wait for SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _check_access(settings: Settings) -> None:
    """Open is the default only where nobody but this machine can reach the server."""
    if settings.access not in ("", "open"):
        raise CannotStartError(
            f"access “{settings.access}” does not exist yet; the only one so far is “open”"
        )
    if _is_loopback(settings.host):
        return
    if settings.access != "open":
        raise CannotStartError(
            f"{settings.host} can be reached from other machines, and there are no accounts yet: "
            "say --access open if everyone who reaches it may read and change the library"
        )
    print(  # noqa: T201 - a warning that no log level hides
        f"WARNING: everyone who can reach {settings.host}:{settings.port} may read and change this "
        "library (--access open).",
        file=sys.stderr,
        flush=True,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        if settings.port == 0 and settings.host == "localhost":
            # One port for both families cannot be had by chance.
            return bind_sockets(0, "127.0.0.1", backlog=_BACKLOG)
        return bind_sockets(settings.port, settings.host, backlog=_BACKLOG)
    except OSError as error:
        raise CannotStartError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "choose another --port, or 0 for any free one"
        ) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
