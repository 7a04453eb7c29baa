"""Nothing is gathered in the calm; the window opens with what a pass costs, no further than allowed."""

import pytest

from quotewire.hub.window import Window


def test_the_first_update_goes_at_once() -> None:
    assert Window(0.010, rest=1.0).delay(0.0) == 0.0


def test_after_a_pass_it_rests_as_long_as_that_took() -> None:
    window = Window(0.010, rest=1.0)
    window.passed(5.000, 5.004)
    assert window.delay(5.004) == pytest.approx(0.004)
    assert window.delay(5.006) == pytest.approx(0.002)
    assert window.opened_s == pytest.approx(0.002)


def test_what_timers_cannot_tell_apart_is_not_waited_for() -> None:
    window = Window(0.010, rest=1.0)
    window.passed(5.000, 5.0009)
    assert window.delay(5.0009) == 0.0


def test_it_opens_no_further_than_allowed() -> None:
    window = Window(0.010, rest=1.0)
    window.passed(5.0, 6.0)
    assert window.delay(6.0) == 0.010
    never = Window(0.0, rest=1.0)
    never.passed(5.0, 6.0)
    assert never.delay(6.0) == 0.0


def test_it_closes_again_when_calm() -> None:
    window = Window(0.010, rest=1.0)
    window.passed(5.0, 5.009)
    assert window.delay(5.02) == 0.0
