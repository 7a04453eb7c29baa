"""Clients of the SDK that keep all they are given, and the check that nothing was lost without a word."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import quotewire
from quotewire.client.api import Client
from quotewire.client.state import ClientState
from quotewire.market.quote import Quote
from quotewire.resilience.backoff import Backoff
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.wire.options import Gap
from tests.e2e.clients import Key, collapsed

QUICK = LifecycleConfig(backoff=Backoff(base_s=0.2, cap_s=1.0), max_attempts=1000, polling=False)
Item = Quote | Gap


@dataclass
class Watcher:
    """One client: what it wants, and every update and gap it was given, in order."""

    ids: Sequence[int]
    items: dict[int, list[Item]] = field(default_factory=dict)
    states: list[ClientState] = field(default_factory=list)
    reconnects: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str) -> None:
        """Listen to everything until cancelled."""
        client = quotewire.connect(url, lifecycle=QUICK, queue_size=100_000, on_state=self.states.append)
        async with client, client.quotes(*self.ids, mode="every", on_gap=self._gap) as stream:
            async for quote in stream:
                self.items.setdefault(quote.symbol_id, []).append(quote)
                self._count(client)
                if len(self.items) == len(self.ids):
                    self.begun.set()

    def _gap(self, gap: Gap) -> None:
        self.items.setdefault(gap.symbol_id, []).append(gap)

    def _count(self, client: Client) -> None:
        self.reconnects = client.get_metrics().reconnection_count

    def quotes(self, symbol_id: int) -> list[Quote]:
        """The updates of a symbol."""
        return [item for item in self.items.get(symbol_id, ()) if isinstance(item, Quote)]

    def newest(self, symbol_id: int) -> Key | None:
        """What the last quote of a symbol said."""
        found = self.quotes(symbol_id)
        return key_of(found[-1]) if found else None


def key_of(quote: Quote) -> Key:
    """What a quote and the simulator's record of it have in common."""
    return (quote.volume or 0, quote.bid_price, quote.ask_price, quote.last_trade_price)


def check_in_sequence(watcher: Watcher, *, counts: int = 1) -> int:
    """Assert that each update follows the one before it, or that a gap tells what is missing; the missing ones.

    `counts` is how many epochs there may be: a new one is a word of its own, and only ever a greater one.
    """
    missing = 0
    for symbol_id in watcher.ids:
        assert len({item.epoch for item in watcher.items[symbol_id]}) <= counts, f"{symbol_id}: too many counts"
        for before, after in itertools.pairwise(watcher.items[symbol_id]):
            if isinstance(after, Gap):
                missing += after.to_sequence - after.from_sequence + 1
                continue
            if isinstance(before, Gap):
                assert after.epoch == before.epoch, f"{symbol_id}: {before} then {after}"
                assert after.sequence >= before.to_sequence, f"{symbol_id}: {before} then {after}"
                continue
            if after.epoch > before.epoch:
                continue
            assert after.epoch == before.epoch, f"{symbol_id}: back to an older count"
            assert after.sequence == before.sequence + 1, f"{symbol_id}: {before.sequence} then {after.sequence}"
    return missing


def check_all_received(watcher: Watcher, sent: dict[int, list[Key]]) -> int:
    """Assert that every update sent since the client's snapshot arrived, once and in order; returns how many."""
    assert check_in_sequence(watcher) == 0
    checked = 0
    for symbol_id in watcher.ids:
        keys = collapsed([key_of(quote) for quote in watcher.quotes(symbol_id)])
        expected = collapsed(sent[symbol_id])
        assert keys == expected[len(expected) - len(keys) :], f"{symbol_id} differs from what was sent"
        checked += len(keys)
    return checked
