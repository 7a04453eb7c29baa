"""The bounded queue between the connection and one iterator. Pure.

Bound: `capacity` quotes. When full: what waits is collapsed to the newest quote of each symbol, and the rest are
counted in `skipped`; the newest state of a symbol is never lost. Gauge: `len()`.
"""

from collections import deque

from quotewire.market.quote import Quote


class Mailbox:
    """Quotes waiting for one reader, oldest first; within a symbol always in order of position."""

    __slots__ = ("_quotes", "capacity", "skipped")

    def __init__(self, capacity: int) -> None:
        """Raises ValueError unless `capacity` is positive."""
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least one quote, not {capacity}")
        self.capacity = capacity
        self.skipped = 0
        self._quotes: deque[Quote] = deque()

    def __len__(self) -> int:
        return len(self._quotes)

    def put(self, quote: Quote) -> None:
        """Add one quote; amortised constant time while `capacity` is twice the number of symbols or more."""
        self._quotes.append(quote)
        if len(self._quotes) > self.capacity:
            self._collapse()

    def get(self) -> Quote | None:
        """The oldest waiting quote, or None."""
        return self._quotes.popleft() if self._quotes else None

    def clear(self) -> None:
        """Forget what waits; it does not count as skipped."""
        self._quotes.clear()

    def reserve(self, symbols: int) -> None:
        """Raise the bound so that each of `symbols` has room for two: the state last read and the one to come."""
        self.capacity = max(self.capacity, 2 * symbols)

    def _collapse(self) -> None:
        newest = {quote.symbol_id: quote for quote in self._quotes}
        kept = [quote for quote in self._quotes if newest[quote.symbol_id] is quote]
        self.skipped += len(self._quotes) - len(kept)
        self._quotes = deque(kept)
