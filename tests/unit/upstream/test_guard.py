import pytest

from quotewire.market.quote import Freshness, Quote, QuotePatch, Source
from quotewire.upstream.guard import is_newer

KNOWN = Quote(
    symbol="S",
    symbol_id=1,
    epoch=1,
    sequence=1,
    freshness=Freshness.LIVE,
    source=Source.STREAM,
    delayed=False,
    received_at=0,
    bid_price=1.0,
    ask_price=2.0,
    volume=100,
    last_trade_time="2026-03-03T10:00:00-05:00",
)


@pytest.mark.parametrize(
    ("fields", "newer"),
    [
        ({"bid_price": 1.0, "ask_price": 2.0, "volume": 100}, False),
        ({}, False),
        ({"high52w": 9.0}, False),
        ({"volume": 101}, True),
        ({"bid_price": 1.01}, True),
        ({"bid_price": None}, True),
    ],
)
def test_a_rest_quote_that_tells_something_else_is_newer(fields: dict[str, float], newer: bool) -> None:
    assert is_newer(QuotePatch(symbol_id=1, **fields), KNOWN) is newer  # type: ignore[arg-type]


def test_a_symbol_that_never_came_is_newer_by_any_quote() -> None:
    assert is_newer(QuotePatch(symbol_id=1), None)
