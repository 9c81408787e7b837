from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from sonoteca_desktop.transfers import target
from sonoteca_desktop.transfers.plan import DiskFullError, PathBlockedError


def go_on() -> None:
    pass


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("take1.wav", "take1.wav"),
        ("Tür & Tor (2).wav", "Tür & Tor (2).wav"),
        ("Tu\u0308r.wav", "Tür.wav"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("a/b\\c.wav", "a_b_c.wav"),
        ("..", "sound.wav"),
        (".", "sound.wav"),
        ("", "sound.wav"),
        ("///", "sound.wav"),
        ("C:\\x.wav", "C__x.wav"),
        ("what?.wav", "what_.wav"),
        ("tab\tnew\nline\0.wav", "tab_new_line_.wav"),
        ("evil\u202evaw.exe", "evil_vaw.exe"),
        ("lone\udcff.wav", "lone_.wav"),
        ("dots...", "dots"),
        (" spaces .wav ", "spaces .wav"),
        ("CON", "CON_"),
        ("nul.wav", "nul_.wav"),
        ("Com1.take.wav", "Com1_.take.wav"),
        ("LPT².wav", "LPT²_.wav"),
        ("console.wav", "console.wav"),
        (".hidden.wav", ".hidden.wav"),
    ],
)
def test_names_from_the_catalogue_are_made_safe(name: str, expected: str) -> None:
    assert target.safe_name(name) == expected


@pytest.mark.parametrize("name", ["x" * 5000 + ".wav", "ü" * 300 + ".wav", "a." + "b" * 400])
def test_long_names_are_cut_and_keep_their_end(name: str, tmp_path: Path) -> None:
    safe = target.safe_name(name)
    assert len(safe.encode()) <= 200
    assert safe.endswith(".wav") == name.endswith(".wav")
    target.open_part(target.part_path(tmp_path / safe, "0123abcd")).close()


def test_the_part_file_lies_beside_its_target() -> None:
    assert target.part_path(Path("d/take1.wav"), "0123abcd") == Path("d/take1.wav.0123abcd.part")


def test_a_whole_part_gets_its_name(tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"whole")
    assert target.land(part, tmp_path / "a.wav") == tmp_path / "a.wav"
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"a.wav": b"whole"}


@pytest.mark.parametrize("links", [True, False])
def test_what_the_user_has_is_never_overwritten(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:  # as on FAT

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.wav").write_bytes(b"mine")
    (tmp_path / "a (2).wav").symlink_to("nowhere")
    part = tmp_path / "a.part"
    part.write_bytes(b"whole")
    assert target.land(part, tmp_path / "a.wav").name == "a (3).wav"
    assert (tmp_path / "a.wav").read_bytes() == b"mine"
    assert (tmp_path / "a (3).wav").read_bytes() == b"whole"
    assert (tmp_path / "a (2).wav").is_symlink()
    assert not part.exists()


def test_a_name_that_was_given_before_a_crash_is_not_given_again(tmp_path: Path) -> None:
    part = tmp_path / "a.part"
    part.write_bytes(b"whole")
    os.link(part, tmp_path / "a.wav")
    assert target.land(part, tmp_path / "a.wav").name == "a.wav"
    assert [each.name for each in tmp_path.iterdir()] == ["a.wav"]


def test_finds_the_very_bytes_under_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"other")
    (tmp_path / "a (2).wav").write_bytes(b"whole")
    digest = hashlib.sha256(b"whole").hexdigest()
    assert target.find_copy(tmp_path / "a.wav", 5, digest, go_on) == tmp_path / "a (2).wav"
    assert target.find_copy(tmp_path / "b.wav", 5, digest, go_on) is None
    (tmp_path / "a (2).wav").write_bytes(b"while")
    assert target.find_copy(tmp_path / "a.wav", 5, digest, go_on) is None


def test_a_link_is_not_followed_by_the_part_file(tmp_path: Path) -> None:
    (tmp_path / "a.part").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"):
        target.open_part(tmp_path / "a.part")
    assert not (tmp_path / "precious").exists()


def test_a_full_disk_is_told_with_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target.check_room(tmp_path, 1000)
    usage = shutil.disk_usage(tmp_path)._replace(free=64 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFullError, match=r"67 MB free, 2\.0 GB needed, and 67 MB are"):
        target.check_room(tmp_path, 2 * 10**9)


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(PathBlockedError, match="the folder is not there"):
        target.check_room(tmp_path / "stick", 1000)
    assert not (tmp_path / "stick").exists()
