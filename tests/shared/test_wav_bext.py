"""What the broadcast extension says, in its three versions, and what may be wrong with it."""

from __future__ import annotations

import pytest

from sonoteca_shared.models import Bext, Loudness, Production, Track
from sonoteca_shared.wav import bext
from tests.judge import tags


def read(payload: bytes, order: str = "<") -> tuple[Bext, list[str]]:
    found: list[str] = []
    return bext.read_bext(payload, order=order, find=found.append, codec="cp1252"), found


@pytest.mark.parametrize("order", ["<", ">"])
def test_tells_everything_that_version_2_has(order: str) -> None:
    payload = tags.bext(
        time_reference=5_000_000_000,
        version=2,
        umid=bytes(range(64)),
        loudness=(-2310, 720, -130, 0x7FFF, -2000),
        history=b"A=PCM,F=48000\r\n\0",
        order=order,
    )
    told, found = read(payload, order)
    assert told == Bext(
        version=2,
        description="A door",
        originator="Recorder",
        originator_reference="REF1",
        origination_date="2018-12-31",
        origination_time="12:40:00",
        time_reference=5_000_000_000,
        umid=bytes(range(64)).hex(),
        loudness=Loudness(integrated=-23.1, range=7.2, true_peak=-1.3, short_term=-20.0),
        coding_history="A=PCM,F=48000",
    )
    assert found == []


@pytest.mark.parametrize(
    ("version", "umid", "told"),
    [(0, b"\1" * 64, ""), (1, b"", ""), (1, b"\1" * 32, "01" * 32), (1, b"\1" * 33, "01" * 33)],
)
def test_a_umid_is_as_long_as_it_is(version: int, umid: bytes, told: str) -> None:
    payload = tags.bext(version=version, umid=umid)
    assert read(payload)[0].umid == told.ljust(128 if len(told) > 64 else 0, "0")


@pytest.mark.parametrize(
    ("version", "loudness"), [(1, (1, 1, 1, 1, 1)), (2, (0, 0, 0, 0, 0)), (2, (0x7FFF,) * 5)]
)
def test_loudness_that_nobody_measured_is_not_told(version: int, loudness: tuple[int, ...]) -> None:
    assert read(tags.bext(version=version, loudness=loudness))[0].loudness is None


@pytest.mark.parametrize(
    ("date", "time", "moment"),
    [
        (b"2018-12-31", b"12:40:00", "2018-12-31T12:40:00"),
        (b"2019:01:01", b"13-37-40", "2019-01-01T13:37:40"),
        (b"2019/01/01", b"", "2019-01-01"),
        (b"2019 01 01", b"99:00:00", "2019-01-01"),
        (b"2019-02-29", b"13:37:40", ""),
        (b"1066-10-14", b"13:37:40", ""),
        (b"31.12.2018", b"13:37:40", ""),
    ],
)
def test_a_moment_is_told_as_far_as_it_makes_sense(date: bytes, time: bytes, moment: str) -> None:
    told, found = read(tags.bext(date=date, time=time))
    assert bext.recorded(told) == moment
    assert found == ([] if moment else ["bext.date"])


@pytest.mark.parametrize("date", [b"", b"0000-00-00", b"          ", b"--"])
def test_a_date_that_was_left_empty_is_not_odd(date: bytes) -> None:
    assert read(tags.bext(date=date))[1] == []


def test_a_short_chunk_tells_what_it_has() -> None:
    told, found = read(tags.bext()[:270])
    assert told == Bext(version=0, description="A door", originator="Recorder")
    assert found == ["bext.short"]


def test_a_time_reference_that_no_day_has_is_left_out() -> None:
    told, found = read(tags.bext(time_reference=1 << 63))
    assert (told.time_reference, found) == (0, ["bext.time-reference"])


def test_the_description_of_a_field_recorder_tells_scene_and_tracks() -> None:
    text = b"sSPEED=023.976-ND\r\nsSCENE=A101\r\nsTAKE=1\r\nsTRK2=Boom\r\nsTRK1=MKH \r\nsTRK3=\r\n"
    told, _ = read(tags.bext(description=text))
    assert bext.production(told) == Production(scene="A101", take="1")
    assert bext.tracks(told) == (Track(index=1, name="MKH"), Track(index=2, name="Boom"))
