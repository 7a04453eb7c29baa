"""What one node is owed of the quotes all nodes get. Pure.

While its connection takes data, a node gets the frames that everybody gets. Once it does not, and while it catches up,
only the symbols it is behind in are kept, each with the last sequence the node was sent: what it missed meanwhile is
read from the history when the connection takes data again. So a node that lags costs one number a symbol, misses
nothing that the history still holds, and is told exactly which sequences it will never get.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from quotewire.bus.envelope import BATCH
from quotewire.market.history import History
from quotewire.market.quote import Quote
from quotewire.wire.options import Cause, Gap

NOTHING: Final = -1
"""In place of the last sequence sent: the node is new, and what was before its time is no gap of its own."""


class Feed:
    """One node's place in the stream of quotes. Begins behind in every symbol of the history."""

    def __init__(self, history: History[Quote]) -> None:
        self._history = history
        self._behind: dict[int, int] = dict.fromkeys(history.symbols(), NOTHING)
        self._blocked = False
        self.held_back = 0
        self.missed = 0

    def __len__(self) -> int:
        """Symbols the node is behind in."""
        return len(self._behind)

    @property
    def blocked(self) -> bool:
        """True while the node's connection takes nothing."""
        return self._blocked

    def block(self) -> None:
        """The connection takes no more for now."""
        self._blocked = True

    def unblock(self) -> None:
        """The connection takes data again; ask `catch_up` for what it is owed."""
        self._blocked = False

    def offer(self, quotes: Sequence[Quote]) -> bool:
        """New quotes, which the history holds already. True: send the node the frame that all get; False: not now."""
        if not self._blocked and not self._behind:
            return True
        for quote in quotes:
            self._behind.setdefault(quote.symbol_id, quote.sequence - 1)
        self.held_back += len(quotes)
        return False

    def catch_up(self) -> tuple[list[Quote], list[Gap]] | None:
        """The next of what the node is behind in, with what is gone before it; None when nothing is owed or taken."""
        if self._blocked or not self._behind:
            return None
        quotes: list[Quote] = []
        gaps: list[Gap] = []
        while self._behind and len(quotes) < BATCH:
            symbol_id = next(iter(self._behind))
            sent = self._behind.pop(symbol_id)
            kept = self._history.recent(symbol_id)
            owed = [quote for quote in kept if quote.sequence > sent]
            if owed and sent != NOTHING and owed[0].sequence > sent + 1:
                gaps.append(self._gap(sent, owed[0]))
            quotes += owed
        return quotes, gaps

    def _gap(self, sent: int, first: Quote) -> Gap:
        self.missed += first.sequence - sent - 1
        return Gap(
            symbol=first.symbol,
            symbol_id=first.symbol_id,
            epoch=first.epoch,
            from_sequence=sent + 1,
            to_sequence=first.sequence - 1,
            since=None,
            until=first.received_at,
            cause=Cause.UPSTREAM,
        )


class Wants:
    """Which symbols are wanted on any node: the union, kept by counting."""

    def __init__(self) -> None:
        self._by_node: dict[int, set[int]] = {}

    def change(self, node: int, added: Iterable[int], removed: Iterable[int]) -> None:
        """A node's clients want other symbols now."""
        mine = self._by_node.setdefault(node, set())
        mine.update(added)
        mine.difference_update(removed)

    def forget(self, node: int) -> None:
        """A node is gone, and with it what it wanted."""
        self._by_node.pop(node, None)

    def union(self) -> frozenset[int]:
        """The symbols wanted anywhere."""
        return frozenset().union(*self._by_node.values())
