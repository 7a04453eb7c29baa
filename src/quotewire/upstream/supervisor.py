"""Several people's logins as one source of quotes: the front of this package, and the owner of all its tasks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Hashable, Sequence, Set
from typing import Any, Final, cast

from quotewire.errors import QuotewireError, UpstreamError
from quotewire.market.freshness import Road
from quotewire.market.quote import Quote, QuotePatch
from quotewire.market.symbol import Symbol
from quotewire.questrade import requests
from quotewire.settings import Settings
from quotewire.upstream import reasons
from quotewire.upstream.backfill import Backfill
from quotewire.upstream.chronicle import Chronicle, Happening
from quotewire.upstream.clock import MarketClock, SteadyClock
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.directory import Directory
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.patrol import Patrol
from quotewire.upstream.plan import Limits
from quotewire.upstream.poller import Poller
from quotewire.upstream.pool import Standing, Verdict, verdict
from quotewire.upstream.report import PersonState, Reading, fleet_counters, person_readings, person_report, person_state
from quotewire.upstream.resolver import Resolution, Resolver
from quotewire.upstream.session import StreamSession
from quotewire.upstream.tape import Moment, Tape
from quotewire.upstream.tuning import DEFAULT, Tuning
from quotewire.upstream.vault import Vault
from quotewire.upstream.visitor import Visitor
from quotewire.upstream.world import REAL, World
from quotewire.wire.messages import UpstreamState

PASS_S: Final = 1.0  # between two looks at everything
JUDGED_AT_ONCE: Final = 100  # symbols
STOOD_STILL_S: Final = 3.0  # without a look for so long, this process did not run
FORGET_S: Final = 600.0  # after this, a symbol on no road is dropped from the book
CLOSE_S: Final = 1.5
HELD_S: Final = 0.05  # between two looks at quotes that wait for another stream to bring them too
MOVING_S: Final = 0.25  # between two looks while streams wait for others to take over

log = logging.getLogger("quotewire.upstream")


class Upstream:
    """The upstream. `on_quotes` and `on_state` are called in the event loop and must not wait."""

    def __init__(
        self,
        settings: Settings,
        vault: Vault,
        *,
        on_quotes: Callable[[list[Quote]], None],
        on_state: Callable[[UpstreamState], None],
        limits: Limits | None = None,
        tuning: Tuning = DEFAULT,
        world: World = REAL,
    ) -> None:
        self._settings = settings
        self._on_quotes = on_quotes
        self._on_state = on_state
        self._world = world
        self._tuning = tuning
        self._chronicle = Chronicle(world.wall, reasons.KNOWN)
        self._steady = SteadyClock(world)
        self._clock = MarketClock(world, self._steady)
        self._build_logins(settings, vault)
        self._build_streams(settings, limits or Limits(settings.symbols_per_stream))
        self._wanted: frozenset[int] = frozenset()
        self._lingering: dict[int, float] = {}
        self._group: asyncio.TaskGroup | None = None
        self._run: asyncio.Task[None] | None = None
        self._closed = False
        self._soon: dict[str, asyncio.TimerHandle] = {}
        self._verdict = Verdict(verdict([], set(), set(), {}, reached=False).state, "starting", None)
        self._since_ms = int(self._world.wall() * 1000)

    def _build_logins(self, settings: Settings, vault: Vault) -> None:
        """Who may ask Questrade, and everything that asks."""
        world, tuning = self._world, self._tuning
        self._directory = Directory.open(settings.data_dir, world.wall)
        self._keeper = Keeper(
            settings,
            vault,
            chronicle=self._chronicle,
            on_change=self._token_changed,
            before_refresh=lambda person: self._fleet.leave(person),
            tuning=tuning,
            now=self._steady.now,
            wall=world.wall,
            chance=world.chance,
            exchange=world.exchange,
        )
        self._rest = world.rest()
        self._desk = Desk(
            self._keeper,
            self._rest,
            chronicle=self._chronicle,
            on_answer=lambda person: self._fleet.reached(person),
            on_unreachable=lambda person: self._visitor.doubt(person),
            world=world,
        )
        self._resolver = Resolver(self._desk, self._directory)
        self._ran_at = world.monotonic()
        self._tape = Tape(vault.next_epoch(world.wall), self._exchange_of, self._carries, _owner)
        self._poller = Poller(
            self._desk,
            self._polled,
            world.monotonic,
            patience_s=tuning.poll_patience_s,
            every_s=settings.poll_interval_ms / 1000,
        )
        self._visitor = Visitor(self._keeper, self._desk, self._clock, now=world.monotonic)

    def _build_streams(self, settings: Settings, limits: Limits) -> None:
        """The streams, and those who look after them."""
        world, tuning = self._world, self._tuning
        self._fleet = Fleet(
            keeper=self._keeper,
            desk=self._desk,
            chronicle=self._chronicle,
            sink=self,
            limits=limits,
            doubles=settings.ab,
            lifecycle=tuning.lifecycle,
            world=world,
        )
        self._patrol = Patrol(
            self._fleet,
            self._tape,
            self._desk,
            chronicle=self._chronicle,
            exchange_of=self._exchange_of,
            emit=self._emit,
            on_patches=self._polled,
            now=self._clock.now,
            watchdog=tuning.watchdog,
        )
        self._backfill = Backfill(self._desk, self._chronicle, self._polled, world.monotonic)

    def __repr__(self) -> str:
        return f"<Upstream {self._verdict.state} ({self._verdict.reason}) wanted={len(self._wanted)}>"

    # --- life ---

    async def run(self) -> None:
        """Run until cancelled. Trouble upstream is reported, never raised."""
        self._run = asyncio.current_task()
        self._keeper.load()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._keeper.run(), name="keeper")
                group.create_task(self._poller.run(), name="poller")
                group.create_task(self._visitor.run(), name="visitor")
                group.create_task(self._watch(), name="watch")
        finally:
            self._group = None

    async def close(self) -> None:
        """Stop everything within some 2 s; harmless a second time."""
        if self._closed:
            return
        self._closed = True
        for timer in self._soon.values():
            timer.cancel()
        if self._run is not None and self._run is not asyncio.current_task():
            self._run.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.wait({self._run})
        await self._resolver.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._rest.close()
        self._directory.close()

    async def _watch(self) -> None:
        """Once a second: persons come and go, lingering ends, freshness ages, failed persons get another chance."""
        while True:
            try:
                await self._look()
            except QuotewireError as error:
                log.error("%s", error, extra={"event": "upstream.trouble", "reason": error.code})
            await asyncio.sleep(PASS_S)

    async def _look(self) -> None:
        """In bites, with a turn for everything else in between: many symbols take some milliseconds."""
        assert self._group is not None
        now = self._world.monotonic()
        self._notice(self._clock.now())
        self._fleet.follow(self._group)
        for symbol_id in [i for i, until in self._lingering.items() if until <= now]:
            del self._lingering[symbol_id]
        self._fleet.want(self._wanted, self._lingering.keys())
        await asyncio.sleep(0)
        await self._patrol.round(self._group)
        await asyncio.sleep(0)
        self._backfill.round(self._tape.gaps(), self._group)
        self._emit(self._tape.due(self._clock.now()))
        symbol_ids = self._tape.symbols()
        for at in range(0, len(symbol_ids), JUDGED_AT_ONCE):
            await asyncio.sleep(0)
            self._emit(self._tape.judge(symbol_ids[at : at + JUDGED_AT_ONCE], self._clock.now()))
        self._tape.forget(set(self._tape.idle(now - FORGET_S)) - self._wanted)
        self._announce()

    def _notice(self, moment: Moment) -> None:
        """Did this process stand still, stopped or starved? Then what waited in the sockets is not today's."""
        if moment.mono - self._ran_at > STOOD_STILL_S:
            self._tape.stood_still(moment)
        self._ran_at = moment.mono

    # --- what the gateway asks ---

    def want(self, symbol_ids: Set[int]) -> None:
        """The whole set of symbols wanted now. Those no longer wanted are carried on for a while."""
        wanted = frozenset(symbol_ids)
        until = self._world.monotonic() + self._settings.linger_ms / 1000
        for symbol_id in self._wanted - wanted:
            self._lingering[symbol_id] = until
        for symbol_id in wanted:
            self._lingering.pop(symbol_id, None)
        self._wanted = wanted
        self._fleet.want(wanted, self._lingering.keys())
        self._announce()

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> list[Resolution]:
        """Symbols by name and by id, names first, in the order given; within some 8 s."""
        resolutions = await self._resolver.resolve(names, ids)
        for resolution in resolutions:
            if resolution.symbol is not None:
                symbol = resolution.symbol
                self._tape.learn(symbol.symbol_id, symbol.symbol, symbol.listing_exchange)
        return resolutions

    async def search(self, prefix: str, offset: int = 0) -> list[Symbol]:
        """Symbols whose name or description begins with `prefix`. Raises UpstreamError."""
        _, rows = await self._desk.call(requests.search(prefix, offset), priority=Priority.LOOKUP)
        return [row.to_symbol() for row in rows]

    async def snapshot(self, ids: Sequence[int]) -> list[Quote]:
        """The newest quote of each: the book's where a stream carries it, else asked for. Raises UpstreamError."""
        asked = [i for i in dict.fromkeys(ids) if self._tape.road(i) is not Road.UP or self._tape.book.get(i) is None]
        for at in range(0, len(asked), requests.MAX_IDS):
            request = requests.quotes(asked[at : at + requests.MAX_IDS])
            _, frame = await self._desk.call(request, priority=Priority.LOOKUP)
            self._polled(frame.patches)
        return [quote for symbol_id in ids if (quote := self._tape.book.get(symbol_id)) is not None]

    async def refresh(self, person: str, *, force: bool = False) -> PersonState:
        """Make sure of a working login; how it stands afterwards. With `force`, refresh unless that was just done."""
        with contextlib.suppress(UpstreamError):  # told in `last_error`
            await self._keeper.refresh(person, force=force)
        return person_state(person, self._keeper, self._fleet)

    # --- what can be seen ---

    @property
    def epoch(self) -> int:
        """The count all quotes of this upstream belong to."""
        return self._tape.book.epoch

    @property
    def state(self) -> UpstreamState:
        """The connection to Questrade as a whole."""
        return UpstreamState(
            state=self._verdict.state.value,
            reason=self._verdict.reason,
            since=self._since_ms,
            person=self._verdict.person,
            symbol_count=len(self._fleet.carried & self._wanted),
        )

    def persons(self) -> list[PersonState]:
        """Everybody, in the order they are tried in."""
        return [person_state(person, self._keeper, self._fleet) for person in self._keeper.persons]

    def report(self) -> dict[str, Any]:
        """Everything an operator may want to know, without secrets."""
        return {
            "state": self.state,
            "marketClockOffsetS": round(self._clock.offset_s, 3),
            "ab": {"on": self._settings.ab, "doubled": self._fleet.is_doubled},
            "subscriptionHabit": self._fleet.lesson.habit.value,
            "persons": [
                person_report(
                    person, self._keeper, self._fleet, self._desk, self._world.wall(), self._world.monotonic()
                )
                for person in self._keeper.persons
            ],
            "polled": len(self._poller.polled),
            "lingering": len(self._lingering),
            "last": self._chronicle.last(),
        }

    def readings(self) -> list[Reading]:
        """What is measured by person or reason."""
        found = [
            Reading("quotewire_upstream_events_total", (event.value, reason), count)
            for (event, reason), count in self._chronicle.counts.items()
        ]
        for person in self._keeper.persons:
            found += person_readings(person, self._keeper, self._fleet, self._desk, self._steady.now())
        return found

    def counters(self) -> dict[str, int | float]:
        """Plain numbers for the gauges."""
        return {
            **fleet_counters(self._fleet),
            "persons": len(self._keeper.persons),
            "persons_alive": sum(not self._keeper.is_dead(person) for person in self._keeper.persons),
            "symbols_wanted": len(self._wanted),
            "symbols_polled": len(self._poller.polled),
            "symbols_known": len(self._directory),
            "symbols_backfilled": self._backfill.filled,
            "updates": self._tape.updates,
            "calls": self._desk.calls,
            "call_failures": self._desk.failures,
            "call_waits": self._desk.waits,
            "rows_lost": self._desk.rows_lost,
            "breakers_open": self._desk.breakers_open,
            "token_refreshes": self._keeper.refreshes,
        }

    # --- what the fleet tells ---

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        """Data of a stream."""
        moment = self._clock.now()
        self._notice(moment)
        self._patrol.heard(session, patches, moment.mono)
        self._emit(self._tape.streamed(session.stream, patches, moment, session.asked_at, session.added_at))
        self._see_to(self._hand_on, HELD_S, self._tape.is_holding)

    def is_placed(self, session: StreamSession, symbol_id: int) -> bool:
        """Whether it is certain what the stream has brought of a symbol, beside others."""
        return self._tape.is_placed(session.stream, symbol_id)

    def on_turn(self, session: StreamSession) -> None:
        """A stream came up, went down or carries other symbols."""
        self._patrol.follow(session, self._world.monotonic())

    def on_carried(self) -> None:
        """A symbol is on the road of the stream that carries it; what was, and is carried no more, is on none. What its
        stream may have lost has to recover: it is back when data come, or when it is certain that it is carried.
        """
        carried, trusted = self._fleet.carried, self._fleet.trusted
        moment = self._clock.now()
        self._poller.uncovered(self._wanted - (trusted - self._patrol.repairing))
        roads = (Road.UP, Road.RECOVERING)
        lost = {i for i in self._tape.book.symbols() if i not in carried and self._tape.road(i) in roads}
        renewing = lost & self._fleet.renewing if lost else lost
        self._emit(self._tape.turn(renewing, Road.RECOVERING, moment))
        self._emit(self._tape.turn(lost - renewing, Road.DOWN, moment))
        self._emit(self._tape.turn(carried - trusted, Road.RECOVERING, moment))
        self._emit(self._tape.turn(trusted - self._patrol.repairing, Road.UP, moment))
        self._see_to(self._fleet.distribute, MOVING_S, self._fleet.is_handing_over)
        self._announce()

    def on_first_failure(self, person: str) -> None:
        """An answer to a call would mean that the stream can be had again."""
        self._visitor.call_on(person)

    def _polled(self, patches: list[QuotePatch]) -> None:
        """Data of a poll or a look-up."""
        self._emit(self._tape.polled(patches, self._clock.now()))

    def _token_changed(self, person: str) -> None:
        self._fleet.token_changed(person)
        self._visitor.stir()
        self._announce()

    def _carries(self, stream: Hashable, symbol_id: int) -> bool:
        """Whether a stream that brought something of a symbol may bring more."""
        session = self._fleet.sessions.get(_owner(stream))
        return session is not None and session.stream == stream and session.bears(symbol_id)

    def _see_to(self, work: Callable[[], None], after_s: float, is_needed: bool) -> None:
        """Do soon what may not wait for the next look at everything."""
        if not is_needed or self._closed or work.__name__ in self._soon:
            return

        def due() -> None:
            del self._soon[work.__name__]
            work()

        self._soon[work.__name__] = asyncio.get_running_loop().call_later(after_s, due)

    def _hand_on(self) -> None:
        """What streams brought waits for other streams to bring it too, but not long."""
        self._emit(self._tape.due(self._clock.now()))
        self._see_to(self._hand_on, HELD_S, self._tape.is_holding)

    # --- telling ---

    def _emit(self, quotes: list[Quote]) -> None:
        if quotes:
            self._on_quotes(quotes)

    def _announce(self) -> None:
        """Tell a change of the whole state."""
        standings = [
            Standing(
                person,
                is_dead=self._keeper.is_dead(person),
                is_live=person in self._fleet.sessions and self._fleet.sessions[person].is_live,
                has_access=self._keeper.access(person) is not None,
            )
            for person in self._keeper.persons
        ]
        now = verdict(
            standings,
            self._wanted,
            self._fleet.carried,
            self._poller.polled,
            reached=self._clock.is_measured,
            overdue=self._poller.overdue,
        )
        if now == self._verdict:
            return
        self._verdict, self._since_ms = now, int(self._world.wall() * 1000)
        self._chronicle.note(
            Happening.UPSTREAM, now.reason, person=now.person, detail=f"the upstream is {now.state} ({now.reason})"
        )
        self._on_state(self.state)

    def _exchange_of(self, symbol_id: int) -> str:
        symbol = self._directory.find(symbol_id, stale=True)
        return symbol.listing_exchange if symbol is not None else ""


def _owner(stream: Hashable) -> str:
    """Whose stream it is, of a person and the number of a socket."""
    return cast(tuple[str, int], stream)[0]
