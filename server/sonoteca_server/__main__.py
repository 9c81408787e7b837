"""sonoteca-server: serve a library, work off its jobs, look after its catalogue, show settings."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from sonoteca_server import app, database, logs, workers
from sonoteca_server.catalog.engines import home_of, without_password
from sonoteca_server.inspection import inspect
from sonoteca_server.library.verify import Tally, verify
from sonoteca_server.settings import Settings, default_file, load
from sonoteca_server.storage.local import LocalBlobs
from sonoteca_shared import __version__
from sonoteca_shared.errors import SonotecaError


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit code."""
    given = vars(_parser().parse_args(argv))
    try:
        code = _run(given.pop("command"), given)
        sys.stdout.flush()
    except SonotecaError as error:
        print(f"sonoteca-server: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Who reads has had enough, as `head` has; what Python still holds has to go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _run(command: str, given: dict[str, Any]) -> int:
    file = given.pop("config")
    action, yes = given.pop("action", None), given.pop("yes", False)
    full, wav = given.pop("full", False), given.pop("wav", Path())
    if command == "inspect":
        for line in inspect(wav):
            print(line)
        return 0
    quiet = given.pop("quiet", False)
    settings, sources = load(given, file=file)
    if command == "serve":
        return _serve(settings, quiet=quiet)
    if command == "worker":
        return _work(settings)
    if command == "db":
        return database.run(action, settings, yes=yes)
    if command == "verify":
        return _verify(settings, full=full)
    return _show(settings, sources)


def _serve(settings: Settings, *, quiet: bool) -> int:
    logs.to_stderr(quiet=quiet)
    asyncio.run(app.serve(settings))
    return 0


def _work(settings: Settings) -> int:
    logs.to_stderr()
    asyncio.run(workers.work(settings))
    return 0


def _verify(settings: Settings, *, full: bool) -> int:
    """Works while the server runs, and while it does not; a line for each thing that is wrong."""
    home = home_of(settings.database, settings.data)
    if not home.exists():
        raise app.CannotStartError(f"there is no catalogue in {home}; nothing was verified")
    tally = Tally()
    with home.look() as connection:
        for line in verify(connection, LocalBlobs(settings.data), tally, full=full):
            print(line, flush=True)
    print(f"{'every byte' if full else 'presence and size'} verified: {tally}")
    return 1 if tally.damaged else 0


def _show(settings: Settings, sources: dict[str, str]) -> int:
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if field.name == "database":
            value = without_password(value)
        if field.name == "webhook_secret" and value:
            value = "(not shown)"
        print(f"{field.name} = {value!s:40} # {sources[field.name]}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sonoteca-server",
        description="Keeps a team's WAV recordings and serves them.",
        epilog="example: sonoteca-server serve --data ~/sounds --port 8282",
    )
    parser.add_argument("--version", action="version", version=f"Sonoteca {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser(
        "serve",
        help="serve a library until stopped",
        epilog="example: sonoteca-server serve --data ~/sounds --port 0",
    )
    serve.add_argument("--quiet", action="store_true", help="log no requests, only what goes wrong")
    worker = commands.add_parser(
        "worker",
        help="work off jobs beside a server, on the same library, until stopped",
        epilog="example: sonoteca-server worker --data ~/sounds",
    )
    database_ = commands.add_parser(
        "db",
        help="create, destroy, reset, dump or upgrade the catalogue of a library",
        epilog="example: sonoteca-server db dump --data ~/sounds > catalogue.sql",
    )
    database_.add_argument("action", choices=database.ACTIONS)
    database_.add_argument("--yes", action="store_true", help="do not ask before deleting")
    verify_ = commands.add_parser(
        "verify",
        help="check that every recording is there, and with --full that no byte has changed",
        epilog="example: sonoteca-server verify --full --data ~/sounds",
    )
    verify_.add_argument("--full", action="store_true", help="read every byte of every recording")
    inspected = commands.add_parser(
        "inspect",
        help="show the chunks of a WAV and what is odd about it",
        epilog="example: sonoteca-server inspect take1.wav",
    )
    inspected.add_argument("wav", metavar="FILE", type=Path, help="the WAV")
    inspected.set_defaults(config=None)
    settings = commands.add_parser(
        "settings",
        help="show every setting and where its value comes from",
        epilog="example: SONOTECA_PORT=9000 sonoteca-server settings",
    )
    for command in (serve, worker, database_, verify_, settings):
        _add_settings(command)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings file (default: {default_file()})"
    )
    words: dict[str, Any] = {
        "data": "folder of the library",
        "database": "“sqlite” (default) or postgresql://user:password@host/name",
        "host": "address to listen on (default: 127.0.0.1)",
        "port": "port to listen on, 0 for any free one (default: 8282)",
        "access": "who may use the library; “open” must be said off loopback",
        "public_url": "address that people reach the server under",
        "max_upload_bytes": "largest file that is taken (default: 0, any)",
        "min_free_bytes": "what uploads leave free on the disk (default: 64 MiB)",
        "webhook_url": "who is told of archives that are ready, by a signed POST",
        "webhook_secret": "what webhooks are signed with; rather set SONOTECA_WEBHOOK_SECRET",
        "trash_s": "seconds that sounds stay in the trash (default: 30 days)",
        "header_timeout_s": "seconds that the head of a request may take (default: 10)",
        "body_idle_s": "seconds of silence within a body (default: 30)",
        "fetch_allow": "host:port, with commas between, that archives and webhooks may reach too",
        "fetch_idle_s": "seconds that a server which files are fetched from may be silent (30)",
        "max_fetch_s": "seconds that it may take to fetch one file (default: 3600)",
        "max_archive_bytes": "bytes that the files fetched for one archive may have (0: any)",
        "archive_expiry_s": "seconds that an archive is kept (default: one day)",
        "conversions": "sounds that are converted at once (default: 0, as many as cores)",
    }
    for name, text in words.items():
        command.add_argument(f"--{name.replace('_', '-')}", metavar=name.upper(), help=text)


if __name__ == "__main__":
    sys.exit(main())
