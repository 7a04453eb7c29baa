"""Days on which Canadian and American exchanges rest or close early: plain dates, computed from the published rules.

The rules reproduce the calendars published by TMX and NYSE for 2019 to 2035; a one-off closure (a day of mourning) is
a dated entry in `ONE_OFF_CLOSURES`. Years outside that range follow the same rules and are only as good as them.
"""

from collections.abc import Callable
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

MON, THU, FRI, SAT, SUN = 0, 3, 4, 5, 6
JUNETEENTH_SINCE: Final = 2022  # the first year NYSE closed for it
DAY: Final = timedelta(days=1)


class Holidays(StrEnum):
    """Whose holidays an exchange keeps."""

    CANADA = "canada"
    UNITED_STATES = "united_states"


ONE_OFF_CLOSURES: Final[dict[Holidays, frozenset[date]]] = {
    Holidays.CANADA: frozenset(),
    Holidays.UNITED_STATES: frozenset({date(2025, 1, 9)}),  # day of mourning for President Carter
}


def easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar (the anonymous computus)."""
    golden = year % 19
    century, rest = divmod(year, 100)
    leap_centuries, century_rest = divmod(century, 4)
    moon_shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leap_centuries - moon_shift + 15) % 30
    quads, single = divmod(rest, 4)
    to_sunday = (32 + 2 * century_rest + 2 * quads - epact - single) % 7
    correction = (golden + 11 * epact + 22 * to_sunday) // 451
    month, day = divmod(epact + to_sunday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


def nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th (from 1) given weekday (Monday is 0) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def last_monday(year: int, month: int, *, last_day: int) -> date:
    """The last Monday on or before `last_day` of a month."""
    end = date(year, month, last_day)
    return end - timedelta(days=end.weekday())


def _next_working(day: date, taken: set[date]) -> date:
    """`day`, or the first weekday after it that no other holiday has taken."""
    while day.weekday() >= SAT or day in taken:
        day += DAY
    return day


def _nearest_weekday(day: date) -> date:
    """The American rule: Saturday is kept on Friday, Sunday on Monday."""
    return day + {SAT: -DAY, SUN: DAY}.get(day.weekday(), timedelta())


def _canada(year: int) -> frozenset[date]:
    """TSX. A fixed holiday on a weekend moves to the next free weekday."""
    days = {
        nth_weekday(year, 2, MON, 3),  # Family Day
        easter(year) - 2 * DAY,  # Good Friday
        last_monday(year, 5, last_day=24),  # Victoria Day
        nth_weekday(year, 8, MON, 1),  # Civic Holiday
        nth_weekday(year, 9, MON, 1),  # Labour Day
        nth_weekday(year, 10, MON, 2),  # Thanksgiving
    }
    for month, day in ((1, 1), (7, 1), (12, 25), (12, 26)):  # New Year, Canada Day, Christmas, Boxing Day
        days.add(_next_working(date(year, month, day), days))
    return frozenset(days)


def _united_states(year: int) -> frozenset[date]:
    """NYSE. New Year's Day on a Saturday is not made up for: the old year's last trading day stays one."""
    days = {
        nth_weekday(year, 1, MON, 3),  # Martin Luther King Jr. Day
        nth_weekday(year, 2, MON, 3),  # Washington's Birthday
        easter(year) - 2 * DAY,  # Good Friday
        last_monday(year, 5, last_day=31),  # Memorial Day
        _nearest_weekday(date(year, 7, 4)),  # Independence Day
        nth_weekday(year, 9, MON, 1),  # Labor Day
        nth_weekday(year, 11, THU, 4),  # Thanksgiving
        _nearest_weekday(date(year, 12, 25)),  # Christmas
    }
    new_year = date(year, 1, 1)
    if new_year.weekday() != SAT:
        days.add(_nearest_weekday(new_year))
    if year >= JUNETEENTH_SINCE:
        days.add(_nearest_weekday(date(year, 6, 19)))
    return frozenset(days)


def _early_canada(year: int) -> frozenset[date]:
    """TSX closes early on Christmas Eve when that is a weekday."""
    eve = date(year, 12, 24)
    return frozenset({eve} if eve.weekday() < SAT else ())


def _early_united_states(year: int) -> frozenset[date]:
    """NYSE closes early on the day after Thanksgiving, and on July 3 and December 24 when both they and the next day
    are weekdays.
    """
    days = {nth_weekday(year, 11, THU, 4) + DAY}
    days.update(eve for eve in (date(year, 7, 3), date(year, 12, 24)) if eve.weekday() < FRI)
    return frozenset(days)


_CLOSED: Final[dict[Holidays, Callable[[int], frozenset[date]]]] = {
    Holidays.CANADA: _canada,
    Holidays.UNITED_STATES: _united_states,
}
_EARLY: Final[dict[Holidays, Callable[[int], frozenset[date]]]] = {
    Holidays.CANADA: _early_canada,
    Holidays.UNITED_STATES: _early_united_states,
}


@lru_cache(maxsize=256)
def closures(keeper: Holidays, year: int) -> frozenset[date]:
    """The weekdays of `year` on which nothing trades."""
    one_off = {day for day in ONE_OFF_CLOSURES[keeper] if day.year == year}
    return _CLOSED[keeper](year) | one_off


@lru_cache(maxsize=256)
def early_closes(keeper: Holidays, year: int) -> frozenset[date]:
    """The trading days of `year` that end at 13:00 Toronto time."""
    return _EARLY[keeper](year) - closures(keeper, year)
