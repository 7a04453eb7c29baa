"""Look-ups a node remembers for a while, so that clients that come back together do not all ask the owner. Pure."""

from collections.abc import Iterable, Sequence

from quotewire.bus.questions import Found

KEEP_S = 60.0
MOST = 50_000


class Lookups:
    """What was found lately. `now` is monotonic seconds."""

    def __init__(self, keep_s: float = KEEP_S, most: int = MOST) -> None:
        self._keep_s = keep_s
        self._most = most
        self._found: dict[str | int, tuple[Found, float]] = {}

    def __len__(self) -> int:
        return len(self._found)

    def recall(self, asked: Sequence[str | int], now: float) -> dict[str | int, Found]:
        """Those of `asked` that are known still."""
        known = ((item, self._found.get(item)) for item in asked)
        return {item: kept[0] for item, kept in known if kept is not None and kept[1] > now}

    def learn(self, found: Iterable[Found], now: float) -> None:
        """Remember what was found; what was not may be tomorrow's symbol and is asked for again."""
        for each in found:
            if each.symbol is not None:
                self._found.pop(each.asked, None)
                self._found[each.asked] = (each, now + self._keep_s)
        while len(self._found) > self._most:
            del self._found[next(iter(self._found))]

    def clear(self) -> None:
        """Forget everything: a new owner has to hear of each symbol itself."""
        self._found.clear()
