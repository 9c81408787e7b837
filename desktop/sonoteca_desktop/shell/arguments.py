"""What can be said to `sonoteca push`, `pull`, `list` and `sync`, and how it is read."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from urllib.parse import urlsplit

from sonoteca_desktop.settings import DEFAULT_SERVER, default_folder
from sonoteca_shared import values
from sonoteca_shared.errors import BadRequestError
from sonoteca_shared.recipes import TARGETS, parse_recipe

COMMANDS = ("push", "pull", "list", "sync")

PATIENCE = 600.0
"""Seconds without a byte after which a command gives up, once it had begun."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def parse(words: list[str]) -> argparse.Namespace:
    """The command and what it is asked for; wrong usage ends the program with 2."""
    parser = _Parser(prog="sonoteca")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_push(commands)
    _add_pull(commands)
    _add_list(commands)
    _add_sync(commands)
    given = parser.parse_args(words)
    if given.command == "pull":
        _check_pull(commands.choices["pull"], given)
    return given


class _Parser(argparse.ArgumentParser):
    """One line on stderr for wrong usage, as for every other error."""

    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


_Commands = argparse._SubParsersAction  # argparse has no other name for it


def _add_push(commands: _Commands[_Parser]) -> None:
    push = _command(
        commands,
        "push",
        "Sends files, and all WAVs of folders, to a Sonoteca server. What the repository has "
        "already, in any folder and under any name, is not sent again and gets no second entry: "
        "“already there” says where it is. Given again, the same command goes on where it stopped.",
        "example: sonoteca push --folder field/2026 ~/recordings take1.wav",
    )
    push.add_argument("paths", metavar="FILE|FOLDER", nargs="+", type=Path)
    push.add_argument("--repository", default="main", help="where to keep them (default: main)")
    push.add_argument("--folder", default="", help="the folder in the library to put them into")
    _add_transfer_options(push)


def _add_pull(commands: _Commands[_Parser]) -> None:
    pull = _command(
        commands,
        "pull",
        "Fetches all sounds that match a query, in their folders. What is there already is not "
        "fetched again, and no other file is overwritten. Given again, the same command goes on "
        "where it stopped.",
        "example: sonoteca pull 'tag:door dur<3' --to ~/sounds · sonoteca pull door --to ~/mp3 "
        "--format mp3 --bitrate 192k · sonoteca pull in:Foley --zip foley.zip",
    )
    pull.add_argument("query", metavar="QUERY", help="as in the search field; '' for everything")
    pull.add_argument("--to", metavar="DIR", type=Path, help="where to put them")
    pull.add_argument("--zip", metavar="FILE", type=Path, help="all of them as one zip instead")
    pull.add_argument("--repository", default="", help="only of this repository")
    pull.add_argument("--folder", default="", help="only of this folder of the library")
    _add_transfer_options(pull)
    pull.add_argument(
        "--segments",
        action="store_true",
        help="fetch files from 64 MiB on over several connections at once",
    )
    for name, (what, words) in _OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        pull.add_argument(flag, metavar=what, dest=f"recipe_{name}", help=words)
    # For programs: QUERY is the URL of one file, and --to the file that it becomes.
    pull.add_argument("--sha256", help=argparse.SUPPRESS)
    pull.add_argument("--size", type=int, help=argparse.SUPPRESS)


_OPTIONS = {
    "format": ("FORMAT", f"have the server convert them: {', '.join(TARGETS)}"),
    "samplerate": ("HZ", "with --format: sample rate"),
    "channels": ("N", "with --format: number of channels"),
    "bitdepth": ("BITS", "with --format: bits of a sample, or float"),
    "bitrate": ("BITS", "with --format: bits a second, such as 192k"),
    "start": ("SECONDS", "with --format: leave out what is before"),
    "end": ("SECONDS", "with --format: leave out what is after"),
    "normalize_lufs": ("LUFS", "with --format: loudness, such as -23"),
}


def _add_list(commands: _Commands[_Parser]) -> None:
    listing = _command(
        commands,
        "list",
        "Lists the sounds that match a query: name, folder, length and format.",
        "example: sonoteca list 'rate>=96k -room' --json",
    )
    listing.add_argument(
        "query", metavar="QUERY", nargs="?", default="", help="as in the search field"
    )
    listing.add_argument("--repository", default="", help="only of this repository")
    listing.add_argument("--folder", default="", help="only of this folder of the library")


def _add_sync(commands: _Commands[_Parser]) -> None:
    syncing = _command(
        commands,
        "sync",
        "Brings this computer up to date while the window is closed: its copy of the catalogue, "
        "and the sounds that are kept here for good, as fast as the window would fetch them. "
        "Given again, it goes on where it stopped.",
        "example: sonoteca sync --server http://studio:8282",
    )
    _add_patience(syncing)


def _command(commands: _Commands[_Parser], name: str, about: str, example: str) -> _Parser:
    parser = commands.add_parser(name, description=about, epilog=example)
    parser.add_argument(
        "--server",
        metavar="URL",
        type=server_address,
        help=f"the server (default: the last one, or {DEFAULT_SERVER})",
    )
    parser.add_argument(
        "--data", metavar="DIR", type=Path, default=default_folder(), help="where to keep things"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    return parser


def _add_transfer_options(parser: _Parser) -> None:
    parser.add_argument(
        "--limit", metavar="SPEED", type=_speed, help="bytes a second at most: 500k, 2M"
    )
    _add_patience(parser)


def _add_patience(parser: _Parser) -> None:
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=_seconds,
        default=PATIENCE,
        help=f"how long to try again while nothing comes through (default: {PATIENCE:.0f})",
    )


def server_address(text: str) -> str:
    """The address of a server as it was typed, if it can be one; "" is the one of before."""
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        is_one = False
    if text and not is_one:
        raise argparse.ArgumentTypeError(
            f"“{text}” is no address of a server: one looks like http://studio:8282"
        )
    return text


def _speed(text: str) -> int:
    found = values.number("size", text)
    if not isinstance(found, int) or found < 1:
        raise argparse.ArgumentTypeError(f"“{text}” is no speed: write 500k or 2M")
    return found


def _seconds(text: str) -> float:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"“{text}” is no number of seconds")
    return float(text)


def _recipe(parser: _Parser, given: argparse.Namespace) -> dict[str, str]:
    """The options of the recipe by which sounds are converted; none when they come as they are."""
    asked = {name: getattr(given, f"recipe_{name}") for name in _OPTIONS}
    options = {name: text for name, text in asked.items() if text is not None}
    if options:
        try:
            parse_recipe(options)
        except BadRequestError as error:
            parser.error(str(error))
    return options


def _check_pull(parser: _Parser, given: argparse.Namespace) -> None:
    given.is_url = given.query.startswith(("http://", "https://"))
    given.recipe = _recipe(parser, given)
    if (given.to is None) == (given.zip is None):
        parser.error("say with --to or with --zip where to put them, and with one of them alone")
    if given.zip is not None and (given.recipe or given.is_url):
        parser.error("a zip has the sounds of the library as they are: leave out --zip or the rest")
    if given.is_url and given.recipe:
        parser.error("a URL is fetched as it is: leave out --format and what belongs to it")
    if not given.is_url and (given.sha256 or given.size is not None):
        parser.error("--sha256 and --size belong to the URL of a file")
    if given.is_url and (not given.sha256 or given.size is None):
        parser.error("a URL needs --sha256 and --size, or nobody could tell whether it came whole")
    if given.is_url and not _DIGEST.fullmatch(given.sha256.lower()):
        parser.error("--sha256 is 64 hexadecimal digits")
    if given.is_url and (given.size < 0 or not urlsplit(given.query).hostname):
        parser.error("that is no URL and size of a file")
