"""An owner's end of the bus over a fake upstream, and nodes that remember what they are given."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quotewire.bus.envelope import Reading
from quotewire.bus.publisher import Publisher
from quotewire.bus.subscriber import Subscriber
from quotewire.edge.client_reports import ClientReports
from quotewire.market.history import History
from quotewire.market.quote import Quote
from quotewire.resilience.accounts import Allowance, Held, Limits, Rate
from quotewire.wire.messages import UpstreamState
from tests.fake_upstream import FakeUpstream

EPOCH = 1000
KEY = b"k" * 32
LIMIT = 5
WIDE = Rate(100_000, 200_000.0)
LIMITS = Limits(
    address=Allowance(LIMIT, 50, WIDE, WIDE, WIDE, WIDE, WIDE),
    key=Allowance(LIMIT, 50, WIDE, Rate(100, 200.0), WIDE, WIDE, WIDE),
)


@dataclass
class Head(FakeUpstream):
    """A fake upstream that is told what is wanted."""

    wanted: frozenset[int] = frozenset()

    def want(self, symbol_ids: Set[int]) -> None:
        self.wanted = frozenset(symbol_ids)


@dataclass
class Memory:
    """A sink that remembers."""

    quotes: list[Quote] = field(default_factory=list)
    states: list[UpstreamState] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    numbers: list[Reading] = field(default_factory=list)
    held_now: list[Held] = field(default_factory=list)

    def publish(self, quotes: Sequence[Quote]) -> None:
        self.quotes += quotes

    def tell(self, state: UpstreamState) -> None:
        self.states.append(state)

    def lost(self, epoch: int) -> None:
        self.ended.append(epoch)

    def readings(self) -> Sequence[Reading]:
        return self.numbers

    def counters(self) -> Sequence[Reading]:
        return [each for each in self.numbers if each.name.endswith("_total")]

    def held(self) -> Sequence[Held]:
        return self.held_now

    def sequences(self, symbol_id: int) -> list[int]:
        return [quote.sequence for quote in self.quotes if quote.symbol_id == symbol_id]


@dataclass
class Owner:
    """The owner's end."""

    publisher: Publisher
    head: Head
    reports: ClientReports


@dataclass
class Node:
    """A node's end."""

    subscriber: Subscriber
    memory: Memory
    task: asyncio.Task[None]


class Bus:
    """Starts owners and nodes in one directory; whatever runs at the end is ended."""

    def __init__(self, directory: Path, stack: contextlib.AsyncExitStack) -> None:
        self.directory = directory
        self._stack = stack

    async def owner(
        self, *, epoch: int = EPOCH, depth: int = 64, limits: Limits = LIMITS
    ) -> tuple[Owner, contextlib.AsyncExitStack]:
        head, reports = Head(), ClientReports()
        history: History[Quote] = History(depth=depth, max_symbols=1000)
        publisher = Publisher(head, reports, history, key=KEY, epoch=epoch, limits=limits)
        stack = await self._stack.enter_async_context(contextlib.AsyncExitStack())
        await stack.enter_async_context(publisher.listening(self.directory))
        return Owner(publisher, head, reports), stack

    async def node(self, number: int, memory: Memory | None = None, *, wait: bool = True) -> Node:
        sink = memory or Memory()
        subscriber = Subscriber(self.directory, number, sink)
        task = asyncio.create_task(subscriber.run())
        self._stack.push_async_callback(self.end, task)
        if wait:
            async with asyncio.timeout(10):
                await subscriber.caught_up.wait()
        return Node(subscriber, sink, task)

    @staticmethod
    async def end(task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    directory = tmp_path / "b"
    directory.mkdir(mode=0o700)
    async with contextlib.AsyncExitStack() as stack:
        yield Bus(directory, stack)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
