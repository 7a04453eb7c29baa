"""The simulated clock, its text, and where it starts."""

from datetime import datetime

import pytest

from quotewire.errors import ConfigurationError
from quotewire.market.calendar import TORONTO, hours
from quotewire.simulator.clock import MarketClock, TorontoText, start_time


def test_the_clock_runs_at_its_speed() -> None:
    real = [100.0]
    clock = MarketClock(5000.0, 60.0, lambda: real[0])
    assert clock.now() == 5000.0
    real[0] += 2
    assert clock.now() == 5120.0


def test_text_is_the_wires() -> None:
    text = TorontoText()
    moment = datetime(2026, 3, 3, 16, 48, 34, 140_999, TORONTO).timestamp()
    assert text(moment) == "2026-03-03T16:48:34.140000-05:00"
    assert text(moment + 0.5) == "2026-03-03T16:48:34.640000-05:00"
    assert text(datetime(2019, 10, 11, 19, 21, 10, 42_000, TORONTO).timestamp()) == "2019-10-11T19:21:10.042000-04:00"


@pytest.mark.parametrize(
    ("wall", "start"),
    [
        ("2026-03-03T03:00", "2026-03-03T10:00"),
        ("2026-03-03T23:00", "2026-03-03T10:00"),
        ("2026-03-01T12:00", "2026-02-27T10:00"),
        ("2026-07-01T12:00", "2026-06-30T10:00"),  # a holiday in Canada alone
        ("2026-03-08T12:00", "2026-03-06T10:00"),  # the clocks went forward that Sunday
    ],
)
def test_open_is_ten_on_the_latest_day_both_countries_trade(wall: str, start: str) -> None:
    now = datetime.fromisoformat(wall).replace(tzinfo=TORONTO).timestamp()
    assert start_time("open", now, hours) == datetime.fromisoformat(start).replace(tzinfo=TORONTO).timestamp()


def test_now_and_given_times() -> None:
    assert start_time("now", 123.0, hours) == 123.0
    assert start_time("2026-03-03T15:00:00+00:00", 0, hours) == start_time("2026-03-03T10:00", 0, hours)
    with pytest.raises(ConfigurationError, match="start is 'yesterday'"):
        start_time("yesterday", 0, hours)
