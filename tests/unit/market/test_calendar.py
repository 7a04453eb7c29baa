"""Trading hours: phases at their edges, holidays, early closes, daylight saving, the next opening."""

from datetime import UTC, date, datetime, timedelta

import pytest

from quotewire.market.calendar import DEFAULT, EXCHANGES, TORONTO, MarketPhase, hours, next_open, phase_at


def toronto(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO)


@pytest.mark.parametrize(
    ("exchange", "when", "phase"),
    [
        ("NASDAQ", "2026-03-03T03:59:59", MarketPhase.CLOSED),
        ("NASDAQ", "2026-03-03T04:00:00", MarketPhase.PRE),
        ("TSX", "2026-03-03T06:59:59", MarketPhase.CLOSED),
        ("TSX", "2026-03-03T07:00:00", MarketPhase.PRE),
        ("OPRA", "2026-03-03T06:00:00", MarketPhase.CLOSED),
        ("NYSE", "2026-03-03T09:29:59.999999", MarketPhase.PRE),
        ("NYSE", "2026-03-03T09:30:00", MarketPhase.REGULAR),
        ("NYSE", "2026-03-03T15:59:59", MarketPhase.REGULAR),
        ("NYSE", "2026-03-03T16:00:00", MarketPhase.POST),
        ("NYSE", "2026-03-03T20:00:00", MarketPhase.CLOSED),
        ("NYSE", "2026-03-07T12:00:00", MarketPhase.CLOSED),  # Saturday
        ("NYSE", "2026-07-03T12:00:00", MarketPhase.CLOSED),  # kept Independence Day; Toronto trades
        ("TSX", "2026-07-03T12:00:00", MarketPhase.REGULAR),
        ("OPRA", "2026-07-01T12:00:00", MarketPhase.REGULAR),
        ("MX", "2026-07-01T12:00:00", MarketPhase.CLOSED),
        ("NYSE", "2026-11-27T12:59:59", MarketPhase.REGULAR),  # early close
        ("NYSE", "2026-11-27T13:00:00", MarketPhase.POST),
        ("NYSE", "2026-11-27T17:00:00", MarketPhase.CLOSED),
        ("TSX", "2026-12-24T13:00:00", MarketPhase.POST),
        ("WHATEVER", "2026-03-03T04:30:00", MarketPhase.PRE),  # unknown: the widest hours
    ],
)
def test_phase(exchange: str, when: str, phase: MarketPhase) -> None:
    assert phase_at(exchange, toronto(when)) is phase


def test_phase_reads_any_zone_and_follows_daylight_saving() -> None:
    winter = datetime(2026, 3, 6, 14, 30, tzinfo=UTC)  # the last trading day of winter time: 09:30 -05:00
    summer = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)  # the first of summer time: 09:30 -04:00

    for opening in (winter, summer):
        assert phase_at("TSX", opening) is MarketPhase.REGULAR
        assert phase_at("TSX", opening - timedelta(seconds=1)) is MarketPhase.PRE


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        phase_at("TSX", datetime(2026, 3, 3, 12))


@pytest.mark.parametrize("exchange", [*EXCHANGES, "UNKNOWN"])
def test_hours_ascend_on_trading_days_and_are_none_on_others(exchange: str) -> None:
    day = date(2019, 1, 1)
    trading_days = 0
    while day < date(2036, 1, 1):
        if (today := hours(exchange, day)) is not None:
            trading_days += 1
            assert day.weekday() < 5
            assert today.extended_start < today.start < today.end < today.extended_end
            assert {today.extended_start.date(), today.extended_end.date()} == {day}
        day += timedelta(days=1)

    assert 17 * 249 <= trading_days <= 17 * 253


def test_unknown_exchanges_have_the_widest_hours() -> None:
    assert all(DEFAULT.extended_start <= each.extended_start for each in EXCHANGES.values())
    assert all(DEFAULT.extended_end >= each.extended_end for each in EXCHANGES.values())


@pytest.mark.parametrize(
    ("exchange", "when", "extended", "opening"),
    [
        ("TSX", "2026-03-03T06:00:00", False, "2026-03-03T09:30:00"),
        ("TSX", "2026-03-03T06:00:00", True, "2026-03-03T07:00:00"),
        ("TSX", "2026-03-03T09:30:00", False, "2026-03-04T09:30:00"),  # after, not at
        ("TSX", "2026-03-06T21:00:00", False, "2026-03-09T09:30:00"),  # over a weekend and a clock change
        ("TSX", "2026-12-24T15:00:00", False, "2026-12-29T09:30:00"),  # Christmas, weekend, Boxing Day
        ("NYSE", "2026-12-24T15:00:00", True, "2026-12-28T04:00:00"),
        ("NYSE", "2019-12-31T18:00:00", False, "2020-01-02T09:30:00"),
    ],
)
def test_next_open(exchange: str, when: str, extended: bool, opening: str) -> None:
    assert next_open(exchange, toronto(when), extended=extended) == toronto(opening)


def test_next_open_always_leads_to_a_change_of_phase() -> None:
    when = toronto("2019-01-01T00:00:00")
    for _ in range(600):
        when = next_open("MX", when)
        assert phase_at("MX", when) is MarketPhase.REGULAR
        assert phase_at("MX", when - timedelta(microseconds=1)) is MarketPhase.PRE
