"""Several people's logins as one source of quotes: the front of this package, and the owner of all its tasks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from quotewire.errors import QuotewireError, UpstreamError
from quotewire.market.freshness import Road
from quotewire.market.quote import Quote, QuotePatch, Source
from quotewire.market.symbol import Symbol
from quotewire.questrade import requests
from quotewire.questrade.tokens import TokenState
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.resilience.watchdog import CheckByQuote, Effect, Repair, Reroute
from quotewire.settings import Settings
from quotewire.upstream.adoption import Lesson
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.clock import MarketClock
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.directory import Directory
from quotewire.upstream.guard import Guard, is_newer
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.plan import Assignment, Bearer, Limits, hand_over, plan
from quotewire.upstream.poller import Poller
from quotewire.upstream.pool import Record, Standing, Verdict, verdict
from quotewire.upstream.resolver import Resolution, Resolver
from quotewire.upstream.session import CONFIG, StreamSession
from quotewire.upstream.tape import Tape
from quotewire.upstream.vault import Vault
from quotewire.upstream.visitor import Visitor
from quotewire.upstream.world import REAL, World
from quotewire.wire.messages import UpstreamState

PASS_S: Final = 1.0  # between two looks at everything
LINGER_S: Final = 30.0  # symbols nobody wants any more are carried on for this long
FORGET_S: Final = 600.0  # after this, a symbol on no road is dropped from the book
STABLE_S: Final = 30.0  # a stream that lived this long makes up for its person's failures
CLOSE_S: Final = 1.5

log = logging.getLogger("quotewire.upstream")


@dataclass(frozen=True, slots=True)
class PersonState:
    """One person's login as operators see it. `expires_at` is epoch seconds; no secrets."""

    name: str
    is_active: bool
    token_state: str
    api_server: str | None
    expires_at: float
    last_error: str
    stream: str
    symbol_count: int


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
        lifecycle: LifecycleConfig = CONFIG,
        world: World = REAL,
    ) -> None:
        self._settings = settings
        self._on_quotes = on_quotes
        self._on_state = on_state
        self._limits = limits or Limits()
        self._lifecycle = lifecycle
        self._world = world
        self._chronicle = Chronicle(world.wall)
        self._clock = MarketClock(world)
        self._lesson = Lesson()
        self._directory = Directory.open(settings.data_dir, world.wall)
        self._keeper = Keeper(
            settings,
            vault,
            chronicle=self._chronicle,
            on_change=self._token_changed,
            before_refresh=self._leave,
            now=world.wall,
            chance=world.chance,
            exchange=world.exchange,
        )
        self._rest = world.rest()
        self._desk = Desk(self._keeper, self._rest, chronicle=self._chronicle, on_answer=self._answered, world=world)
        self._resolver = Resolver(self._desk, self._directory)
        self._tape = Tape(vault.next_epoch(world.wall), self._exchange_of)
        self._poller = Poller(self._desk, self._polled, world.monotonic)
        self._visitor = Visitor(self._keeper, self._desk, self._clock, now=world.monotonic)
        self._wanted: frozenset[int] = frozenset()
        self._lingering: dict[int, float] = {}
        self._sessions: dict[str, StreamSession] = {}
        self._owners: dict[str, asyncio.Task[None]] = {}
        self._records: dict[str, Record] = {}
        self._guards: dict[str, Guard] = {}
        self._repairing: set[int] = set()
        self._leaving: set[str] = set()
        self._moved = asyncio.Event()
        self._target: Assignment = {}
        self._several = False
        self._group: asyncio.TaskGroup | None = None
        self._run: asyncio.Task[None] | None = None
        self._closed = False
        self._verdict = Verdict(verdict([], set(), set(), {}, reached=False).state, "starting", None)
        self._since_ms = int(self._world.wall() * 1000)

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
                self._look()
            except QuotewireError as error:
                log.error("%s", error, extra={"event": "upstream.trouble", "reason": error.code})
            await asyncio.sleep(PASS_S)

    def _look(self) -> None:
        now = self._world.monotonic()
        self._follow_persons()
        ended = [symbol_id for symbol_id, until in self._lingering.items() if until <= now]
        for symbol_id in ended:
            del self._lingering[symbol_id]
        self._distribute()
        self._guard_streams()
        moment = self._clock.now()
        quotes = self._tape.judge_all(moment)
        self._tape.forget(set(self._tape.idle(now - FORGET_S)) - self._wanted)
        self._emit(quotes)
        self._announce()

    # --- what the gateway asks ---

    def want(self, symbol_ids: Set[int]) -> None:
        """The whole set of symbols wanted now. Those no longer wanted are carried on for a while."""
        wanted = frozenset(symbol_ids)
        until = self._world.monotonic() + LINGER_S
        for symbol_id in self._wanted - wanted:
            self._lingering[symbol_id] = until
        for symbol_id in wanted:
            self._lingering.pop(symbol_id, None)
        self._wanted = wanted
        self._distribute()
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
        return self._person(person)

    # --- what can be seen ---

    @property
    def state(self) -> UpstreamState:
        """The connection to Questrade as a whole."""
        return UpstreamState(
            state=self._verdict.state.value,
            reason=self._verdict.reason,
            since=self._since_ms,
            person=self._verdict.person,
            symbol_count=len(self._carried() & self._wanted),
        )

    def persons(self) -> list[PersonState]:
        """Everybody, in the order they are tried in."""
        return [self._person(person) for person in self._keeper.persons]

    def report(self) -> dict[str, Any]:
        """Everything an operator may want to know, without secrets."""
        return {
            "state": self.state,
            "marketClockOffsetS": round(self._clock.offset_s, 3),
            "subscriptionHabit": self._lesson.habit.value,
            "persons": [self._report_person(person) for person in self._keeper.persons],
            "polled": len(self._poller.polled),
            "lingering": len(self._lingering),
            "last": self._chronicle.last(),
        }

    def counters(self) -> dict[str, int | float]:
        """Plain numbers for the gauges."""
        sessions = self._sessions.values()
        return {
            "persons": len(self._keeper.persons),
            "persons_alive": sum(not self._keeper.is_dead(person) for person in self._keeper.persons),
            "streams_live": sum(session.is_live for session in sessions),
            "streams_opened": sum(session.streams_opened for session in sessions),
            "frames": sum(session.frames for session in sessions),
            "spoiled": sum(session.spoiled for session in sessions),
            "symbols_wanted": len(self._wanted),
            "symbols_carried": len(self._carried()),
            "symbols_polled": len(self._poller.polled),
            "symbols_known": len(self._directory),
            "updates": self._tape.updates,
            "calls": self._desk.calls,
            "call_failures": self._desk.failures,
            "call_waits": self._desk.waits,
            "breakers_open": self._desk.breakers_open,
            "token_refreshes": self._keeper.refreshes,
        }

    def _person(self, person: str) -> PersonState:
        token = self._keeper.token(person)
        session = self._sessions.get(person)
        return PersonState(
            name=person,
            is_active=self._keeper.access(person) is not None,
            token_state=_token_state(token.state if token else None, refreshing=self._keeper.is_refreshing(person)),
            api_server=token.api_server if token else None,
            expires_at=token.expires_at if token else 0.0,
            last_error=self._keeper.last_error(person),
            stream=session.snapshot.state.value if session else "disconnected",
            symbol_count=len(session.carried) if session else 0,
        )

    def _report_person(self, person: str) -> dict[str, Any]:
        state, session, token = self._person(person), self._sessions.get(person), self._keeper.token(person)
        age = round(self._world.wall() - token.obtained_at, 1) if token and token.obtained_at else None
        return {
            "name": state.name,
            "isActive": state.is_active,
            "tokenState": state.token_state,
            "tokenAgeS": age,
            "expiresAt": int(state.expires_at * 1000) or None,
            "apiServer": state.api_server,
            "lastError": state.last_error,
            **self._desk.report(person),
            "stream": session.snapshot if session else None,
            "symbolCount": state.symbol_count,
        }

    # --- persons and their streams ---

    def _follow_persons(self) -> None:
        """A session for everybody; none for those who were removed."""
        persons = self._keeper.persons
        for person in persons:
            if person not in self._sessions and self._group is not None:
                session = StreamSession(
                    person,
                    keeper=self._keeper,
                    desk=self._desk,
                    chronicle=self._chronicle,
                    lesson=self._lesson,
                    sink=self,
                    config=self._lifecycle,
                    world=self._world,
                )
                self._sessions[person] = session
                self._records[person] = Record()
                self._guards[person] = Guard(self._exchange_of)
                self._owners[person] = self._group.create_task(session.run(), name=f"session {person}")
        for person in self._sessions.keys() - set(persons):
            session = self._sessions.pop(person)
            self._owners.pop(person).cancel()
            self._records.pop(person)
            self._guards.pop(person)
            self._emit(self._tape.turn(session.carried - self._carried(), Road.DOWN, self._clock.now()))

    def _distribute(self) -> None:
        """Decide who carries what, and tell every session its share. Nothing is dropped before somebody else has it."""
        now = self._world.monotonic()
        bearers = [
            Bearer(person, self._is_fit(person, now), self._limits.symbols_per_stream)
            for person in self._keeper.persons
            if person in self._sessions and not self._keeper.is_dead(person)
        ]
        effective = self._wanted | self._lingering.keys()
        self._target = plan(effective, bearers, self._target)
        carried = {person: session.carried & effective for person, session in self._sessions.items()}
        shares = hand_over(self._target, carried)
        for person, session in self._sessions.items():
            session.assign(shares.get(person, frozenset()))
        self._several = sum(map(len, carried.values())) > len(self._carried() & effective)
        self._settle_roads()

    def _is_fit(self, person: str, now: float) -> bool:
        able = self._sessions[person].is_live or self._keeper.access(person) is not None
        return able and person not in self._leaving and not self._records[person].is_resting(now)

    def _settle_roads(self) -> None:
        """A symbol is on the road of the stream that carries it; what was, and is carried no more, is on none."""
        carried = self._carried()
        moment = self._clock.now()
        self._poller.uncovered(self._wanted - carried)
        lost = [i for i in self._tape.book.symbols() if i not in carried and self._tape.road(i) is Road.UP]
        self._emit(self._tape.turn(lost, Road.DOWN, moment))
        self._emit(self._tape.turn(carried - self._repairing, Road.UP, moment))

    def _carried(self) -> frozenset[int]:
        """Every symbol that some live stream carries."""
        return frozenset[int]().union(*(session.carried for session in self._sessions.values()))

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        """Data of a stream."""
        record = self._records.get(session.person)
        if record is not None and record.failures and self._world.monotonic() - session.live_since > STABLE_S:
            record.worked()
        moment = self._clock.now()
        if (guard := self._guards.get(session.person)) is not None:
            guard.heard(patches, moment.mono)
        if self._repairing:
            self._repairing.difference_update(patch.symbol_id for patch in patches)
        self._emit(self._tape.received(patches, Source.STREAM, moment, several=self._several))

    def on_stream(self, session: StreamSession) -> None:
        """A stream came up, went down or carries other symbols."""
        if (guard := self._guards.get(session.person)) is not None:
            guard.follow(session.carried, is_live=session.is_live, now=self._world.monotonic())
        self._distribute()
        self._moved.set()
        self._announce()

    async def _leave(self, person: str) -> None:
        """Before a person's access token is replaced, others take over what their stream carries, if they can."""
        session = self._sessions.get(person)
        now = self._world.monotonic()
        others = any(self._is_fit(other, now) for other in self._sessions if other != person)
        if session is None or not session.is_live or not others:
            return
        self._leaving.add(person)
        self._distribute()
        while session.carried:
            self._moved.clear()
            await self._moved.wait()

    def on_failure(self, session: StreamSession) -> None:
        """A stream was lost or could not be had: its symbols go to others, if there are any."""
        record = self._records.get(session.person)
        if record is None or session.person in self._leaving or self._keeper.is_refreshing(session.person):
            return  # a refresh of ours ends streams; that is nobody's failure
        record.failed(self._world.monotonic())
        detail = f"{session.person}'s stream failed; its {len(session.assigned)} symbols go to others, if any"
        self._chronicle.note(Happening.ASSIGNMENT, Why.PERSON_FAILED, person=session.person, detail=detail)
        if record.failures == 1:
            self._visitor.call_on(session.person)
        self._distribute()

    # --- silence ---

    def _guard_streams(self) -> None:
        """Ask every guard; tell every machine how long silence is normal."""
        moment = self._clock.now()
        self._repairing &= self._carried()
        for person, guard in self._guards.items():
            session = self._sessions[person]
            session.tell(guard.watchdog.silence(moment.market))
            for effect in guard.step(moment.mono, moment.market):
                self._look_into(session, guard, effect)

    def _look_into(self, session: StreamSession, guard: Guard, effect: Effect) -> None:
        match effect:
            case CheckByQuote(symbol_ids=ids):
                assert self._group is not None
                self._group.create_task(self._check(guard, ids), name="check silent symbols")
            case Repair(symbol_id=symbol_id, reason=reason):
                self._note_watch(
                    session.person, reason, f"{symbol_id} is mute on {session.person}'s stream; asked anew"
                )
                self._repairing.add(symbol_id)
                self._emit(self._tape.turn([symbol_id], Road.RECOVERING, self._clock.now()))
                session.ask_again()
            case Reroute(symbol_id=symbol_id, reason=reason):
                self._note_watch(
                    session.person, reason, f"{symbol_id} stays mute; {session.person}'s stream is opened anew"
                )
                session.reopen(Why.STILL_MUTE)

    async def _check(self, guard: Guard, ids: Sequence[int]) -> None:
        """Compare what the stream brought with what REST says now."""
        try:
            _, frame = await self._desk.call(requests.quotes(ids), priority=Priority.LOOKUP)
        except UpstreamError:
            for symbol_id in ids:
                guard.watchdog.check_failed(symbol_id)
            return
        now = self._world.monotonic()
        session = next((s for person, s in self._sessions.items() if self._guards.get(person) is guard), None)
        for patch in frame.patches:
            newer = is_newer(patch, self._tape.book.get(patch.symbol_id))
            for effect in guard.watchdog.checked(patch.symbol_id, newer=newer, now=now):
                if session is not None:
                    self._look_into(session, guard, effect)
        self._polled(frame.patches)

    def _note_watch(self, person: str, reason: str, detail: str) -> None:
        self._chronicle.note(Happening.WATCH, reason, person=person, detail=detail, level=logging.WARNING)

    def _polled(self, patches: list[QuotePatch]) -> None:
        """Data of a poll or a look-up."""
        self._emit(self._tape.received(patches, Source.POLL, self._clock.now()))

    def _token_changed(self, person: str) -> None:
        if not self._keeper.is_refreshing(person):
            self._leaving.discard(person)
        session = self._sessions.get(person)
        if session is not None:
            session.token_changed()
        self._visitor.stir()
        self._announce()

    def _answered(self, person: str) -> None:
        """Questrade answered a call of this person: their stream, if it waits, need not wait on."""
        session = self._sessions.get(person)
        if session is not None:
            session.reachable()

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
                is_live=person in self._sessions and self._sessions[person].is_live,
                has_access=self._keeper.access(person) is not None,
            )
            for person in self._keeper.persons
        ]
        now = verdict(standings, self._wanted, self._carried(), self._poller.polled, reached=self._clock.is_measured)
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


def _token_state(state: TokenState | None, *, refreshing: bool) -> str:
    if state is None:
        return "unknown"
    return TokenState.REFRESHING.value if refreshing else state.value
