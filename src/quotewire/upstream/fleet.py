"""The fleet: everybody's streams as one. Who carries which symbol, who is left out for a while, and who takes over.

It owns the sessions and their tasks. Nothing is dropped before somebody else has it: see `plan.hand_over`.
"""

import asyncio
import logging
from collections.abc import Set
from typing import Final, Protocol

from quotewire.market.quote import QuotePatch
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.upstream.adoption import Lesson
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.desk import Desk
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.plan import Assignment, Bearer, Limits, Rank, bridge, hand_over, plan
from quotewire.upstream.pool import Record
from quotewire.upstream.session import StreamSession
from quotewire.upstream.world import World

STABLE_S: Final = 30.0  # a stream that lived this long makes up for its person's failures
SWITCH_OFF_S: Final = 5.0  # what others get to take over from a person whose streaming was switched off
TOGETHER_S: Final = 2.0  # streams that end within so short a time end for one reason
OVERLAP_S: Final = 0.4  # for so long two streams carry what moves from one to the other
BRIDGED_S: Final = 0.4  # who has waited so long for a stream that is not up is carried by others meanwhile
LONG_OVERLAP_S: Final = 3.0
BOUND_S: Final = 10.0  # limits that last less long are waited out
SETTLE_ROUNDS: Final = 10  # telling one session may change another; the next look finishes what is left


class FleetSink(Protocol):
    """Who takes what the fleet brings. Called in the event loop; must not wait."""

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        """Quotes came over a stream."""

    def on_carried(self) -> None:
        """What the streams carry, taken together, may have changed."""

    def is_placed(self, session: StreamSession, symbol_id: int) -> bool:
        """Whether it is certain what the stream has brought of a symbol, beside others."""

    def on_turn(self, session: StreamSession) -> None:
        """A stream came up, went down, or carries other symbols."""

    def on_first_failure(self, person: str) -> None:
        """A person's stream failed for the first time in a while."""


class Fleet:
    """All sessions. `want` says what they should carry together."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        desk: Desk,
        chronicle: Chronicle,
        sink: FleetSink,
        limits: Limits,
        doubles: bool,
        lifecycle: LifecycleConfig,
        world: World,
    ) -> None:
        self.sessions: dict[str, StreamSession] = {}
        self.lesson = Lesson()
        self._keeper = keeper
        self._desk = desk
        self._chronicle = chronicle
        self._sink = sink
        self._limits = limits
        self._doubles = doubles
        self.is_doubled = False
        self._lifecycle = lifecycle
        self._world = world
        self._wanted: frozenset[int] = frozenset()
        self._lingering: frozenset[int] = frozenset()
        self._ended_at: dict[str, float] = {}
        self._without_since: dict[int, float] = {}
        self._owners: dict[str, asyncio.Task[None]] = {}
        self._records: dict[str, Record] = {}
        self._tokens: dict[str, str] = {}
        self._leaving: set[str] = set()
        self._off_since: dict[str, float] = {}
        self._moved = asyncio.Event()
        self._target: Assignment = {}
        self._is_planning = False
        self._plan_again = False
        self.is_handing_over = False  # somebody waits for others to take over: `distribute` again soon

    def __repr__(self) -> str:
        return f"<Fleet sessions={list(self.sessions)} wanted={len(self._wanted)} carried={len(self.carried)}>"

    @property
    def carried(self) -> frozenset[int]:
        """Every symbol that some live stream carries."""
        return frozenset[int]().union(*(session.carried for session in self.sessions.values()))

    @property
    def trusted(self) -> frozenset[int]:
        """What of `carried` some stream has for certain: no request under way may have taken it away."""
        now = self._world.monotonic()
        return frozenset[int]().union(*(session.trusted(now) for session in self.sessions.values()))

    @property
    def renewing(self) -> frozenset[int]:
        """Symbols whose stream was ended by a refresh of ours and is expected back at once."""
        now = self._world.monotonic()
        return frozenset[int]().union(*(x.assigned for x in self.sessions.values() if x.is_renewing(now)))

    def want(self, symbol_ids: Set[int], lingering: Set[int] = frozenset()) -> None:
        """Carry these, together; and where there is room go on with those that are `lingering`."""
        self._wanted, self._lingering = frozenset(symbol_ids), frozenset(lingering)
        self.distribute()

    def follow(self, group: asyncio.TaskGroup) -> None:
        """A session for everybody; none for those who were removed."""
        persons = self._keeper.persons
        for person in persons:
            if person not in self.sessions:
                session = self.sessions[person] = self._session(person)
                self._records[person] = Record()
                self._owners[person] = group.create_task(session.run(), name=f"session {person}")
        for person in self.sessions.keys() - set(persons):
            del self.sessions[person], self._records[person]
            self._tokens.pop(person, None)
            self._ended_at.pop(person, None)
            self._owners.pop(person).cancel()
            self._sink.on_carried()

    def distribute(self) -> None:
        """Decide who carries what, and tell every session its share.

        Telling one may end its stream at once, which comes back here: then the plan is made again when all are told.
        """
        self._plan_again = True
        if self._is_planning:
            return
        self._is_planning = True
        try:
            for _ in range(SETTLE_ROUNDS):
                if not self._plan_again:
                    break
                self._plan_again = False
                self._distribute()
        finally:
            self._is_planning = False
        self._moved.set()
        self._sink.on_carried()

    def token_changed(self, person: str) -> None:
        """The keeper has another token of this person."""
        if not self._keeper.is_refreshing(person):
            self._leaving.discard(person)
        if (session := self.sessions.get(person)) is None:
            return
        session.token_changed()
        access = self._keeper.access(person)
        if access is not None and self._tokens.get(person) != access.token:
            self._tokens[person] = access.token
            self._records[person].healed()
        self.distribute()

    def reached(self, person: str) -> None:
        """Questrade answered a call of this person: their stream, if it waits, need not wait on."""
        if (session := self.sessions.get(person)) is not None:
            session.reachable()

    async def leave(self, person: str) -> None:
        """Before a person's access token is replaced, others take over what their stream carries, if they can.

        Ends when they have; the caller sets the deadline.
        """
        session = self.sessions.get(person)
        now = self._world.monotonic()
        if session is None or not session.is_live or not self._others(person, now):
            return
        self._leaving.add(person)
        self.distribute()
        while session.carried - self._target.get(person, frozenset()):
            self._moved.clear()
            await self._moved.wait()

    # --- what sessions tell ---

    def on_patches(self, session: StreamSession, patches: list[QuotePatch]) -> None:
        """Data of a stream."""
        record = self._records.get(session.person)
        if record is not None and record.failures and self._world.monotonic() - session.live_since > STABLE_S:
            record.worked()
        self._sink.on_patches(session, patches)

    def on_stream(self, session: StreamSession) -> None:
        """A stream came up, went down or carries other symbols."""
        self._sink.on_turn(session)
        self.distribute()
        self._moved.set()

    def on_end(self, session: StreamSession) -> bool:
        """A stream that worked was ended by Questrade: whether it was the only one, within a moment.

        Several at once are Questrade's own trouble rather than somebody who takes them.
        """
        now = self._world.monotonic()
        others = [x for x, at in self._ended_at.items() if x != session.person and now - at <= TOGETHER_S]
        self._ended_at[session.person] = now
        for other in others:
            self.sessions[other].rivalry.pardon()
        return not others

    def on_failure(self, session: StreamSession, *, was_dropped: bool) -> None:
        """A stream was lost or could not be had: its symbols go to others, if there are any."""
        record = self._records.get(session.person)
        if record is None or session.person in self._leaving or self._keeper.is_refreshing(session.person):
            return  # a refresh of ours ends streams; that is nobody's failure
        now = self._world.monotonic()
        record.failed(now, session.rivalry.held_until, was_dropped=was_dropped)
        others = self._others(session.person, now)
        if session.assigned and others:
            detail = f"{session.person}'s stream failed; its {len(session.assigned)} symbols go to {', '.join(others)}"
            left = len(self._wanted) - sum(map(self._limit, others))
            if left > 0:
                detail += f", who have room for all but {left}"
            self._chronicle.note(Happening.FAILOVER, Why.PERSON_FAILED, person=session.person, detail=detail)
        if record.failures == 1:
            self._sink.on_first_failure(session.person)
        self.distribute()

    # --- inside ---

    def _session(self, person: str) -> StreamSession:
        return StreamSession(
            person,
            keeper=self._keeper,
            desk=self._desk,
            chronicle=self._chronicle,
            lesson=self.lesson,
            sink=self,
            config=self._lifecycle,
            world=self._world,
        )

    def _distribute(self) -> None:
        now = self._world.monotonic()
        bearers = self._bearers(now)
        copies = 2 if self._doubles else 1
        self._target = plan(self._wanted, bearers, self._current(now), copies=copies, lingering=self._lingering)
        self._tell_doubling(sum(bearer.rank <= Rank.WORKING for bearer in bearers))
        kept = self._wanted | self._lingering
        carried = {who: x.carried & kept for who, x in self.sessions.items() if self._may_wait(who, now)}
        taken = {person: self._taken_over(session, now) for person, session in self.sessions.items()}
        shares = hand_over(self._target, carried, taken)
        missing = self._missing(now)
        asked = {who: x.assigned for who, x in self.sessions.items()}
        shares = bridge(shares, missing, self._room(shares, now), asked, self._lingering)
        for person, session in self.sessions.items():
            session.assign(shares.get(person, frozenset()))
        self._try_at_once(now)
        planned = frozenset[int]().union(*self._target.values())
        waits = any(self._target.get(who, frozenset()) != ids for who, ids in shares.items())
        self.is_handing_over = waits or (len(self.sessions) > 1 and not planned <= self.carried)

    def _missing(self, now: float) -> frozenset[int]:
        """What no stream has carried for a moment, because its bearer's is not up or does not take it."""
        without = self._wanted - self.carried
        self._without_since = {each: self._without_since.get(each, now) for each in without}
        coming = [x for who, x in self.sessions.items() if self._takes(x) and who not in self._leaving]
        coming_ids = frozenset[int]().union(*(self._target.get(x.person, frozenset()) for x in coming))
        planned = frozenset[int]().union(*self._target.values())
        return frozenset(
            each for each in planned & without - coming_ids if now - self._without_since[each] >= BRIDGED_S
        )

    def _takes(self, session: StreamSession) -> bool:
        """Whether a stream is up and takes new symbols, as far as is known."""
        return session.is_live and not session.is_stuck and not session.has_lapsed

    def _room(self, shares: Assignment, now: float) -> dict[str, int]:
        """How many symbols more the streams that are up can take, were it in place of what lingers."""
        bound = self._bound(now)
        able = [who for who, x in self.sessions.items() if self._takes(x) and who not in bound]
        return {
            who: self._limit(who) - len(shares.get(who, frozenset()) - self._lingering)
            for who in able
            if self._rank(who, now) <= Rank.WORKING
        }

    def _taken_over(self, session: StreamSession, now: float) -> frozenset[int]:
        """What others may let go of: what the stream has carried for a moment, and longer while the two streams bring
        what looks alike, so that nobody could say which of it was missed.
        """
        taken = session.carried_for(OVERLAP_S, now)
        unplaced = {symbol_id for symbol_id in taken if not self._sink.is_placed(session, symbol_id)}
        return taken - unplaced | session.carried_for(LONG_OVERLAP_S, now) if unplaced else taken

    def _current(self, now: float) -> Assignment:
        """Who was to carry what; of somebody whose hour is used up, what they do carry."""
        bound = self._bound(now)
        return {
            person: ids & self.sessions[person].carried if person in bound else ids
            for person, ids in self._target.items()
            if person in self.sessions
        }

    def _bearers(self, now: float) -> list[Bearer]:
        """Everybody who may be asked. Who has no access token is, when there is nobody else: then it is sought."""
        bound, current = self._bound(now), self._current(now)
        bearers = [
            Bearer(person, self._rank(person, now), len(current.get(person, ())) if person in bound else limit)
            for person in self._keeper.persons
            if person in self.sessions and self._may_bear(person, now) and (limit := self._limit(person))
        ]
        able = [x for x in bearers if x.rank < Rank.RESTING or self._keeper.access(x.person) is not None]
        return able if any(bearer.rank < Rank.RESTING for bearer in able) else bearers

    def _rank(self, person: str, now: float) -> Rank:
        session = self.sessions[person]
        if self._is_fit(person, now):
            return Rank.FIT
        if session.is_live and person not in self._leaving:
            return Rank.WORKING
        if self._is_renewing(person, now):
            return Rank.EAGER
        record = self._records[person]
        if self._keeper.access(person) is None or now < session.rivalry.held_until or not record.is_eager(now):
            return Rank.RESTING
        return Rank.TRYING if record.is_trying else Rank.EAGER

    def _is_renewing(self, person: str, now: float) -> bool:
        """Whether a refresh of ours is about to end the stream, or did, and it is expected back."""
        return person in self._leaving or self.sessions[person].is_renewing(now)

    def _try_at_once(self, now: float) -> None:
        """A stream that was dropped, and is needed because nobody else has room, does not wait out its back-off."""
        for person, session in self.sessions.items():
            record = self._records[person]
            if session.is_live or not session.assigned:
                record.is_trying = False
            elif (
                self._rank(person, now) is Rank.EAGER and not self._is_renewing(person, now) and record.try_at_once(now)
            ):
                session.retry()

    def _others(self, person: str, now: float) -> list[str]:
        """Whose streams can take over from this person's."""
        return [other for other in self.sessions if other != person and self._rank(other, now) <= Rank.WORKING]

    def _may_bear(self, person: str, now: float) -> bool:
        """Whether the person is asked at all. While another program has the stream, only if nobody else has room, and
        not too soon.
        """
        session = self.sessions[person]
        is_held = now < session.rivalry.missed_at and not session.is_live
        return self._keeper.may_stream(person) and not self._keeper.is_dead(person) and not is_held

    def _tell_doubling(self, fit: int) -> None:
        """In A/B mode: whether there are two who can carry each symbol."""
        if not self._doubles or self.is_doubled is (fit > 1):
            return
        self.is_doubled = fit > 1
        if self.is_doubled:
            self._chronicle.note(Happening.ASSIGNMENT, Why.DOUBLED, detail="each symbol is carried on two streams")
        else:
            detail = "fewer than two logins can stream now: each symbol is carried once"
            self._chronicle.note(Happening.ASSIGNMENT, Why.NOT_DOUBLED, detail=detail, level=logging.WARNING)

    def _may_wait(self, person: str, now: float) -> bool:
        """Whether the person's stream may go on until others have taken over. One that was switched off may not for
        long: its person's other platforms are frozen meanwhile.
        """
        if self._keeper.may_stream(person):
            self._off_since.pop(person, None)
            return True
        return now - self._off_since.setdefault(person, now) < SWITCH_OFF_S

    def _bound(self, now: float) -> set[str]:
        """Whose hour is used up, and who is about to be refreshed: their streams go on with what they carry, and
        nothing new can be asked for.

        Empty when that leaves nobody who can: then they keep trying.
        """
        bound = {who for who in self.sessions if who in self._leaving or self._desk.blocked_s(who) > BOUND_S}
        return bound if any(self._is_fit(person, now) for person in self.sessions.keys() - bound) else set()

    def _limit(self, person: str) -> int:
        most = self.sessions[person].aim.most
        return self._limits.symbols_per_stream if most is None else min(most, self._limits.symbols_per_stream)

    def _is_fit(self, person: str, now: float) -> bool:
        able = self.sessions[person].is_live or self._keeper.access(person) is not None
        may = self._keeper.may_stream(person) and person not in self._leaving
        return able and may and not self._records[person].is_resting(now)
