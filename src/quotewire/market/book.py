"""The book: the newest quote of every symbol, merged from what Questrade sends, in an order clients can check.

One owner feeds it and nobody else changes it. It waits for nothing, knows no clock and keeps no history. Every update
a client can see gets the next sequence number of its symbol; numbers are never reused within an epoch, not even after
`drop`. Source of the fields: Questrade's quote object, see `market/quote.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import astuple, replace

from quotewire.market.quote import Freshness, Quote, QuotePatch, Source

_PATCH_SHARED: Final = slice(2, None)  # behind `symbol_id` and `symbol`
SHARED_FIELDS: Final = QuotePatch.__struct_fields__[_PATCH_SHARED]
"""What a patch and a quote both have, in the same order."""

OWN_FIELDS: Final = ("symbol", "symbol_id", "epoch", "sequence", "freshness", "source", "delayed", "received_at")
"""What a quote has before those; `Book` gives them by position, in this order."""

assert Quote.__struct_fields__ == (*OWN_FIELDS, *SHARED_FIELDS)
assert len(Quote.__struct_defaults__) == len(SHARED_FIELDS)

# These two mean no when they are null; all others are copied as they are.
PLAIN_FIELDS: Final = tuple(name for name in SHARED_FIELDS if name not in ("delay", "is_halted"))
_DELAY: Final = SHARED_FIELDS.index("delay")
_IS_HALTED: Final = SHARED_FIELDS.index("is_halted")
_BLANK: Final[tuple[Any, ...]] = Quote.__struct_defaults__
# Of "2026-03-03T09:30:00.000000-05:00". Questrade writes Toronto time, so the date is the trading day.
_DAY: Final = slice(0, 10)
T = TypeVar("T")


@dataclass(slots=True)
class _Entry:
    """What the book keeps for one symbol. `values` are the shared fields of `quote`, for comparing them as a whole."""

    quote: Quote
    values: tuple[Any, ...]
    received_ms: int
    changed_ms: int


class Book:
    """The newest quote per symbol. Not thread-safe; all times are milliseconds since 1970 UTC."""

    def __init__(self, epoch: int) -> None:
        self.epoch: Final = epoch
        self._entries: dict[int, _Entry] = {}
        self._names: dict[int, str] = {}
        self._dropped: dict[int, int] = {}  # last sequence of dropped symbols, so that it goes on if they return

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Book epoch={self.epoch} symbols={len(self)}>"

    def apply(
        self,
        patch: QuotePatch,
        source: Source,
        received_at_ms: int,
        freshness: Freshness,
        reject_older: bool = False,
    ) -> Quote | None:
        """Merge one quote object; the new quote, or None when nothing a client can see has changed.

        A key left out keeps its old value, a null replaces it. Data that changes nothing still counts as received.
        With `reject_older` (several streams carry the symbol) a patch that `is_older` is ignored altogether.
        """
        entry = self._entries.get(patch.symbol_id)
        if entry is None:
            return self._first(patch, source, received_at_ms, freshness)
        current = entry.quote
        if reject_older and is_older(patch, current):
            return None
        entry.received_ms = received_at_ms
        values = _overlaid(patch, entry.values)
        symbol = current.symbol
        if patch.symbol != symbol or not symbol:
            symbol = self._name(patch, symbol)
        if (
            values == entry.values
            and freshness is current.freshness
            and source is current.source
            and symbol == current.symbol
        ):
            return None
        entry.values, entry.changed_ms = values, received_at_ms
        entry.quote = quote = Quote(
            symbol,
            current.symbol_id,
            current.epoch,
            current.sequence + 1,
            freshness,
            source,
            values[_DELAY] > 0,
            received_at_ms,
            *values,
        )
        return quote

    def learn(self, symbol_id: int, symbol: str) -> None:
        """Name a symbol; used from its next update on whenever the wire leaves the name out."""
        self._names[symbol_id] = symbol

    def judge(self, symbol_id: int, freshness: Freshness, *, at_ms: int) -> Quote | None:
        """Stamp a new freshness on the newest quote; the re-stamped quote, or None when unknown or unchanged.

        `received_at` tells when the last data came, whether or not that data changed anything.
        """
        entry = self._entries.get(symbol_id)
        if entry is None or entry.quote.freshness is freshness:
            return None
        judged = replace(
            entry.quote, freshness=freshness, sequence=entry.quote.sequence + 1, received_at=entry.received_ms
        )
        entry.quote, entry.changed_ms = judged, at_ms
        return judged

    def get(self, symbol_id: int) -> Quote | None:
        """The newest quote of a symbol."""
        entry = self._entries.get(symbol_id)
        return None if entry is None else entry.quote

    def symbols(self) -> list[int]:
        """The ids of all symbols with a quote, oldest arrival first."""
        return list(self._entries)

    def drop(self, symbol_id: int) -> None:
        """Forget a symbol's quote; unknown ids are ignored. Its sequence goes on if it returns in this epoch."""
        entry = self._entries.pop(symbol_id, None)
        if entry is not None:
            self._dropped[symbol_id] = entry.quote.sequence

    def last_received_ms(self, symbol_id: int) -> int | None:
        """When upstream data for the symbol last arrived, changed or not."""
        entry = self._entries.get(symbol_id)
        return None if entry is None else entry.received_ms

    def last_changed_ms(self, symbol_id: int) -> int | None:
        """When the symbol last got a new sequence number: since when clients have seen what they see."""
        entry = self._entries.get(symbol_id)
        return None if entry is None else entry.changed_ms

    def _first(self, patch: QuotePatch, source: Source, received_at_ms: int, freshness: Freshness) -> Quote:
        values = _overlaid(patch, _BLANK)
        quote = Quote(
            self._name(patch, ""),
            patch.symbol_id,
            self.epoch,
            self._dropped.pop(patch.symbol_id, 0) + 1,
            freshness,
            source,
            values[_DELAY] > 0,
            received_at_ms,
            *values,
        )
        self._entries[patch.symbol_id] = _Entry(quote, values, received_at_ms, received_at_ms)
        return quote

    def _name(self, patch: QuotePatch, current: str) -> str:
        if patch.symbol is not UNSET and patch.symbol:
            if patch.symbol != current:
                self._names[patch.symbol_id] = patch.symbol
            return patch.symbol
        return self._names.get(patch.symbol_id, current)


def _overlaid(patch: QuotePatch, had: tuple[Any, ...]) -> tuple[Any, ...]:
    """The shared fields after a patch: a key left out keeps its old value, a null replaces it.

    Runs for every quote, and nearly every one is whole: its fields are then taken as they are, without a look at each.
    """
    values = astuple(patch)[_PATCH_SHARED]
    if UNSET not in values and type(values[_DELAY]) is int and type(values[_IS_HALTED]) is bool:
        return values
    merged = [was if value is UNSET else value for value, was in zip(values, had, strict=True)]
    merged[_DELAY], merged[_IS_HALTED] = int(merged[_DELAY] or 0), bool(merged[_IS_HALTED])
    return tuple(merged)


def is_older(candidate: QuotePatch, current: Quote) -> bool:
    """True when `candidate`, come by another stream, certainly tells of an earlier moment than `current`.

    Reject only while several streams carry the symbol, so that a single remaining stream is always believed: a
    cancelled trade lowers the volume for good.
    """
    return compare(candidate, current) < 0


def compare(candidate: QuotePatch, current: Quote) -> int:
    """Which of two comes first, as far as trades tell: negative when `candidate` is older, positive when it is newer.

    =====================================================  ==========
    what is known                                          candidate is
    =====================================================  ==========
    trading day of either unknown (null time)              0: cannot tell
    candidate's trading day earlier / later                older / newer
    same day, candidate's volume lower / higher            older / newer
    same day and volume, trade time earlier / later        older / newer
    anything else, a pure bid or ask change included       0
    =====================================================  ==========

    Volume outranks trade time because off-exchange trades are reported late with their own times, while volume only
    grows, but for cancelled trades.
    """
    candidate_time = _kept(candidate.last_trade_time, current.last_trade_time)
    if candidate_time is None or current.last_trade_time is None:
        return 0
    if candidate_time[_DAY] != current.last_trade_time[_DAY]:
        return -1 if candidate_time[_DAY] < current.last_trade_time[_DAY] else 1
    candidate_volume = _kept(candidate.volume, current.volume)
    if candidate_volume is None or current.volume is None:
        return 0
    if candidate_volume != current.volume:
        return -1 if candidate_volume < current.volume else 1
    if candidate_time == current.last_trade_time:
        return 0
    if _is_before(candidate_time, current.last_trade_time):
        return -1
    return 1 if _is_before(current.last_trade_time, candidate_time) else 0


def _kept(value: T | UnsetType, current: T) -> T:
    return current if isinstance(value, UnsetType) else value


def _is_before(left: str, right: str) -> bool:
    """Whether one ISO time is before another; False when either cannot be read or compared."""
    try:
        return datetime.fromisoformat(left) < datetime.fromisoformat(right)
    except (ValueError, TypeError):
        return False
