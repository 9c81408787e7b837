"""What the user chose is there at the next start, and a broken file is no reason not to start."""

from __future__ import annotations

from pathlib import Path

import pytest

from sonoteca_desktop.settings import Choices, Places, load_choices, save_choices


def test_choices_come_back(tmp_path: Path) -> None:
    places = Places(tmp_path / "new", "http://one")
    save_choices(places.choices, Choices(theme="light", volume=0.5, server="http://one"))
    assert load_choices(places.choices) == Choices(theme="light", volume=0.5, server="http://one")


@pytest.mark.parametrize("text", ["", "{", '{"volume": "loud"}'])
def test_a_broken_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.json").write_text(text)
    assert load_choices(tmp_path / "settings.json") == Choices()


def test_each_server_has_its_own_copy_but_the_journal_is_one(tmp_path: Path) -> None:
    one, two = Places(tmp_path, "http://one"), Places(tmp_path, "http://two")
    assert one.mirror != two.mirror
    assert one.journal == two.journal
