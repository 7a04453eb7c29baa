"""Which clients have something that becomes due, and when: one timer for all of them. Pure; times in seconds."""

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Wheel(Generic[T]):
    """Members by the tick they are due at. A member is due at the first tick that is not before its time."""

    def __init__(self, tick_s: float) -> None:
        self._tick_s = tick_s
        self._spokes: dict[int, set[T]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._spokes.values()))

    def put(self, member: T, due: float) -> int:
        """Have `member` come up when `due`; returns its tick, by which it can be taken out before."""
        tick = int(due / self._tick_s) + 1
        self._spokes.setdefault(tick, set()).add(member)
        return tick

    def discard(self, member: T, tick: int) -> None:
        """Take a member out again, if it is still there."""
        spoke = self._spokes.get(tick)
        if spoke is not None:
            spoke.discard(member)
            if not spoke:
                del self._spokes[tick]

    def next_due(self) -> float | None:
        """When the first member comes up."""
        return min(self._spokes) * self._tick_s if self._spokes else None

    def take(self, now: float) -> Iterable[T]:
        """Take out all that have come up."""
        past = sorted(tick for tick in self._spokes if tick * self._tick_s <= now)
        return [member for tick in past for member in self._spokes.pop(tick)]
