"""What a symbol is: the part of Questrade's symbol record that quotewire keeps and hands on."""

import msgspec


class MinTick(msgspec.Struct, rename="camel", frozen=True):
    """From `pivot` upwards prices move in steps of `min_tick`."""

    pivot: float
    min_tick: float


class Symbol(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """One symbol. `prev_day_close_price` is what a day's change is measured against."""

    symbol: str
    symbol_id: int
    description: str = ""
    security_type: str = ""
    listing_exchange: str = ""
    currency: str = ""
    is_tradable: bool = False
    is_quotable: bool = True
    prev_day_close_price: float | None = None
    min_ticks: tuple[MinTick, ...] = ()
