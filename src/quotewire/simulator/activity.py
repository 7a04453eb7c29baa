"""How busy each exchange is through the day: the U shape, extended hours, holidays. Pure.

The levels are invented (no measured tick rates of Questrade's stream are public): 1.0 is the middle of the day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from quotewire.market.calendar import MarketPhase
from quotewire.simulator.clock import HoursOf, toronto_date

SEGMENT_S: Final = 300.0
OPEN_LEVEL: Final = 4.0
CLOSE_LEVEL: Final = 3.0
OPEN_FADE_S: Final = 1800.0
CLOSE_RISE_S: Final = 1500.0
EXTENDED_LEVEL: Final = 0.06
LONGEST_REST_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class Segment:
    """Activity is `level` from `start` up to `end` (epoch seconds)."""

    start: float
    end: float
    level: float
    phase: MarketPhase


@dataclass(frozen=True, slots=True)
class Day:
    """One trading day of an exchange, epoch seconds."""

    date: date
    extended_start: float
    start: float
    end: float
    extended_end: float

    def phase(self, when: float) -> MarketPhase:
        """What the exchange does at `when`, which lies on this day."""
        if not self.extended_start <= when < self.extended_end:
            return MarketPhase.CLOSED
        if when < self.start:
            return MarketPhase.PRE
        return MarketPhase.REGULAR if when < self.end else MarketPhase.POST


class Sessions:
    """One exchange's days and activity."""

    def __init__(self, exchange: str, hours_of: HoursOf) -> None:
        self.exchange = exchange
        self._hours_of = hours_of
        self._segments = lru_cache(maxsize=8)(self._build)
        self._last = Segment(0.0, 0.0, 0.0, MarketPhase.CLOSED)  # events come in time order: nearly always a hit

    def day(self, when: date) -> Day | None:
        """The trading day on a Toronto date, or None."""
        hours = self._hours_of(self.exchange, when)
        if hours is None:
            return None
        return Day(
            when,
            hours.extended_start.timestamp(),
            hours.start.timestamp(),
            hours.end.timestamp(),
            hours.extended_end.timestamp(),
        )

    def latest_day(self, when: float) -> Day:
        """The trading day whose extended hours have begun at or before `when`, the most recent one."""
        return self._find(toronto_date(when), -1, lambda day: day.extended_start <= when)

    def previous_day(self, day: date) -> Day:
        """The trading day before a date."""
        return self._find(day - timedelta(days=1), -1, lambda _: True)

    def phase(self, when: float) -> MarketPhase:
        """What the exchange is doing at `when`."""
        today = self.day(toronto_date(when))
        return MarketPhase.CLOSED if today is None else today.phase(when)

    def segment(self, when: float) -> Segment:
        """The segment that holds `when`, or the first one after it when the exchange is closed."""
        if self._last.start <= when < self._last.end:
            return self._last
        day = self._find(toronto_date(when), 1, lambda day: when < day.extended_end)
        segments = self._segments(day)
        index = int((when - day.extended_start) // SEGMENT_S)
        self._last = segments[min(max(index, 0), len(segments) - 1)]
        return self._last

    def after(self, when: float, work: float, rate: float) -> float:
        """When `work` (1.0 = one event at `rate` per second, level 1) is done, starting at `when`."""
        segment = self.segment(when)
        at = max(when, segment.start)
        while True:
            speed = rate * segment.level
            room = (segment.end - at) * speed
            if room > work:
                return at + work / speed
            work -= room
            segment = self.segment(segment.end)
            at = segment.start

    def _build(self, day: Day) -> tuple[Segment, ...]:
        segments = []
        start = day.extended_start
        while start < day.extended_end:
            middle = start + SEGMENT_S / 2
            segments.append(Segment(start, start + SEGMENT_S, level(day, middle), day.phase(middle)))
            start += SEGMENT_S
        return tuple(segments)

    def _find(self, first: date, step: int, fits: Callable[[Day], bool]) -> Day:
        for ahead in range(LONGEST_REST_DAYS):
            day = self.day(first + timedelta(days=step * ahead))
            if day is not None and fits(day):
                return day
        raise ValueError(f"{self.exchange} has no trading day within {LONGEST_REST_DAYS} days of {first}")


def level(day: Day, when: float) -> float:
    """Activity relative to mid-day at a moment of a trading day."""
    if day.phase(when) is not MarketPhase.REGULAR:
        return EXTENDED_LEVEL
    since, left = when - day.start, day.end - when
    opening = max(0.0, 1 - since / OPEN_FADE_S) * (OPEN_LEVEL - 1)
    closing = max(0.0, 1 - left / CLOSE_RISE_S) * (CLOSE_LEVEL - 1)
    return 1.0 + opening + closing


def share_done(day: Day, when: float) -> float:
    """Which share of a day's regular volume lies before `when`, 0 to 1."""
    length = day.end - day.start
    done = min(max(when - day.start, 0.0), length)
    return (_integral(done, length)) / _integral(length, length)


def _integral(done: float, length: float) -> float:
    opened = min(done, OPEN_FADE_S)
    opening = (OPEN_LEVEL - 1) * (opened - opened**2 / (2 * OPEN_FADE_S))
    closed = max(0.0, done - (length - CLOSE_RISE_S))
    return done + opening + (CLOSE_LEVEL - 1) * closed**2 / (2 * CLOSE_RISE_S)
