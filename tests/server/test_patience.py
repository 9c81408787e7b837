"""How long a client may let the server wait: the rules, with a clock of our own."""

from __future__ import annotations

from sonoteca_server.wire.patience import SLOWEST, Awaits, Limits, Patience

LIMITS = Limits(head_s=10, body_idle_s=30, idle_s=75)


def test_the_first_head_has_to_come_in_time() -> None:
    patience = Patience(LIMITS, 100)
    patience.received(20, 109)
    assert not patience.is_over(109.9, writing=False)
    assert patience.is_over(110.1, writing=False)


def test_a_line_that_is_kept_may_rest_but_a_head_that_has_begun_may_not() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.REQUEST, 100)
    assert not patience.is_over(174, writing=False)
    patience.received(1, 174)
    assert not patience.is_over(183, writing=False)
    patience.received(1, 183)
    assert patience.is_over(184.1, writing=False)


def test_a_line_that_nobody_uses_ends() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.REQUEST, 100)
    assert patience.is_over(175.1, writing=False)


def test_silence_within_a_body_ends() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.BODY, 0)
    patience.received(1 << 20, 25)
    assert not patience.is_over(54, writing=False)
    assert patience.is_over(55.1, writing=False)


def test_a_byte_a_second_buys_no_time() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.BODY, 0)
    for second in range(1, 30):
        patience.received(1, second)
        assert not patience.is_over(second, writing=False)
    patience.received(1, 30)
    assert patience.is_over(30.5, writing=False)


def test_a_slow_line_may_take_all_day() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.BODY, 0)
    for second in range(0, 86_400, 20):
        patience.received(20 * SLOWEST, second)
        assert not patience.is_over(second + 19, writing=False)


def test_what_we_take_for_ourselves_is_not_held_against_the_client() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.BODY, 0)
    patience.expect(Awaits.ANSWER, 20)  # the disk takes a while
    assert not patience.is_over(1_000, writing=False)
    patience.expect(Awaits.BODY, 1_000)
    assert not patience.is_over(1_009, writing=False)
    assert patience.is_over(1_011, writing=False)


def test_the_next_request_begins_with_fresh_patience() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.BODY, 0)
    patience.expect(Awaits.REQUEST, 29)
    patience.expect(Awaits.BODY, 40)
    assert not patience.is_over(69, writing=False)
    assert patience.is_over(71, writing=False)


def test_who_does_not_read_is_given_up_and_who_reads_slowly_is_not() -> None:
    stuck, slow = Patience(LIMITS, 0), Patience(LIMITS, 0)
    for patience in (stuck, slow):
        patience.expect(Awaits.ANSWER, 0)
    for second in range(0, 30, 10):
        assert not stuck.is_over(second, writing=True)
    assert stuck.is_over(31, writing=True)
    for second in range(0, 3_600, 10):
        slow.sent(10 * SLOWEST, second)
        assert not slow.is_over(second, writing=True)


def test_an_answer_that_is_still_worked_on_has_time() -> None:
    patience = Patience(LIMITS, 0)
    patience.expect(Awaits.ANSWER, 0)
    for second in range(0, 3_600, 10):
        assert not patience.is_over(second, writing=second % 20 == 0)
