"""Whole-number prices and the wire's numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.simulator.prices import CA_TICKS, OPTION_TICKS, UNITS, US_TICKS, number, on_grid, tick_at, tidy


@pytest.mark.parametrize(
    ("price", "american", "canadian"),
    [(0.3, 1, 50), (0.5, 1, 100), (0.9999, 1, 100), (1.0, 100, 100), (236.45, 100, 100)],
)
def test_ticks_depend_on_the_price(price: float, american: int, canadian: int) -> None:
    assert tick_at(US_TICKS, price * UNITS) == american
    assert tick_at(CA_TICKS, price * UNITS) == canadian


@given(st.floats(0, 1e9), st.sampled_from([US_TICKS, CA_TICKS, OPTION_TICKS]))
def test_the_grid_is_below_within_a_tick_and_stays(price: float, ticks: tuple[tuple[int, int], ...]) -> None:
    units = on_grid(ticks, price)
    assert units > 0
    assert units % tick_at(ticks, units) == 0
    assert units <= max(price, tick_at(ticks, price)) < units + 2 * tick_at(ticks, price)
    assert on_grid(ticks, units) == units


def test_integral_values_have_no_point() -> None:
    assert repr(number(142 * UNITS)) == "142"
    assert repr(number(2_364_500)) == "236.45"
    assert repr(number(1)) == "0.0001"
    assert repr(tidy(58.07219149, 6)) == "58.072191"
    assert repr(tidy(3.0000001, 6)) == "3"
