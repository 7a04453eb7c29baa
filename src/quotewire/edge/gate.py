"""What all WebSocket connections share: who may come in, and the things each of them uses."""

import asyncio
import math
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from quotewire.edge.addresses import neighbourhood
from quotewire.edge.auth import ClientTokens
from quotewire.edge.drain import MARGIN_S, Phase, Plan
from quotewire.edge.draining import Draining, Leaver
from quotewire.edge.limits import Limiter, Seat
from quotewire.edge.ports import LookedUp, UpstreamPort, WholePort
from quotewire.edge.shares import SharedLimiter
from quotewire.edge.turns import Turns
from quotewire.errors import UpstreamError
from quotewire.hub.hub import Hub
from quotewire.resilience.accounts import COMMAND_BURST_S, Exceeded, Limit, Limits
from quotewire.settings import Settings
from quotewire.version import VERSION
from quotewire.wire.codec import Form
from quotewire.wire.codes import CloseCode, ErrorCode
from quotewire.wire.commands import Resolution
from quotewire.wire.dialect import Dialect, Facts
from quotewire.wire.handshake import Opening, Refusal, check, offered_subprotocols
from quotewire.wire.limits import SessionLimits
from quotewire.wire.messages import SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, UpstreamState
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.plain import PlainDialect

RESOLVE_DEADLINE_S = 10.0
RESOLVED_AT_ONCE = 100
STATE_S = 0.05
"""For how long newcomers are told the same count of symbols: to count them takes as long as all else of a welcome."""
TICKED_AT_ONCE = 100
"""Connections looked after before quotes have a turn again."""
REMEMBERED_S, REMEMBERED_SYMBOLS = 5.0, 20_000
"""For how long, and for how many symbols, what a look-up found serves other clients without another."""
NATIVE_PATH, PLAIN_PATH = "/ws", "/"
NATIVE, MSGPACK, PLAIN = NativeDialect(), MsgpackDialect(), PlainDialect()
SUBPROTOCOLS: dict[str, Dialect] = {SUBPROTOCOL_JSON: NATIVE, SUBPROTOCOL_MSGPACK: MSGPACK}
TOLD_CLOSE_CODES = frozenset({*map(int, CloseCode), 1005, 1006})


def wall_ms(monotonic: float) -> int:
    """Turn a reading of the event loop's clock into milliseconds since 1970."""
    return int((time.time() - time.monotonic() + monotonic) * 1000)


def session_limits(settings: Settings) -> SessionLimits:
    """The limits of each session, from the settings."""
    return SessionLimits(
        upgrade_timeout_s=settings.upgrade_timeout_ms / 1000,
        auth_timeout_s=settings.auth_timeout_ms / 1000,
        ping_interval_s=settings.ping_interval_ms / 1000,
        pong_timeout_s=settings.pong_timeout_ms / 1000,
        idle_timeout_s=settings.connection_timeout_ms / 1000,
        slow_timeout_s=settings.slow_consumer_timeout_ms / 1000,
        max_symbols=settings.max_symbols_per_client,
        wall_ms=wall_ms,
        commands_per_s=settings.command_rate_per_client,
        command_burst=int(settings.command_rate_per_client * COMMAND_BURST_S),
        symbols_per_s=settings.symbol_rate_per_client,
        symbol_burst=2 * settings.max_symbols_per_client,
    )


STOPPING = Refusal(503, "stopping", "the gateway is stopping", (("Retry-After", "1"),))


def too_many(exceeded: Exceeded) -> Refusal:
    """Say over HTTP that a limit was reached."""
    later = (("Retry-After", str(math.ceil(exceeded.retry_after_s))),)
    match exceeded.limit:
        case Limit.CONNECTIONS:
            return Refusal(429, "too_many_connections", str(exceeded), later)
        case Limit.TOKENS:
            return Refusal(429, "too_many_token_requests", str(exceeded), later)
        case Limit.FAULTS:
            return Refusal(429, "too_many_faults", str(exceeded), later)
        case _:
            return Refusal(429, "too_many_handshakes", str(exceeded), later)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that was let in: how it is spoken with, under which subprotocol, and its seat."""

    dialect: Dialect
    subprotocol: str | None
    seat: Seat


def drain_plan(settings: Settings) -> Plan:
    """How long leaving may take."""
    spread_s = settings.drain_spread_ms / 1000
    deadline_ms = settings.drain_deadline_ms
    return Plan(spread_s, spread_s + MARGIN_S if deadline_ms is None else deadline_ms / 1000)


class Member(Leaver, Protocol):
    """What the gate needs of a connection, WebSocket or event stream."""

    form: Form
    seat: Seat
    address: str

    def tick(self, now: float) -> None:
        """Time passed."""

    def failed(self, where: str, error: Exception) -> None:
        """Our own code raised while it served this client."""


class Gate:
    """Admission, shared parts and plain counters of the WebSocket side."""

    def __init__(
        self,
        settings: Settings,
        hub: Hub,
        tokens: ClientTokens,
        upstream: UpstreamPort,
        whole: WholePort | None = None,
    ) -> None:
        self.settings = settings
        self.whole = whole
        self.hub = hub
        self.tokens = tokens
        self.upstream = upstream
        self.limits = session_limits(settings)
        limits = Limits.of(settings)
        self.limiter = Limiter(limits) if whole is None else SharedLimiter(limits, whole, self.spawn)
        self.connections: set[Member] = set()
        self.drain = Draining(drain_plan(settings), self.connections)
        self.opened: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.closing: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.messages_in = 0
        self.messages_out = 0
        self.bytes_out = 0
        self.turns = Turns()
        self._state: tuple[UpstreamState | None, UpstreamState | None, float] = (None, None, 0.0)
        self._tasks: set[asyncio.Task[None]] = set()
        self._remembered: dict[str | int, Resolution] = {}
        self._refused: dict[str | int, Resolution] = {}
        self._remembered_since = 0.0
        self.empty = asyncio.Event()
        self.empty.set()

    def admit(self, opening: Opening, address: str) -> Admitted | Refusal:
        """Let a request in, with a seat that `exit` gives back, or say why not."""
        verdict = self._judge(opening, address)
        if isinstance(verdict, Refusal):
            self.refused[str(verdict.status)] += 1
        return verdict

    def _judge(self, opening: Opening, address: str) -> Admitted | Refusal:
        spoken = self._spoken(opening)
        if isinstance(spoken, Refusal):
            return spoken
        seat = self.seat(address)
        return seat if isinstance(seat, Refusal) else Admitted(*spoken, seat)

    def seat(self, address: str) -> Seat | Refusal:
        """A seat for a connection of that address, or why there is none."""
        if self.draining:
            return STOPPING
        seat = self.limiter.enter(neighbourhood(address, self.settings.ipv6_prefix), time.monotonic())
        return seat if isinstance(seat, Seat) else too_many(seat)

    async def admit_to_whole(self, seat: Seat) -> Refusal | None:
        """Why a connection that this process would take has no place in the whole gateway, if it has none."""
        exceeded = await seat.enter()
        if exceeded is None:
            return None
        self.refused["429"] += 1
        return too_many(exceeded)

    def ask_token(self, address: str) -> Refusal | None:
        """Why a client of that address is given no token now, if it is not."""
        exceeded = self.limiter.ask_token(neighbourhood(address, self.settings.ipv6_prefix), time.monotonic())
        return None if exceeded is None else too_many(exceeded)

    def _spoken(self, opening: Opening) -> tuple[Dialect, str | None] | Refusal:
        if opening.path not in (NATIVE_PATH, PLAIN_PATH):
            return Refusal(404, "not_found", f"there is no WebSocket at this path; {NATIVE_PATH} and {PLAIN_PATH} are")
        refusal = check(opening)
        if refusal is not None:
            return refusal
        if opening.path == PLAIN_PATH:
            return PLAIN, None
        offered = offered_subprotocols(opening)
        if not offered:
            return NATIVE, None
        chosen = next((name for name in offered if name in SUBPROTOCOLS), None)
        if chosen is None:
            told = f"none of the subprotocols offered is spoken here; {' and '.join(SUBPROTOCOLS)} are"
            return Refusal(400, "unsupported_subprotocol", told)
        return SUBPROTOCOLS[chosen], chosen

    def enter(self, connection: Member) -> None:
        """A connection is open."""
        self.connections.add(connection)
        self.empty.clear()
        self.opened[connection.form.name.lower()] += 1

    def exit(self, connection: Member, code: int) -> None:
        """A connection is gone."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        if not self.connections:
            self.empty.set()
        # A peer may send any of two thousand codes; a label has few values.
        self.closed[str(code) if code in TOLD_CLOSE_CODES else "other"] += 1
        connection.seat.leave()

    def facts(self, connection_id: str) -> Facts:
        """What a welcome tells."""
        settings = self.settings
        return Facts(
            connection_id=connection_id,
            version=VERSION,
            server_time=int(time.time() * 1000),
            ping_interval_ms=settings.ping_interval_ms,
            pong_timeout_ms=settings.pong_timeout_ms,
            max_message_bytes=settings.max_message_bytes,
            max_symbols=settings.max_symbols_per_client,
            upstream=self._upstream_state(),
        )

    def _upstream_state(self) -> UpstreamState:
        """The upstream's state, which is looked up once for all who come within a moment, unless it was told anew."""
        told, now = self.hub.told_upstream, time.monotonic()
        state, as_told, until = self._state
        if state is None or as_told is not told or now >= until:
            state = self.upstream.state
            self._state = state, told, now + STATE_S
        return state

    def new_connection_id(self) -> str:
        """Make an id for a client that brought none (R10)."""
        return f"ws-{int(time.time() * 1000)}-{secrets.token_hex(5)}"

    def first_ping_in_s(self) -> float:
        """A random part of the interval, so that clients that came together are not pinged together."""
        return self.limits.ping_interval_s * random.uniform(0.5, 1.0)  # noqa: S311  spreading, not secrecy

    async def resolve(
        self, names: Sequence[str], ids: Sequence[int], phrase: Callable[[Sequence[Resolution]], object] = len
    ) -> list[Resolution]:
        """Look symbols up, in the order asked, names first. What the upstream fails at is a result that says so.

        `phrase` has them phrased, part by part: of thousands that takes too long to be done in one go.
        """
        resolutions: list[Resolution] = []
        told, left_s, clock = "", RESOLVE_DEADLINE_S, asyncio.get_running_loop().time
        try:
            for some_names, some_ids in _slices(names, ids):
                if resolutions:
                    # A list of thousands is not to hold up everybody else; nor is the wait for others the upstream's.
                    await self.turns.mine()
                began = clock()
                async with asyncio.timeout(left_s):
                    found = await self.upstream.resolve(some_names, some_ids)
                left_s -= clock() - began
                part = [_resolution(looked_up) for looked_up in found]
                phrase(part)
                self._remember(part)
                resolutions += part
        except TimeoutError:
            told = "the look-up took too long; try again"
        except UpstreamError as error:
            told = str(error)
        asked: list[str | int] = [*names, *ids]
        missing = asked[len(resolutions) :]
        return resolutions + [
            Resolution(item, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason=told, retryable=True) for item in missing
        ]

    def recall(self, names: Sequence[str], ids: Sequence[int]) -> list[Resolution] | None:
        """What `resolve` found a moment ago, if that was all of these: a storm asks for the same again and again."""
        if time.monotonic() - self._remembered_since > REMEMBERED_S:
            self._remembered.clear()
            self._refused.clear()
            return None
        asked: list[str | int] = [*names, *ids]
        found, refused = self._remembered, self._refused
        try:
            return list(map(found.__getitem__, asked))
        except KeyError:
            pass
        try:
            return [found.get(each) or refused[each] for each in asked]
        except KeyError:
            return None

    def _remember(self, resolutions: Sequence[Resolution]) -> None:
        if not (self._remembered or self._refused):
            self._remembered_since = time.monotonic()
        # Apart, so that whoever asks for what there is not crowds out nothing that there is.
        for kept, news in (
            (self._remembered, [each for each in resolutions if each.code is None]),
            (self._refused, [each for each in resolutions if each.code is not None and not each.retryable]),
        ):
            if len(kept) + len(news) <= REMEMBERED_SYMBOLS:
                kept.update({each.asked: each for each in news})

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do `work` in a task that is kept until it ends."""
        task = asyncio.get_running_loop().create_task(work)
        self.own(task)
        return task

    def own(self, task: "asyncio.Task[None]") -> None:
        """Keep a connection's task until it ends."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def sweep(self) -> None:
        """Tick every connection a few times in the shortest limit, some at a time, until cancelled."""
        limits = self.limits
        shortest = min(limits.auth_timeout_s, limits.ping_interval_s, limits.pong_timeout_s, limits.idle_timeout_s)
        interval = min(max(shortest / 4, 0.025), 0.5)
        loop = asyncio.get_running_loop()
        while True:
            self.limiter.sweep(time.monotonic())
            connections = tuple(self.connections)
            bites = range(0, len(connections) or 1, TICKED_AT_ONCE)
            for start in bites:
                await asyncio.sleep(interval / len(bites))
                now = loop.time()
                for connection in connections[start : start + TICKED_AT_ONCE]:
                    try:
                        if connection in self.connections:
                            connection.tick(now)
                    except Exception as error:  # noqa: BLE001  one client's trouble is nobody else's; it is reported
                        connection.failed("tick", error)

    @property
    def draining(self) -> bool:
        """Whether the gateway is going, or gone."""
        return self.drain.phase is not Phase.SERVING

    def close_all(self) -> None:
        """Stop admitting, and tell every client that is left that the gateway is going."""
        self.drain.hasten()


def _slices(names: Sequence[str], ids: Sequence[int]) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
    """Both in parts, the names first; one part even when there is nothing."""
    if len(names) + len(ids) <= RESOLVED_AT_ONCE:
        yield names, ids
        return
    for start in range(0, len(names), RESOLVED_AT_ONCE):
        yield names[start : start + RESOLVED_AT_ONCE], ()
    for start in range(0, len(ids), RESOLVED_AT_ONCE):
        yield (), ids[start : start + RESOLVED_AT_ONCE]


def _resolution(item: LookedUp) -> Resolution:
    if item.symbol is None:
        code = item.code or ErrorCode.UNKNOWN_SYMBOL
        return Resolution(item.asked, code=code, reason=item.reason, retryable=item.retryable)
    return Resolution(item.asked, symbol=item.symbol.symbol, symbol_id=item.symbol.symbol_id)
