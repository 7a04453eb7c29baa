"""Every real payload decodes, whole, with its values where they belong."""

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from quotewire.questrade import wire
from quotewire.questrade.records import TimeRecord

FIXTURES = Path(os.environ.get("QUOTEWIRE_FIXTURES", Path(__file__).parents[3] / "shared" / "fixtures"))

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason="the captured payloads are not here; name their folder in QUOTEWIRE_FIXTURES"
)

ANSWERS: dict[str, type[Any]] = {
    "rest-candles-2019.json": wire.CandlesAnswer,
    "rest-executions-client-fixture.json": wire.ExecutionsAnswer,
    "rest-markets-2019.json": wire.MarketsAnswer,
    "rest-markets-2026.json": wire.MarketsAnswer,
    "rest-option_quotes-client-fixture.json": wire.OptionQuotesAnswer,
    "rest-options-2019.json": wire.OptionChainAnswer,
    "rest-orders-client-fixture.json": wire.OrdersAnswer,
    "rest-search-2019.json": wire.SearchAnswer,
    "rest-symbols-2019.json": wire.SymbolsAnswer,
    "rest-time-2019.json": TimeRecord,
    "rest-time-2026.json": TimeRecord,
}
QUOTES = ("rest-quotes-2019.json", "stream-quotes-2016.json")


def read(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def assert_kept(original: Any, kept: Any, where: str) -> None:
    """Every key and value of the capture is in what was decoded, under the same name."""
    if isinstance(original, dict):
        for key, value in original.items():
            assert key in kept, f"{where}.{key} was lost"
            assert_kept(value, kept[key], f"{where}.{key}")
    elif isinstance(original, list):
        assert len(original) == len(kept), f"{where} changed its length"
        for index, (left, right) in enumerate(zip(original, kept, strict=True)):
            assert_kept(left, right, f"{where}[{index}]")
    else:
        assert original == kept, f"{where} changed its value"


def test_every_fixture_has_a_test() -> None:
    assert {path.name for path in FIXTURES.glob("*.json")} == {*ANSWERS, *QUOTES}


@pytest.mark.parametrize("name", ANSWERS)
def test_rest_answer_is_kept_whole(name: str) -> None:
    data = read(name)

    decoded = wire.decode(data, ANSWERS[name])

    assert_kept(json.loads(data), msgspec.to_builtins(decoded), name)


@pytest.mark.parametrize("name", QUOTES)
def test_quotes_are_kept_whole_by_rest_and_by_stream(name: str) -> None:
    data = read(name)
    original = json.loads(data)["quotes"]

    frame = wire.decode_frame(data)
    answer = wire.decode_quotes(data)

    assert isinstance(frame, wire.QuotesFrame)
    assert frame.spoiled == answer.spoiled == 0
    assert_kept(original, msgspec.to_builtins(frame.patches), name)
    assert_kept(original, msgspec.to_builtins(answer.patches), name)


def test_known_values_arrive_typed() -> None:
    quote = wire.decode_quotes(read("rest-quotes-2019.json")).patches[0]
    symbol = wire.decode(read("rest-symbols-2019.json"), wire.SymbolsAnswer).symbols[0].to_symbol()

    assert (quote.symbol_id, quote.symbol, quote.vwap, quote.low52w) == (8049, "AAPL", 236.728364, 142)
    assert (symbol.symbol, symbol.listing_exchange, symbol.prev_day_close_price) == ("AAPL", "NASDAQ", 236.21)
    assert [(tick.pivot, tick.min_tick) for tick in symbol.min_ticks] == [(0, 0.0001), (1, 0.01)]
