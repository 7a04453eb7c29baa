"""Symbol records: options have what stocks lack, and the other way round."""

from collections.abc import Callable

import pytest

from quotewire.simulator.clock import TorontoText
from quotewire.simulator.market import Market
from quotewire.simulator.symbols import record, search_row
from quotewire.simulator.universe import build


@pytest.mark.parametrize("name", [each.symbol for each in (*build().listings, *build().extras)])
def test_records_are_whole_and_agree_with_the_search_row(make_market: Callable[..., Market], name: str) -> None:
    listing = build().by_symbol[name]
    made = record(listing, make_market(rate=1.0).instrument(listing.symbol_id), TorontoText())
    assert len(made) == 34
    assert {key: made[key] for key in search_row(listing)} == search_row(listing)
    option_keys = ("optionType", "optionDurationType", "optionExerciseType", "optionExpiryDate", "optionStrikePrice")
    assert all((made[key] is not None) == (listing.option is not None) for key in option_keys)
    assert bool(made["optionContractDeliverables"]["underlyings"]) == (listing.option is not None)
    assert (made["prevDayClosePrice"] is None) == (listing.price == 0)
    assert made["minTicks"][0]["pivot"] == 0


def test_a_fund_has_no_earnings(make_market: Callable[..., Market]) -> None:
    spy = build().by_symbol["SPY"]
    made = record(spy, make_market(rate=1.0).instrument(spy.symbol_id), TorontoText())
    assert (made["eps"], made["pe"], made["industrySector"]) == (None, None, None)
