from __future__ import annotations

import threading
import time

import pytest

from sonoteca_desktop.transfers.bandwidth import Bandwidth, Bucket, Meter
from sonoteca_desktop.transfers.control import Control, StoppedError


def never() -> bool:
    return False


def test_a_bucket_lets_through_its_rate_and_no_more() -> None:
    bucket = Bucket(1000, now=0.0)
    now, total = 0.0, 0
    while now < 10.0:
        given = bucket.take(10_000, now)
        assert given <= 50
        total += given
        now += 0.0 if given else max(0.001, bucket.wait(10_000))
    assert 9_900 <= total <= 10_250


def test_a_bucket_saves_up_a_quarter_of_a_second_at_most() -> None:
    bucket = Bucket(1000, now=0.0)
    burst = 0
    while given := bucket.take(1000, 3600.0):
        burst += given
    assert burst == 250


def test_what_was_not_used_is_there_for_the_next() -> None:
    bucket = Bucket(1000, now=0.0)
    assert bucket.take(50, 0.05) == 50
    assert bucket.take(50, 0.05) == 0
    bucket.give_back(30)
    assert bucket.take(30, 0.05) == 30


def test_without_limit_everything_goes() -> None:
    bandwidth = Bandwidth()
    assert bandwidth.take(123_456, never) == 123_456
    bandwidth.give_back(5)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one byte"):
        Bandwidth(0)


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks by himself whether something has come: he has to be woken."""
    monkeypatch.setattr(Bucket, "wait", lambda *_: 1000.0)


@pytest.mark.usefixtures("patience")
def test_lifting_the_limit_wakes_who_waits() -> None:
    bandwidth = Bandwidth(1)
    threading.Timer(0.05, bandwidth.set_limit, [None]).start()
    assert bandwidth.take(1000, never) == 1000


@pytest.mark.usefixtures("patience")
def test_a_stop_wakes_who_waits() -> None:
    bandwidth = Bandwidth(1)
    stopped = threading.Event()

    def stop() -> None:
        stopped.set()
        bandwidth.wake()

    threading.Timer(0.05, stop).start()
    assert bandwidth.take(1000, stopped.is_set) == 0


@pytest.mark.usefixtures("patience")
def test_stopping_a_transfer_wakes_it_from_its_limit() -> None:
    control = Control(
        Bandwidth(1), progressed=lambda _: None, committed=lambda _: None, stepping=lambda _: True
    )
    threading.Timer(0.05, control.stop).start()
    with pytest.raises(StoppedError):
        control.take(1000)


def test_all_who_wait_get_a_fair_share() -> None:
    bandwidth = Bandwidth(400_000)
    ended = threading.Event()
    shares = [0, 0, 0]

    def draw(number: int) -> None:
        while taken := bandwidth.take(1 << 18, ended.is_set):
            shares[number] += taken

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(3)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    ended.wait(0.8)
    elapsed = time.monotonic() - began
    ended.set()
    bandwidth.wake()
    for thread in threads:
        thread.join()
    assert sum(shares) <= 400_000 * (elapsed + 0.5)
    assert min(shares) > 0.7 * max(shares)


def test_the_speed_is_known_soon_and_forgotten_slowly() -> None:
    meter = Meter(now=0.0)
    for step in range(1, 41):
        meter.add(100, now=step * 0.1)
        assert meter.speed(step * 0.1) == pytest.approx(1000, rel=0.6 if step < 3 else 0.1)
    assert meter.speed(7.0) == pytest.approx(1000 / 2.718, rel=0.4)
    assert meter.speed(60.0) < 1


def test_the_time_left_is_told_after_two_seconds() -> None:
    meter = Meter(now=0.0)
    for step in range(1, 41):
        meter.add(100, now=step * 0.1)
    assert meter.seconds_left(10_000, 1.0) is None
    assert meter.seconds_left(10_000, 4.0) == pytest.approx(10.0, rel=0.1)
    assert meter.seconds_left(10_000, 400.0) is None
