"""A socket between Questrade and the gateway, and the ways in which it can fail to carry what is sent."""

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Close

from quotewire.testing.virtual import VirtualLoop, VirtualProcess
from tests.simulation.broker import Broker
from tests.simulation.faults import Fault, Kind
from tests.simulation.watch import Watch

GARBAGE: Final = (b"}{", b"\xff\xfe", b'{"quotes":[{"symbolId":"x"},7]}', b'{"hello":1}', b"[]", b'{"quotes":null}')
HOLES: Final = (Kind.BLACK_HOLE,)


class Road(Protocol):
    """What a socket needs of the network."""

    loop: VirtualLoop
    broker: Broker
    watch: Watch
    start: float
    peers: "list[Wire]"
    chance: random.Random

    def struck(self, *kinds: Kind, person: str | None = None) -> Fault | None:
        """The fault that is active."""

    def later(self, after_s: float, work: Callable[..., None], *args: Any) -> None:
        """Have something happen."""

    def latency(self) -> float:
        """One way."""

    def greet(self, wire: "Wire", token: str) -> None:
        """The first frame has come."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is given the frames, until `over` is done."""

    take: Callable[[bytes], bool]
    over: asyncio.Future[None]
    context: contextvars.Context


class Wire:
    """One socket: the server's end (`broker.Peer`), and what `End` shows of it to the gateway."""

    def __init__(self, network: Road, host: int, port: int, process: VirtualProcess | None) -> None:
        self.host = host
        self.port = port
        self.process = process
        self.person: str | None = None
        self.token = ""
        self.muted: set[int] = set()
        self.fixed: frozenset[int] = frozenset()
        self.is_open = False
        self.is_dead = False  # half open: nothing comes through any more
        self.accepted_at: float | None = None  # as the gateway sees it
        self.end_seen_at: float | None = None
        self.has_ended = False
        self._is_read = False
        self._network = network
        self._said: list[str] = []
        self._inbox: deque[tuple[bytes, dict[int, int]]] = deque()
        self._end: int | None = None
        self._arrives_at = 0.0
        self._way: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._stir: asyncio.Future[None] | None = None
        self._listener: Listener | None = None

    def __repr__(self) -> str:
        return f"<Wire {self.person or '?'} api{self.host:02d}:{self.port} {'ended' if self.has_ended else 'open'}>"

    @property
    def backlog(self) -> int:
        """Frames that came and were not read."""
        return len(self._inbox)

    # --- the server's end ---

    def send(self, data: bytes, versions: dict[int, int]) -> None:
        """Send a frame, unless it is lost on the way."""
        network = self._network
        if self.has_ended or self.is_dead:
            return
        if versions and network.struck(Kind.SILENT, person=self.person):
            network.watch.gaps.swallowed(versions)
            return
        if (muted := network.struck(Kind.MUTE_SYMBOL, person=self.person)) is not None and versions:
            told = {each: version for each, version in versions.items() if each % 3 != int(muted.amount * 3)}
            network.watch.gaps.swallowed({each: versions[each] for each in versions.keys() - told.keys()})
            versions = told
            if not versions:
                return
            market = network.broker.market
            data = quotes_frame([market.row(each, version) for each, version in versions.items()])
        if network.struck(Kind.GARBAGE, person=self.person):
            self._travel(self._come, network.chance.choice(GARBAGE), {})
        self._travel(self._come, data, versions)

    def end(self, code: int) -> None:
        """Close from the server's side; 0 without a status."""
        if self.has_ended:
            return
        self.has_ended = True
        self._network.broker.gone(self)
        if not self.is_dead:
            self._travel(self._over, code)

    def _travel(self, arrive: Callable[..., None], *args: Any) -> None:
        lag = self._network.struck(Kind.LAG, person=self.person)
        after = self._network.latency() + (1.0 + 4.0 * lag.amount if lag else 0.0)
        now = self._network.loop.time()
        hole = self._network.struck(*HOLES)
        if hole is not None:  # it is sent again and again until it gets through
            after += self._network.start + hole.until - now
        self._arrives_at = max(self._arrives_at, now + after)
        self._way.append((arrive, args))
        self._network.later(self._arrives_at - now, self._arrive)

    def _arrive(self) -> None:
        """The next that was sent, whichever timer of one moment runs first."""
        arrive, args = self._way.popleft()
        arrive(*args)

    def _come(self, data: bytes, versions: dict[int, int]) -> None:
        self._inbox.append((data, versions))
        self._wake()

    def _over(self, code: int) -> None:
        self._end = code
        if self in self._network.peers:
            self._network.peers.remove(self)
        self._wake()

    def _wake(self) -> None:
        if self._stir is not None and not self._stir.done():
            self._stir.set_result(None)
        if self._listener is not None and not self._listener.over.done():
            self._network.loop.call_soon(self._hand_on, self._listener, context=self._listener.context)

    def _hand_on(self, listener: "Listener") -> None:
        """As `Connection` of questrade/stream.py does: by a callback of the gateway's, in no task."""
        over = listener.over
        try:
            while self._inbox and not over.done():
                if listener.take(self._next()) and not over.done():
                    over.set_result(None)
            if self._end is not None and not over.done():
                over.set_exception(self._ended(self._end))
        except Exception as error:
            if not over.done():
                over.set_exception(error)

    # --- the gateway's end ---

    def say(self, text: str) -> None:
        """The gateway says something."""
        self._said.append(text)
        if len(self._said) > 1:
            self._network.watch.fail("only the token is sent", f"{self} was sent a second frame")
        self._network.later(self._network.latency(), self._network.greet, self, text)

    async def read(self) -> bytes:
        """The next frame. Raises ConnectionClosed once all were read and the socket has ended."""
        while not self._inbox:
            if self._end is not None:
                raise self._ended(self._end)
            self._stir = self._network.loop.create_future()
            await self._stir
        return self._next()

    async def listen(self, take: Callable[[bytes], bool]) -> None:
        """Give every frame to `take` when it comes, until that is enough. Raises ConnectionClosed as `read` does."""
        over = self._network.loop.create_future()
        self._listener = Listener(take, over, contextvars.copy_context())
        self._hand_on(self._listener)
        await over

    def _ended(self, code: int) -> ConnectionClosed:
        if self.end_seen_at is None and self._is_read:
            self._network.watch.events.lost.append(self._network.loop.time())
        self._see_end()
        return closed(code)

    def _next(self) -> bytes:
        data, versions = self._inbox.popleft()
        if self.accepted_at is not None and not self._is_read:
            self._is_read = True
            self._network.watch.events.read += 1
        if self.accepted_at is None and data == b'{"success":true}':
            self.accepted_at = self._network.loop.time()
            self._network.watch.streams.accepted(self)
        if versions:
            self._network.watch.quotes.delivered(self, versions)
        return data

    def abandon(self) -> None:
        """The gateway's end is gone."""
        self._see_end()
        if not self.has_ended:
            self.has_ended = True
            self._network.later(self._network.latency(), self._network.broker.gone, self)
        self._inbox.clear()
        self._over(1006)

    def _see_end(self) -> None:
        if self.end_seen_at is None:
            self.end_seen_at = self._network.loop.time()
            self._network.watch.streams.ended(self)


class End:
    """The gateway's end of a socket, as `websockets` offers it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def send(self, text: str) -> None:
        """Send a text frame. Raises ConnectionClosed."""
        if self._wire.end_seen_at is not None:
            raise closed(1006)
        self._wire.say(text)

    async def recv(self, decode: bool | None = None) -> bytes:
        """The next frame. Raises ConnectionClosed."""
        return await self._wire.read()

    async def listen(self, take: Callable[[bytes], bool]) -> None:
        """Frame by frame. Raises ConnectionClosed."""
        await self._wire.listen(take)

    async def close(self) -> None:
        """Close; harmless a second time."""
        self._wire.abandon()


def closed(code: int) -> ConnectionClosed:
    """What `websockets` raises for a close code; 0 and 1006 came without a status."""
    rcvd = None if code in (0, 1006) else Close(code, "")
    return ConnectionClosedError(rcvd, None, None)


def quotes_frame(rows: list[dict[str, Any]]) -> bytes:
    """A frame of quotes."""
    return msgspec.json.encode({"quotes": rows})
