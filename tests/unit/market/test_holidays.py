"""Holiday rules against calendars published by TMX and NYSE."""

from datetime import date

import pytest

from quotewire.market.holidays import Holidays, closures, early_closes, easter


def days(*texts: str) -> frozenset[date]:
    return frozenset(date.fromisoformat(text) for text in texts)


PUBLISHED_CLOSURES = [
    (
        Holidays.UNITED_STATES,
        days(
            *("2019-01-01", "2019-01-21", "2019-02-18", "2019-04-19", "2019-05-27"),
            *("2019-07-04", "2019-09-02", "2019-11-28", "2019-12-25"),
        ),
    ),
    (
        Holidays.UNITED_STATES,  # Independence Day on Sunday, Christmas on Saturday, no Juneteenth yet
        days(
            *("2021-01-01", "2021-01-18", "2021-02-15", "2021-04-02", "2021-05-31"),
            *("2021-07-05", "2021-09-06", "2021-11-25", "2021-12-24"),
        ),
    ),
    (
        Holidays.UNITED_STATES,  # New Year's Day on Saturday is not made up for
        days(
            *("2022-01-17", "2022-02-21", "2022-04-15", "2022-05-30", "2022-06-20"),
            *("2022-07-04", "2022-09-05", "2022-11-24", "2022-12-26"),
        ),
    ),
    (
        Holidays.UNITED_STATES,  # with the day of mourning
        days(
            *("2025-01-01", "2025-01-09", "2025-01-20", "2025-02-17", "2025-04-18", "2025-05-26"),
            *("2025-06-19", "2025-07-04", "2025-09-01", "2025-11-27", "2025-12-25"),
        ),
    ),
    (
        Holidays.UNITED_STATES,
        days(
            *("2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25"),
            *("2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25"),
        ),
    ),
    (
        Holidays.CANADA,  # Christmas on Saturday: both days move
        days(
            *("2021-01-01", "2021-02-15", "2021-04-02", "2021-05-24", "2021-07-01"),
            *("2021-08-02", "2021-09-06", "2021-10-11", "2021-12-27", "2021-12-28"),
        ),
    ),
    (
        Holidays.CANADA,
        days(
            *("2022-01-03", "2022-02-21", "2022-04-15", "2022-05-23", "2022-07-01"),
            *("2022-08-01", "2022-09-05", "2022-10-10", "2022-12-26", "2022-12-27"),
        ),
    ),
    (
        Holidays.CANADA,  # New Year's Day on Sunday, Canada Day on Saturday
        days(
            *("2023-01-02", "2023-02-20", "2023-04-07", "2023-05-22", "2023-07-03"),
            *("2023-08-07", "2023-09-04", "2023-10-09", "2023-12-25", "2023-12-26"),
        ),
    ),
    (
        Holidays.CANADA,
        days(
            *("2024-01-01", "2024-02-19", "2024-03-29", "2024-05-20", "2024-07-01"),
            *("2024-08-05", "2024-09-02", "2024-10-14", "2024-12-25", "2024-12-26"),
        ),
    ),
]


@pytest.mark.parametrize(("keeper", "published"), PUBLISHED_CLOSURES)
def test_closures_are_the_published_ones(keeper: Holidays, published: frozenset[date]) -> None:
    (year,) = {day.year for day in published}

    assert closures(keeper, year) == published


@pytest.mark.parametrize(
    ("year", "published"),
    [
        (2019, days("2019-07-03", "2019-11-29", "2019-12-24")),
        (2020, days("2020-11-27", "2020-12-24")),
        (2021, days("2021-11-26")),
        (2022, days("2022-11-25")),
        (2023, days("2023-07-03", "2023-11-24")),
        (2024, days("2024-07-03", "2024-11-29", "2024-12-24")),
        (2025, days("2025-07-03", "2025-11-28", "2025-12-24")),
        (2026, days("2026-11-27", "2026-12-24")),
    ],
)
def test_american_early_closes_are_the_published_ones(year: int, published: frozenset[date]) -> None:
    assert early_closes(Holidays.UNITED_STATES, year) == published


def test_canada_closes_early_on_christmas_eve_only_on_a_weekday() -> None:
    assert early_closes(Holidays.CANADA, 2024) == days("2024-12-24")
    assert early_closes(Holidays.CANADA, 2022) == frozenset()


@pytest.mark.parametrize(
    "sunday", days("2019-04-21", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2030-04-21", "2035-03-25")
)
def test_easter(sunday: date) -> None:
    assert easter(sunday.year) == sunday


@pytest.mark.parametrize("keeper", Holidays)
@pytest.mark.parametrize("year", range(2019, 2036))
def test_every_year_has_a_plausible_number_of_weekday_closures(keeper: Holidays, year: int) -> None:
    rests = closures(keeper, year)

    assert 9 <= len(rests) <= 11
    assert all(day.weekday() < 5 and day.year == year for day in rests)
    assert not rests & early_closes(keeper, year)
