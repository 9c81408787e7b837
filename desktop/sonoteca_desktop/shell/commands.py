"""Carries out push, pull, list and sync: what to move, and how the command ends."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Collection, Mapping
from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

from sonoteca_desktop.client import Client
from sonoteca_desktop.settings import Places, load_choices
from sonoteca_desktop.shell import arguments, finding, listing, reports, syncing, words
from sonoteca_desktop.shell.errand import Errand
from sonoteca_desktop.transfers import orders, target
from sonoteca_desktop.transfers.archive import Wish
from sonoteca_desktop.transfers.gather import gather
from sonoteca_desktop.transfers.plan import PathBlockedError
from sonoteca_desktop.transfers.queue import State, Transfer
from sonoteca_shared import routes
from sonoteca_shared.errors import SonotecaError
from sonoteca_shared.models import Sound
from sonoteca_shared.query import parse
from sonoteca_shared.terms import Text, all_of, render

_DONE, _FAILED, _INTERRUPTED = 0, 1, 130


def run(given_words: list[str]) -> int:
    """Do what a command line says; its exit code."""
    given = arguments.parse(given_words)
    # A machine that shuts down asks for the same as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _COMMANDS[given.command](given)
    except KeyboardInterrupt:
        words.tell(f"stopped. {words.GO_ON}.")
        return _INTERRUPTED
    except BrokenPipeError:
        # Who read us has seen enough; nothing is left to be flushed to them at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except SonotecaError as error:
        words.tell(str(error))
        return _FAILED
    except OSError as error:
        words.tell(f"{error.filename or 'this computer'}: {error.strerror}")
        return _FAILED


def _push(given: argparse.Namespace) -> int:
    missing = [path for path in given.paths if not os.path.lexists(path)]
    for path in missing:
        words.tell(f"{path}: there is no such file or folder. Is its name right?")
    gathered = gather(path for path in given.paths if path not in missing)
    if gathered.others:
        words.tell(
            gathered.sentence if not gathered.unreadable else "Files that are no WAV were left out."
        )
    for place in gathered.unreadable:
        words.tell(f"{place}: cannot be read. When it may be, the same command goes on.")
    files = [(path, _joined(given.folder, folder)) for path, folder in gathered.files]
    client = Client(_server(given))
    client.request("GET", routes.HEALTH)
    said = ["push", given.repository, given.folder, *map(_full, given.paths)]
    with Errand(client, _places(given).errands, said, repository=given.repository) as errand:
        code = _carry(errand, errand.queue.upload_all(files), given)
    return _FAILED if missing or gathered.unreadable else code


def _pull(given: argparse.Namespace) -> int:
    if given.is_url:
        return _pull_url(given)
    if given.zip is not None:
        return _pull_zip(given)
    client = Client(_server(given))
    finding.check_understood(client, given.query)
    pages = finding.find(client, given.query, repository=given.repository, folder=given.folder)
    sounds = [sound for page in pages for sound in page]
    if not sounds:
        words.tell("nothing in the library matches")
        return _DONE
    said = ["pull", given.query, given.repository, given.folder, _full(given.to)]
    said += [f"{name}={text}" for name, text in given.recipe.items()]
    with Errand(client, _places(given).errands, said) as errand:
        keys: list[int] = []
        for folder, below in groupby(sorted(sounds, key=_folder), key=_folder):
            place = _place(given.to, folder)
            if given.recipe:
                wanted = [each for each in below if not _is_made(each, given.recipe, place)]
                keys += errand.queue.export_all(wanted, given.recipe, place)
            else:
                keys += errand.queue.download_all(below, place)
        return _carry(errand, keys, given)


def _is_made(sound: Sound, recipe: Mapping[str, str], folder: Path) -> bool:
    """Whether there is a file of its name: nobody can tell without making it what is in there."""
    file = folder / orders.exported_name(sound, recipe)
    if found := os.path.lexists(file):
        words.tell(f"{file}: is there already. Remove it to have it made again.")
    return found


def _pull_zip(given: argparse.Namespace) -> int:
    """All that matches as one zip, under the very name."""
    if os.path.lexists(given.zip):
        words.tell(f"{given.zip}: is there already. Name another file.")
        return _FAILED
    if not given.zip.absolute().parent.is_dir():
        words.tell(f"{given.zip.parent}: there is no such folder. Is its name right?")
        return _FAILED
    client = Client(_server(given))
    finding.check_understood(client, given.query)
    places = [("repo", given.repository), ("folder", given.folder)]
    narrowed = all_of(
        [*(Text(name, text) for name, text in places if text), parse(given.query).tree]
    )
    wish = Wish(query=render(narrowed), name=given.zip.name)
    said = ["zip", given.query, given.repository, given.folder, _full(given.zip)]
    with Errand(client, _places(given).errands, said) as errand:
        return _carry(errand, [errand.queue.archive(wish, given.zip)], given)


def _pull_url(given: argparse.Namespace) -> int:
    """One file by its URL: done only when it is whole and right, under the very name."""
    parts = urlsplit(given.query)
    client = Client(f"{parts.scheme}://{parts.netloc}")
    path = parts._replace(scheme="", netloc="", fragment="", path=parts.path or "/").geturl()
    sha256 = given.sha256.lower()
    said = ["fetch", path, str(given.size), sha256, _full(given.to)]
    with Errand(client, _places(given).errands, said) as errand:
        key = errand.queue.fetch(path, given.to, size=given.size, sha256=sha256)
        code = _carry(errand, [key], given)
        [done] = errand.queue.snapshot()
    if code == _DONE and str(done.path) != _full(given.to):
        words.tell(f"{given.to}: another file has that name. What came is {done.path}.")
        return _FAILED
    return code


def _list(given: argparse.Namespace) -> int:
    client = Client(_server(given))
    pages = finding.find(client, given.query, repository=given.repository, folder=given.folder)
    listing.show(pages, json=given.json)
    return _DONE


def _sync(given: argparse.Namespace) -> int:
    server = _server(given)
    places = Places(given.data, server)
    report = reports.choose(json=given.json)
    synced = syncing.sync(Client(server), places, report, given.patience)
    if not given.json:
        print(words.synced(synced.sounds, synced.kept))
    return _tell(synced.transfers)


_COMMANDS = {"push": _push, "pull": _pull, "list": _list, "sync": _sync}


def _carry(errand: Errand, keys: Collection[int], given: argparse.Namespace) -> int:
    """Carry out transfers; the exit code."""
    errand.queue.set_limit(given.limit)
    errand.queue.arrangement.set_several(several=given.command == "pull" and given.segments)
    return _tell(errand.run(set(keys), reports.choose(json=given.json), given.patience))


def _tell(transfers: Collection[Transfer]) -> int:
    """Tell what failed; the exit code."""
    for line in words.failures(transfers):
        words.tell(line)
    return _DONE if all(each.state is State.DONE for each in transfers) else _FAILED


def _server(given: argparse.Namespace) -> str:
    server: str = given.server or load_choices(_places(given).choices).server
    return server.rstrip("/")


def _places(given: argparse.Namespace) -> Places:
    return Places(given.data, "")


def _folder(sound: Sound) -> str:
    return sound.folder


def _place(top: Path, folder: str) -> Path:
    """The folder of the library below a folder of this computer; made if it is not there."""
    place = top.joinpath(*(target.safe_name(part) for part in folder.split("/") if part))
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PathBlockedError(f"{place}: {error.strerror}. Name another folder") from error
    return place


def _joined(folder: str, below: str) -> str:
    return "/".join(part for part in (folder.strip("/"), below) if part)


def _full(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - a link that the user named stays one
