"""Candles: today's from the trades that happened, older ones made up by seed, consistent with their neighbours. Pure.

A past day walks back from the reference close with returns that depend on seed, symbol and date alone, so the same
question gets the same answer. Minutes of a past day (and of today before the simulation began) are a bridge between the
day's open and close.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from quotewire.simulator.activity import Day
from quotewire.simulator.chance import ChanceFor
from quotewire.simulator.clock import TorontoText, midnight, toronto_date
from quotewire.simulator.instrument import Bar, Instrument
from quotewire.simulator.prices import UNITS, number, on_grid, tidy

MAX_CANDLES: Final = 2000  # documented; 20 000 was seen once
DAILY_SIGMA: Final = 0.014

INTRADAY_MINUTES: Final = {
    "OneMinute": 1,
    "TwoMinutes": 2,
    "ThreeMinutes": 3,
    "FourMinutes": 4,
    "FiveMinutes": 5,
    "TenMinutes": 10,
    "FifteenMinutes": 15,
    "TwentyMinutes": 20,
    "HalfHour": 30,
    "OneHour": 60,
    "TwoHours": 120,
    "FourHours": 240,
}
DAILY: Final = ("OneDay", "OneWeek", "OneMonth", "OneYear")
INTERVALS: Final = (*INTRADAY_MINUTES, *DAILY)


@dataclass(frozen=True, slots=True)
class _Span:
    start: float
    end: float
    bar: Bar


class CandleMaker:
    """Answers `markets/candles`."""

    def __init__(self, chance_for: ChanceFor, text: TorontoText) -> None:
        self._chance_for = chance_for
        self._text = text

    def candles(self, each: Instrument, start: float, end: float, interval: str, now: float) -> list[dict[str, Any]]:
        """The candles that touch [start, end), oldest first, at most `MAX_CANDLES`; the first and last are clipped."""
        end = min(end, now)
        if each.never_trades or end <= start:
            return []
        if interval in INTRADAY_MINUTES:
            spans = self._intraday(each, start, end, INTRADAY_MINUTES[interval] * 60)
        else:
            spans = self._daily(each, start, end, interval)
        kept: list[dict[str, Any]] = []
        for span in spans:
            kept.append(self._shown(span, start, end))
            if len(kept) >= MAX_CANDLES:
                break
        return kept

    def _shown(self, span: _Span, start: float, end: float) -> dict[str, Any]:
        bar = span.bar
        return {
            "start": self._text(max(span.start, start)),
            "end": self._text(min(span.end, end)),
            "low": number(bar.low),
            "high": number(bar.high),
            "open": number(bar.open),
            "close": number(bar.close),
            "volume": bar.volume,
            "VWAP": tidy(bar.notional / bar.volume / UNITS, 6) if bar.volume else 0,
        }

    # -- days

    def _daily(self, each: Instrument, start: float, end: float, interval: str) -> Iterator[_Span]:
        group: list[tuple[date, Bar]] = []
        for day, bar in self._days(each, start, end):
            if group and _period(group[0][0], interval) != _period(day, interval):
                yield _joined(group, interval)
                group = []
            group.append((day, bar))
        if group:
            yield _joined(group, interval)

    def _days(self, each: Instrument, start: float, end: float) -> list[tuple[date, Bar]]:
        first = max(toronto_date(start), toronto_date(end) - timedelta(days=MAX_CANDLES * 2))
        days: list[tuple[date, Bar]] = []
        close = each.previous_close
        day = each.day.date
        if midnight(day) < end and each.open:
            days.append((day, each.today()))
        for _ in range(MAX_CANDLES):
            past = each.sessions.previous_day(day)
            day = past.date
            if day < first:
                break
            bar, close = self._past_day(each, day, close)
            if midnight(day) < end:
                days.append((day, bar))
        return days[::-1]

    def _past_day(self, each: Instrument, day: date, close: int) -> tuple[Bar, int]:
        """The bar of a past day that ended at `close`, and the close of the day before it."""
        chance = self._chance_for(f"day:{each.listing.symbol}:{day.isoformat()}")
        ticks = each.listing.ticks
        before = on_grid(ticks, close * math.exp(-DAILY_SIGMA * chance.gauss(0.0, 1.0)))
        opened = on_grid(ticks, before * math.exp(DAILY_SIGMA / 4 * chance.gauss(0.0, 1.0)))
        top, bottom = max(opened, close), min(opened, close)
        high = max(top, on_grid(ticks, top * (1 + DAILY_SIGMA / 2 * abs(chance.gauss(0.0, 1.0)))))
        low = min(bottom, on_grid(ticks, bottom * (1 - DAILY_SIGMA / 2 * abs(chance.gauss(0.0, 1.0)))))
        volume = 100 + int(each.listing.average_volume * (0.6 + 0.8 * chance.random()))
        return Bar(opened, high, low, close, volume, volume * (opened + high + low + close) // 4), before

    # -- minutes

    def _intraday(self, each: Instrument, start: float, end: float, width: int) -> Iterator[_Span]:
        for day, bar in self._days(each, start, end):
            session = each.sessions.day(day)
            if session is None:
                continue
            minutes = self._bridge(each, session, bar)
            if day == each.day.date:
                minutes |= each.bars
            yield from _grouped(minutes, session, width, start, end)

    def _bridge(self, each: Instrument, session: Day, bar: Bar) -> dict[int, Bar]:
        """Minute bars of a regular session up to where real ones begin, between the day's open and close."""
        chance = self._chance_for(f"minutes:{each.listing.symbol}:{session.date.isoformat()}")
        first, last = int(session.start // 60), int(session.end // 60)
        if session.date == each.day.date:  # today, up to where the simulation began and real bars take over
            last = min([last, int(each.began // 60), *each.bars])
            bar = each.began_bar
        goal = bar.close
        count = last - first
        ticks = each.listing.ticks
        price, made = float(bar.open), {}
        noise = DAILY_SIGMA / math.sqrt(390)
        for index in range(count):
            opened = min(max(on_grid(ticks, price), bar.low), bar.high)
            price += (goal - price) / (count - index) + bar.open * noise * chance.gauss(0.0, 1.0)
            price = min(max(price, float(bar.low)), float(bar.high))
            closed = goal if index == count - 1 else on_grid(ticks, price)
            closed = min(max(closed, bar.low), bar.high)
            high, low = max(opened, closed), min(opened, closed)
            volume = max(1, int(bar.volume / count * (0.4 + 1.2 * chance.random())))
            made[first + index] = Bar(opened, high, low, closed, volume, volume * (opened + closed) // 2)
        return made


def _merged(bars: list[Bar]) -> Bar:
    return Bar(
        bars[0].open,
        max(bar.high for bar in bars),
        min(bar.low for bar in bars),
        bars[-1].close,
        sum(bar.volume for bar in bars),
        sum(bar.notional for bar in bars),
    )


def _grouped(minutes: dict[int, Bar], session: Day, width: int, start: float, end: float) -> Iterator[_Span]:
    groups: dict[int, list[Bar]] = {}
    for minute in sorted(minutes):
        groups.setdefault(int((minute * 60 - session.start) // width), []).append(minutes[minute])
    for index, bars in groups.items():
        opened = session.start + index * width
        if opened + width > start and opened < end:
            yield _Span(opened, opened + width, _merged(bars))


def _period(day: date, interval: str) -> tuple[int, int]:
    if interval == "OneWeek":
        year, week, _ = day.isocalendar()
        return year, week
    if interval == "OneMonth":
        return day.year, day.month
    return (day.year, 0) if interval == "OneYear" else (day.year, day.timetuple().tm_yday)


def _joined(group: list[tuple[date, Bar]], interval: str) -> _Span:
    first, last = group[0][0], group[-1][0]
    start = first
    if interval == "OneWeek":
        start = first - timedelta(days=first.weekday())
        last = start + timedelta(days=6)
    elif interval == "OneMonth":
        start = first.replace(day=1)
        last = (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    elif interval == "OneYear":
        start, last = date(first.year, 1, 1), date(first.year, 12, 31)
    after = last + timedelta(days=1)
    return _Span(midnight(start), midnight(after), _merged([bar for _, bar in group]))
