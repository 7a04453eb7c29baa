"""The shell of the drain: gives the clients of one gateway their turns, and closes those whose time is up."""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Callable, Collection
from typing import Protocol

from quotewire.edge import drain as d

LOOK_EVERY_S = 0.02
TOLD_AT_ONCE = 200
"""Clients told of their turn before all that flows has a turn of its own."""

WAYS = ("told", "closed", "cut")
"""What is done about clients when the gateway leaves; each is counted."""

log = logging.getLogger("quotewire.edge.draining")


class Leaver(Protocol):
    """What the drain needs of a connection."""

    def tell_reconnect(self, after_ms: int, deadline_ms: int) -> bool:
        """Have the client move to another connection; False when it would not understand."""

    def go_away(self) -> None:
        """Close it: the gateway is stopping."""

    def cut(self) -> None:
        """Drop it without another word."""


class Draining:
    """One gateway's leaving. `gone` is set once it is over; the process may end then."""

    def __init__(self, plan: d.Plan, clients: Collection[Leaver]) -> None:
        self._machine = d.Drain(plan)
        self._clients = clients
        # Each in the order of time: not told of their turn yet; to be closed when it comes; or somewhat after it.
        self._untold: deque[tuple[float, Leaver]] = deque()
        self._due: deque[tuple[float, Leaver]] = deque()
        self._patient: deque[tuple[float, Leaver]] = deque()
        self._patience_s = 0.0
        self._closed: set[Leaver] = set()
        self._asked = asyncio.Event()
        self.gone = asyncio.Event()
        self.ways: Counter[str] = Counter()
        self.on_shut: list[Callable[[], None]] = []

    @property
    def phase(self) -> d.Phase:
        """Where it stands."""
        return self._machine.phase

    def ask(self) -> None:
        """Send the clients away, one after the other. Asking again changes nothing."""
        self._step(d.Asked(len(self._clients)))

    def hasten(self) -> None:
        """Send all away at once that are still here."""
        self._step(d.Hastened(len(self._clients)))

    async def run(self) -> None:
        """See it through, once it was asked for."""
        await self._asked.wait()
        while not self.gone.is_set():
            await asyncio.sleep(LOOK_EVERY_S)
            self._step(d.Looked(len(self._clients)))

    def _step(self, event: d.Event) -> None:
        before, now = self.phase, asyncio.get_running_loop().time()
        for effect in self._machine.step(event, now):
            match effect:
                case d.ShutTheDoor():
                    for shut in self.on_shut:
                        shut()
                case d.GiveTurns(spread_s, patience_s):
                    self._give_turns(spread_s, patience_s, now)
                case d.CloseDue():
                    self._close_due(now)
                case d.CloseAll():
                    self._close(tuple(self._clients))
                case d.Cut():
                    self._cut()
        if self.phase is not before:
            told = {"event": f"drain_{self.phase}", "clients": len(self._clients)}
            log.info("the gateway is %s", self.phase, extra=told)
        if self.phase is d.Phase.GONE:
            self.gone.set()
        if self.phase is not d.Phase.SERVING:
            self._asked.set()

    def _give_turns(self, spread_s: float, patience_s: float, now: float) -> None:
        # In no order at all: those that came together do not leave together.
        clients = random.sample(tuple(self._clients), len(self._clients))
        after = d.turns(len(clients), spread_s)
        self._untold.extend((now + after_s, client) for after_s, client in zip(after, clients, strict=True))
        self._patience_s = patience_s
        self._tell_some(now)

    def _tell_some(self, now: float) -> None:
        """Tell the next few of their turns: those whose turn comes first, first."""
        for _ in range(min(TOLD_AT_ONCE, len(self._untold))):
            turn_at, client = self._untold.popleft()
            if client not in self._clients:
                continue
            after_s = max(0.0, turn_at - now)
            if client.tell_reconnect(int(after_s * 1000), int((after_s + self._patience_s) * 1000)):
                self.ways["told"] += 1
                self._patient.append((turn_at + self._patience_s, client))
            else:
                self._due.append((turn_at, client))

    def _close_due(self, now: float) -> None:
        self._tell_some(now)
        for queue in (self._due, self._patient):
            while queue and queue[0][0] <= now:
                client = queue.popleft()[1]
                if client in self._clients:
                    self._close((client,))

    def _close(self, clients: Collection[Leaver]) -> None:
        for client in clients:
            if client not in self._closed:
                self._closed.add(client)
                self.ways["closed"] += 1
                client.go_away()

    def _cut(self) -> None:
        left = tuple(self._clients)
        for client in left:
            client.cut()
        self.ways["cut"] += len(left)
