"""The hub: takes stamped quotes from upstream, gives each client what it is owed. Awaits nothing, opens nothing.

One owner: the event loop's thread. A flush happens once an iteration of the loop, over the clients owed something.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from quotewire.hub.outbox import Outbox
from quotewire.hub.subscriptions import Subscriptions
from quotewire.market.quote import Quote
from quotewire.wire.codec import EncodedQuote, Form
from quotewire.wire.messages import UpstreamState


class Client(Protocol):
    """What the hub needs of a connection."""

    form: Form
    outbox: Outbox

    def flush(self) -> None:
        """Write what the outbox owes, if the connection takes it now."""

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell the client that the upstream changed, if its dialect does."""


class Hub:
    """Subscriptions, the latest quote of each symbol, and the flush."""

    def __init__(
        self, *, schedule: Callable[[Callable[[], None]], object], on_wanted: Callable[[frozenset[int]], None]
    ) -> None:
        self._schedule = schedule
        self._on_wanted = on_wanted
        self._subscriptions: Subscriptions[Client] = Subscriptions()
        self._latest: dict[int, EncodedQuote] = {}
        self._clients: set[Client] = set()
        self._dirty: set[Client] = set()
        self.updates = 0
        self.deliveries = 0

    # --- clients ---

    @property
    def clients(self) -> frozenset[Client]:
        """The clients attached now."""
        return frozenset(self._clients)

    def attach(self, client: Client) -> None:
        """A client has authenticated."""
        self._clients.add(client)

    def detach(self, client: Client, symbol_ids: Iterable[int]) -> None:
        """A client is gone, and wanted these."""
        self._clients.discard(client)
        self._dirty.discard(client)
        if self._subscriptions.remove(client, symbol_ids):
            self._on_wanted(self._subscriptions.wanted())

    def join(self, client: Client, symbol_ids: Sequence[int]) -> list[bytes]:
        """`client` wants these from now on; returns what is known of them, encoded, for its snapshot.

        Nothing can come between the snapshot and the updates that follow it: both happen in one step of one thread.
        The caller flushes before it asks, and sends the snapshot before anything else.
        """
        client.outbox.drop(tuple(symbol_ids))
        grown = self._subscriptions.add(client, symbol_ids)
        known = [self._latest[symbol_id].body(client.form) for symbol_id in symbol_ids if symbol_id in self._latest]
        if grown:
            self._on_wanted(self._subscriptions.wanted())
        return known

    def leave(self, client: Client, symbol_ids: tuple[int, ...]) -> None:
        """`client` wants these no more."""
        client.outbox.drop(symbol_ids)
        if self._subscriptions.remove(client, symbol_ids):
            self._on_wanted(self._subscriptions.wanted())

    # --- quotes ---

    def publish(self, quotes: Iterable[Quote]) -> None:
        """Take updates from upstream, oldest first."""
        for quote in quotes:
            encoded = EncodedQuote(quote)
            self._latest[quote.symbol_id] = encoded
            self.updates += 1
            for client in self._subscriptions.of(quote.symbol_id):
                client.outbox.put(quote.symbol_id, encoded.frame(client.form))
                self.deliveries += 1
                if not self._dirty:
                    self._schedule(self.flush)
                self._dirty.add(client)

    def flush(self) -> None:
        """Let every client that is owed something write."""
        dirty, self._dirty = self._dirty, set()
        for client in dirty:
            client.flush()

    def forget(self, symbol_ids: Iterable[int]) -> None:
        """The upstream follows these no longer: what is known of them grows old and is dropped."""
        for symbol_id in symbol_ids:
            self._latest.pop(symbol_id, None)

    def latest(self, symbol_id: int) -> Quote | None:
        """The newest quote of a symbol, if any was published."""
        encoded = self._latest.get(symbol_id)
        return None if encoded is None else encoded.quote

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell every client that the upstream changed."""
        for client in tuple(self._clients):
            client.tell_upstream(state)

    def stats(self) -> dict[str, int]:
        """Plain numbers for the gauges."""
        return {
            "clients": len(self._clients),
            "symbols_wanted": len(self._subscriptions),
            "symbols_known": len(self._latest),
            "updates": self.updates,
            "deliveries": self.deliveries,
            "clients_waiting": sum(1 for client in self._clients if client.outbox.conflating),
        }
