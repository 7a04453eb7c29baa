"""The patrol: looks after silence. Mute symbols are found by one REST quote and repaired; each stream's machine is told
how long silence is normal now, so that a quiet or closed market is never taken for a broken stream.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from quotewire.errors import UpstreamError
from quotewire.market.freshness import Road
from quotewire.market.quote import Quote, QuotePatch
from quotewire.questrade import requests
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.watchdog import CheckByQuote, Effect, Repair, Reroute, WatchdogConfig, WatchReason
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.guard import Guard
from quotewire.upstream.session import StreamSession
from quotewire.upstream.tape import Moment, Tape
from quotewire.upstream.tuning import DEFAULT

CHECK_S: Final = 4.0  # what REST gets to answer about a silent stream
SLEPT_S: Final = 10.0  # the wall clock ran ahead of the monotonic one by this: the machine slept, or was set


class Patrol:
    """A guard for each stream. `repairing` are symbols proved mute whose data have not come back yet."""

    def __init__(
        self,
        fleet: Fleet,
        tape: Tape,
        desk: Desk,
        *,
        chronicle: Chronicle,
        exchange_of: Callable[[int], str],
        emit: Callable[[list[Quote]], None],
        on_patches: Callable[[list[QuotePatch]], None],
        now: Callable[[], Moment],
        watchdog: WatchdogConfig = DEFAULT.watchdog,
    ) -> None:
        self.repairing: set[int] = set()
        self._fleet = fleet
        self._tape = tape
        self._desk = desk
        self._chronicle = chronicle
        self._exchange_of = exchange_of
        self._emit = emit
        self._on_patches = on_patches
        self._now = now
        self._watchdog = watchdog
        self._guards: dict[str, Guard] = {}
        self._next = 0.0
        self._is_doubting = False
        self._ahead_s = float("inf")

    def heard(self, session: StreamSession, patches: list[QuotePatch], now: float) -> None:
        """Data came over a stream; `now` is monotonic seconds."""
        self._guard(session.person).heard(patches, now)
        if self._is_doubting:
            self._doubt()
        if self.repairing:
            self.repairing.difference_update(patch.symbol_id for patch in patches)

    def follow(self, session: StreamSession, now: float) -> None:
        """A stream came up, went down or carries other symbols."""
        self._guard(session.person).follow(session.carried, is_live=session.is_live, now=now)

    async def round(self, group: asyncio.TaskGroup) -> None:
        """Look at every stream, if it is time, one after another with a turn for everything else in between. Whether
        the machine slept is looked at each time.
        """
        moment = self._now()
        self._notice_sleep(moment)
        if moment.mono < self._next:
            return
        self._next = moment.mono + self._watchdog.step_every_s
        self.repairing &= self._fleet.carried
        for person in self._guards.keys() - self._fleet.sessions.keys():
            del self._guards[person]
        for person, session in list(self._fleet.sessions.items()):
            await asyncio.sleep(0)
            if self._fleet.sessions.get(person) is session:
                self._look_at(session, group, self._now())
        self._doubt()

    def _look_at(self, session: StreamSession, group: asyncio.TaskGroup, moment: Moment) -> None:
        guard = self._guard(session.person)
        session.tell(guard.watchdog.silence(moment.market))
        for effect in guard.step(moment.mono, moment.market):
            if isinstance(effect, CheckByQuote):
                group.create_task(self._check(session, guard, effect.symbol_ids), name="check silent symbols")
            else:
                self._mend(session, effect)

    def _doubt(self) -> None:
        """Symbols of streams whose silence nobody can explain, because REST does not answer either, are not trusted."""
        doubted = [session for person, session in self._fleet.sessions.items() if self._guard(person).is_doubted]
        if doubted or self._is_doubting:
            self._is_doubting = bool(doubted)
            symbol_ids = frozenset[int]().union(*(session.carried for session in doubted))
            self._emit(self._tape.doubt(symbol_ids, self._now()))

    def _notice_sleep(self, moment: Moment) -> None:
        """After a sleep no stream can be believed until it was opened anew, and no wait need be waited out."""
        ahead_s = moment.ms / 1000 - moment.mono
        slept_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if slept_s < SLEPT_S:
            return
        for session in self._fleet.sessions.values():
            if session.is_live:
                self.repairing |= session.carried
                self._emit(self._tape.turn(session.carried, Road.RECOVERING, moment))
                session.reopen(Why.WOKE)
            else:
                session.tell(on.ClockJumped(slept_s))

    def _guard(self, person: str) -> Guard:
        guard = self._guards.get(person)
        if guard is None:
            guard = self._guards[person] = Guard(self._exchange_of, self._watchdog)
        return guard

    async def _check(self, session: StreamSession, guard: Guard, ids: Sequence[int]) -> None:
        """Compare what the stream brought with what REST says now."""
        try:
            _, frame = await self._desk.call(requests.quotes(ids), priority=Priority.LOOKUP, deadline_s=CHECK_S)
        except UpstreamError:
            for symbol_id in ids:
                guard.watchdog.check_failed(symbol_id)
            self._doubt()
            return
        now = self._now().mono
        for patch in frame.patches:
            newer = not guard.knows(patch, self._tape.book.get(patch.symbol_id))
            for effect in guard.watchdog.checked(patch.symbol_id, newer=newer, now=now):
                self._mend(session, effect)
        self._doubt()
        self._on_patches(frame.patches)

    def _mend(self, session: StreamSession, effect: Effect) -> None:
        match effect:
            case Repair(symbol_id=symbol_id, reason=reason):
                self._note(session.person, reason, f"{symbol_id} is mute on {session.person}'s stream; asked anew")
                self._distrust(session, frozenset({symbol_id}))
                session.ask_again()
            case Reroute(symbol_id=symbol_id, reason=WatchReason.STREAM_MUTE as reason):
                detail = f"{session.person}'s stream is mute, REST has a newer {symbol_id}; the stream is opened anew"
                self._note(session.person, reason, detail)
                self._distrust(session, session.carried)
                session.reopen(Why.STREAM_MUTE)
            case Reroute(symbol_id=symbol_id, reason=reason):
                self._note(session.person, reason, f"{symbol_id} stays mute; {session.person}'s stream is opened anew")
                session.reopen(Why.STILL_MUTE)
            case CheckByQuote():
                pass  # a check never asks for another

    def _distrust(self, session: StreamSession, symbol_ids: frozenset[int]) -> None:
        """These are mute on a stream: they have to recover, but for those that another stream carries as well."""
        others = (other.carried for other in self._fleet.sessions.values() if other is not session and other.is_live)
        alone = symbol_ids.difference(*others)
        self.repairing |= alone
        self._emit(self._tape.turn(alone, Road.RECOVERING, self._now()))

    def _note(self, person: str, reason: str, detail: str) -> None:
        self._chronicle.note(Happening.WATCH, reason, person=person, detail=detail, level=logging.WARNING)
