"""Who wants which symbol: an index both ways, and the set of symbols anyone wants."""

from collections.abc import Iterable
from typing import Generic, TypeVar

C = TypeVar("C")


class Subscriptions(Generic[C]):
    """Symbol id to clients. A client's own set is kept by the client."""

    def __init__(self) -> None:
        self._clients: dict[int, set[C]] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def wanted(self) -> frozenset[int]:
        """The ids of all symbols anyone wants."""
        return frozenset(self._clients)

    def of(self, symbol_id: int) -> Iterable[C]:
        """The clients that want this symbol."""
        return self._clients.get(symbol_id, ())

    def add(self, client: C, symbol_ids: Iterable[int]) -> bool:
        """Note that `client` wants these; tells whether any is newly wanted by anyone."""
        grown = False
        for symbol_id in symbol_ids:
            clients = self._clients.get(symbol_id)
            if clients is None:
                self._clients[symbol_id] = {client}
                grown = True
            else:
                clients.add(client)
        return grown

    def remove(self, client: C, symbol_ids: Iterable[int]) -> bool:
        """Note that `client` wants these no more; tells whether any is now wanted by nobody."""
        shrunk = False
        for symbol_id in symbol_ids:
            clients = self._clients.get(symbol_id)
            if clients is None:
                continue
            clients.discard(client)
            if not clients:
                del self._clients[symbol_id]
                shrunk = True
        return shrunk
