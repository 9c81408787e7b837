"""Keeps the map in CONTRIBUTING.md what the tree is: each module with its own first sentence.

    .venv/bin/python packaging/check/tree.py            writes the map anew
    .venv/bin/python packaging/check/tree.py --check    only says whether it is what the tree is

So a module has one description, where it is, and the map cannot lie.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "CONTRIBUTING.md"
PACKAGES = ("shared/sonoteca_shared", "server/sonoteca_server", "desktop/sonoteca_desktop")
MAP = re.compile(r"(?<=<!-- map -->\n```\n).*?(?=```\n<!-- end of map -->)", re.DOTALL)
WIDTH = 28


def lines() -> Iterator[str]:
    """The map, package after package; a folder stands before what is in it."""
    for package in PACKAGES:
        root = ROOT / package
        yield f"{package + '/':{WIDTH + 2}}{first_sentence(root / '__init__.py')}"
        for path in sorted(root.rglob("*.py"), key=lambda path: place(path, root)):
            name = place(path, root)
            if name and "/versions" not in name:  # a migration is no place where anyone looks
                yield f"  {name:{WIDTH}}{first_sentence(path)}"


def place(path: Path, root: Path) -> str:
    """A module's place in its package; a folder stands for its `__init__`."""
    return path.relative_to(root).as_posix().removesuffix("__init__.py")


def first_sentence(path: Path) -> str:
    """The first line of a module's docstring, without its full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def main() -> int:
    """Write the map, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    present = MAP.search(page)
    if present is None:
        sys.stderr.write("CONTRIBUTING.md has no place for the map\n")
        return 1
    wanted = "".join(f"{line.rstrip()}\n" for line in lines())
    if "--check" in sys.argv[1:]:
        return 0 if present.group() == wanted else 1
    page = page[: present.start()] + wanted + page[present.end() :]
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
