"""Every-tick delivery to one client that does not keep up: a bounded ring, whose overflow is told as gaps.

The oldest goes first. The newest update of a symbol is never lost: when it is the oldest of all it steps aside, and
only a newer one of its symbol makes it part of the gap. So after what is owed was written, each symbol is up to date.
"""

from collections import deque
from typing import NamedTuple

from quotewire.wire.codec import EncodedQuote
from quotewire.wire.options import Cause, Gap, Options


class Item(NamedTuple):
    """An update owed; `base` is what the client was sent before it, in `options` is how it wants it."""

    update: EncodedQuote
    base: EncodedQuote | None
    options: Options
    hole: Gap | None = None  # what the gateway itself missed just before it


class _Loss:
    """What was lost of one symbol in one epoch."""

    __slots__ = ("first", "last", "since", "until")

    def __init__(self, update: EncodedQuote, since: int | None) -> None:
        self.first = self.last = update.sequence
        self.since = since
        self.until: int | None = None


class Ring:
    """Updates of any symbols, in order, at most `size`, besides one that stepped aside for each symbol."""

    __slots__ = ("_aside", "_bases", "_counts", "_items", "_losses", "_names", "_size", "lost")

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Item] = deque()
        self._counts: dict[int, int] = {}  # updates in the ring by symbol
        self._aside: dict[int, Item] = {}
        self._losses: dict[tuple[int, int], _Loss] = {}
        self._bases: dict[int, EncodedQuote | None] = {}  # what the client has of the symbols something was lost of
        self._names: dict[int, str] = {}
        self.lost = 0

    def __len__(self) -> int:
        return len(self._items) + len(self._aside)

    def put(self, item: Item) -> int:
        """Owe an update; returns how many were lost for it."""
        symbol_id, lost = item.update.symbol_id, self.lost
        before = self._aside.pop(symbol_id, None)
        if before is not None:
            self._lose(before)
        self._items.append(item)
        self._counts[symbol_id] = self._counts.get(symbol_id, 0) + 1
        if len(self._items) > self._size:
            self._overflow()
        return self.lost - lost

    def take(self) -> tuple[list[Gap], list[Item]]:
        """All that is owed: the gaps, told first, and the updates, each with what the client has as its base."""
        items = [*self._aside.values(), *self._items]
        told = []
        for item in items:
            symbol_id = item.update.symbol_id
            if symbol_id in self._bases:
                item = item._replace(base=self._bases.pop(symbol_id))
            told.append(item)
        gaps = self._gaps(items)
        self._items.clear()
        for emptied in (self._counts, self._aside, self._losses, self._bases, self._names):
            emptied.clear()
        return gaps, told

    def _overflow(self) -> None:
        item = self._items.popleft()
        symbol_id = item.update.symbol_id
        self._bases.setdefault(symbol_id, item.base)
        left = self._counts.pop(symbol_id) - 1
        if left:
            self._counts[symbol_id] = left
            self._lose(item)
        else:
            self._aside[symbol_id] = item

    def _lose(self, item: Item) -> None:
        update = item.update
        key = update.symbol_id, update.epoch
        loss = self._losses.get(key)
        if loss is None:
            base = self._bases.get(update.symbol_id)
            same = base is not None and base.epoch == update.epoch
            loss = self._losses[key] = _Loss(update, base.quote.received_at if base is not None and same else None)
            self._names[update.symbol_id] = update.quote.symbol
        if item.hole is not None:
            loss.first = min(loss.first, item.hole.from_sequence)
            self.lost += item.hole.to_sequence - item.hole.from_sequence + 1
        loss.last = update.sequence
        self.lost += 1

    def _gaps(self, items: list[Item]) -> list[Gap]:
        firsts: dict[int, int] = {}
        for item in items:
            firsts.setdefault(item.update.symbol_id, item.update.quote.received_at)
        return [
            Gap(
                symbol=self._names[symbol_id],
                symbol_id=symbol_id,
                epoch=epoch,
                from_sequence=loss.first,
                to_sequence=loss.last,
                since=loss.since,
                until=firsts.get(symbol_id),
                cause=Cause.SLOW,
            )
            for (symbol_id, epoch), loss in self._losses.items()
        ]
