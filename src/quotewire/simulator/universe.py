"""Everything that can be asked for by name or id: the default list, cut or extended to N by generation. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from quotewire.simulator import listings
from quotewire.simulator.prices import CA_TICKS, INDEX_TICKS, OPTION_TICKS, UNITS, US_TICKS, Ticks

CANADIAN: Final = frozenset({"TSX", "TSXV", "MX", "CNSX", "NEO"})
GENERATED_FIRST_ID: Final = 60_000_001
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_GENERATED_EXCHANGES: Final = (("NASDAQ", ""), ("TSX", ".TO"), ("NYSE", ""), ("TSXV", ".VN"), ("NASDAQ", ""))


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """What makes an option. `expiry` is an ISO date, `kind` is Call or Put."""

    underlying: str
    underlying_id: int
    strike: float
    expiry: str
    kind: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol as listed. `price` in units (1/10000), `average_volume` per day, `shares` outstanding."""

    symbol: str
    symbol_id: int
    exchange: str
    price: int
    average_volume: int
    shares: int
    description: str
    security_type: str = "Stock"
    currency: str = "USD"
    ticks: Ticks = US_TICKS
    sector: str = ""
    group: str = ""
    subgroup: str = ""
    tradable: bool = True
    quotable: bool = True
    has_options: bool = False
    option: OptionTerms | None = None

    @property
    def is_index(self) -> bool:
        """An index has values but no book."""
        return self.security_type == "Index"


@dataclass(frozen=True)
class Universe:
    """All listings, in order, with look-ups."""

    listings: tuple[Listing, ...]
    extras: tuple[Listing, ...] = field(default=())  # can be looked up, never move: not quotable, or chain options

    @cached_property
    def by_id(self) -> dict[int, Listing]:
        """Every listing by id."""
        return {listing.symbol_id: listing for listing in (*self.listings, *self.extras)}

    @cached_property
    def by_symbol(self) -> dict[str, Listing]:
        """Every listing by symbol."""
        return {listing.symbol: listing for listing in (*self.listings, *self.extras)}

    def search(self, prefix: str) -> list[Listing]:
        """Listings whose symbol, or a word of their description, starts with the prefix; symbols first, short first."""
        wanted = prefix.upper()
        rows = [row for row in (*self.listings, *self.extras) if row.option is None]
        names = [row for row in rows if row.symbol.upper().startswith(wanted)]
        texts = [
            row
            for row in rows
            if row not in names and any(w.startswith(wanted) for w in row.description.upper().split())
        ]
        return sorted(names, key=lambda row: (len(row.symbol), row.symbol)) + texts


def build(count: int | None = None) -> Universe:
    """The universe of `count` moving symbols: the default list cut to it, or extended by generated names."""
    stocks = [_stock(row) for row in listings.STOCKS]
    specials = [_index(row) for row in listings.INDICES]
    by_symbol = {stock.symbol: stock for stock in stocks}
    specials += [_option(row, by_symbol[row[3]].symbol_id) for row in listings.LISTED_OPTIONS]
    chosen = [*stocks, *specials]
    if count is not None:
        chosen = chosen[:count] + [_generated(i) for i in range(count - len(chosen))]
    return Universe(tuple(chosen), tuple(_unquotable(row) for row in listings.NOT_QUOTABLE))


def ids(rows: Iterable[Listing]) -> list[int]:
    """The ids of listings, in order."""
    return [row.symbol_id for row in rows]


def _stock(row: listings.Row) -> Listing:
    symbol, symbol_id, exchange, price, volume, shares, description, subgroup = row
    sector, group = listings.INDUSTRIES.get(subgroup, ("", ""))
    canadian = exchange in CANADIAN
    return Listing(
        symbol=symbol,
        symbol_id=symbol_id,
        exchange=exchange,
        price=round(price * UNITS),
        average_volume=volume,
        shares=int(shares * 1_000_000),
        description=description,
        currency="CAD" if canadian else "USD",
        ticks=CA_TICKS if canadian else US_TICKS,
        sector=sector,
        group=group,
        subgroup=subgroup,
        has_options=symbol in listings.WITH_OPTIONS,
    )


def _index(row: tuple[str, int, str, float, str, str]) -> Listing:
    symbol, symbol_id, exchange, price, description, currency = row
    return Listing(
        symbol=symbol,
        symbol_id=symbol_id,
        exchange=exchange,
        price=round(price * UNITS),
        average_volume=3_000_000,
        shares=0,
        description=description,
        security_type="Index",
        currency=currency,
        ticks=INDEX_TICKS,
        tradable=False,
    )


def _option(row: tuple[str, int, str, str, float, str, str, float], underlying_id: int) -> Listing:
    symbol, symbol_id, exchange, underlying, strike, expiry, kind, price = row
    return Listing(
        symbol=symbol,
        symbol_id=symbol_id,
        exchange=exchange,
        price=round(price * UNITS),
        average_volume=400 if price else 0,
        shares=0,
        description=f"{'CALL' if kind == 'Call' else 'PUT'} {underlying} {expiry} {strike:g}",
        security_type="Option",
        currency="CAD" if exchange == "MX" else "USD",
        ticks=OPTION_TICKS,
        option=OptionTerms(underlying, underlying_id, strike, expiry, kind),
    )


def _unquotable(row: tuple[str, int, str, str]) -> Listing:
    symbol, symbol_id, description, currency = row
    return Listing(symbol, symbol_id, "", 0, 0, 0, description, "Right", currency, tradable=False, quotable=False)


def _generated(index: int) -> Listing:
    """The index-th invented company: the same for every seed, so that tests can name it."""
    exchange, suffix = _GENERATED_EXCHANGES[index % len(_GENERATED_EXCHANGES)]
    name = "".join(_LETTERS[(index // 26**power) % 26] for power in (3, 2, 1, 0))
    canadian = exchange in CANADIAN
    mixed = (index * 2_654_435_761) % 2**32 / 2**32  # spreads prices and volumes without a random source
    cheap = exchange == "TSXV"
    return Listing(
        symbol=f"Z{name}{suffix}",
        symbol_id=GENERATED_FIRST_ID + index,
        exchange=exchange,
        price=round((0.1 + 2 * mixed if cheap else 5 + 300 * mixed * mixed) * UNITS) // 100 * 100,
        average_volume=int(20_000 * 10 ** (3 * ((index * 40_503) % 2**16 / 2**16))),
        shares=50_000_000 + index % 997 * 1_000_000,
        description=f"GENERATED COMPANY {index + 1}",
        currency="CAD" if canadian else "USD",
        ticks=CA_TICKS if canadian else US_TICKS,
        sector="Industrials",
        group="Conglomerates",
        subgroup="Conglomerates",
    )
