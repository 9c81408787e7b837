"""Names in archives: whoever chose them, they unpack inside the folder, on every system."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonoteca_shared.entry_names import entry_name, unique_entries

HOSTILE = [
    # paths
    ("../../etc/passwd", "passwd"),
    ("..\\..\\windows\\system.ini", "system.ini"),
    ("/etc/passwd", "passwd"),
    ("\\\\server\\share\\take.wav", "take.wav"),
    ("C:\\take.wav", "take.wav"),
    ("C:take.wav", "C_take.wav"),
    ("take.wav/", "unnamed"),
    ("..", "unnamed"),
    (".", "unnamed"),
    ("", "unnamed"),
    ("/", "unnamed"),
    ("....", "unnamed"),
    # what Windows forbids, or drops
    ("take.wav:stream", "take.wav_stream"),
    ("take?.wav", "take_.wav"),
    ("*.wav", "_.wav"),
    ('a<b>c|d"e.wav', "a_b_c_d_e.wav"),
    ("take.wav.", "take.wav"),
    ("take.wav ", "take.wav"),
    ("take.wav. . .", "take.wav"),
    ("   ", "unnamed"),
    # devices
    ("con", "_con"),
    ("CON.wav", "_CON.wav"),
    ("nul.tar.gz", "_nul.tar.gz"),
    ("Aux .wav", "_Aux .wav"),
    ("com1.wav", "_com1.wav"),
    ("LPT9", "_LPT9"),
    ("com¹.wav", "_com¹.wav"),
    ("CONIN$", "_CONIN$"),
    ("con\u200b.wav", "_con.wav"),
    ("prn.", "_prn"),
    # what nobody sees
    ("take\x00.wav", "take.wav"),
    ("take\r\n.wav", "take.wav"),
    ("take\x1b[2J.wav", "take[2J.wav"),
    ("take\x7f\x85.wav", "take.wav"),
    ("take\u202evaw.exe", "takevaw.exe"),
    ("\u2066take\u2069.wav", "take.wav"),
    ("\ufefftake.wav", "take.wav"),
    ("ta\u00adke.wav", "take.wav"),
    ("take\u2028.wav", "take.wav"),
    ("take\ud800.wav", "take.wav"),
    ("take\uffff\u0378.wav", "take.wav"),
    # accents
    ("cafe\u0301.wav", "café.wav"),
    ("cafe\u200b\u0301.wav", "café.wav"),
    # too long, in bytes
    ("ä" * 300 + ".wav", "ä" * 125 + ".wav"),
    ("x" * 250 + "." + "y" * 250, "x" * 250 + ".yyyy"),
    ("x" * 254 + ". wav", "x" * 250 + ". wav"),
]


@pytest.mark.parametrize(("given", "name"), HOSTILE)
def test_a_hostile_name_becomes_a_plain_one(given: str, name: str) -> None:
    assert entry_name("", given) == name


@pytest.mark.parametrize(
    "name",
    ["take 1.wav", "Türe zu.wav", "雨.wav", ".hidden", "a..b.wav", "👨‍👩‍👧.wav", "console.wav"],
)
def test_a_good_name_stays_as_it_is(name: str) -> None:
    assert entry_name("", name) == name


@pytest.mark.parametrize(
    ("folder", "path"),
    [
        ("AMB/Harbour", "AMB/Harbour/x.wav"),
        ("", "x.wav"),
        ("/abs/../up", "abs/up/x.wav"),
        ("..", "x.wav"),
        ("C:/a", "C_/a/x.wav"),
        ("con/aux.d/ nul ", "_con/_aux.d/_nul/x.wav"),
        ("a./b. /c", "a/b/c/x.wav"),
        ("a\\b//c", "a/b/c/x.wav"),
        ("\u202e/\x00", "x.wav"),
    ],
)
def test_a_folder_stays_a_relative_one(folder: str, path: str) -> None:
    assert entry_name(folder, "x.wav") == path


@pytest.mark.parametrize(
    ("given", "unique"),
    [
        (["a.wav", "a.wav", "a.wav"], ["a.wav", "a (2).wav", "a (3).wav"]),
        (["a.wav", "A.WAV"], ["a.wav", "A (2).WAV"]),
        (["STRASSE.wav", "straße.wav"], ["STRASSE.wav", "straße (2).wav"]),
        (["caf\u00e9.wav", "CAFE\u0301.wav"], ["café.wav", "CAFE\u0301 (2).wav"]),
        (["a (2).wav", "a.wav", "a.wav"], ["a (2).wav", "a.wav", "a (3).wav"]),
        (["a.wav", "b/a.wav"], ["a.wav", "b/a.wav"]),
        (["b/a.wav", "B/A.wav"], ["b/a.wav", "B/A (2).wav"]),
        # A file cannot stand where a folder has to.
        (["b", "b/a.wav"], ["b (2)", "b/a.wav"]),
        (["x" * 251 + ".wav"] * 2, ["x" * 251 + ".wav", "x" * 247 + " (2).wav"]),
        (["MANIFEST.json"], ["MANIFEST (2).json"]),
        # Nor a folder where a file has to.
        (
            ["manifest.json/a.wav", "x/MANIFEST.json/a.wav", "MANIFEST.json/b/A.wav"],
            ["manifest (2).json/a.wav", "x/MANIFEST.json/a.wav", "manifest (2).json/b/A.wav"],
        ),
        (
            ["MANIFEST.json", "MANIFEST.json/a.wav", "MANIFEST (2).json"],
            ["MANIFEST (2).json", "MANIFEST (3).json/a.wav", "MANIFEST (2) (2).json"],
        ),
    ],
)
def test_each_path_is_in_it_once(given: list[str], unique: list[str]) -> None:
    assert list(unique_entries(given, ["MANIFEST.json"])) == unique


def test_many_of_one_name_do_not_take_for_ever() -> None:
    found = list(unique_entries(["take.wav"] * 70_000))
    assert (found[-1], len(set(found))) == ("take (70000).wav", 70_000)


_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


@given(st.lists(st.tuples(_TEXT, _TEXT), max_size=12))
def test_whatever_people_write_unpacks_everywhere(places: list[tuple[str, str]]) -> None:
    paths = list(unique_entries(entry_name(folder, name) for folder, name in places))
    assert len(paths) == len(places)
    folded = [unicodedata.normalize("NFC", path).casefold() for path in paths]
    assert len(set(folded)) == len(paths)
    for path in paths:
        for part in path.split("/"):
            assert 0 < len(part.encode()) <= 255
            assert part not in (".", "..")
            assert not set(part) & set('\\:*?"<>|')
            assert part == part.rstrip(". ")
            assert all(unicodedata.category(c) not in ("Cc", "Cs") for c in part)
            assert part.partition(".")[0].strip().upper() not in ("CON", "NUL", "AUX", "PRN")
