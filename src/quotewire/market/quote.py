"""What a quote is: as Questrade sends it (`QuotePatch`) and as quotewire hands it on (`Quote`).

Wire names are Questrade's own, so that existing front ends read ours. Source: Questrade's "markets/quotes/:id" page and
real captures; the capture wins where they differ (`lastTradePriceTrHrs`, `VWAP`, `high52w`, `low52w`, `delay` as int).
"""

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

SymbolId = Annotated[int, Meta(gt=0, lt=2**53)]


class Freshness(StrEnum):
    """How far a quote can be trusted now. Only `LIVE` and `QUIET` may be traded on."""

    LIVE = "live"  # the stream is up and this symbol moved within its usual pace
    QUIET = "quiet"  # the stream is up, the market is open, and nothing has changed for a while
    STALE = "stale"  # the road to the exchange is broken: this is the last value known
    HALTED = "halted"  # Questrade says trading in it is halted
    CLOSED = "closed"  # its market is closed
    RECOVERING = "recovering"  # the road is back, this symbol's first new quote is not here yet


class Source(StrEnum):
    """How a quote reached the gateway."""

    STREAM = "stream"
    POLL = "poll"
    BACKFILL = "backfill"


class QuotePatch(msgspec.Struct, rename="camel", kw_only=True, gc=False):
    """One quote object as Questrade sent it. A key it left out is `UNSET`; a key it sent as null is `None`.

    Prices in the symbol's currency, sizes and volume as Questrade counts them, `last_trade_time` ISO 8601 text.
    """

    symbol_id: SymbolId
    symbol: str | UnsetType = UNSET
    tier: str | UnsetType | None = UNSET
    bid_price: float | UnsetType | None = UNSET
    bid_size: int | UnsetType | None = UNSET
    ask_price: float | UnsetType | None = UNSET
    ask_size: int | UnsetType | None = UNSET
    last_trade_price_tr_hrs: float | UnsetType | None = UNSET
    last_trade_price: float | UnsetType | None = UNSET
    last_trade_size: int | UnsetType | None = UNSET
    last_trade_tick: str | UnsetType | None = UNSET
    last_trade_time: str | UnsetType | None = UNSET
    volume: int | UnsetType | None = UNSET
    open_price: float | UnsetType | None = UNSET
    high_price: float | UnsetType | None = UNSET
    low_price: float | UnsetType | None = UNSET
    delay: int | bool | UnsetType | None = UNSET
    is_halted: bool | UnsetType | None = UNSET
    high52w: float | UnsetType | None = msgspec.field(default=UNSET, name="high52w")
    low52w: float | UnsetType | None = msgspec.field(default=UNSET, name="low52w")
    vwap: float | UnsetType | None = msgspec.field(default=UNSET, name="VWAP")


class Quote(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """One quote as quotewire hands it on: Questrade's fields, merged, with our position and freshness.

    Make it by keyword; the book alone makes it by position, which is eight times as fast and done for every update.
    `(epoch, sequence)` orders the updates of one symbol: `sequence` grows by one each update, a new `epoch` starts a
    new count. `received_at` is when the last upstream data for it arrived, in milliseconds since 1970 UTC.
    """

    symbol: str
    symbol_id: int
    epoch: int
    sequence: int
    freshness: Freshness
    source: Source
    delayed: bool
    received_at: int
    tier: str | None = None
    bid_price: float | None = None
    bid_size: int | None = None
    ask_price: float | None = None
    ask_size: int | None = None
    last_trade_price_tr_hrs: float | None = None
    last_trade_price: float | None = None
    last_trade_size: int | None = None
    last_trade_tick: str | None = None
    last_trade_time: str | None = None
    volume: int | None = None
    open_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    delay: int = 0
    is_halted: bool = False
    high52w: float | None = msgspec.field(default=None, name="high52w")
    low52w: float | None = msgspec.field(default=None, name="low52w")
    vwap: float | None = msgspec.field(default=None, name="VWAP")

    @property
    def tradable(self) -> bool:
        """True only while the value may be trusted as current."""
        return self.freshness in (Freshness.LIVE, Freshness.QUIET)
