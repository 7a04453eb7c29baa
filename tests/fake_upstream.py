"""An upstream for tests of the edge: it knows a few symbols, and does nothing unless told to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from quotewire.market.quote import Quote, Source
from quotewire.market.symbol import Symbol
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import UpstreamState
from tests.wire_samples import quote, upstream


@dataclass(frozen=True, slots=True)
class FakePerson:
    """A person whose login works, or not."""

    name: str
    is_active: bool = True
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class FakeLookedUp:
    """What was found of one symbol."""

    asked: str | int
    symbol: Symbol | None = None
    code: ErrorCode | None = None
    reason: str = ""
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class FakeReading:
    """A number of the upstream."""

    name: str
    labels: tuple[str, ...]
    value: float


@dataclass
class FakeUpstream:
    """Symbols are `S1` to `S<count>` with those ids. `before` runs ahead of every call: raise or wait there."""

    count: int = 50
    people: list[FakePerson] = field(default_factory=lambda: [FakePerson("alice"), FakePerson("bob", False)])
    state: UpstreamState = field(default_factory=upstream)
    before: Callable[[str], Awaitable[None]] | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    quotes: dict[int, Quote] = field(default_factory=dict)

    async def _called(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        if self.before is None:
            await asyncio.sleep(0)
        else:
            await self.before(name)

    def persons(self) -> Sequence[FakePerson]:
        return self.people

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> Sequence[FakeLookedUp]:
        await self._called("resolve", (tuple(names), tuple(ids)))
        return [*(self._find(name, name.removeprefix("S")) for name in names), *(self._find(i, str(i)) for i in ids)]

    def _find(self, asked: str | int, number: str) -> FakeLookedUp:
        if number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= self.count:
            return FakeLookedUp(asked, Symbol(symbol=f"S{number}", symbol_id=int(number), currency="CAD"))
        return FakeLookedUp(asked, code=ErrorCode.UNKNOWN_SYMBOL, reason=f"Questrade knows no symbol {asked}")

    async def search(self, prefix: str, offset: int = 0) -> Sequence[Symbol]:
        await self._called("search", (prefix, offset))
        found = [Symbol(symbol=f"S{i}", symbol_id=i) for i in range(1, self.count + 1)]
        return [symbol for symbol in found if symbol.symbol.startswith(prefix.upper())][offset:]

    async def snapshot(self, ids: Sequence[int]) -> Sequence[Quote]:
        await self._called("snapshot", tuple(ids))
        return [self.quotes.get(i, quote(i, 1, source=Source.POLL)) for i in ids if i != 13]

    async def refresh(self, person: str, *, force: bool = False) -> FakePerson:
        await self._called("refresh", (person, force))
        return next(known for known in self.people if known.name == person)

    def report(self) -> dict[str, Any]:
        return {"persons": [person.name for person in self.people]}

    def readings(self) -> list[FakeReading]:
        person = self.people[0].name
        labels = {
            "quotewire_upstream_events_total": ("stream", "authenticated"),
            "quotewire_upstream_token_state": (person, "fresh"),
            "quotewire_upstream_token_age_seconds": (person,),
            "quotewire_upstream_stream_live": (person,),
            "quotewire_upstream_symbols_carried": (person,),
            "quotewire_upstream_budget_used": (person, "market", "hour"),
            "quotewire_upstream_budget_limit": (person, "market", "hour"),
            "quotewire_upstream_breaker": (person, "quotes"),
        }
        return [FakeReading(name, values, 1.0) for name, values in labels.items()]

    def counters(self) -> dict[str, int | float]:
        return {"streams_opened": 3, "budget_left": 12.5}
