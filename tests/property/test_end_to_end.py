"""The SDK against the gateway, both whole but for their sockets, in virtual time.

Whatever is published, blocked, dropped, moved and resumed in whatever order: each update reaches each reader at most
once, in order and as it was published; who reads every update is told of each that will not come; and when all is quiet
everyone has the newest.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.client.encoding import ENCODINGS
from quotewire.client.entries import Reader
from quotewire.client.session import Effect, SendMessage, Session
from quotewire.client.wishes import wish
from quotewire.market.quote import Freshness, Quote
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.testing import virtual
from quotewire.wire.frames import BINARY, CLOSE, PONG, TEXT
from quotewire.wire.options import Gap, Mode, Options
from tests.edge_world import Peer, World
from tests.wire_samples import quote

CONFIG = LifecycleConfig(backoff=Backoff(base_s=0.5, jitter=Jitter.OFF), max_attempts=10_000, ping_interval_s=None)
PRICES = [None, 1.0, 1.5, 2.0]
SYMBOLS = (1, 2, 3)
EVERYTHING = 1_000_000
Position = tuple[int, int]


class Client:
    """A session of the SDK on connections of `world`."""

    def __init__(self, world: World, encoding: str) -> None:
        numbers = count(1)
        self.world = world
        self.loop = asyncio.get_running_loop()
        self.subprotocol = ENCODINGS[encoding].subprotocol
        self.sockets: dict[int, Peer] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.session = Session(
            CONFIG,
            lambda: 0.5,
            lambda prefix: f"{prefix}-{next(numbers)}",
            connection_id="ws-1",
            version="0",
            epoch_offset_s=0.0,
            now=self.loop.time(),
            encoding=encoding,
        )
        self.feed(on.ConnectRequested())

    def feed(self, event: on.Event) -> None:
        self.apply(self.session.step(event, self.loop.time()))

    def apply(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case do.Prepare(socket=number):
                    self.session.credentials("alice", self.world.token)
                    self.loop.call_soon(self.feed, on.Prepared(number))
                case do.Open(socket=number):
                    self.sockets[number] = self.world.connect(self.subprotocol)
                    self.loop.call_soon(self.feed, on.Opened(number))
                case SendMessage(socket=number, data=data) if number in self.sockets:
                    data = data.encode() if isinstance(data, str) else data
                    self.sockets[number].frame(BINARY if self.sockets[number].binary else TEXT, data)
                case do.Close(socket=number) if number in self.sockets:
                    self.sockets.pop(number).drop()
                case do.ScheduleTick(at=at):
                    if self.timer is not None:
                        self.timer.cancel()
                    self.timer = None if at is None else self.loop.call_at(at, self.feed, on.Tick())

    def hear(self) -> None:
        """Take what the gateway has written."""
        for number, peer in list(self.sockets.items()):
            for opcode, payload in peer.payloads():
                if opcode in (TEXT, BINARY):
                    self.apply(self.session.received(number, payload, self.loop.time()))
                elif opcode == CLOSE:
                    self.lose(number, int.from_bytes(payload[:2], "big"))
                elif opcode != PONG:
                    peer.frame(PONG, payload)

    def lose(self, number: int, code: int = 1006) -> None:
        """A line is cut."""
        if (peer := self.sockets.pop(number, None)) is not None:
            peer.drop()
            self.feed(on.Closed(number, code))


@dataclasses.dataclass
class Log:
    """What one reader has seen, and what its symbols are to be like."""

    reader: Reader
    wish: Options
    seen: dict[int, Position] = dataclasses.field(default_factory=dict)
    missing: dict[int, int] = dataclasses.field(default_factory=dict)
    gapped: dict[int, Gap] = dataclasses.field(default_factory=dict)


class Story:
    """A world, a client, its readers, and all that was ever published."""

    def __init__(self, encoding: str) -> None:
        self.world = World(
            QUOTEWIRE_HISTORY_DEPTH="4",
            QUOTEWIRE_EVERY_TICK_BACKLOG="16",
        )
        self.client = Client(self.world, encoding)
        self.logs: list[Log] = []
        self.epoch = 1
        self.sequences = dict.fromkeys(SYMBOLS, 0)
        self.published: dict[tuple[int, int, int], Quote] = {}
        self.skipped = 0

    async def act(self, act: str, argument: Any) -> None:
        client, world = self.client, self.world
        match act:
            case "publish":
                world.publish(*(self.next(symbol_id, price) for symbol_id, price in argument))
            case "read":
                symbols, keys = argument
                made = wish(**keys)
                self.logs.append(Log(Reader(symbols, EVERYTHING, made), made))
                client.apply(client.session.join(self.logs[-1].reader, client.loop.time()))
            case "block":
                for peer in client.sockets.values():
                    peer.block()
            case "unblock":
                for peer in client.sockets.values():
                    if peer.connection.blocked:
                        peer.unblock()
            case "drop":
                if client.sockets:
                    client.lose(min(client.sockets))
            case "restart":
                await world.stop()
                for number in list(client.sockets):
                    client.lose(number, 1001)
                world.start()
                self.epoch += 1
                self.sequences = dict.fromkeys(SYMBOLS, 0)
            case "drain":
                for peer in client.sockets.values():
                    peer.connection.tell_reconnect(100, 5000)
            case "wait":
                await asyncio.sleep(argument)
        await world.settle()
        client.hear()
        self.check()

    def next(self, symbol_id: int, price: float | None) -> Quote:
        self.sequences[symbol_id] += 1
        sequence = self.sequences[symbol_id]
        freshness = Freshness.LIVE if sequence % 3 else Freshness.QUIET
        made = quote(
            symbol_id, sequence, epoch=self.epoch, bid_price=price, ask_price=sequence / 4, freshness=freshness
        )
        self.published[symbol_id, self.epoch, sequence] = made
        return made

    def check(self) -> None:
        """What came since the last look."""
        for log in self.logs:
            while (item := log.reader.mailbox.get()) is not None:
                symbol_id = item.symbol_id
                if isinstance(item, Gap):
                    log.gapped[symbol_id] = item
                    continue
                self.judge(log, item)

    def judge(self, log: Log, item: Quote) -> None:
        symbol_id, now = item.symbol_id, (item.epoch, item.sequence)
        before = log.seen.get(symbol_id)
        published = self.published[symbol_id, item.epoch, item.sequence]
        if log.wish.fields is None:
            assert item == published, "a quote is as it was published"
        else:
            assert (item.bid_price, item.freshness) == (published.bid_price, published.freshness)
        gap = log.gapped.pop(symbol_id, None)
        if before is not None:
            assert now > before, "no position comes twice or goes back"
            if log.wish.mode is Mode.EVERY:
                self.explain(before, now, gap)
        log.seen[symbol_id] = now

    def explain(self, before: Position, now: Position, gap: Gap | None) -> None:
        """Between two quotes one reads in every-tick mode nothing is missing that was not told."""
        first = before[1] + 1 if now[0] == before[0] else 1
        if gap is None:
            assert now[0] == before[0], "a new count is told"
            assert now[1] == first, "what is missing is told"
        else:
            assert (gap.epoch, gap.to_sequence) == (now[0], now[1] - 1), "a gap ends where it goes on"
            assert gap.from_sequence <= first, "a gap begins where it stopped"

    async def calm(self) -> None:
        """Let all come to rest; then everyone has the newest of everything."""
        await self.act("unblock", None)
        for _ in range(30):
            await self.act("wait", 0.4)
            await self.act("unblock", None)
        assert self.client.session.subscriptions.online
        for log in self.logs:
            for name in log.reader.names:
                assert isinstance(name, int)
                if self.sequences[name]:
                    assert log.seen[name] == (self.epoch, self.sequences[name]), "everyone ends with the newest"


reads = st.tuples(
    st.lists(st.sampled_from(SYMBOLS), min_size=1, max_size=3, unique=True),
    st.fixed_dictionaries(
        {
            "fields": st.sampled_from([None, None, ("bid_price",)]),
            "max_rate": st.just(0.0),
            "delta": st.booleans(),
            "mode": st.sampled_from(["every", "every", "adaptive", "latest"]),
        }
    )
    | st.just({"fields": None, "max_rate": 5.0, "delta": True, "mode": "adaptive"}),
)
updates = st.lists(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(PRICES)), min_size=1, max_size=6)
acts = st.one_of(
    st.tuples(st.just("publish"), updates),
    st.tuples(st.just("publish"), updates),
    st.tuples(st.just("publish"), updates),
    st.tuples(st.just("read"), reads),
    st.tuples(st.sampled_from(["block", "unblock", "drop", "drain"]), st.none()),
    st.tuples(st.just("restart"), st.none()),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.1, 0.3, 0.6, 1.2])),
)


async def tell(encoding: str, script: list[tuple[str, Any]]) -> None:
    story = Story(encoding)
    try:
        for act, argument in script:
            await story.act(act, argument)
        await story.calm()
    finally:
        if story.client.timer is not None:
            story.client.timer.cancel()
        await story.world.stop()


@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
@settings(max_examples=100, deadline=None)
@given(first=reads, script=st.lists(acts, max_size=30))
def test_every_update_comes_once_in_order_or_is_told(
    encoding: str, first: tuple[Any, Any], script: list[tuple[str, Any]]
) -> None:
    virtual.run(tell(encoding, [("wait", 0.01), ("read", first), *script]))
