"""The owner's end of the bus: every stamped quote goes to every node, and what nodes want and ask comes back.

A quote is encoded once, however many nodes there are. Nodes that do not keep up are held to `feed.py`'s rule. What is
wanted is the union over the nodes; what clients hold is counted here, so that their limits are exact.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from quotewire.bus import envelope as e
from quotewire.bus import failures
from quotewire.bus.admissions import Admissions
from quotewire.bus.feed import Feed, Wants
from quotewire.bus.local import Wire, check_private, socket_path
from quotewire.bus.questions import COUNTED, Answers, arguments
from quotewire.bus.seam import Reports, Source, views
from quotewire.bus.tally import Tally
from quotewire.errors import BusError, QuotewireError
from quotewire.market.history import History
from quotewire.market.quote import Quote
from quotewire.resilience.accounts import Drawn, Exceeded, Limits, Scope
from quotewire.wire.messages import UpstreamState

BEAT_S: Final = 1.0
"""Between two signs of life on a connection, each way."""

FENCE_S: Final = 5.0
"""An owner that stood still for longer ends: its nodes are about to tell their clients that its count is over."""

HELLO_S: Final = 5.0
"""A new connection must have said who it is within this."""

COLLECT_S: Final = 1.0
"""How long nodes may take to say their numbers; of those that do not, the last ones count."""

MAX_ASKS: Final = 4096
"""Questions of one node under way; more are refused as retryable."""

log = logging.getLogger("quotewire.bus")


class Member:
    """One connection of a node. `node` is None until it has said which it is."""

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        self.node: int | None = None
        self.feed: Feed | None = None
        self.caught_up = False
        self.asks: set[asyncio.Task[None]] = set()


class Publisher:
    """The owner's end. `source` stamps and answers, `own` reads the owner's own numbers."""

    def __init__(
        self,
        source: Source,
        reports: Reports,
        history: History[Quote],
        *,
        key: bytes,
        epoch: int,
        limits: Limits,
        own: Callable[[], Sequence[e.Reading]] = list,
    ) -> None:
        self._source = source
        self._reports = reports
        self._history = history
        self._key = key
        self._epoch = epoch
        self._own_readings = own
        self._answers = Answers(source, reports)
        self._admissions = Admissions(limits)
        self._wants = Wants()
        self._tally = Tally()
        self._members: dict[Wire, Member] = {}
        self._pending: list[Quote] = []
        self._introduced: set[int] = set()
        self._told: e.Told | None = None
        self._wanting = False
        self._collecting: dict[int, set[int]] = {}
        self._collected = asyncio.Event()
        self._number = 0
        self._fenced = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._beat_at = self._loop.time()
        self.updates = 0
        self.joins = 0
        self.held_back = 0
        self.missed = 0

    # --- life ---

    @contextlib.asynccontextmanager
    async def listening(self, directory: Path) -> AsyncIterator[None]:
        """Take nodes in while the block runs. `directory` must be open to our user alone."""
        check_private(directory)
        path = socket_path(directory)
        path.unlink(missing_ok=True)  # left by an owner that was killed
        server = await self._loop.create_unix_server(self._wire, path)
        self._beat_at = self._loop.time()
        beating = asyncio.create_task(self._beat(), name="bus beat")
        try:
            yield
        finally:
            beating.cancel()
            server.close()
            asks = [ask for member in self._members.values() for ask in member.asks]
            for wire in tuple(self._members):
                wire.abort()
            for ask in asks:
                ask.cancel()
            await asyncio.gather(beating, *asks, return_exceptions=True)

    async def fenced(self) -> None:
        """Wait until this owner must not go on, because nodes have told their clients that its count is over."""
        await self._fenced.wait()

    def _wire(self) -> Wire:
        return Wire(self._heard, self._opened, self._writable, self._gone)

    async def _beat(self) -> None:
        beat = e.frame(e.Beat())
        while not self._is_fenced():
            self._beat_at = self._loop.time()
            for wire, member in tuple(self._members.items()):
                if member.node is None and self._beat_at - member.opened_at > HELLO_S:
                    wire.abort()
                elif not wire.blocked:
                    wire.send(beat)
            self._tell_changes()
            self._admissions.sweep(self._loop.time())
            await asyncio.sleep(BEAT_S)

    def _is_fenced(self) -> bool:
        """An owner that stood still for too long may not publish: its nodes believe that it is gone."""
        if not self._fenced.is_set() and self._loop.time() - self._beat_at > FENCE_S:
            self._fence(f"this process stood still for {self._loop.time() - self._beat_at:.1f} s")
        return self._fenced.is_set()

    def _fence(self, why: str) -> None:
        log.critical("%s; its nodes hold its count for over, so it ends", why, extra={"event": "bus.fenced"})
        self._fenced.set()

    # --- to the nodes ---

    def publish(self, quotes: Sequence[Quote]) -> None:
        """Carry updates, oldest first, to every node, once in this iteration of the loop."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending += quotes

    def tell(self, state: UpstreamState) -> None:
        """The upstream changed; told after what is being answered now."""
        self._loop.call_soon(self._tell_changes)

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if self._is_fenced():
            return
        self.updates += len(pending)
        for quote in pending:
            self._history.add(quote)
        for at in range(0, len(pending), e.BATCH):
            self._carry(pending[at : at + e.BATCH])

    def _carry(self, quotes: list[Quote]) -> None:
        shared: bytes | None = None
        for wire, member in tuple(self._members.items()):
            if member.feed is None:
                continue
            if member.feed.offer(quotes):
                if shared is None:
                    shared = e.frame(e.Updates(quotes=quotes))
                self._send(wire, member.feed, shared)
            else:
                self._catch_up(wire, member)

    def _send(self, wire: Wire, feed: Feed, framed: bytes) -> None:
        wire.send(framed)
        if wire.blocked:
            feed.block()

    def _catch_up(self, wire: Wire, member: Member) -> None:
        """Give a node what it is behind in, for as long as its connection takes it."""
        feed = member.feed
        assert feed is not None
        while (owed := feed.catch_up()) is not None:
            self._send(wire, feed, e.frame(e.Updates(quotes=owed[0], missed=owed[1])))
        if not feed and not member.caught_up:
            member.caught_up = True
            wire.send(e.frame(e.CaughtUp()))

    def _tell_changes(self) -> None:
        told = e.Told(state=self._source.state, persons=views(self._source.persons()))
        if told == self._told:
            return
        self._told = told
        framed = e.frame(told)
        for wire, member in tuple(self._members.items()):
            if member.node is not None:
                wire.send(framed)

    # --- from the nodes ---

    def _opened(self, wire: Wire) -> None:
        self._members[wire] = Member(self._loop.time())

    def _writable(self, wire: Wire) -> None:
        member = self._members.get(wire)
        if member is not None and member.feed is not None and not self._is_fenced():
            member.feed.unblock()
            self._catch_up(wire, member)

    def _gone(self, wire: Wire, garbage: BusError | None) -> None:
        member = self._members.pop(wire, None)
        if member is None:
            return
        if garbage is not None:
            log.error("%s; it is hung up on", garbage, extra={"event": "bus.garbage", "node": member.node})
        for ask in member.asks:
            ask.cancel()
        if member.feed is not None:
            self.held_back += member.feed.held_back
            self.missed += member.feed.missed
        if member.node is None:
            return
        log.info("node %d is gone", member.node, extra={"event": "bus.left", "node": member.node})
        self._wants.forget(member.node)
        self._admissions.forget(member.node, self._loop.time())
        self._tally.retire(member.node)
        self._want_soon()
        for waiting in self._collecting.values():
            waiting.discard(member.node)
        self._collected.set()

    def _heard(self, wire: Wire, body: bytes) -> None:
        member, message = self._members[wire], e.from_node(body)
        if member.node is None:
            if not isinstance(message, e.Hello):
                raise BusError("a process on the bus did not say who it is first")
            self._greet(wire, member, message)
            return
        match message:
            case e.Want(added=added, removed=removed):
                self._wants.change(member.node, added, removed)
                self._want_soon()
                self._introduce(member, added)
            case e.Ask():
                self._ask(wire, member, message)
            case e.Readings(number=number, readings=readings):
                self._tally.put(member.node, readings)
                self._collecting.get(number, set()).discard(member.node)
                self._collected.set()
            case e.Counted(readings=readings):
                self._tally.grow(member.node, readings)
            case e.Left(held=held):
                self._admissions.leave(member.node, held, self._loop.time())
            case e.Holds(held=held):
                self._admissions.restore(member.node, held, self._loop.time())
            case e.Reported(client=client, counts=counts):
                self._reports.add(client, counts)
            case e.Hello():
                raise BusError(f"node {member.node} said hello twice")
            case e.Beat():
                pass

    def _greet(self, wire: Wire, member: Member, hello: e.Hello) -> None:
        if hello.version != e.VERSION:
            told = f"this owner speaks version {e.VERSION} of the bus, node {hello.node} version {hello.version}"
            wire.send(e.frame(e.Refused(reason=told)))
            wire.close()
            return
        if hello.fenced >= self._epoch:
            self._fence(f"node {hello.node} could not reach this process for too long")
            return
        for other, earlier in tuple(self._members.items()):
            if earlier.node == hello.node:
                other.abort()
                self._gone(other, None)  # now, not when its socket is closed: the same node counts once
        member.node = hello.node
        self.joins += 1
        log.info("node %d joins", hello.node, extra={"event": "bus.joined", "node": hello.node})
        self._wants.change(hello.node, hello.wanted, ())
        self._want_soon()
        state, persons = self._source.state, views(self._source.persons())
        wire.send(e.frame(e.Welcome(version=e.VERSION, epoch=self._epoch, key=self._key, state=state, persons=persons)))
        member.feed = Feed(self._history)
        self._catch_up(wire, member)
        self._introduce(member, hello.wanted)

    def _introduce(self, member: Member, wanted: Sequence[int]) -> None:
        """Have the upstream look up what is wanted and was looked up with another owner, before its time."""
        strange = [symbol_id for symbol_id in wanted if symbol_id not in self._introduced]
        if strange:
            self._introduced.update(strange)
            self._own(member, self._source.resolve([], strange), "bus introduce")

    def _want_soon(self) -> None:
        """Pass the union on once in this iteration of the loop, however many wants came."""
        if not self._wanting:
            self._wanting = True
            self._loop.call_soon(self._want)

    def _want(self) -> None:
        self._wanting = False
        self._source.want(self._wants.union())

    # --- questions ---

    def _ask(self, wire: Wire, member: Member, ask: e.Ask) -> None:
        assert member.node is not None
        given = arguments(ask.question, ask.arguments)
        if ask.question in COUNTED:
            # At once: a storm of clients asks little else.
            counted = self._count(member.node, ask.question, given)
            wire.send(e.frame(e.Answer(number=ask.number, body=e.packed(counted))))
        elif len(member.asks) >= MAX_ASKS:
            busy = e.Failure("upstream_unavailable", "too many questions are under way in the gateway; try again")
            wire.send(e.frame(e.Answer(number=ask.number, failure=busy)))
        else:
            self._own(member, self._answer(wire, ask, given), f"bus {ask.question.value}")

    def _count(self, node: int, question: e.Question, given: Sequence[Any]) -> Exceeded | Drawn | None:
        now = self._loop.time()
        if question is e.Question.ADMIT:
            scope, name = given
            return self._admissions.enter(node, (scope, name), now)
        if question is e.Question.DRAW:
            drawn_by, messages = given
            return self._admissions.draw(drawn_by, messages, now)
        address, key, symbols = given
        names = [(Scope.ADDRESS, address)] + ([] if key is None else [(Scope.KEY, key)])
        return self._admissions.claim(node, names, symbols, now)

    def _own(self, member: Member, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Do `work` for a node for as long as it is here."""
        task = asyncio.create_task(work, name=name)
        member.asks.add(task)
        task.add_done_callback(member.asks.discard)

    async def _answer(self, wire: Wire, ask: e.Ask, given: Sequence[Any]) -> None:
        try:
            if ask.question is e.Question.SAMPLES:
                value: Any = await self._samples()
            else:
                value = await self._answers.answer(ask.question, given)
            if ask.question is e.Question.RESOLVE:
                self._introduced.update(each.symbol.symbol_id for each in value if each.symbol is not None)
            answer = e.Answer(number=ask.number, body=e.packed(value))
        except QuotewireError as error:
            answer = e.Answer(number=ask.number, failure=failures.failure(error))
        except Exception:
            log.exception("a question failed", extra={"event": "bus.failed", "question": ask.question.value})
            told = "the gateway failed to answer; its log says why"
            answer = e.Answer(number=ask.number, failure=e.Failure("internal_error", told))
        wire.send(e.frame(answer))

    async def _samples(self) -> list[e.Reading]:
        """The numbers of all nodes, read now, and the owner's own."""
        self._number += 1
        number = self._number
        framed = e.frame(e.Collect(number=number))
        waiting = self._collecting[number] = set()
        for wire, member in self._members.items():
            if member.node is not None:
                waiting.add(member.node)
                wire.send(framed)
        try:
            async with asyncio.timeout(COLLECT_S):
                while waiting:
                    self._collected.clear()
                    await self._collected.wait()
        except TimeoutError:
            log.warning("nodes %s did not say their numbers in time", waiting, extra={"event": "bus.slow_numbers"})
        finally:
            del self._collecting[number]
        return self._tally.total([*self._own_readings(), *self.readings()])

    # --- what can be seen ---

    def readings(self) -> list[e.Reading]:
        """What is counted at the head of the bus, and the bus's own numbers."""
        feeds = [member.feed for member in self._members.values() if member.feed is not None]
        nodes = sum(member.caught_up for member in self._members.values())
        return [
            e.Reading("quotewire_updates_total", self.updates),
            e.Reading("quotewire_symbols_wanted", len(self._wants.union())),
            e.Reading("quotewire_symbols_known", self._history.stats().symbols),
            e.Reading("quotewire_bus_nodes", nodes),
            e.Reading("quotewire_bus_joins_total", self.joins),
            e.Reading("quotewire_bus_behind", sum(map(len, feeds))),
            e.Reading("quotewire_bus_held_back_total", self.held_back + sum(feed.held_back for feed in feeds)),
            e.Reading("quotewire_bus_missed_total", self.missed + sum(feed.missed for feed in feeds)),
            *(e.Reading("quotewire_limit_accounts", self._admissions.known(scope), (scope.value,)) for scope in Scope),
        ]
