"""Questrade's bytes to typed values. Pure.

A REST answer decodes or raises `UpstreamUnavailableError`: what cannot be read is no answer. Where it is a list of
symbols or quotes, and in the frames of a stream, one object that cannot be read spoils itself alone, and is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.quote import QuotePatch
from quotewire.questrade.records import (
    Candle,
    ChainExpiry,
    Execution,
    Market,
    OptionQuote,
    Order,
    SearchRow,
    SymbolRecord,
)

T = TypeVar("T")

WHOLE_NUMBERS: Final = ("symbolId", "bidSize", "askSize", "lastTradeSize", "volume", "delay")
"""Keys typed as integers; a whole number written with a decimal point is still one."""


class QuotesAnswer(msgspec.Struct, frozen=True):
    """`markets/quotes`."""

    quotes: list[msgspec.Raw]


class Rows(list[T]):
    """The rows of an answer that could be read. `lost` has the symbol ids of those that could not, 0 where even that
    cannot be told.
    """

    def __init__(self, rows: Iterable[T] = (), lost: Sequence[int] = ()) -> None:
        super().__init__(rows)
        self.lost = tuple(lost)


class SymbolsAnswer(msgspec.Struct, frozen=True):
    """`symbols`."""

    symbols: list[SymbolRecord]


class SearchAnswer(msgspec.Struct, frozen=True):
    """`symbols/search`."""

    symbols: list[SearchRow]


class MarketsAnswer(msgspec.Struct, frozen=True):
    """`markets`."""

    markets: list[Market]


class CandlesAnswer(msgspec.Struct, frozen=True):
    """`markets/candles/{id}`."""

    candles: list[Candle]


class OptionChainAnswer(msgspec.Struct, rename="camel", frozen=True):
    """`symbols/{id}/options`; the documentation calls the key `options`."""

    option_chain: list[ChainExpiry]


class OptionQuotesAnswer(msgspec.Struct, rename="camel", frozen=True):
    """`markets/quotes/options`; the documentation calls the key `quotes`."""

    option_quotes: list[OptionQuote]


class OrdersAnswer(msgspec.Struct, frozen=True):
    """`accounts/{n}/orders`."""

    orders: list[Order]


class ExecutionsAnswer(msgspec.Struct, frozen=True):
    """`accounts/{n}/executions`."""

    executions: list[Execution]


class PortAnswer(msgspec.Struct, rename="camel", frozen=True):
    """The answer to a GET with `stream=true`: where the socket is."""

    stream_port: int


class ErrorBody(msgspec.Struct, frozen=True):
    """`{"code": 1017, "message": "…"}`; the documentation shows the code as text, captures as a number."""

    code: int | str
    message: str = ""

    @property
    def number(self) -> int:
        """The code as a number; 0 when it is none."""
        try:
            return int(self.code)
        except ValueError:
            return 0


# --- what a stream sends ---


@dataclass(frozen=True, slots=True)
class Accepted:
    """`{"success": true}`: the token was taken."""


@dataclass(frozen=True, slots=True)
class QuotesFrame:
    """Quotes, and how many quote objects of the frame could not be read: their ids are in `lost`, as in `Rows`."""

    patches: list[QuotePatch]
    spoiled: int = 0
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FailureFrame:
    """An error object, such as 1017 for a bad token."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class NotificationFrame:
    """Order news of the notification socket; executions never come without orders."""

    account: str
    orders: list[Order]
    executions: list[Execution]


@dataclass(frozen=True, slots=True)
class UnreadableFrame:
    """Something else; `reason` says what, without quoting the frame."""

    reason: str


Frame = Accepted | QuotesFrame | FailureFrame | NotificationFrame | UnreadableFrame


class _FastQuotes(msgspec.Struct, frozen=True):
    quotes: list[QuotePatch]


class _AnyFrame(msgspec.Struct, rename="camel", frozen=True):
    quotes: list[msgspec.Raw] | None = None
    success: bool | None = None
    code: int | str | None = None
    message: str | None = None
    orders: list[Order] | None = None
    executions: list[Execution] | None = None
    account_number: int | str | None = None


class _Identified(msgspec.Struct, rename="camel", frozen=True):
    symbol_id: int = 0


class _RawSymbols(msgspec.Struct, frozen=True):
    symbols: list[msgspec.Raw]


_fast = msgspec.json.Decoder(_FastQuotes)
_any = msgspec.json.Decoder(_AnyFrame)
_patch = msgspec.json.Decoder(QuotePatch)


def decode_frame(data: bytes | bytearray | memoryview | str) -> Frame:
    """One text frame of a stream socket. Never raises for what the frame holds."""
    try:
        return QuotesFrame(_fast.decode(data).quotes)
    except msgspec.MsgspecError:
        return _decode_other(data)
    except UnicodeDecodeError:
        return UnreadableFrame("a text frame is not UTF-8")


def _decode_other(data: bytes | bytearray | memoryview | str) -> Frame:
    try:
        frame = _any.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return UnreadableFrame("a frame is not a JSON object of a known shape")
    if frame.quotes is not None:
        return decode_quote_list(frame.quotes)
    if frame.orders is not None:
        account = "" if frame.account_number is None else str(frame.account_number)
        return NotificationFrame(account, frame.orders, frame.executions or [])
    if frame.code is not None:
        return FailureFrame(ErrorBody(frame.code).number, frame.message or "")
    if frame.success is not None:
        return Accepted() if frame.success else FailureFrame(0, frame.message or "success is false")
    return UnreadableFrame("a frame has none of the keys quotes, orders, code, success")


def decode_quote_list(raws: list[msgspec.Raw]) -> QuotesFrame:
    """Quote objects one by one, so that a bad one spoils only itself."""
    patches: list[QuotePatch] = []
    lost: list[int] = []
    for raw in raws:
        patch = _decode_patch(raw)
        if patch is None:
            lost.append(_id_of(raw))
        else:
            patches.append(patch)
    return QuotesFrame(patches, len(lost), tuple(lost))


def _decode_patch(raw: msgspec.Raw) -> QuotePatch | None:
    try:
        return _patch.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        loose: Any = msgspec.json.decode(raw)
        for key in WHOLE_NUMBERS:
            value = loose.get(key)
            if isinstance(value, float) and value.is_integer():
                loose[key] = int(value)
        return msgspec.convert(loose, QuotePatch)
    except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
        return None


def _id_of(raw: msgspec.Raw) -> int:
    """The symbol id of a row that cannot be read; 0 when that cannot be read either."""
    try:
        return msgspec.json.decode(raw, type=_Identified).symbol_id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0


# --- what REST answers ---


def decode(data: bytes, kind: type[T]) -> T:
    """A REST answer as `kind`. Raises UpstreamUnavailableError when it cannot be read as that."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UpstreamUnavailableError(f"Questrade's answer cannot be read as {kind.__name__}: {error}") from error


def decode_quotes(data: bytes) -> QuotesFrame:
    """The answer of `markets/quotes`."""
    return decode_quote_list(decode(data, QuotesAnswer).quotes)


def decode_symbols(data: bytes) -> Rows[SymbolRecord]:
    """The answer of `symbols`."""
    try:
        return Rows(msgspec.json.decode(data, type=SymbolsAnswer).symbols)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _decode_rows(decode(data, _RawSymbols).symbols, SymbolRecord)


def decode_search(data: bytes) -> Rows[SearchRow]:
    """The answer of `symbols/search`."""
    try:
        return Rows(msgspec.json.decode(data, type=SearchAnswer).symbols)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _decode_rows(decode(data, _RawSymbols).symbols, SearchRow)


def _decode_rows(raws: list[msgspec.Raw], kind: type[T]) -> Rows[T]:
    """Rows one by one, so that a bad one spoils only itself."""
    rows: list[T] = []
    lost: list[int] = []
    for raw in raws:
        try:
            rows.append(msgspec.json.decode(raw, type=kind))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            lost.append(_id_of(raw))
    return Rows(rows, lost)


def decode_port(data: bytes) -> int:
    """The stream port. Raises UpstreamUnavailableError when it is no port."""
    port = decode(data, PortAnswer).stream_port
    if not 0 < port < 65536:
        raise UpstreamUnavailableError(f"Questrade named stream port {port}, which is no port")
    return port


def decode_error(data: bytes) -> ErrorBody | None:
    """The error object of an answer; None when the body is none."""
    try:
        return msgspec.json.decode(data, type=ErrorBody)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
