"""The image and the compose files fit the program: its settings, its port, its files, its lists."""

import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import dev
import pytest

from sonoteca_server.settings import Settings
from sonoteca_shared import __version__

ROOT = Path(dev.__file__).parent
DOCKERFILE = "packaging/Dockerfile"
COMPOSE = "packaging/compose.yaml"
PAGE = "docs/container.md"
PORT = next(field.default for field in fields(Settings) if field.name == "port")


def text(name: str) -> str:
    """A file of ours."""
    return (ROOT / name).read_text(encoding="utf-8")


def admitted(path: str) -> bool:
    """Whether .dockerignore lets this file, or something of it, into the build."""
    rules = [line for line in text(".dockerignore").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*", "what the image is made of is named; all else stays out"
    named = [rule[1:] for rule in rules if rule.startswith("!")]
    return any(path == name or path.startswith(f"{name}/") for name in named)


@pytest.mark.parametrize("name", [DOCKERFILE, COMPOSE, "packaging/compose.scale.yaml", PAGE])
def test_names_settings_that_exist(name: str) -> None:
    known = {f"SONOTECA_{field.name.upper()}" for field in fields(Settings)}
    named = set(re.findall(r"\bSONOTECA_[A-Z_]+", text(name)))
    assert named
    assert named - known == set()


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        (DOCKERFILE, r"^EXPOSE (\d+)"),
        (DOCKERFILE, r"HTTPConnection.*?'127\.0\.0\.1', (\d+)"),
        (COMPOSE, r"\$\{SONOTECA_PORT:-(\d+)\}"),
        (COMPOSE, r"\}:(\d+)\"$"),
        (PAGE, r"http://127\.0\.0\.1:(\d+)"),
    ],
)
def test_every_place_says_the_port_of_the_server(name: str, pattern: str) -> None:
    assert re.findall(pattern, text(name), re.MULTILINE) == [str(PORT)]


@pytest.mark.parametrize("name", [COMPOSE, "packaging/compose.scale.yaml"])
def test_every_process_of_ours_is_locked_in(name: str) -> None:
    ours = text(name).count("image: sonoteca-server\n")
    assert ours >= 1
    for lock in ("read_only: true", "cap_drop: [ALL]", "- /tmp:size=", "stop_grace_period: 20s"):
        assert text(name).count(lock) == ours, lock
    assert text(name).count("no-new-privileges:true") >= ours


def test_the_build_gets_every_file_that_it_asks_for() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", text(DOCKERFILE), re.MULTILINE)
    sources = " ".join(copies).split()
    assert "pyproject.toml" in sources
    assert [name for name in sources if not (ROOT / name).exists() or not admitted(name)] == []


def test_the_build_gets_every_file_of_the_wheel() -> None:
    settings = tomllib.loads(text("pyproject.toml"))
    project = settings["project"]
    packages = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    copied = " ".join(re.findall(r"^COPY (?!--from)(.+) \S+$", text(DOCKERFILE), re.MULTILINE))
    for name in [*packages, project["readme"], *project["license-files"], "pyproject.toml"]:
        assert admitted(name)
        assert name.partition("/")[0] in copied.split()


@pytest.mark.parametrize(
    "name", [".git/config", ".venv/bin/python", ".data/server/x", "tests/kit/wavs.py"]
)
def test_the_build_never_sees_what_is_nobodys_business(name: str) -> None:
    assert not admitted(name)


def test_the_image_says_the_version_that_is_in_it() -> None:
    assert f'org.opencontainers.image.version="{__version__}"' in text(DOCKERFILE)


def test_the_image_has_the_section_of_the_one_list() -> None:
    script = ROOT / "packaging" / "debian-packages.sh"
    command = ["sh", str(script), "container", "python"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = dev.system_packages("container", "python")
    assert sorted(done.stdout.split()) == sorted(row.names["apt-get"] for row in rows)
    # Docker's slim Debian has none of these; without the last, no address of https can be fetched.
    assert {"python3", "tini", "ca-certificates"} <= set(done.stdout.split())


def test_a_section_that_is_not_there_is_told() -> None:
    script = ROOT / "packaging" / "debian-packages.sh"
    done = subprocess.run(
        ["sh", str(script), "no-such"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "no section [no-such]\n")


def test_the_check_runs_what_the_page_says() -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", text(PAGE), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    script = text("packaging/check/container.sh")
    followed = tuple(re.findall(r"(?:follow|page_line) '(.+?)'", script))
    left_out = [line for line in lines if not line.startswith(followed)]
    assert len(lines) > 9
    # It builds, too: with buildah, before it leaves the network.
    assert left_out == [f"docker compose -f {COMPOSE} build"]


def test_readme_has_the_one_command_of_the_page() -> None:
    command = f"docker compose -f {COMPOSE} up"
    assert f"```sh\n{command}\n```" in text("README.md")
    assert f"```sh\n{command}\n```" in text(PAGE)
