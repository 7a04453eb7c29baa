"""Activity through the day and the search for the next one."""

from datetime import date, datetime

import pytest

from quotewire.market.calendar import TORONTO, MarketPhase, hours
from quotewire.simulator.activity import EXTENDED_LEVEL, Sessions, level, share_done


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).timestamp()


@pytest.fixture
def nasdaq() -> Sessions:
    return Sessions("NASDAQ", hours)


def test_levels_fall_from_the_open_and_rise_to_the_close(nasdaq: Sessions) -> None:
    day = nasdaq.day(date(2026, 3, 3))
    assert day is not None
    levels = [level(day, at(f"2026-03-03T{clock}")) for clock in ("09:30", "09:45", "12:00", "15:50", "15:59")]
    assert levels[0] == pytest.approx(4.0)
    assert levels[0] > levels[1] > levels[2] == 1.0 < levels[3] < levels[4] <= 3.0
    assert level(day, at("2026-03-03T08:00")) == level(day, at("2026-03-03T19:00")) == EXTENDED_LEVEL


def test_share_done_runs_from_nothing_to_all(nasdaq: Sessions) -> None:
    day = nasdaq.day(date(2026, 3, 3))
    assert day is not None
    clocks = ("08:00", "09:30", "12:00", "15:00", "16:00", "18:00")
    shares = [share_done(day, at(f"2026-03-03T{clock}")) for clock in clocks]
    assert shares[:2] == [0.0, 0.0]
    assert shares == sorted(shares)
    assert shares[4:] == [1.0, 1.0]


def test_segments_follow_each_other_over_nights_weekends_and_holidays(nasdaq: Sessions) -> None:
    friday = nasdaq.segment(at("2026-04-02T19:59:59"))
    assert friday.end == at("2026-04-02T20:00")
    monday = nasdaq.segment(friday.end)
    assert monday.start == at("2026-04-06T04:00"), "Good Friday and the weekend are skipped"
    assert monday.phase is MarketPhase.PRE
    assert nasdaq.segment(at("2026-04-06T09:30")).phase is MarketPhase.REGULAR
    assert nasdaq.segment(at("2026-04-06T04:07")).start == at("2026-04-06T04:05")


def test_work_is_done_where_the_market_is_open(nasdaq: Sessions) -> None:
    noon = at("2026-03-03T12:00")
    assert nasdaq.after(noon, 10.0, 1.0) == noon + 10
    evening = at("2026-03-03T19:59:00")
    tomorrow = nasdaq.after(evening, 60 * EXTENDED_LEVEL + 1.0, 1.0)
    assert tomorrow == pytest.approx(at("2026-03-04T04:00") + 1 / EXTENDED_LEVEL)


def test_days_before_now_and_early_closes(nasdaq: Sessions) -> None:
    assert nasdaq.latest_day(at("2026-03-03T03:59")).date == date(2026, 3, 2)
    assert nasdaq.latest_day(at("2026-03-01T12:00")).date == date(2026, 2, 27)
    assert nasdaq.previous_day(date(2026, 3, 2)).date == date(2026, 2, 27)
    early = nasdaq.day(date(2026, 11, 27))
    assert early is not None
    assert early.phase(at("2026-11-27T12:59")) is MarketPhase.REGULAR
    assert early.phase(at("2026-11-27T13:00")) is MarketPhase.POST
    assert nasdaq.phase(at("2026-03-01T12:00")) is MarketPhase.CLOSED


def test_an_exchange_that_never_opens_is_an_error() -> None:
    with pytest.raises(ValueError, match="no trading day"):
        Sessions("MOON", lambda exchange, day: None).segment(at("2026-03-03T12:00"))
