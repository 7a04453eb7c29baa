"""One quote as it goes out, keys in the captured order. Pure."""

import msgspec

from quotewire.simulator.prices import Number


class QuoteRow(msgspec.Struct, frozen=True, rename="camel"):
    """A full quote object. Prices in currency, integral values as ints, times as Toronto text."""

    symbol: str
    symbol_id: int
    tier: str
    bid_price: Number | None
    bid_size: int
    ask_price: Number | None
    ask_size: int
    last_trade_price_tr_hrs: Number | None
    last_trade_price: Number | None
    last_trade_size: int | None
    last_trade_tick: str | None
    last_trade_time: str | None
    volume: int
    open_price: Number
    high_price: Number
    low_price: Number
    delay: int
    is_halted: bool
    high52w: Number | None = msgspec.field(name="high52w")
    low52w: Number | None = msgspec.field(name="low52w")
    vwap: Number = msgspec.field(name="VWAP")


class Change:
    """A quote that changed at `at` (epoch seconds, simulated). Its JSON is made once, when somebody wants it."""

    __slots__ = ("_body", "at", "row")

    def __init__(self, at: float, row: QuoteRow) -> None:
        self.at = at
        self.row = row
        self._body: bytes | None = None

    @property
    def body(self) -> bytes:
        """The quote object as JSON."""
        if self._body is None:
            self._body = _ENCODE(self.row)
        return self._body


_ENCODE = msgspec.json.Encoder().encode
