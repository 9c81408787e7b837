#!/usr/bin/env python3
"""Sonoteca's two commands. Each sets up whatever is missing, says so, then does its job.

    python3 dev.py run             the server and the desktop window, until the window is closed
    python3 dev.py test            the whole check: style, types, floors, tests, coverage
    python3 dev.py test WORDS...   pytest alone, with these words: test tests/shared -k riff

It needs Python 3.11 or newer and nothing else (on Windows: py dev.py run). What it makes lies in
.venv (the Python packages) and .data (the library and the window's own files) beside it.
"""

import ctypes
import hashlib
import http.client
import importlib
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import quote, urlsplit

# The whole file keeps to what Python 3.6 can parse, so that an old one gets as far as this.
if sys.version_info < (3, 11):
    sys.exit("dev.py: Sonoteca needs Python 3.11 or newer; this is %d.%d." % sys.version_info[:2])

ROOT = Path(__file__).resolve().parent
WINDOWS = os.name == "nt"
LINUX = sys.platform.startswith("linux")
VENV = ROOT / ".venv"
PYTHON = str(VENV / ("Scripts/python.exe" if WINDOWS else "bin/python"))
STAMP = VENV / "installed-from"
LOCK = ROOT / "packaging" / "requirements" / "dev.txt"
SYSTEM_PACKAGES = ROOT / "packaging" / "system-packages.txt"
DATA = ROOT / ".data"
PORT = 8282
INSTALLERS = {
    "apt-get": "apt-get -qq -y --no-install-recommends -o DPkg::Lock::Timeout=600 install",
    "dnf": "dnf -q -y install",
    "pacman": "pacman -S --needed --noconfirm",
}
QT_MODULES = "QtCore, QtGui, QtMultimedia, QtNetwork, QtSvg, QtWidgets"
Process = subprocess.Popen[str]


def say(text: str) -> None:
    print(f"dev.py: {text}", flush=True)


def fail(text: str) -> NoReturn:
    print(f"dev.py: {text}", file=sys.stderr, flush=True)
    sys.exit(1)


# ---- set-up: system packages


class SystemPackage(NamedTuple):
    """A row of packaging/system-packages.txt."""

    section: str
    probe: str
    names: dict[str, str]  # by the program that installs it

    def is_present(self) -> bool:
        if self.probe.startswith("import:"):
            importlib.invalidate_caches()
            return importlib.util.find_spec(self.probe[len("import:") :]) is not None
        if ".so." not in self.probe:
            return Path(self.probe).is_file() or shutil.which(self.probe) is not None
        try:
            ctypes.CDLL(self.probe)
        except OSError:
            return False
        return True


def system_packages(*sections: str) -> list[SystemPackage]:
    """The rows under these headings of the one list."""
    rows = []
    section = ""
    for line in SYSTEM_PACKAGES.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 1:
            section = words[0].strip("[]")
        elif words and section in sections:
            names = dict(zip(INSTALLERS, words[1:], strict=True))
            rows.append(SystemPackage(section, words[0], names))
    return rows


def set_up_system() -> None:
    """Install what Python and Qt need of Linux; elsewhere their own packages bring it all."""
    sections = ("desktop",) if shutil.which("uv") else ("python", "desktop")
    missing = [row for row in system_packages(*sections) if not row.is_present()] if LINUX else []
    if not missing:
        return
    installer = next((name for name in INSTALLERS if shutil.which(name)), None)
    if installer is None:
        say("no known package manager here; README names what Python and Qt need. Missing:")
        print("    " + "  ".join(row.probe for row in missing))
        return
    install_system_packages(installer, {row.names[installer] for row in missing} - {"-"})
    still = [row.probe for row in missing if not row.is_present()]
    if still:
        fail(f"still missing after the installation: {', '.join(still)}")


def install_system_packages(installer: str, names: set[str]) -> None:
    """Run the package manager: as root at once, else after a yes."""
    commands = [[*INSTALLERS[installer].split(), *sorted(names)]]
    if installer == "apt-get":  # a new machine may have no package lists yet
        commands.insert(0, ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", "update"])
    if os.geteuid() != 0:
        commands = [["sudo", *command] for command in commands]
        ask_for_leave(" && ".join(shlex.join(command) for command in commands))
    say(f"installing {len(names)} system packages (about a minute): {' '.join(sorted(names))}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        if done.returncode:
            print((done.stdout + done.stderr).decode(errors="replace")[-3000:])
            fail(f"this failed (its last words stand above):\n    {shlex.join(command)}")


def ask_for_leave(line: str) -> None:
    """Show the line that needs an administrator; go on after a yes, else stop."""
    say(f"Python and Qt need some system packages. This line installs them:\n\n    {line}\n")
    if not (sys.stdin and sys.stdin.isatty() and shutil.which("sudo")):
        fail("run that line as an administrator, then this command again.")
    if input("Run it now? [Y/n] ").strip().lower() not in ("", "y", "yes"):
        fail("stopped; nothing was changed.")


# ---- set-up: Python packages


def interpreter() -> str:
    """The Python that .venv is made from, also when this one is .venv's own."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def fingerprint() -> str:
    """What .venv depends on. Not the patch version: installing python3-venv may raise that."""
    facts = (sys.version_info[:2], interpreter(), str(ROOT), platform.machine())
    text = LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + repr(facts).encode()
    return hashlib.sha256(text).hexdigest()


def install_steps() -> Iterator[list[str]]:
    """The commands that make .venv: with uv where it is on PATH (much faster), else with pip."""
    uv = shutil.which("uv")
    ourselves = ["--no-deps", "--no-build-isolation", "-e", str(ROOT)]  # hatchling is in the lock
    if uv:
        target = ["-q", "--python", PYTHON]
        yield [uv, "venv", "-q", "--clear", "--python", interpreter(), str(VENV)]
        yield [uv, "pip", "sync", "--require-hashes", *target, str(LOCK)]
        yield [uv, "pip", "install", *target, *ourselves]
    else:
        pip = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
        yield [interpreter(), "-m", "venv", "--clear", str(VENV)]
        yield [*pip, "--retries", "3", "--require-hashes", "-r", str(LOCK)]
        yield [*pip, *ourselves]


def set_up_python() -> None:
    """Make .venv as the lock says, unless it is so already."""
    wanted = fingerprint()
    if STAMP.is_file() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    if VENV.exists() and not os.access(VENV, os.W_OK):
        fail(f"{VENV} belongs to another user; remove it, then run this again.")
    say("installing the Python packages into .venv (about 1 GB)")
    STAMP.unlink(missing_ok=True)  # first away, written last: a broken set-up is done again
    for step in install_steps():
        if subprocess.run(step, check=False).returncode:
            fail(f"this step failed; is the network up?\n    {shlex.join(step)}")
    try_qt()
    STAMP.write_text(wanted, encoding="utf-8")


def try_qt() -> None:
    """Open Qt once, so that a missing library is named now and not by a crash later."""
    program = f"from PySide6 import {QT_MODULES}; QtWidgets.QApplication([])"
    for name in ("offscreen", "xcb") if LINUX and os.environ.get("DISPLAY") else ("offscreen",):
        quiet = "qt.multimedia.symbolsresolver=false"  # it misses PipeWire aloud, and goes on
        environment = {**os.environ, "QT_QPA_PLATFORM": name, "QT_LOGGING_RULES": quiet}
        if subprocess.run([PYTHON, "-c", program], env=environment, check=False).returncode:
            fail(f"Qt does not start here (on {name}) and says why above; README has its needs.")


def set_up() -> None:
    """All that either command needs; next to nothing when it is there."""
    began = time.monotonic()
    set_up_system()
    set_up_python()
    if time.monotonic() - began > 1:
        say(f"set up in {time.monotonic() - began:.0f} s")


# ---- run


@contextmanager
def running(name: str, *words: str, piped: bool = False) -> Iterator[Process]:
    """A Python module of ours as a process, stopped when the block is left."""
    process = subprocess.Popen(
        [PYTHON, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE if piped else None,
        text=True,
        start_new_session=True,  # Ctrl+C comes to us alone, and we stop the parts in order
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            say(f"the {name} did not stop within 15 s and is ended hard")
            process.kill()
            process.wait()


def stop_on_signals() -> None:
    """Ctrl+C, SIGTERM and a closed terminal end `run` cleanly, even where SIGINT was ignored."""
    numbers = [each for each in signal.Signals if each.name in ("SIGINT", "SIGTERM", "SIGHUP")]

    def stop(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)  # stopping has begun and takes a bounded time
        raise KeyboardInterrupt

    for number in numbers:
        if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:  # nohup stays so
            signal.signal(number, stop)


def end_if_running() -> None:
    """Stop here when a server runs on our library already."""
    with suppress(OSError, http.client.HTTPException):  # it was killed, or never was
        url = (DATA / "address").read_text(encoding="utf-8")
        list_names(url)
        say(f"already running at {url}; Ctrl+C where it was started stops it")
        sys.exit(0)


def free_port() -> int:
    """Ours if it is free, else any."""
    with socket.socket() as probe:
        if not WINDOWS:  # there it would mean: take the port from whoever has it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            say(f"port {PORT} is taken, so the server gets another one")
            return 0
    return PORT


def address_of(server: Process) -> str:
    """Wait for the server's word that it answers; whatever else it prints is passed on."""
    for line in server.stdout or ():
        print(line, end="", flush=True)
        found = re.match(r"Sonoteca server on (http://\S+)", line)
        if found:
            threading.Thread(target=pass_on, args=(server,), daemon=True).start()
            return found.group(1)
    fail(f"the server ended (exit code {server.wait()}) and says why above.")


def pass_on(server: Process) -> None:
    for line in server.stdout or ():
        print(line, end="", flush=True)


def list_names(url: str) -> list[str]:
    """The first name in the library, asked without any proxy."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request("GET", "/list?page_size=1")
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != http.HTTPStatus.OK:
        fail(f"the server answers /list with {response.status}: {body.decode(errors='replace')}")
    return [str(name) for name in json.loads(body)]


def make_samples(url: str) -> None:
    """Give a new library something to hear: once, so that who empties it is not contradicted."""
    made = DATA / "samples-made"
    if made.exists():
        return
    if not list_names(url):
        say("first start: making a small sample library")
        samples = [PYTHON, str(ROOT / "packaging" / "samples.py"), "--server", url]
        if subprocess.run(samples, check=False).returncode:
            say("not all samples could be made (see above); everything else works")
            return
    made.touch()


def print_curl_lines(url: str) -> None:
    """Examples to paste into another terminal, made for this very library."""
    mark = '"' if WINDOWS else "'"
    name = quote(next(iter(list_names(url)), "myfile.wav"))
    print("\nFrom another terminal:\n")
    for what, options, path in (
        ("what is there", "", "/list?maxduration=300"),
        ("what is known of a sound", "", f"/info?name={name}"),
        ("fetch it, or what is missing", "-C - -o myfile.wav ", f"/download?name={name}"),
        ("add a file", "-X POST --data-binary @myfile.wav ", "/post?name=myfile.wav"),
    ):
        print(f"    # {what}\n    curl {options}{mark}{url}{path}{mark}")
    print(flush=True)


def wait_for(server: Process, window: "Process | None" = None) -> int:
    """Until the window is closed (where there is none: until the server ends); the exit code."""
    server_runs = True
    while (window or server).poll() is None:
        if server_runs and server.poll() is not None:  # the window shows it too, and stays
            server_runs = False
            say(f"the server ended (exit code {server.returncode}); Ctrl+C ends the window too")
        time.sleep(0.2)
    for name, process in (("server", server), ("window", window)):
        if process and process.returncode is not None and process.returncode != 0:
            say(f"the {name} ended with an error (exit code {process.returncode}); see above")
            return 1
    return 0


def run(words: Sequence[str]) -> int:
    """The server, and the window where there is a display, until it is closed or Ctrl+C."""
    if words:
        fail("run takes no further words; python3 dev.py --help shows both commands.")
    end_if_running()
    set_up()
    stop_on_signals()
    serve = ["serve", "--quiet", "--data", str(DATA / "server"), "--port", str(free_port())]
    try:
        with running("server", "sonoteca_server", *serve, piped=True) as server:
            url = address_of(server)
            (DATA / "address").write_text(url, encoding="utf-8")
            make_samples(url)
            print_curl_lines(url)
            if LINUX and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
                say("no display here (no DISPLAY or WAYLAND_DISPLAY): only the server runs.")
                print(f"\n    Open {url} in a browser. Ctrl+C stops the server.\n", flush=True)
                return wait_for(server)
            say("opening the window; closing it (or Ctrl+C here) stops the server too")
            words = ["--server", url, "--data", str(DATA / "desktop")]
            with running("window", "sonoteca_desktop", *words) as window:
                return wait_for(server, window)
    except KeyboardInterrupt:
        return 0
    finally:
        with suppress(OSError):
            (DATA / "address").unlink()
        say("stopped")


# ---- test


def test(words: Sequence[str]) -> int:
    """The whole check, or with words pytest alone: packaging/check/suite.py, in .venv's Python."""
    set_up()
    suite = ROOT / "packaging" / "check" / "suite.py"
    return subprocess.run([PYTHON, str(suite), *words], cwd=ROOT, check=False).returncode


def main(words: Sequence[str]) -> int:
    """Do what the command line says."""
    commands = {"run": run, "test": test}
    if not words or words[0] not in commands or words[1:] in (["--help"], ["-h"]):
        print(__doc__.strip())
        return 0 if words and words[-1] in ("--help", "-h") else 2
    try:
        return commands[words[0]](words[1:])
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
