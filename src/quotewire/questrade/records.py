"""What Questrade's REST answers hold, as typed records. Pure.

Every field that a capture shows null, or that one capture has and another lacks, is optional; unknown keys are ignored.
Whole numbers come without a decimal point, so prices and ratios are `float`, which takes both. Times stay the ISO 8601
text of the wire. Names follow the captures where the documentation differs (`optionChain`, `chainPerRoot`, `VWAP`).
"""

from typing import Any

import msgspec

from quotewire.market.quote import SymbolId
from quotewire.market.symbol import MinTick, Symbol


class Record(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """What all records share: camelCase on the wire, unknown keys ignored."""


class TimeRecord(Record, frozen=True):
    """`GET time`: Questrade's clock."""

    time: str


class SearchRow(Record, frozen=True):
    """One row of `symbols/search`. The first row is not always the right one: compare symbol and exchange."""

    symbol: str
    symbol_id: SymbolId
    description: str | None = ""
    security_type: str | None = ""
    listing_exchange: str | None = ""
    is_tradable: bool = False
    is_quotable: bool = False
    currency: str | None = ""

    def to_symbol(self) -> Symbol:
        """The row as a symbol; a search row has no closing price and no ticks."""
        return Symbol(
            symbol=self.symbol,
            symbol_id=self.symbol_id,
            description=self.description or "",
            security_type=self.security_type or "",
            listing_exchange=self.listing_exchange or "",
            currency=self.currency or "",
            is_tradable=self.is_tradable,
            is_quotable=self.is_quotable,
        )


class Underlying(Record, frozen=True):
    """One thing an option delivers."""

    underlying_symbol: str | None = None
    underlying_symbol_id: int | str | None = None  # text in the documentation
    multiplier: float | None = None


class Deliverables(Record, frozen=True):
    """All an option delivers."""

    underlyings: list[Underlying] = []
    cash_in_lieu: float | None = None


class SymbolRecord(Record, frozen=True):
    """One row of `symbols` or `symbols/{id}`. The option fields are null for stocks."""

    symbol: str
    symbol_id: SymbolId
    prev_day_close_price: float | None = None
    high_price52: float | None = msgspec.field(default=None, name="highPrice52")
    low_price52: float | None = msgspec.field(default=None, name="lowPrice52")
    average_vol3_months: float | None = msgspec.field(default=None, name="averageVol3Months")
    average_vol20_days: float | None = msgspec.field(default=None, name="averageVol20Days")
    outstanding_shares: float | None = None
    eps: float | None = None
    pe: float | None = None
    dividend: float | None = None
    yield_: float | None = msgspec.field(default=None, name="yield")
    ex_date: str | None = None
    market_cap: float | None = None
    trade_unit: float | None = None
    option_type: str | None = None
    option_duration_type: str | None = None
    option_root: str | None = None
    option_contract_deliverables: Deliverables | None = None
    option_exercise_type: str | None = None
    listing_exchange: str | None = ""
    description: str | None = ""
    security_type: str | None = ""
    option_expiry_date: str | None = None
    dividend_date: str | None = None
    option_strike_price: float | None = None
    is_tradable: bool = False
    is_quotable: bool = False
    has_options: bool = False
    currency: str | None = ""
    min_ticks: tuple[MinTick, ...] | None = ()
    industry_sector: str | None = None
    industry_group: str | None = None
    industry_subgroup: str | None = None

    def to_symbol(self) -> Symbol:
        """The part that quotewire keeps."""
        return Symbol(
            symbol=self.symbol,
            symbol_id=self.symbol_id,
            description=self.description or "",
            security_type=self.security_type or "",
            listing_exchange=self.listing_exchange or "",
            currency=self.currency or "",
            is_tradable=self.is_tradable,
            is_quotable=self.is_quotable,
            prev_day_close_price=self.prev_day_close_price,
            min_ticks=self.min_ticks or (),
        )


class Market(Record, frozen=True):
    """One row of `markets`. The documented `currency` is not on the wire."""

    name: str
    trading_venues: list[str] = []
    default_trading_venue: str | None = None
    primary_order_routes: list[str] = []
    secondary_order_routes: list[str] = []
    level1_feeds: list[str] = msgspec.field(default_factory=list, name="level1Feeds")
    level2_feeds: list[str] = msgspec.field(default_factory=list, name="level2Feeds")
    extended_start_time: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    extended_end_time: str | None = None
    snap_quotes_limit: int | None = None


class Candle(Record, frozen=True):
    """One row of `markets/candles/{id}`. The first and last of a day range are cut to the range asked."""

    start: str
    end: str
    low: float | None = None
    high: float | None = None
    open: float | None = None
    close: float | None = None
    volume: float | None = None
    vwap: float | None = msgspec.field(default=None, name="VWAP")


class Strike(Record, frozen=True):
    """One strike of an option chain."""

    strike_price: float
    call_symbol_id: int | None = None
    put_symbol_id: int | None = None


class ChainRoot(Record, frozen=True):
    """The strikes of one option root."""

    option_root: str = ""
    chain_per_strike_price: list[Strike] = []
    multiplier: float | None = None


class ChainExpiry(Record, frozen=True):
    """One expiry date of `symbols/{id}/options`."""

    expiry_date: str
    description: str | None = None
    listing_exchange: str | None = None
    option_exercise_type: str | None = None
    chain_per_root: list[ChainRoot] = []


class OptionQuote(Record, frozen=True):
    """One row of `markets/quotes/options`. No 52-week fields; `volatility` and the greeks are Questrade's."""

    symbol: str
    symbol_id: SymbolId
    underlying: str | None = None
    underlying_id: int | None = None
    tier: str | None = None
    bid_price: float | None = None
    bid_size: float | None = None
    ask_price: float | None = None
    ask_size: float | None = None
    last_trade_price_tr_hrs: float | None = None
    last_trade_price: float | None = None
    last_trade_size: float | None = None
    last_trade_tick: str | None = None
    last_trade_time: str | None = None
    volume: float | None = None
    open_price: float | None = None
    high_price: float | None = None
    low_price: float | None = None
    volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None
    open_interest: float | None = None
    delay: int | bool | None = None
    is_halted: bool | None = None
    strike_price: float | None = None
    expiry_date: str | None = None
    option_type: str | None = None
    vwap: float | None = msgspec.field(default=None, name="VWAP")


class Order(Record, frozen=True):
    """One order, of REST and of notifications. `comission_charged` has one m in captures, two in the documentation."""

    id: int
    symbol: str | None = None
    symbol_id: int | None = None
    total_quantity: float | None = None
    open_quantity: float | None = None
    filled_quantity: float | None = None
    canceled_quantity: float | None = None
    side: str | None = None
    order_type: str | None = None
    limit_price: float | None = None
    stop_price: float | None = None
    is_all_or_none: bool | None = None
    is_anonymous: bool | None = None
    iceberg_quantity: float | None = None
    min_quantity: float | None = None
    avg_exec_price: float | None = None
    last_exec_price: float | None = None
    source: str | None = None
    time_in_force: str | None = None
    gtd_date: str | None = None
    state: str | None = None
    rejection_reason: str | None = None
    client_reason_str: str | None = None
    chain_id: int | None = None
    creation_time: str | None = None
    update_time: str | None = None
    notes: str | None = None
    primary_route: str | None = None
    secondary_route: str | None = None
    order_route: str | None = None
    venue_holding_order: str | None = None
    comission_charged: float | None = None
    commission_charged: float | None = None
    exchange_order_id: str | None = None
    is_significant_share_holder: bool | None = None
    is_insider: bool | None = None
    is_limit_offset_in_dollar: bool | None = None
    user_id: int | None = None
    placement_commission: float | None = None
    legs: list[Any] = []
    strategy_type: str | None = None
    trigger_stop_price: float | None = None
    order_group_id: int | None = None
    order_class: str | None = None
    is_cross_zero: bool | None = None

    @property
    def commission(self) -> float | None:
        """What was charged, under whichever spelling it came."""
        return self.comission_charged if self.comission_charged is not None else self.commission_charged


class Execution(Record, frozen=True):
    """One fill. `exchange_exec_id` is text."""

    id: int
    symbol: str | None = None
    symbol_id: int | None = None
    quantity: float | None = None
    side: str | None = None
    price: float | None = None
    order_id: int | None = None
    order_chain_id: int | None = None
    exchange_exec_id: str | None = None
    timestamp: str | None = None
    notes: str | None = None
    venue: str | None = None
    total_cost: float | None = None
    order_placement_commission: float | None = None
    commission: float | None = None
    execution_fee: float | None = None
    sec_fee: float | None = None
    canadian_execution_fee: float | None = None
    parent_id: int | None = None
    leg_id: int | None = None
