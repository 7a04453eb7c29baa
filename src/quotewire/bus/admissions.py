"""How many connections each address has, over all nodes: counted in one place, so that the limit is exact. Pure."""

from collections import Counter
from collections.abc import Mapping


class Admissions:
    """Open connections by address and node."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_node: dict[int, Counter[str]] = {}
        self._total: Counter[str] = Counter()
        self.refused = 0

    def __len__(self) -> int:
        """Addresses with a connection."""
        return len(self._total)

    def enter(self, node: int, address: str) -> bool:
        """Count a connection in; False, and not counted, when the address has as many as it may."""
        if self._total[address] >= self._limit:
            self._forget_if_none(address)
            self.refused += 1
            return False
        self._by_node.setdefault(node, Counter())[address] += 1
        self._total[address] += 1
        return True

    def leave(self, node: int, address: str) -> None:
        """A connection that was counted in is gone; one that was not is ignored."""
        mine = self._by_node.get(node)
        if mine is None or mine[address] <= 0:
            return
        mine[address] -= 1
        if mine[address] == 0:
            del mine[address]
        self._total[address] -= 1
        self._forget_if_none(address)

    def restore(self, node: int, open_now: Mapping[str, int]) -> None:
        """A node tells what it has: it was there before us. Counted even beyond the limit; nobody is thrown out."""
        self.forget(node)
        counts = Counter({address: count for address, count in open_now.items() if count > 0})
        self._by_node[node] = counts
        self._total.update(counts)

    def forget(self, node: int) -> None:
        """A node is gone, and its connections with it."""
        for address, count in self._by_node.pop(node, Counter[str]()).items():
            self._total[address] -= count
            self._forget_if_none(address)

    def _forget_if_none(self, address: str) -> None:
        if self._total[address] <= 0:
            del self._total[address]
