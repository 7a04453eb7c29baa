"""Polling in place of a stream: symbols that are wanted and that no stream carries are asked for over REST (R17)."""

import asyncio
import time
from collections.abc import Callable, Set
from typing import Final

from quotewire.errors import UpstreamError
from quotewire.market.quote import QuotePatch
from quotewire.questrade import requests
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.tuning import DEFAULT

EVERY_S: Final = 5.0  # between two polls of a symbol, at best
BELIEVED_S: Final = 75.0  # a poll older than this stands for nothing
TICK_S: Final = 0.5
MOST_AT_ONCE: Final = 8  # requests; what is due beyond them waits, longest first


class Poller:
    """Polls what is uncovered. `polled` tells since when (monotonic seconds) a symbol was last brought by a poll."""

    def __init__(
        self,
        desk: Desk,
        on_patches: Callable[[list[QuotePatch]], None],
        now: Callable[[], float] = time.monotonic,
        *,
        patience_s: float = DEFAULT.poll_patience_s,
        every_s: float = EVERY_S,
    ) -> None:
        self.polled: dict[int, float] = {}
        self._every_s = every_s
        self._under_way: dict[asyncio.Task[None], list[int]] = {}
        self._desk = desk
        self._on_patches = on_patches
        self._now = now
        self._patience_s = patience_s
        self._uncovered: dict[int, float] = {}
        self._asked: dict[int, float] = {}

    def uncovered(self, symbol_ids: Set[int]) -> None:
        """The symbols that need polling; those not in the set need it no more."""
        now = self._now()
        for symbol_id in self._uncovered.keys() - symbol_ids:
            del self._uncovered[symbol_id]
            self.polled.pop(symbol_id, None)
            self._asked.pop(symbol_id, None)
        for symbol_id in symbol_ids - self._uncovered.keys():
            self._uncovered[symbol_id] = now

    @property
    def overdue(self) -> set[int]:
        """Symbols that need polling by now, whether or not polls can be made."""
        before = self._now() - self._patience_s
        return {symbol_id for symbol_id, since in self._uncovered.items() if since <= before}

    async def run(self) -> None:
        """Poll until cancelled. A request that hangs does not keep the others waiting."""
        async with asyncio.TaskGroup() as group:
            while True:
                for ids in self.take_due():
                    task = group.create_task(self._poll(ids), name="poll")
                    self._under_way[task] = ids
                    task.add_done_callback(self._under_way.pop)
                self._expire()
                await asyncio.sleep(TICK_S)

    def take_due(self) -> list[list[int]]:
        """What is to be asked for now, a request each; it counts as asked from here on."""
        now, never = self._now(), float("-inf")
        asking = set[int]().union(*self._under_way.values())
        due = [
            symbol_id
            for symbol_id, since in self._uncovered.items()
            if now - since >= self._patience_s
            and now - self._asked.get(symbol_id, never) >= self._every_s
            and symbol_id not in asking
        ]
        room = (MOST_AT_ONCE - len(self._under_way)) * requests.MAX_IDS
        due = sorted(due, key=lambda symbol_id: self._asked.get(symbol_id, never))[:room]
        self._asked.update(dict.fromkeys(due, now))
        return [due[at : at + requests.MAX_IDS] for at in range(0, len(due), requests.MAX_IDS)]

    async def _poll(self, ids: list[int]) -> None:
        try:
            _, frame = await self._desk.call(requests.quotes(ids), priority=Priority.POLL)
        except UpstreamError:
            return  # reported by the desk; what is polled ages
        for patch in frame.patches:
            if patch.symbol_id in self._uncovered:
                self.polled[patch.symbol_id] = self._now()
        self._on_patches(frame.patches)

    def _expire(self) -> None:
        oldest = self._now() - BELIEVED_S
        for symbol_id in [i for i, at in self.polled.items() if at < oldest]:
            del self.polled[symbol_id]
