"""Candles: consistent with each other, with the day, and the same every time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from quotewire.market.calendar import TORONTO
from quotewire.simulator.candles import INTERVALS, INTRADAY_MINUTES, MAX_CANDLES, CandleMaker
from quotewire.simulator.clock import TorontoText
from quotewire.simulator.market import Market
from quotewire.simulator.prices import UNITS
from tests.unit.simulator.conftest import chance_for

AAPL, UNTRADED = 8049, 51_000_001


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=TORONTO).timestamp()


def ask(market: Market, start: str, end: str, interval: str, symbol_id: int = AAPL) -> list[dict[str, Any]]:
    maker = CandleMaker(chance_for(1), TorontoText())
    instrument = market.instrument(symbol_id)
    assert instrument is not None
    return maker.candles(instrument, at(start), at(end), interval, market.now)


def sound(candles: list[dict[str, Any]]) -> None:
    for each in candles:
        assert each["low"] <= min(each["open"], each["close"]) <= max(each["open"], each["close"]) <= each["high"]
        assert each["low"] <= each["VWAP"] <= each["high"]
        assert each["volume"] > 0
        assert each["start"] < each["end"]
    assert [each["start"] for each in candles] == sorted({each["start"] for each in candles})


@pytest.mark.parametrize("interval", INTERVALS)
def test_every_interval_is_sound(make_market: Callable[..., Market], interval: str) -> None:
    market = make_market(symbols=2, rate=20.0)
    market.advance(market.now + 900)
    start = "2026-03-02T00:00" if interval in INTRADAY_MINUTES else "2023-01-01T00:00"
    candles = ask(market, start, "2026-03-04T00:00", interval)
    assert candles
    sound(candles)
    assert candles == ask(market, start, "2026-03-04T00:00", interval)


def test_days_join_and_the_last_one_is_today(make_market: Callable[..., Market]) -> None:
    market = make_market(symbols=2, rate=20.0)
    market.advance(market.now + 300)
    days = ask(market, "2026-02-02T10:00", "2026-03-03T18:00", "OneDay")
    assert len(days) == 21, "Family Day in Canada is not a holiday of NASDAQ, Presidents' Day is: 22 weekdays less one"
    row = market.row(AAPL)
    assert row is not None
    today = days[-1]
    assert (today["open"], today["high"], today["low"], today["close"], today["volume"], today["VWAP"]) == (
        row.open_price,
        row.high_price,
        row.low_price,
        row.last_trade_price_tr_hrs,
        row.volume,
        row.vwap,
    )
    instrument = market.instrument(AAPL)
    assert instrument is not None
    assert days[-2]["close"] == instrument.previous_close / UNITS


def test_first_and_last_are_clipped_to_what_was_asked(make_market: Callable[..., Market]) -> None:
    days = ask(make_market(symbols=2), "2026-02-24T10:00", "2026-02-26T12:00", "OneDay")
    assert [day["start"] for day in days] == [
        "2026-02-24T10:00:00.000000-05:00",
        "2026-02-25T00:00:00.000000-05:00",
        "2026-02-26T00:00:00.000000-05:00",
    ]
    assert days[-1]["end"] == "2026-02-26T12:00:00.000000-05:00"


def test_minutes_of_a_past_day_add_up_to_its_prices(make_market: Callable[..., Market]) -> None:
    market = make_market(symbols=2)
    day = ask(market, "2026-03-02T00:00", "2026-03-03T00:00", "OneDay")[0]
    minutes = ask(market, "2026-03-02T00:00", "2026-03-03T00:00", "OneMinute")
    assert len(minutes) == 390
    assert (minutes[0]["open"], minutes[-1]["close"]) == (day["open"], day["close"])
    assert day["low"] <= min(each["low"] for each in minutes) <= max(each["high"] for each in minutes) <= day["high"]


def test_todays_minutes_are_the_trades_that_happened(make_market: Callable[..., Market]) -> None:
    market = make_market(symbols=2, rate=40.0)
    before = ask(market, "2026-03-03T09:30", "2026-03-03T16:00", "OneMinute")
    assert len(before) == 30
    changes = [change for change in market.advance(market.now + 180) if change.row.symbol_id == AAPL]
    trades, volume = [], None
    for change in changes:
        if volume is not None and change.row.volume > volume:
            trades.append(change)
        volume = change.row.volume
    after = ask(market, "2026-03-03T09:30", "2026-03-03T16:00", "OneMinute")
    assert after[:30] == before, "the past does not change"
    assert len(after) == 33
    third = [each.row.last_trade_price for each in trades if 120 <= each.at - at("2026-03-03T10:00") < 180]
    assert after[32]["close"] == third[-1]
    assert after[32]["high"] == max(price for price in third if price is not None)


def test_bounds_and_the_untraded(make_market: Callable[..., Market]) -> None:
    market = make_market()
    assert len(ask(market, "2026-02-01T00:00", "2026-03-03T00:00", "OneMinute")) == MAX_CANDLES
    assert ask(market, "2026-02-01T00:00", "2026-03-03T00:00", "OneDay", UNTRADED) == []
    assert ask(market, "2027-02-01T00:00", "2027-03-03T00:00", "OneDay") == []
