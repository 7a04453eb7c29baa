"""The list of symbols: known ids, uniqueness, cutting, extending, searching."""

import pytest

from quotewire.market.calendar import EXCHANGES
from quotewire.simulator.universe import build

KNOWN = {"AAPL": 8049, "MSFT": 27426, "FB": 2067121, "EMH.VN": 10164524, "WEED.TO": 16529510}
WANTED = ["SHOP.TO", "RY.TO", "TD.TO", "ENB.TO", "BNS.TO", "CNR.TO", "AMZN", "GOOGL", "NVDA", "TSLA", "SPY", "QQQ"]
EXCHANGES_WANTED = {"TSX", "TSXV", "CNSX", "NEO", "MX", "OPRA", "NASDAQ", "NYSE"}


def test_known_ids_and_wanted_names() -> None:
    universe = build()
    assert {name: universe.by_symbol[name].symbol_id for name in KNOWN} == KNOWN
    assert all(name in universe.by_symbol for name in WANTED)
    assert len(universe.listings) >= 60
    assert {each.exchange for each in universe.listings} >= EXCHANGES_WANTED
    index = universe.by_symbol["SPX.IN"]
    assert (index.tradable, index.quotable, index.is_index) == (False, True, True)


@pytest.mark.parametrize("count", [1, 10, 64, 65, 2000])
def test_the_list_can_be_cut_and_extended(count: int) -> None:
    listings = build(count).listings
    assert len(listings) == count
    assert len({each.symbol_id for each in listings}) == len({each.symbol for each in listings}) == count
    assert listings[0].symbol == "AAPL"
    for each in listings[64:]:
        assert each.price > 0
        assert each.exchange in EXCHANGES
        assert each.average_volume > 0


def test_the_generated_part_does_not_change() -> None:
    first = build(70).listings[64:70]
    assert first == build(300).listings[64:70]
    assert [each.symbol for each in first] == ["ZAAAA", "ZAAAB.TO", "ZAAAC", "ZAAAD.VN", "ZAAAE", "ZAAAF"]


def test_search_by_prefix_of_symbol_or_word() -> None:
    universe = build()
    assert [each.symbol for each in universe.search("rY.")] == ["RY.TO"]
    assert "BNS.TO" in [each.symbol for each in universe.search("bank")]
    found = [each.symbol for each in universe.search("A")]
    assert found.index("AMD") < found.index("AAPL") < found.index("J008303.90")
    assert universe.search("zzzzz") == []
    assert not [each for each in universe.search("AAPL") if each.option]
