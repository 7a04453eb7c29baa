"""Questrade's REST requests, built but not sent. Pure.

Several ids go into `?ids=` only: `/quotes/1,2` is refused. Times are sent with second precision: long fractions are
refused with 1003. Unknown parameters are refused with 1002, so nothing is ever added.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from quotewire.questrade import wire
from quotewire.questrade.records import Candle, Market, SearchRow, SymbolRecord, TimeRecord
from quotewire.resilience.budget import Category

T = TypeVar("T")

MAX_IDS: Final = 100
"""Ids in one request. The limit of plain quotes is not documented; option quotes allow 100, and 200 has been used."""


class Endpoint(StrEnum):
    """Names for breakers, metrics and reasons; one a kind of request."""

    TIME = "time"
    SYMBOLS = "symbols"
    SEARCH = "search"
    MARKETS = "markets"
    QUOTES = "quotes"
    CANDLES = "candles"
    STREAM_PORT = "stream_port"


@dataclass(frozen=True, slots=True)
class ApiRequest(Generic[T]):
    """One request: what to send below `/v1/`, whose budget it draws on, and how its answer is read."""

    endpoint: Endpoint
    category: Category
    path: str
    decode: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    body: Mapping[str, Any] | None = None


def time() -> ApiRequest[TimeRecord]:
    """Questrade's clock; also the cheapest sign of life that extends a session."""
    return ApiRequest(Endpoint.TIME, Category.ACCOUNT, "time", lambda data: wire.decode(data, TimeRecord))


def symbols_by_id(ids: Sequence[int]) -> ApiRequest[wire.Rows[SymbolRecord]]:
    """Details of at most MAX_IDS symbols; ids that are unknown may be missing from the answer."""
    return ApiRequest(
        Endpoint.SYMBOLS, Category.ACCOUNT, "symbols", wire.decode_symbols, {"ids": _joined([str(i) for i in ids])}
    )


def symbols_by_name(names: Sequence[str]) -> ApiRequest[wire.Rows[SymbolRecord]]:
    """Details of at most MAX_IDS symbols; names that are unknown may be missing from the answer."""
    return ApiRequest(Endpoint.SYMBOLS, Category.ACCOUNT, "symbols", wire.decode_symbols, {"names": _joined(names)})


def search(prefix: str, offset: int = 0) -> ApiRequest[wire.Rows[SearchRow]]:
    """Symbols whose name or description begins with `prefix`."""
    return ApiRequest(
        Endpoint.SEARCH,
        Category.ACCOUNT,
        "symbols/search",
        wire.decode_search,
        {"prefix": prefix, "offset": str(offset)},
    )


def markets() -> ApiRequest[list[Market]]:
    """The exchanges and their hours today."""
    return ApiRequest(
        Endpoint.MARKETS, Category.MARKET, "markets", lambda data: wire.decode(data, wire.MarketsAnswer).markets
    )


def quotes(ids: Sequence[int]) -> ApiRequest[wire.QuotesFrame]:
    """Quotes of at most MAX_IDS symbols."""
    return ApiRequest(
        Endpoint.QUOTES, Category.MARKET, "markets/quotes", wire.decode_quotes, {"ids": _joined([str(i) for i in ids])}
    )


def candles(symbol_id: int, start: datetime, end: datetime, interval: str) -> ApiRequest[list[Candle]]:
    """Candles between two aware times; `interval` is one of Questrade's names, such as OneMinute."""
    params = {
        "startTime": start.replace(microsecond=0).isoformat(),
        "endTime": end.replace(microsecond=0).isoformat(),
        "interval": interval,
    }
    return ApiRequest(
        Endpoint.CANDLES,
        Category.MARKET,
        f"markets/candles/{symbol_id}",
        lambda data: wire.decode(data, wire.CandlesAnswer).candles,
        params,
    )


def stream_port(ids: Sequence[int]) -> ApiRequest[int]:
    """Set which symbols this login's quote stream carries, and learn its port. Always send the full set."""
    params = {"ids": ",".join(str(i) for i in sorted(ids)), "stream": "true", "mode": "WebSocket"}
    return ApiRequest(Endpoint.STREAM_PORT, Category.MARKET, "markets/quotes", wire.decode_port, params)


def _joined(items: Sequence[str]) -> str:
    if not 0 < len(items) <= MAX_IDS:
        raise ValueError(f"a request takes 1 to {MAX_IDS} symbols, not {len(items)}")
    if any("," in item for item in items):
        raise ValueError("a symbol's name has no comma in it")
    return ",".join(items)
