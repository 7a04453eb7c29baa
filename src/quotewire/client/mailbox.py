"""The bounded queue between the connection and one iterator. Pure.

Bound: `capacity` items. When full: what waits is collapsed to the newest quote and the newest gap of each symbol, and
the rest are counted in `skipped`; the newest state of a symbol is never lost. Gauge: `len()`.
"""

from collections import deque

from quotewire.market.quote import Quote
from quotewire.wire.options import Gap

Item = Quote | Gap


class Mailbox:
    """Quotes and gaps waiting for one reader, oldest first; within a symbol always in order of position."""

    __slots__ = ("_items", "capacity", "skipped")

    def __init__(self, capacity: int) -> None:
        """Raises ValueError unless `capacity` is positive."""
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least one quote, not {capacity}")
        self.capacity = capacity
        self.skipped = 0
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Add one; amortised constant time while `capacity` is twice the number of symbols or more."""
        self._items.append(item)
        if len(self._items) > self.capacity:
            self._collapse()

    def get(self) -> Item | None:
        """The oldest that waits, or None."""
        return self._items.popleft() if self._items else None

    def clear(self) -> None:
        """Forget what waits; it does not count as skipped."""
        self._items.clear()

    def reserve(self, symbols: int) -> None:
        """Raise the bound so that each of `symbols` has room for two: the state last read and the one to come."""
        self.capacity = max(self.capacity, 2 * symbols)

    def _collapse(self) -> None:
        newest = {(type(item), item.symbol_id): item for item in self._items}
        kept = [item for item in self._items if newest[type(item), item.symbol_id] is item]
        self.skipped += sum(1 for item in self._items if isinstance(item, Quote))
        self.skipped -= sum(1 for item in kept if isinstance(item, Quote))
        self._items = deque(kept)
