"""All settings with their defaults: from the file, then the environment, then flags."""

from __future__ import annotations

import difflib
import math
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

from sonoteca_server.jobs.addresses import BadUrlError, parse_allow, parse_url
from sonoteca_server.jobs.webhooks import BadSecretError, signing_key
from sonoteca_shared.errors import SonotecaError

PREFIX = "SONOTECA_"
_MAX_PORT = 65_535
# With these at 0 nothing would ever be fetched.
_NOT_NOTHING = ("fetch_idle_s", "max_fetch_s")
_ADDRESS = re.compile(r"https?://[^/?#@\s]+/?")


class SettingsError(SonotecaError):
    """A setting is unknown or has a value that makes no sense."""

    code = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the admin chose. Sizes in bytes, times in seconds."""

    # Where catalogue and recordings lie.
    data: Path
    # What keeps the catalogue: "sqlite" (a file in the data folder) or "postgresql://…".
    database: str = "sqlite"
    # The address to listen on, and its port; 0 takes any free one.
    host: str = "127.0.0.1"
    port: int = 8282
    # Who may use the library. Only "open" (everyone who reaches it) exists so far.
    access: str = ""
    # The address that people reach the server under, when it is not the one it listens on.
    public_url: str = ""
    # The largest file that is taken; 0 for any.
    max_upload_bytes: int = 0
    # Uploads are refused when less than this would stay free on the disk.
    min_free_bytes: int = 67_108_864
    # How long sounds stay in the trash before they are gone for good; 0 empties it each hour.
    trash_s: float = 2_592_000.0
    # How long the head of a request may take, from its first byte or that of a new connection.
    header_timeout_s: float = 10.0
    # How long a client may be silent within a body, or leave an answer unread.
    body_idle_s: float = 30.0
    # How long an upload that can be resumed is kept after its last byte.
    upload_expiry_s: float = 604_800.0
    # The places that archives and webhooks may reach although they are not public: exact
    # "host:port", with commas between.
    fetch_allow: str = ""
    # How long another server may be silent while a file is fetched from it.
    fetch_idle_s: float = 30.0
    # How long it may take to fetch one file.
    max_fetch_s: float = 3_600.0
    # How many bytes the files of one archive may have, if they are fetched; 0 for any.
    max_archive_bytes: int = 0
    # Who is told of archives that are ready, by a signed POST; nobody when it is empty.
    webhook_url: str = ""
    # What webhooks are signed with: any text, or `whsec_` and base64 as Standard Webhooks has it.
    webhook_secret: str = ""
    # How long an archive can be had once it is ready.
    archive_expiry_s: float = 86_400.0
    # How many sounds are converted at once; 0 for as many as there are cores.
    conversions: int = 0


def default_data() -> Path:
    """Where a library lies when nobody said otherwise."""
    return Path(platformdirs.user_data_dir("sonoteca")) / "server"


def default_file() -> Path:
    """The settings file that is read when none is named."""
    return Path(platformdirs.user_config_dir("sonoteca")) / "server.toml"


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ, file: Path | None = None
) -> tuple[Settings, dict[str, str]]:
    """The settings, and for each where its value came from."""
    known = {field.name: field for field in fields(Settings)}
    values: dict[str, Any] = {"data": default_data()}
    sources = dict.fromkeys(known, "default")
    for source, given in (
        (*_from_file(file),),
        ("environment", _from_environment(environment)),
        ("flag", {name: value for name, value in flags.items() if value is not None}),
    ):
        for name, value in given.items():
            if name not in known:
                raise SettingsError(
                    f"{source}: there is no setting “{name}”{_nearest(name, known)}"
                )
            values[name] = _converted(name, value)
            sources[name] = source
    settings = Settings(**values)
    _check_webhook(settings.webhook_url, settings.webhook_secret)
    return settings, sources


def _check_webhook(url: str, secret: str) -> None:
    try:
        signing_key(secret)
    except BadSecretError as error:
        raise SettingsError(f"“webhook_secret”: {error}") from error
    if not url:
        return
    try:
        parse_url(url)
    except BadUrlError as error:
        raise SettingsError(f"“webhook_url”: {error}") from error
    if not secret:
        raise SettingsError("“webhook_url” needs a “webhook_secret”, to sign what is sent there")


def _from_file(file: Path | None) -> tuple[str, dict[str, Any]]:
    path = file or default_file()
    if file is None and not path.exists():
        return "file", {}
    try:
        return str(path), tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    # What the desktop and the tests are told by the same prefix is not ours to judge.
    ours = {n for n in environment if n.startswith(PREFIX) and not n.startswith(f"{PREFIX}TEST_")}
    return {name.removeprefix(PREFIX).lower(): environment[name] for name in sorted(ours)}


# What each kind of setting is made by, from which values besides text, and what to call them.
_KINDS: dict[str, tuple[Callable[[Any], Any], tuple[type, ...], str]] = {
    "Path": (Path, (type(Path()),), "a path"),
    "int": (int, (int,), "a whole number"),
    "float": (float, (int, float), "a number"),
    "str": (str, (), "text"),
}


def _typed(name: str, value: Any) -> Any:
    """The value as its setting has it; what a file says has a kind already: `true` is no port."""
    make, kinds, words = _KINDS[Settings.__annotations__[name]]
    try:
        if type(value) not in (*kinds, str):
            raise TypeError
        return make(value)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"“{name}” takes {words}, not “{value}”") from error


def _converted(name: str, value: Any) -> Any:
    if value == "" and name == "data":
        raise SettingsError("“data” is the folder of the library, and cannot be empty")
    converted = _typed(name, value)
    if isinstance(converted, int | float) and not 0 <= converted < math.inf:
        raise SettingsError(f"“{name}” cannot be less than 0, and has an end")
    if name == "port" and converted > _MAX_PORT:
        raise SettingsError(f"“port” is {_MAX_PORT} at most, not {converted}")
    if name in _NOT_NOTHING and not converted:
        raise SettingsError(f"“{name}” has to be more than 0")
    if name == "fetch_allow":
        _check_places(converted)
    if name == "public_url" and converted and not _ADDRESS.fullmatch(converted):
        raise SettingsError(
            f"“public_url” is an address such as https://example.org, not “{value}”"
        )
    return converted


def _check_places(text: str) -> None:
    try:
        parse_allow(text)
    except BadUrlError as error:
        raise SettingsError(f"“fetch_allow”: {error}") from error


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean “{near[0]}”?" if near else f"; known are: {', '.join(sorted(known))}"
