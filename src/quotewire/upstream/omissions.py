"""What a stream may have lost because a request left it out. Pure.

Each request that names a stream's symbols stands for the whole list, so what one leaves out may be gone from the moment
it leaves, whether or not its answer ever comes. Such a symbol is still believed when its data come, and is asked for
again when it is wanted; but it is trusted no longer than a moment after its last data.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Final

DOUBT_S: Final = 1.0
"""For so long what a request left out is trusted; most requests are answered sooner."""


@dataclass(slots=True)
class Omissions:
    """One stream's. `since` has what it may have lost, with when that began or data last came (monotonic seconds)."""

    since: dict[int, float] = field(default_factory=dict)
    taken: frozenset[int] = frozenset()
    """What the last request that was answered asked for, though the socket that counts may be an older one."""
    sure: frozenset[int] = frozenset()
    """What of that no later request left out."""

    def leaves(self, ids: frozenset[int], now: float) -> None:
        """A request for exactly these is about to leave."""
        for symbol_id in self.sure - ids:
            self.since.setdefault(symbol_id, now)
        self.sure &= ids

    def answered(self, ids: frozenset[int]) -> None:
        """Questrade took a request for exactly these."""
        self.taken = self.sure = ids
        for symbol_id in ids & self.since.keys():
            del self.since[symbol_id]

    def heard(self, ids: Iterable[int], now: float) -> None:
        """Data of these came: the stream had them a moment ago, asked for or not."""
        for symbol_id in ids:
            if symbol_id not in self.sure:
                self.since[symbol_id] = now

    def may_lack(self, ids: Set[int]) -> bool:
        """Whether the stream may have lost any of these."""
        return not self.since.keys().isdisjoint(ids)

    def doubted(self, now: float) -> frozenset[int]:
        """What it may have lost more than a moment ago, and has not spoken of since."""
        return frozenset(symbol_id for symbol_id, since in self.since.items() if now - since >= DOUBT_S)

    def opened_anew(self) -> None:
        """Another socket counts, opened for what the last request asked for."""
        self.since.clear()
