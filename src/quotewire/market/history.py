"""The last updates of each symbol, so that a client that was away can go on from its position (R60). Pure.

Bounded in both directions: so many updates a symbol, so many symbols. When full, the oldest update of a symbol goes,
and the symbol that has not changed for longest. What is gone is told as a gap, never papered over.
"""

from collections import OrderedDict, deque
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar


class Update(Protocol):
    """Whatever has a place in the count of its symbol: a quote, or a quote with its bytes."""

    @property
    def symbol_id(self) -> int:
        """Whose count."""

    @property
    def epoch(self) -> int:
        """Which count."""

    @property
    def sequence(self) -> int:
        """The place in it, one more than the update before."""


U = TypeVar("U", bound=Update)


class HistoryStats(NamedTuple):
    """How full a history is, for its gauge."""

    symbols: int
    updates: int
    dropped_symbols: int


class Ring(Generic[U]):
    """The last updates of one symbol: one epoch, sequences without a hole."""

    __slots__ = ("_updates",)

    def __init__(self, depth: int) -> None:
        if depth < 1:
            raise ValueError(f"a history needs room for at least one update, not {depth}")
        self._updates: deque[U] = deque(maxlen=depth)

    def __len__(self) -> int:
        return len(self._updates)

    def add(self, update: U) -> bool:
        """Keep an update; False when it is not newer than the newest, which is kept as it is.

        After a hole, or in a new epoch, what came before is forgotten: nobody could go on from there without a gap.
        """
        updates = self._updates
        if updates:
            last = updates[-1]
            is_next = update.sequence == last.sequence + 1 and update.epoch == last.epoch
            if not is_next:
                if (update.epoch, update.sequence) <= (last.epoch, last.sequence):
                    return False
                updates.clear()
        updates.append(update)
        return True

    def since(self, epoch: int, sequence: int) -> list[U] | None:
        """All updates after this position, oldest first; None when not all are here, or the position is not ours."""
        if not self._updates:
            return None
        first, last = self._updates[0], self._updates[-1]
        if epoch != last.epoch or not first.sequence - 1 <= sequence <= last.sequence:
            return None
        return list(islice(self._updates, sequence + 1 - first.sequence, None))

    def recent(self) -> list[U]:
        """All that is kept, oldest first."""
        return list(self._updates)


class History(Generic[U]):
    """The rings of all symbols. `depth` updates for each of at most `max_symbols`."""

    def __init__(self, *, depth: int = 64, max_symbols: int = 10_000) -> None:
        if max_symbols < 1:
            raise ValueError(f"a history needs room for at least one symbol, not {max_symbols}")
        self._depth = depth
        self._max_symbols = max_symbols
        self._rings: OrderedDict[int, Ring[U]] = OrderedDict()  # the longest unchanged first
        self._dropped_symbols = 0

    def add(self, update: U) -> bool:
        """Keep an update; False when it is not newer than the newest of its symbol."""
        symbol_id, rings = update.symbol_id, self._rings
        ring = rings.get(symbol_id)
        if ring is None:
            ring = rings[symbol_id] = Ring(self._depth)
            if len(rings) > self._max_symbols:
                rings.popitem(last=False)
                self._dropped_symbols += 1
        else:
            rings.move_to_end(symbol_id)
        return ring.add(update)

    def since(self, symbol_id: int, epoch: int, sequence: int) -> list[U] | None:
        """All updates of a symbol after this position, oldest first; None when that cannot be told: there is a gap."""
        ring = self._rings.get(symbol_id)
        return None if ring is None else ring.since(epoch, sequence)

    def recent(self, symbol_id: int) -> list[U]:
        """All that is kept of a symbol, oldest first."""
        ring = self._rings.get(symbol_id)
        return [] if ring is None else ring.recent()

    def symbols(self) -> list[int]:
        """The ids of all symbols kept, the longest unchanged first."""
        return list(self._rings)

    def drop(self, symbol_id: int) -> None:
        """Forget a symbol; unknown ids are ignored."""
        self._rings.pop(symbol_id, None)

    def stats(self) -> HistoryStats:
        """How full it is; walks all symbols."""
        return HistoryStats(len(self._rings), sum(map(len, self._rings.values())), self._dropped_symbols)
