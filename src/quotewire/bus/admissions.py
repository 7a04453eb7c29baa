"""What addresses and keys hold over all nodes: counted in one place, so that their limits are exact. Pure.

`now` is seconds of a monotonic clock. Connections and symbols are counted by node, so that a node that is gone gives
back what its clients held. Messages are not asked for one by one: a node draws some of a key's, and a few more than it
needs, and never holds more than its part of `AHEAD_S` of the rate. So a key is served `burst + rate * seconds` messages
over all nodes, give or take `AHEAD_S * rate`, however many nodes there are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from quotewire.resilience.accounts import (
    CAPACITY,
    PLACE_RETRY_S,
    Account,
    Accounts,
    Drawn,
    Exceeded,
    Held,
    Limit,
    Limits,
    Scope,
    opened,
)

AHEAD_S: Final = 0.1
"""So much of a key's rate may lie with its nodes, all together, without being used."""

SPARE: Final = 4
"""A node is given at most one in so many, of its part, of what a key has left beyond what the node needs now."""

SWEPT_AT_ONCE: Final = 1000

Name = tuple[Scope, str]


@dataclass(slots=True)
class Holding:
    """What one node's clients hold of one account."""

    connections: int = 0
    symbols: int = 0


class Admissions:
    """The accounts of the whole gateway, and what each node holds of them."""

    def __init__(self, limits: Limits, *, capacity: int = CAPACITY) -> None:
        self._accounts = {
            Scope.ADDRESS: Accounts(limits.address, capacity),
            Scope.KEY: Accounts(limits.key, capacity),
        }
        self._by_node: dict[int, dict[Name, Holding]] = {}

    def known(self, scope: Scope) -> int:
        """Addresses, or keys, of which anything is kept."""
        return len(self._accounts[scope])

    def enter(self, node: int, name: Name, now: float) -> Exceeded | None:
        """Count a connection in; else why not, and it is not counted."""
        scope, of = name
        accounts = self._accounts[scope]
        exceeded = opened(accounts.of(of, now), scope, accounts.allowed, now)
        if exceeded is None:
            self._holding(node, name).connections += 1
        return exceeded

    def claim(self, node: int, names: Iterable[Name], symbols: int, now: float) -> Exceeded | None:
        """Count so many symbols more, of all these accounts; else why not, and none is counted."""
        claimed = [(name, self._account(name, now)) for name in names]
        for (scope, _), account in claimed:
            allowed = self._accounts[scope].allowed.symbols
            if account.symbols + symbols > allowed:
                return Exceeded(Limit.SYMBOLS, scope, allowed, PLACE_RETRY_S)
        for name, account in claimed:
            account.symbols += symbols
            self._holding(node, name).symbols += symbols
        return None

    def draw(self, key: str, messages: int, now: float) -> Drawn:
        """Take messages of a key's allowance: as many as there are of these, and a few more where there is plenty."""
        name, rate = (Scope.KEY, key), self._accounts[Scope.KEY].allowed.commands
        bucket = self._account(name, now).commands
        left = bucket.left(rate, now)
        nodes = max(sum(name in held for held in self._by_node.values()), 1)
        ahead = int(min(rate.per_s * AHEAD_S, (left - messages) / SPARE) / nodes)
        drawn = min(messages + max(ahead, 0), left)
        bucket.spend(drawn)
        return Drawn(drawn, bucket.wait_s(rate, now))

    def leave(self, node: int, held: Iterable[Held], now: float) -> None:
        """A node gives back; what it does not hold is ignored."""
        mine = self._by_node.get(node, {})
        for each in held:
            name = (each.scope, each.name)
            if each.messages > 0:
                self._account(name, now).commands.spend(-each.messages)
            holding = mine.get(name)
            if holding is None:
                continue
            connections, symbols = min(each.connections, holding.connections), min(each.symbols, holding.symbols)
            self._give_back(name, Holding(connections, symbols), now)
            holding.connections -= connections
            holding.symbols -= symbols
            if holding == Holding():
                del mine[name]

    def restore(self, node: int, held: Iterable[Held], now: float) -> None:
        """A node tells what it has: it was there before us. Counted even beyond the limits; nobody is thrown out."""
        self.forget(node, now)
        for each in held:
            account, holding = self._account((each.scope, each.name), now), self._holding(node, (each.scope, each.name))
            for counted in (account, holding):
                counted.connections += max(each.connections, 0)
                counted.symbols += max(each.symbols, 0)

    def forget(self, node: int, now: float) -> None:
        """A node is gone, and with it all that its clients held."""
        for name, holding in self._by_node.pop(node, {}).items():
            self._give_back(name, holding, now)

    def sweep(self, now: float) -> None:
        """Forget what makes no difference; call now and then."""
        for accounts in self._accounts.values():
            accounts.sweep(now, SWEPT_AT_ONCE)

    def _account(self, name: Name, now: float) -> Account:
        return self._accounts[name[0]].of(name[1], now)

    def _holding(self, node: int, name: Name) -> Holding:
        return self._by_node.setdefault(node, {}).setdefault(name, Holding())

    def _give_back(self, name: Name, holding: Holding, now: float) -> None:
        account = self._account(name, now)
        account.connections -= holding.connections
        account.symbols -= holding.symbols
