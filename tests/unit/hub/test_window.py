"""No pause in the calm; under load writing is kept to its share, and nobody waits longer than allowed."""

import pytest

from quotewire.hub.window import BURST_S, Window


def test_the_first_update_goes_at_once() -> None:
    assert Window(0.010, share=0.5).pause(0.0, 0.0) == 0.0


def test_a_burst_is_written_without_a_pause() -> None:
    window = Window(0.010, share=0.5)
    window.worked(5.0, 5.0 + BURST_S)
    assert window.pause(5.0 + BURST_S, 5.0) == 0.0


def test_beyond_it_writing_pauses_until_it_has_its_share() -> None:
    window = Window(0.010, share=0.5)
    window.worked(5.0, 5.0 + BURST_S)
    window.worked(5.0 + BURST_S, 5.006)
    # 6 ms were spent; a half of the last 4 is what writing may take, and the burst.
    assert window.pause(5.006, 5.006) == pytest.approx((0.006 - 0.5 * (0.006 - BURST_S) - BURST_S) / 0.5)
    assert window.opened_s > 0


def test_over_time_writing_takes_its_share() -> None:
    window, now, spent = Window(0.010, share=0.5), 0.0, 0.0
    while now < 1.0:
        window.worked(now, now + 0.001)
        now, spent = now + 0.001, spent + 0.001
        now += window.pause(now, now)
    assert spent == pytest.approx(0.5, abs=0.02)


def test_nobody_waits_longer_than_allowed() -> None:
    window = Window(0.010, share=0.5)
    window.worked(5.0, 6.0)
    assert window.pause(6.0, 6.0) == pytest.approx(0.010)
    assert window.pause(6.0, 5.994) == pytest.approx(0.004)
    assert window.pause(6.0, 5.99) == 0.0
    never = Window(0.0, share=0.5)
    never.worked(5.0, 6.0)
    assert never.pause(6.0, 6.0) == 0.0


def test_a_pause_timers_could_not_tell_from_none_is_none() -> None:
    window = Window(0.010, share=0.5)
    window.worked(5.0, 5.0 + BURST_S + 0.0004)
    window.worked(5.0 + BURST_S + 0.0004, 5.0 + BURST_S + 0.0004)
    assert window.pause(5.0 + BURST_S + 0.0004, 5.0) in (0.0, 0.001)


def test_it_closes_again_when_calm() -> None:
    window = Window(0.010, share=0.5)
    window.worked(5.0, 5.020)
    assert window.pause(5.020, 5.020) == 0.010
    assert window.pause(5.2, 5.2) == 0.0
    assert window.opened_s == 0.0
