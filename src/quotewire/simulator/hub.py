"""Every live socket of every person: who gets which change, who is evicted, whose token has ended."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from websockets.asyncio.server import ServerConnection

from quotewire.simulator.faults import Seam
from quotewire.simulator.ledger import Ledger
from quotewire.simulator.rows import Change
from quotewire.simulator.sockets import Ending, Extra
from quotewire.simulator.tokens import AccessState
from quotewire.simulator.world import World

QUOTES: Final = "quotes"
NOTIFICATIONS: Final = "notifications"
LONGEST_EXTRAS: Final = 10_000
UNAUTHORIZED: Final = b'{"code":1017,"message":"Access token is invalid"}'


@dataclass(eq=False, slots=True)
class Session:
    """One authorized socket and what it is owed."""

    number: int
    person: str
    kind: str
    token: str
    connection: ServerConnection
    owed: deque[Change]
    extras: deque[Extra] = field(default_factory=lambda: deque(maxlen=LONGEST_EXTRAS))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    ending: Ending | None = None
    replaced_at: float | None = None
    outlives_token: bool = False

    def end(self, ending: Ending) -> None:
        """Ask the socket to end; the first reason counts."""
        if self.ending is None:
            self.ending = ending
            self.ended.set()

    def push(self, extra: Extra) -> None:
        """Owe it a frame."""
        self.extras.append(extra)
        self.wake.set()

    def owe(self, changes: Iterable[Change], ledger: Ledger) -> None:
        """Owe it changes; when it owes too many the oldest are dropped and counted."""
        for change in changes:
            if len(self.owed) == self.owed.maxlen:
                ledger.dropped[self.person] += 1
            self.owed.append(change)
        self.wake.set()


class StreamHub:
    """The live sockets: one quote socket and one notification socket a person."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._live: dict[tuple[str, str], Session] = {}

    def sessions(self, person: str | None = None, kind: str = "any") -> list[Session]:
        """The live sockets of a person (of all when None) and a kind."""
        return [each for each in self._live.values() if person in (None, each.person) and kind in ("any", each.kind)]

    def join(self, session: Session) -> None:
        """A socket is authorized: the person's older one of the same kind is evicted; the full first frame is owed."""
        older = self._live.get((session.person, session.kind))
        if older is not None:
            older.end(Ending("evicted", self._world.config.evict_style, self._world.config.evict_code))
        self._live[session.person, session.kind] = session
        if session.kind == QUOTES:
            session.owe(self._snapshot(self._world.subscriptions.open(session.person)), self._world.ledger)

    def leave(self, session: Session) -> None:
        """A socket is gone."""
        if self._live.get((session.person, session.kind)) is session:
            del self._live[session.person, session.kind]
            if session.kind == QUOTES:
                self._world.subscriptions.close(session.person)

    def subscribe(self, person: str, ids: tuple[int, ...]) -> None:
        """A subscription call: symbols new on the live socket are sent in full at once."""
        new = self._world.subscriptions.ask(person, ids)
        session = self._live.get((person, QUOTES))
        if session is not None and new:
            session.owe(self._snapshot([each for each in ids if each in new]), self._world.ledger)

    def publish(self, changes: list[Change]) -> None:
        """Owe each quote socket the changes of its symbols."""
        if not changes:
            return
        for session in self.sessions(kind=QUOTES):
            wanted = self._world.subscriptions.carried(session.person) - self._silent(session.person)
            mine = [change for change in changes if change.row.symbol_id in wanted]
            if self._world.config.conflate:
                mine = list({change.row.symbol_id: change for change in mine}.values())
            if mine:
                session.owe(mine, self._world.ledger)

    def check(self) -> None:
        """End the sockets whose token has ended or whose person has made no REST call for too long."""
        now = self._world.monotonic()
        for session in self.sessions():
            state = self._world.desk.holder(session.token, self._world.real_now()).state
            if session.outlives_token:
                pass
            elif state is AccessState.REPLACED:
                self._outlive(session, now)
            elif state is not AccessState.VALID:
                session.end(Ending(f"token_{state.value}", *self._bad_token(), error=UNAUTHORIZED))
            if now - self._world.last_rest.get(session.person, now) > self._world.config.session_idle_s:
                session.end(Ending("session_idle"))

    def unauthorized(self, reason: str) -> Ending:
        """The ending of a socket whose token is refused: error 1017, then close."""
        return Ending(reason, *self._bad_token(), error=UNAUTHORIZED)

    def _outlive(self, session: Session, now: float) -> None:
        grace = self._world.config.refresh_ends_stream_s
        if session.replaced_at is None:
            session.replaced_at = now
        if grace >= 0 and now - session.replaced_at >= grace:
            session.end(self.unauthorized("token_replaced"))

    def _bad_token(self) -> tuple[str, int]:
        code = self._world.config.bad_token_code
        return ("code", code) if code else ("no_status", 1000)

    def _silent(self, person: str) -> frozenset[int]:
        silent: frozenset[int] = frozenset()
        for fault in self._world.faults.standing(Seam.STREAM, person, self._world.monotonic()):
            if fault.spec.name == "silent_symbol":
                silent |= fault.params["symbols"] or self._world.subscriptions.carried(person)
        return silent

    def _snapshot(self, ids: Iterable[int]) -> list[Change]:
        rows = [self._world.market.row(each) for each in ids]
        return [Change(self._world.market.now, row) for row in rows if row is not None]
