"""What keeps the house in order where no linter looks: sizes, places, lists and pages agree."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import dev
import pytest

import sonoteca_server
import sonoteca_shared
from sonoteca_shared.errors import SonotecaError
from tests.kit import engines

ROOT = Path(__file__).parent.parent
PACKAGES = ("shared", "server", "desktop")
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packaging/*.md")])


def modules(*folders: str) -> list[Path]:
    """All Python files of ours in these folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def page(name: str) -> str:
    """The text of a page that has to be there."""
    path = ROOT / name
    assert path.is_file(), f"{name} is missing"
    return path.read_text(encoding="utf-8")


def code_blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a page that say they are in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)


# ---- sizes and places


def test_no_module_is_longer_than_400_lines() -> None:
    files = [*modules(*PACKAGES, "tests", "packaging"), ROOT / "dev.py"]
    lengths = {str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in files}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_the_packaging_folder_is_no_python_package() -> None:
    # With it `python -m pytest` imports our folder in the place of PyPI's `packaging`, and breaks.
    assert not (ROOT / "packaging" / "__init__.py").exists()


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in modules("tests")}
    assert [str(each) for each in folders if not (each / "__init__.py").exists()] == []


def test_the_map_in_contributing_is_the_tree() -> None:
    script = ROOT / "packaging" / "check" / "tree.py"
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, "run: .venv/bin/python packaging/check/tree.py"


# ---- dependencies


def direct_dependencies() -> set[str]:
    """The names of all packages that pyproject.toml asks for."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = settings["project"]
    lists = [
        settings["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *settings["dependency-groups"].values(),
    ]
    names = [each for line in lists for each in line if isinstance(each, str)]  # no included group
    return {normal(re.split(r"[\[<>=!~; ]", name, maxsplit=1)[0]) for name in names}


def normal(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def dependency_rows() -> list[list[str]]:
    """The cells of the table in docs/decisions.md whose first heading is `dependency`."""
    lines = page("docs/decisions.md").splitlines()
    tables = (
        number for number, line in enumerate(lines) if re.match(r"\| *dependency *\|", line, re.I)
    )
    start = next(tables, None)
    assert start is not None, "docs/decisions.md has no table that starts with `| dependency |`"
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("| ").split("|")])
    return rows


def test_every_direct_dependency_is_a_decision_on_record() -> None:
    on_record = {normal(row[0].strip("`* ")) for row in dependency_rows()}
    assert direct_dependencies() - on_record == set(), "docs/decisions.md lacks these"
    assert on_record - direct_dependencies() == set(), "pyproject.toml does not ask for these"


def test_every_decision_on_a_dependency_is_complete() -> None:
    # dependency, what for, why not the standard library, licence
    assert [row[0] for row in dependency_rows() if len(row) != 4 or not all(row)] == []


@pytest.mark.timeout(120)  # it asks the package registry
@pytest.mark.parametrize("name", ["build", "server", "dev"])
def test_the_lock_is_what_pyproject_says(name: str, tmp_path: Path) -> None:
    script = ROOT / "packaging" / "requirements" / "lock.py"
    command = [sys.executable, str(script), "--to", str(tmp_path), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and re.search(r"error sending request|dns error|connect", done.stderr, re.I):
        engines.missing("no package registry can be reached")
    assert done.returncode == 0, done.stderr
    committed = (ROOT / "packaging" / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    compiled = (tmp_path / f"{name}.txt").read_text(encoding="utf-8")
    assert compiled == committed, "run: .venv/bin/python packaging/requirements/lock.py"


@pytest.mark.parametrize("name", ["build", "server", "dev"])
def test_the_lock_names_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "packaging" / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    pinned = re.findall(r"^[a-z0-9].*==.*$", text, re.MULTILINE)
    assert pinned
    assert [line for line in pinned if not line.endswith("\\")] == []  # its hashes follow


def test_pyside_stays_below_the_version_that_aborts() -> None:
    # See tests/desktop/test_pyside.py for what 6.12.0 does.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    desktop = settings["project"]["optional-dependencies"]["desktop"]
    assert "PySide6>=6.10,<6.12" in desktop


def test_dev_py_tries_every_part_of_qt_that_the_desktop_uses() -> None:
    used = {
        name
        for path in modules("desktop")
        for name in re.findall(r"^from PySide6\.(Qt\w+) import", path.read_text(), re.MULTILINE)
    }
    assert used - set(dev.QT_MODULES.split(", ")) == set()


# ---- errors and signals


def error_classes() -> set[type[SonotecaError]]:
    """The family of SonotecaError, as far as it goes over the wire."""
    for package in (sonoteca_shared, sonoteca_server):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith((".__main__", ".env")):  # those two act when imported
                importlib.import_module(module.name)
    family = {SonotecaError}
    while more := {child for each in family for child in each.__subclasses__()} - family:
        family |= more
    return {each for each in family if each.__module__.startswith(("sonoteca_sh", "sonoteca_se"))}


def test_every_error_has_a_code_of_its_own() -> None:
    codes = sorted(
        each.__dict__.get("code", f"{each.__name__} has none") for each in error_classes()
    )
    assert len(codes) > 3
    assert sorted(set(codes)) == codes
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def careless_connections(source: str) -> Iterator[int]:
    """The lines on which something else than a method is connected to a signal."""
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr != "connect" or ast.unparse(node.func.value) == "sqlite3":
            continue
        if any(not isinstance(argument, ast.Attribute) for argument in node.args[:1]):
            yield node.lineno


def test_signals_below_the_views_are_connected_to_methods_only() -> None:
    # A lambda or plain function runs in the thread that emits: one froze the window for good.
    desktop = ROOT / "desktop" / "sonoteca_desktop"
    files = [
        *desktop.glob("playback/*.py"),
        *desktop.glob("models/*.py"),
        desktop / "background.py",
    ]
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        if path.exists()
        for line in careless_connections(path.read_text(encoding="utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("line", "careless"),
    [
        ("self.sink.stateChanged.connect(self.on_state)", False),
        ("self.a.connect(self.b, Qt.ConnectionType.QueuedConnection)", False),
        ("database = sqlite3.connect(path)", False),
        ("self.sink.stateChanged.connect(lambda: self.stop())", True),
        ("self.sink.stateChanged.connect(finish)", True),
        ("self.timer.timeout.connect(partial(self.step, 1))", True),
    ],
)
def test_a_careless_connection_is_seen(line: str, careless: bool) -> None:
    assert list(careless_connections(line)) == ([1] if careless else [])


# ---- pages


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_of_ours_leads_somewhere(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    targets = re.findall(r"\]\(<?([^)>\s]+)>?[^)]*\)|(?:src|href)=\"([^\"]+)\"", text)
    links = {markdown or html for markdown, html in targets}
    ours = {link for link in links if not re.match(r"[a-z]+:", link)}
    broken = {link for link in ours if not target_exists(path, link)}
    assert broken == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_page_names_is_there(path: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", path.read_text(encoding="utf-8"))
    missing = {
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).exists()
        or (test and f"def {test}(" not in (ROOT / file).read_text(encoding="utf-8"))
    }
    assert missing == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_block_of_code_ends_before_the_next_heading(path: Path) -> None:
    blocks = path.read_text(encoding="utf-8").split("\n```")
    within = [block for block in blocks[1::2] if "\n## " in block]
    assert (len(blocks) % 2, within) == (1, [])


def target_exists(source: Path, link: str) -> bool:
    """Whether this link on this page leads to a file, and to a heading in it if it names one."""
    name, _, anchor = link.partition("#")
    target = source.parent / name if name else source
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ +(.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in {
        re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-") for line in headings
    }


def test_readme_has_the_two_commands() -> None:
    lines = [line for block in code_blocks("README.md", "sh") for line in block.splitlines()]
    assert "python3 dev.py run" in lines
    assert "python3 dev.py test" in lines


def test_readme_names_the_system_packages_that_dev_py_installs() -> None:
    # For whoever wants to install them first: one apt-get line, perhaps continued with backslashes.
    lines = "\n".join(code_blocks("README.md", "sh")).replace("\\\n", " ").splitlines()
    installs = [line for line in lines if "apt-get" in line and "libglib2.0-0" in line]
    assert len(installs) == 1, "README.md needs one ```sh line with apt-get and all the packages"
    words = installs[0].partition(" install ")[2].split()
    named = {word for word in words if not word.startswith("-")}
    assert named == {row.names["apt-get"] for row in dev.system_packages("python", "desktop")}


def test_the_changelog_has_this_version() -> None:
    assert re.search(
        rf"^## .*\b{re.escape(sonoteca_shared.__version__)}\b", page("CHANGELOG.md"), re.MULTILINE
    ), f"CHANGELOG.md has no heading `## {sonoteca_shared.__version__}`"
