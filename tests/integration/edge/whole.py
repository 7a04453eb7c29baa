"""The rest of a gateway of several processes, as far as the edge can tell."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quotewire.edge.shares import SharedLimiter
from quotewire.errors import UpstreamUnavailableError
from quotewire.resilience.accounts import Drawn, Exceeded, Held, Limit, Scope
from quotewire.telemetry.catalogue import Sample
from tests.integration.edge.gateway import EdgeGateway

Sockets = contextlib.AsyncExitStack
HERE, ALICE = (Scope.ADDRESS, "127.0.0.1"), (Scope.KEY, "alice")


def shares(node: EdgeGateway) -> SharedLimiter:
    """What the clients of a gateway hold."""
    assert isinstance(node.gate.limiter, SharedLimiter)
    return node.gate.limiter


@dataclass
class FakeWhole:
    """The rest of the gateway. `gate` is awaited before an admission; `away`: nobody answers."""

    refuses: dict[Scope, Limit] = field(default_factory=dict)
    symbols: int = 1000
    draws: deque[Drawn] = field(default_factory=deque)
    away: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    gone: list[Held] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    def _answer(self) -> None:
        if self.away:
            raise UpstreamUnavailableError("the owner is away; try again")

    async def samples(self) -> Sequence[Sample]:
        self._answer()
        return [
            Sample("quotewire_connections", 70.0),
            Sample("quotewire_symbols_wanted", 8.0),
            Sample("quotewire_updates_total", 900.0),
        ]

    async def report(self) -> dict[str, Any]:
        self._answer()
        return {"persons": ["everybody"]}

    async def clients(self) -> dict[str, Any]:
        self._answer()
        return {"clients": 7}

    def reported(self, client: str, counts: Mapping[str, float]) -> None:
        self.reports.append(client)

    async def _ask(self, *asked: Any) -> None:
        self.asked.append(asked)
        await self.gate.wait()
        self._answer()

    async def admit(self, scope: Scope, name: str) -> Exceeded | None:
        await self._ask("admit", scope, name)
        return Exceeded(self.refuses[scope], scope, 7, 3.0) if scope in self.refuses else None

    async def claim(self, address: str, key: str | None, symbols: int) -> Exceeded | None:
        await self._ask("claim", address, key, symbols)
        if symbols > self.symbols:
            return Exceeded(Limit.SYMBOLS, Scope.KEY, 7, 3.0)
        self.symbols -= symbols
        return None

    async def draw(self, key: str, messages: int) -> Drawn:
        await self._ask("draw", key, messages)
        return self.draws.popleft() if self.draws else Drawn(1000, 0.0)

    def left(self, held: Sequence[Held]) -> None:
        self.gone += held

    def count(self, what: str) -> int:
        """How often that was asked."""
        return sum(asked[0] == what for asked in self.asked)
