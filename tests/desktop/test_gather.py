"""What a drop means: which files, and the folder each keeps."""

from __future__ import annotations

import os
from pathlib import Path

from sonoteca_desktop.transfers.gather import gather
from tests.kit.wavs import write_wav


def test_folders_keep_their_place_and_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "trip" / "day 2" / "b").mkdir(parents=True)
    for place in ("trip/z.wav", "trip/day 2/a.WAV", "trip/day 2/b/take.bwf", "single.wav"):
        write_wav(tmp_path / place, frames=10)
    found = gather([tmp_path / "trip", tmp_path / "single.wav"])
    assert [(path.name, folder) for path, folder in found.files] == [
        ("z.wav", "trip"),
        ("a.WAV", "trip/day 2"),
        ("take.bwf", "trip/day 2/b"),
        ("single.wav", ""),
    ]
    assert found.sentence == ""


def test_content_makes_a_wav_and_others_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "trip"
    folder.mkdir()
    write_wav(folder / "no ending", frames=10)
    (folder / "notes.txt").write_text("x")
    (folder / "cover.jpg").write_bytes(b"")
    (folder / ".hidden.wav").write_bytes(b"")
    found = gather([folder])
    assert [path.name for path, _ in found.files] == ["no ending"]
    assert found.sentence == "2 files that are no WAV were left out."


def test_a_file_that_was_dropped_itself_is_taken_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    assert gather([tmp_path / "notes.txt"]).files == [(tmp_path / "notes.txt", "")]


def test_pipes_are_left_alone_for_reading_one_may_never_end(tmp_path: Path) -> None:
    folder = tmp_path / "trip"
    folder.mkdir()
    write_wav(folder / "take.wav", frames=10)
    pipes = [folder / "control", folder / "pipe.wav", tmp_path / "alone.wav"]
    for pipe in pipes:
        os.mkfifo(pipe)
    found = gather([folder, tmp_path / "alone.wav"])
    assert found.files == [(folder / "take.wav", "trip")]
    assert found.sentence == "3 files that are no WAV were left out."


def test_an_empty_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "trip").mkdir()
    (tmp_path / "trip" / "one.txt").write_text("x")
    assert gather([tmp_path / "trip"]).sentence == "1 file that is no WAV was left out."
    (tmp_path / "trip" / "one.txt").unlink()
    assert gather([tmp_path / "trip"]).sentence == "There is no WAV file in it."
