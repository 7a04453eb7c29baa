"""When each exchange trades: hours, holidays and early closes, in Toronto time. Pure: `when` comes in.

Hours are those Questrade's `/v1/markets` answers (captures of 2019 and 2026 agree). Toronto and New York keep the same
clock, so one zone serves both countries. An exchange not listed in `EXCHANGES` gets `DEFAULT`, the widest hours we know
(United States): guessing too wide makes a quiet symbol look quiet, guessing too narrow would call a live one closed.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from quotewire.market.holidays import Holidays, closures, early_closes

TORONTO: Final = ZoneInfo("America/Toronto")
EARLY_END: Final = time(13)
EARLY_EXTENDED_END: Final = time(17)  # published by NYSE and Nasdaq; taken over for Canada, where nothing is published
LONGEST_REST_DAYS: Final = 14  # no exchange here rests longer; ends the search of next_open


class MarketPhase(StrEnum):
    """What an exchange is doing. `PRE` and `POST` are extended hours: open, but slow."""

    __hash__ = str.__hash__  # an enum's own is Python code, and phases are keys that are looked up for every quote

    CLOSED = "closed"
    PRE = "pre"
    REGULAR = "regular"
    POST = "post"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A normal day of one exchange (Toronto wall clock) and whose holidays it keeps."""

    extended_start: time
    start: time
    end: time
    extended_end: time
    holidays: Holidays


@dataclass(frozen=True, slots=True)
class Hours:
    """One trading day: aware datetimes in Toronto time, ascending."""

    extended_start: datetime
    start: datetime
    end: datetime
    extended_end: datetime


_CANADIAN: Final = Schedule(time(7), time(9, 30), time(16), time(20), Holidays.CANADA)
_AMERICAN: Final = Schedule(time(4), time(9, 30), time(16), time(20), Holidays.UNITED_STATES)
_US_OPTIONS: Final = Schedule(time(7), time(9, 30), time(16), time(20), Holidays.UNITED_STATES)

EXCHANGES: Final[dict[str, Schedule]] = {
    **dict.fromkeys(("TSX", "TSXV", "MX", "CNSX", "NEO"), _CANADIAN),
    **dict.fromkeys(("NASDAQ", "NYSE", "NYSEAM", "ARCA", "BATS", "PINX", "OTCBB"), _AMERICAN),
    "OPRA": _US_OPTIONS,
}
DEFAULT: Final = _AMERICAN


@lru_cache(maxsize=4096)
def hours(exchange: str, day: date) -> Hours | None:
    """The hours of an exchange (Questrade's `listingExchange`) on a Toronto date; None when it does not trade then."""
    schedule = EXCHANGES.get(exchange, DEFAULT)
    if day.weekday() >= 5 or day in closures(schedule.holidays, day.year):
        return None
    end, extended_end = schedule.end, schedule.extended_end
    if day in early_closes(schedule.holidays, day.year):
        end, extended_end = EARLY_END, EARLY_EXTENDED_END
    return Hours(
        extended_start=datetime.combine(day, schedule.extended_start, TORONTO),
        start=datetime.combine(day, schedule.start, TORONTO),
        end=datetime.combine(day, end, TORONTO),
        extended_end=datetime.combine(day, extended_end, TORONTO),
    )


def phase_at(exchange: str, when: datetime) -> MarketPhase:
    """What the exchange is doing at an aware `when`. Starts are inclusive, ends exclusive.

    Raises ValueError for a naive datetime.
    """
    local = _toronto(when)
    today = hours(exchange, local.date())
    if today is None or not today.extended_start <= local < today.extended_end:
        return MarketPhase.CLOSED
    if local < today.start:
        return MarketPhase.PRE
    return MarketPhase.REGULAR if local < today.end else MarketPhase.POST


def next_open(exchange: str, when: datetime, *, extended: bool = False) -> datetime:
    """The first start of regular trading after `when` (of extended trading if `extended`), in Toronto time.

    Raises ValueError for a naive datetime.
    """
    local = _toronto(when)
    for ahead in range(LONGEST_REST_DAYS):
        day = hours(exchange, local.date() + timedelta(days=ahead))
        if day is None:
            continue
        opening = day.extended_start if extended else day.start
        if opening > local:
            return opening
    raise ValueError(
        f"{exchange} has no trading day within {LONGEST_REST_DAYS} days of {when}; the holiday data is wrong"
    )


def _toronto(when: datetime) -> datetime:
    if when.tzinfo is None:
        raise ValueError(f"a time without a zone was given ({when}); pass an aware datetime")
    return when.astimezone(TORONTO)
