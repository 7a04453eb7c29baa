"""Prices as whole numbers of 1/10000, so that the grid is exact, and as the wire writes them. Pure."""

from typing import Final

UNITS: Final = 10_000  # units in one unit of currency

US_TICKS: Final = ((0, 1), (1 * UNITS, 100))  # (pivot, tick) in units: captured with AAPL
CA_TICKS: Final = ((0, 50), (UNITS // 2, 100))  # TSX rules: half a cent below 0.50, a cent from there up
INDEX_TICKS: Final = ((0, 100),)
OPTION_TICKS: Final = ((0, 100), (3 * UNITS, 500))

Ticks = tuple[tuple[int, int], ...]
Number = int | float


def tick_at(ticks: Ticks, price: float) -> int:
    """The step, in units, of the grid at a price in units."""
    step = ticks[0][1]
    for pivot, size in ticks:
        if price >= pivot:
            step = size
    return step


def on_grid(ticks: Ticks, price: float) -> int:
    """The price in units, moved down to the grid; never below one tick."""
    step = tick_at(ticks, price)
    return max(step, int(price // step) * step)


def number(units: int) -> Number:
    """Units as the wire shows them: an integral value has no decimal point (`142`, not `142.0`)."""
    whole, rest = divmod(units, UNITS)
    return whole if rest == 0 else units / UNITS


def tidy(value: float, digits: int) -> Number:
    """A computed value, rounded, and without a decimal point when it is integral."""
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded
