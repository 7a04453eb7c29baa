"""A node's end of the bus: quotes come in, and to the edge it is the upstream.

It connects again for as long as it runs. While the owner is away, questions fail as retryable, and everything known is
told as stale in a count that no owner ever uses, so that no client can take the old and the new for one story.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from quotewire.bus import envelope as e
from quotewire.bus import failures
from quotewire.bus.link import Effect, Event, Link, step
from quotewire.bus.local import Wire, socket_path
from quotewire.bus.lookups import Lookups
from quotewire.bus.publisher import BEAT_S
from quotewire.bus.questions import Found
from quotewire.bus.seam import Sink
from quotewire.errors import BusError, UpstreamUnavailableError
from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol
from quotewire.resilience.accounts import Drawn, Exceeded, Held, Scope
from quotewire.wire.messages import UpstreamState

SILENT_TICKS: Final = 7
"""Ticks of `BEAT_S` without a word from the owner: longer than an owner that stood still may live on (`FENCE_S`)."""

COUNTED_S: Final = 0.1
"""Between two looks at what has grown: so much of its counting, at most, dies with a node that is killed."""

RETRY_S: Final = 0.1
ASK_S: Final = 10.0
COUNT_S: Final = 1.0
"""How long a client waits to be counted, before it is served without."""

GRANTED: Final = e.packed(None)
PENDING: Final = 4096
"""Look-ups and the like this node has open; more fail as retryable. What counts clients is bounded by their number."""

AWAY: Final = "the part of the gateway that speaks with Questrade is being started again; try again"
OWNER_LOST: Final = "owner_lost"

T = TypeVar("T")
_refusal: "msgspec.msgpack.Decoder[Exceeded | None]" = msgspec.msgpack.Decoder(Exceeded | None)
_drawn: "msgspec.msgpack.Decoder[Drawn]" = msgspec.msgpack.Decoder(Drawn)
log = logging.getLogger("quotewire.bus")


class Subscriber:
    """The upstream, as a node has it. `run` it; `caught_up` is set when clients may come."""

    def __init__(self, directory: Path, node: int, sink: Sink) -> None:
        self._path = socket_path(directory)
        self._node = node
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._link = Link.AWAY
        self._wire: Wire | None = None
        self._gone = asyncio.Event()
        self._welcome: e.Welcome | None = None
        self._refusal: BusError | None = None
        self._state = UpstreamState(state="connecting", reason="starting", since=0)
        self._persons: list[e.TokenView] = []
        self._wanted: frozenset[int] = frozenset()
        self._told: frozenset[int] = frozenset()
        self._epoch = 0
        self._fenced = 0
        self._quiet_ticks = 0
        self._number = 0
        self._pending = 0
        self._asked: dict[int, asyncio.Future[msgspec.Raw]] = {}
        self._late: dict[int, list[Held]] = {}  # what nobody waits for any more, by the number of the question
        self._lookups = Lookups()
        self.caught_up = asyncio.Event()
        self.missed = 0

    @property
    def key(self) -> bytes:
        """What signs client tokens; known once caught up."""
        assert self._welcome is not None
        return self._welcome.key

    @property
    def link(self) -> Link:
        """How this node stands with the owner."""
        return self._link

    # --- life ---

    async def run(self) -> None:
        """Stay connected until cancelled. Raises BusError when the owner refuses this node or speaks garbage."""
        ticking = asyncio.gather(self._tick(), self._tell_counters())
        try:
            while True:
                await self._connected_once()
                if self._refusal is not None:
                    raise self._refusal
                await asyncio.sleep(RETRY_S)
        finally:
            ticking.cancel()
            if self._wire is not None:
                self._say_numbers(self._wire, 0)  # the last ones stay in the gateway's sums
                self._wire.close()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking

    async def _connected_once(self) -> None:
        """Connect, and return when that is over."""
        self._gone.clear()
        wire = Wire(self._heard, self._opened, lambda _: None, self._lost)
        try:
            async with asyncio.timeout(ASK_S):
                await self._loop.create_unix_connection(lambda: wire, str(self._path))
        except (OSError, TimeoutError):
            wire.abort()
            return
        await self._gone.wait()

    async def _tick(self) -> None:
        beat = e.frame(e.Beat())
        while True:
            await asyncio.sleep(BEAT_S)
            if self._link is Link.AWAY or self._wire is None:
                continue
            self._quiet_ticks += 1
            if self._quiet_ticks > SILENT_TICKS:
                log.error("the owner says nothing", extra={"event": "bus.silent"})
                self._step(Event.SILENT)
            elif self._link is not Link.GREETING:
                self._say_numbers(self._wire, 0)
            else:
                self._wire.send(beat)

    async def _tell_counters(self) -> None:
        told: dict[tuple[str, tuple[str, ...]], float] = {}
        wire: Wire | None = None
        while True:
            await asyncio.sleep(COUNTED_S)
            if self._link not in (Link.CATCHING_UP, Link.LIVE) or self._wire is None:
                continue
            if self._wire is not wire:
                wire, told = self._wire, {}
            now = {(each.name, each.labels): each for each in self._sink.counters()}
            grown = [each for key, each in now.items() if told.get(key) != each.value]
            if grown and not wire.blocked:
                told.update({(each.name, each.labels): each.value for each in grown})
                wire.send(e.frame(e.Counted(readings=grown)))

    # --- the link ---

    def _step(self, event: Event) -> None:
        rule = step(self._link, event)
        self._link = rule.target
        for effect in rule.effects:
            self._do(effect)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Effect.GREET:
                self._greet()
            case Effect.TAKE_OVER:
                self._take_over()
            case Effect.READY:
                log.info("caught up with the owner", extra={"event": "bus.caught_up", "epoch": self._epoch})
                self.caught_up.set()
            case Effect.FENCE:
                self._fence()
            case Effect.HANG_UP:
                if self._wire is not None:
                    self._wire.abort()

    def _opened(self, wire: Wire) -> None:
        self._wire = wire
        self._quiet_ticks = 0
        self._step(Event.OPENED)

    def _greet(self) -> None:
        assert self._wire is not None
        self._told = self._wanted
        hello = e.Hello(
            version=e.VERSION,
            node=self._node,
            wanted=sorted(self._wanted),
            fenced=self._fenced,
        )
        self._wire.send(e.frame(hello))

    def _take_over(self) -> None:
        welcome = self._welcome
        assert welcome is not None
        assert self._wire is not None
        self._wire.send(e.frame(e.Holds(held=list(self._sink.held()))))
        self._epoch = welcome.epoch
        self._persons = welcome.persons
        self._lookups.clear()
        self._told_state(welcome.state)
        self._pass_wants_on()

    def _fence(self) -> None:
        """The owner is gone. Its count ends here: the next number is left free for this."""
        self._fenced = self._epoch
        log.warning("the owner is gone", extra={"event": "bus.owner_lost", "epoch": self._epoch})
        since = self._state.since if self._state.reason == OWNER_LOST else int(time.time() * 1000)
        self._told_state(UpstreamState(state="connecting", reason=OWNER_LOST, since=since))
        self._sink.lost(self._epoch + 1)

    def _lost(self, wire: Wire, garbage: BusError | None) -> None:
        self._wire = None
        if garbage is not None:
            self._refusal = garbage
        for future in self._asked.values():
            if not future.done():
                future.set_exception(UpstreamUnavailableError(AWAY))
        self._asked.clear()
        self._late.clear()
        if self._link is not Link.AWAY:
            self._step(Event.GONE)
        self._gone.set()

    # --- what the owner says ---

    def _heard(self, wire: Wire, body: bytes) -> None:
        self._quiet_ticks = 0
        match e.from_owner(body):
            case e.Updates(quotes=quotes, missed=missed):
                if missed:
                    self._note_missed(missed)
                self._sink.publish(quotes)
            case e.Answer() as answer:
                self._answered(answer)
            case e.Told(state=state, persons=persons):
                self._persons = persons
                self._told_state(state)
            case e.Collect(number=number):
                self._say_numbers(wire, number)
            case e.Welcome() as welcome:
                self._welcome = welcome
                self._step(Event.WELCOMED)
            case e.CaughtUp():
                self._step(Event.CAUGHT_UP)
            case e.Refused(reason=reason):
                self._refusal = BusError(reason)
            case e.Beat():
                pass

    def _say_numbers(self, wire: Wire, number: int) -> None:
        wire.send(e.frame(e.Readings(number=number, readings=list(self._sink.readings()))))

    def _note_missed(self, gaps: Sequence[Any]) -> None:
        """The hub sees the holes by the sequences; this is for the operator."""
        count = sum(gap.to_sequence - gap.from_sequence + 1 for gap in gaps)
        self.missed += count
        told = {"event": "bus.missed", "updates": count, "symbols": len(gaps)}
        log.warning("this process lagged and missed updates for good", extra=told)

    def _told_state(self, state: UpstreamState) -> None:
        before, self._state = self._state, state
        if (before.state, before.reason, before.since, before.person) != (
            state.state,
            state.reason,
            state.since,
            state.person,
        ):
            # After what is being answered now, as in a gateway of one process.
            self._loop.call_soon(self._sink.tell, state)

    # --- what the edge asks ---

    @property
    def state(self) -> UpstreamState:
        """The connection to Questrade as a whole, as the owner told it last."""
        return self._state

    def persons(self) -> list[e.TokenView]:
        """Everybody whose login is held, as the owner told it last."""
        return self._persons

    def want(self, symbol_ids: frozenset[int]) -> None:
        """The whole set of symbols wanted on this node."""
        self._wanted = symbol_ids
        self._pass_wants_on()

    def _pass_wants_on(self) -> None:
        if self._link is Link.AWAY or self._wire is None or self._told == self._wanted:
            return
        added, removed = self._wanted - self._told, self._told - self._wanted
        self._told = self._wanted
        self._wire.send(e.frame(e.Want(added=sorted(added), removed=sorted(removed))))

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> list[Found]:
        """Symbols by name and by id, names first. Raises UpstreamError while the owner is away."""
        asked: list[str | int] = [*names, *ids]
        known = self._lookups.recall(asked, self._loop.time())
        if len(known) < len(set(asked)):
            new_names = [name for name in dict.fromkeys(names) if name not in known]
            new_ids = [symbol_id for symbol_id in dict.fromkeys(ids) if symbol_id not in known]
            found = await self._ask(e.Question.RESOLVE, [new_names, new_ids], list[Found])
            self._lookups.learn(found, self._loop.time())
            known.update((each.asked, each) for each in found)
        return [known[item] for item in asked]

    async def search(self, prefix: str, offset: int = 0) -> list[Symbol]:
        """Symbols by prefix. Raises UpstreamError."""
        return await self._ask(e.Question.SEARCH, [prefix, offset], list[Symbol])

    async def snapshot(self, ids: Sequence[int]) -> list[Quote]:
        """The newest quote of each. Raises UpstreamError."""
        return await self._ask(e.Question.SNAPSHOT, [list(ids)], list[Quote])

    async def refresh(self, person: str, *, force: bool = False) -> e.TokenView:
        """Make sure of a working login. Raises UpstreamError."""
        return await self._ask(e.Question.REFRESH, [person, force], e.TokenView)

    async def report(self) -> dict[str, Any]:
        """Everything an operator may want to know. Raises UpstreamError."""
        return await self._ask(e.Question.REPORT, [], dict[str, Any])

    async def samples(self) -> list[e.Reading]:
        """The numbers of the whole gateway. Raises UpstreamError."""
        return await self._ask(e.Question.SAMPLES, [], list[e.Reading])

    async def clients(self) -> dict[str, Any]:
        """What clients reported of themselves, added up. Raises UpstreamError."""
        return await self._ask(e.Question.CLIENTS, [], dict[str, Any])

    async def admit(self, scope: Scope, name: str) -> Exceeded | None:
        """Count a connection of this address or key in; else why it may have no more.

        Raises UpstreamUnavailableError when the owner cannot be asked: it is not counted until it is told in `Holds`.
        """
        taken = [Held(scope, name, connections=1)]
        return _refusal.decode(await self._count(e.Question.ADMIT, [scope, name], taken))

    async def claim(self, address: str, key: str | None, symbols: int) -> Exceeded | None:
        """Count so many symbols more of both in; else which may want no more. Raises UpstreamUnavailableError."""
        taken = [Held(Scope.ADDRESS, address, symbols=symbols)]
        if key is not None:
            taken.append(Held(Scope.KEY, key, symbols=symbols))
        return _refusal.decode(await self._count(e.Question.CLAIM, [address, key, symbols], taken))

    async def draw(self, key: str, messages: int) -> Drawn:
        """Take messages of a key's allowance. Raises UpstreamUnavailableError."""
        return _drawn.decode(await self._count(e.Question.DRAW, [key, messages], []))

    def left(self, held: Sequence[Held]) -> None:
        """Clients hold so much less."""
        if self._wire is not None:
            self._wire.send(e.frame(e.Left(held=list(held))))

    def reported(self, client: str, counts: Mapping[str, float]) -> None:
        """A client reported of itself."""
        if self._wire is not None:
            self._wire.send(e.frame(e.Reported(client=client, counts=dict(counts))))

    async def _ask(self, question: e.Question, arguments: list[Any], answer: type[T]) -> T:
        if self._pending >= PENDING:
            raise UpstreamUnavailableError(AWAY)
        number, asked = self._put(question, arguments)
        self._pending += 1
        try:
            async with asyncio.timeout(ASK_S):
                return msgspec.msgpack.decode(await asked, type=answer)
        except TimeoutError:
            raise UpstreamUnavailableError(AWAY) from None
        finally:
            self._pending -= 1
            self._asked.pop(number, None)

    async def _count(self, question: e.Question, arguments: list[Any], taken: list[Held]) -> msgspec.Raw:
        """Ask what counts a client; `taken` is given back should it be granted when nobody waits for it any more."""
        number, asked = self._put(question, arguments)
        heard = False
        try:
            async with asyncio.timeout(COUNT_S):
                body = await asked
            heard = True
            return body
        except TimeoutError:
            raise UpstreamUnavailableError(AWAY) from None
        finally:
            self._asked.pop(number, None)
            if not heard and taken:
                self._give_back(number, asked, taken)

    def _put(self, question: e.Question, arguments: list[Any]) -> "tuple[int, asyncio.Future[msgspec.Raw]]":
        """Send a question; its number and what becomes of it."""
        if self._link not in (Link.CATCHING_UP, Link.LIVE) or self._wire is None:
            raise UpstreamUnavailableError(AWAY)
        self._number += 1
        future: asyncio.Future[msgspec.Raw] = self._loop.create_future()
        self._asked[self._number] = future
        self._wire.send(e.frame(e.Ask(number=self._number, question=question, arguments=arguments)))
        return self._number, future

    def _give_back(self, number: int, asked: "asyncio.Future[msgspec.Raw]", taken: list[Held]) -> None:
        """Who asked went away: give back what was granted in the same moment, or will be yet."""
        if not asked.done() or asked.cancelled():
            if self._wire is not None:
                self._late[number] = taken
        elif asked.exception() is None and asked.result() == GRANTED:
            self.left(taken)

    def _answered(self, answer: e.Answer) -> None:
        future = self._asked.get(answer.number)
        if future is None or future.done():
            taken = self._late.pop(answer.number, None)
            if taken is not None and answer.failure is None and answer.body == GRANTED:
                self.left(taken)
        elif answer.failure is not None:
            future.set_exception(failures.raised(answer.failure))
        else:
            future.set_result(answer.body)
