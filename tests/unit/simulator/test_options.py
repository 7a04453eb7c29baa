"""Chains and option quotes."""

from collections.abc import Callable
from datetime import date

import pytest

from quotewire.simulator.clock import TorontoText
from quotewire.simulator.market import Market
from quotewire.simulator.options import EXPIRIES, PER_UNDERLYING, STRIKES, chain, contracts, level1, quote
from quotewire.simulator.universe import build

TODAY = date(2026, 3, 3)


def test_chains_have_monthly_expiries_and_pairs_of_strikes() -> None:
    apple = build().by_symbol["AAPL"]
    made = contracts([apple], TODAY)
    assert len(made) == PER_UNDERLYING == len({each.listing.symbol_id for each in made})
    rows = chain(apple, made, TorontoText())
    assert [row["expiryDate"][:10] for row in rows] == ["2026-03-20", "2026-04-17", "2026-05-15"]
    assert len(rows) == EXPIRIES
    for row in rows:
        strikes = row["chainPerRoot"][0]["chainPerStrikePrice"]
        assert len(strikes) == STRIKES
        assert all(each["callSymbolId"] != each["putSymbolId"] for each in strikes)
    royal = build().by_symbol["RY.TO"]
    assert {each.listing.exchange for each in contracts([royal], TODAY)} == {"MX"}
    assert contracts([royal], TODAY)[0].listing.symbol.endswith(".MX")


def test_quotes_are_ordered_as_options_are(make_market: Callable[..., Market]) -> None:
    market = make_market(symbols=1)
    apple = build().by_symbol["AAPL"]
    instrument = market.instrument(apple.symbol_id)
    assert instrument is not None
    rows = {
        (each.terms.kind, each.terms.strike): quote(each, instrument, market.now, TorontoText())
        for each in contracts([apple], TODAY)[: STRIKES * 2]
    }
    strikes = sorted({strike for _, strike in rows})
    deltas = [rows["Call", strike]["delta"] for strike in strikes]
    assert deltas == sorted(deltas, reverse=True)
    for (kind, strike), row in rows.items():
        assert 0 <= row["delta"] <= 1 if kind == "Call" else -1 <= row["delta"] <= 0
        assert row["gamma"] > 0
        assert row["strikePrice"] == strike
        if row["bidPrice"] is not None:
            assert row["bidPrice"] < row["askPrice"]
        else:
            assert (row["bidSize"], row["volume"], row["VWAP"], row["lastTradePriceTrHrs"]) == (0, 0, 0, None)


@pytest.mark.parametrize("key", ["delta", "volatility", "underlying", "openInterest"])
def test_level_one_has_no_greeks(make_market: Callable[..., Market], key: str) -> None:
    market = make_market(symbols=1)
    apple = build().by_symbol["AAPL"]
    instrument = market.instrument(apple.symbol_id)
    assert instrument is not None
    row = market.row(apple.symbol_id)
    assert row is not None
    plain = level1(quote(contracts([apple], TODAY)[0], instrument, market.now, TorontoText()))
    assert key not in plain
    assert list(plain) == list(row.__struct_encode_fields__)
