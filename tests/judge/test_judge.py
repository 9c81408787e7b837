"""Libsndfile and ffmpeg judge what we read; where they differ, docs/wav.md has to say why."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.judge import corpus, readers

PAGE = Path(__file__).parents[2] / "docs" / "wav.md"


class Row(NamedTuple):
    """A row of the page's table: files by pattern, who differs, in what, and why."""

    files: str
    reader: str
    what: str
    why: str

    def explains(self, path: Path, reader: str, what: str) -> bool:
        told = reader in self.reader.split(", ") and what == self.what
        return told and fnmatchcase(path.name, self.files)


def rows() -> list[Row]:
    lines = PAGE.read_text(encoding="utf-8").partition("<!-- disagreements -->")[2].splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return [Row(cells[0].strip("`"), *cells[1:]) for cells in table]


def disagreements(reader: str, paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Each file and field in which this reader and we differ."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(readers.READERS[reader], paths))
    for path, theirs in zip(paths, answers, strict=True):
        ours = readers.ours(path)
        if ours is None and theirs is None:
            continue
        if ours is None:
            yield path, "takes"
        elif theirs is None:
            yield path, "refuses"
        else:
            for field in ours.against(theirs):
                yield path, field


def unexplained(reader: str, paths: list[Path]) -> list[tuple[str, str]]:
    table = rows()
    return [
        (path.name, what)
        for path, what in disagreements(reader, paths)
        if not any(row.explains(path, reader, what) for row in table)
    ]


def data_of(package: str, *folders: str) -> list[Path]:
    """The WAVs that a package brings for its own tests, if it is there."""
    found = importlib.util.find_spec(package)
    places = list(found.submodule_search_locations or ()) if found else []
    return sorted(path for place in places for path in Path(place, *folders).glob("*.wav"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The corpus as files."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, content in corpus.files().items():
        (folder / name).write_bytes(content)
    return sorted(folder.iterdir())


def test_the_corpus_has_hundreds_of_good_and_bad_files(made: list[Path]) -> None:
    good = [path for path in made if readers.ours(path)]
    assert len(good) > 200
    assert len(made) - len(good) > 30


def test_libsndfile_and_we_agree_on_the_corpus_or_the_page_says_why(made: list[Path]) -> None:
    assert unexplained("libsndfile", made) == []


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_ffmpeg_and_we_agree_on_a_part_of_the_corpus_or_the_page_says_why(
    made: list[Path],
) -> None:
    assert unexplained("ffmpeg", made[::7]) == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_all_that_ffmpeg_says_of_the_corpus_is_on_the_page_and_no_more(made: list[Path]) -> None:
    found = {reader: list(disagreements(reader, made)) for reader in readers.READERS}
    table = rows()
    missing = [
        (path.name, what)
        for path, what in found["ffmpeg"]
        if not any(row.explains(path, "ffmpeg", what) for row in table)
    ]
    assert missing == []
    idle = [
        (row.files, reader, row.what)
        for row in table
        for reader in row.reader.split(", ")
        if any(fnmatchcase(path.name, row.files) for path in made)
        and not any(row.explains(path, reader, what) for path, what in found[reader])
    ]
    assert idle == []


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("reader", readers.READERS)
def test_judges_of_real_recordings_agree_or_the_page_says_why(reader: str, real_wavs: Path) -> None:
    paths = sorted(path for path in real_wavs.iterdir() if path.suffix.lower() == ".wav")
    assert paths
    assert unexplained(reader, paths) == []


OTHERS: Mapping[str, tuple[str, ...]] = {
    "scipy": ("io", "tests", "data"),
    "test": ("audiodata",),
}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("reader", readers.READERS)
@pytest.mark.parametrize("package", OTHERS)
def test_judges_of_the_test_files_of_others_agree_or_the_page_says_why(
    package: str, reader: str
) -> None:
    paths = data_of(package, *OTHERS[package])
    if not paths:
        pytest.skip(f"{package} is not installed with the WAVs of its tests")
    assert unexplained(reader, paths) == []
