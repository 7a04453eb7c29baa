"""The steward of a live stream: what it carries, and its replacement without a break.

The connection machine knows how to get from no stream to a stream. The steward changes a stream that works: it asks for
new symbols in place, and where that is not enough, or the token changed, opens a new socket before it lets go of the
old one. Questrade closes the first socket of a login when the second opens, so the overlap is short; what the old
socket says in the meantime still counts, and its end does not, unless the new one fails.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any, Final, Protocol

from quotewire.errors import AccessTokenError, TokenSpentError, UpstreamError
from quotewire.questrade.stream import QuoteSocket
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff
from quotewire.upstream.adoption import Adoption, Habit
from quotewire.upstream.aim import Aim, Target
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.world import REAL, World

DEBOUNCE_S: Final = 0.15  # changes that come together go out as one request
ASK_S: Final = 15.0
REPLACE_S: Final = 25.0
HOLD_S: Final = 2.0
"""How long symbols count as carried though the old socket has ended and its replacement is not there yet."""
SLOW_S: Final = 2.0
"""A change of the stream that takes longer than most is not waited for: others stand in meanwhile, if they can."""
PACE: Final = Backoff(base_s=2.0, cap_s=60.0)
"""Between tries to change a stream that goes on meanwhile."""

Trouble = UpstreamError | TimeoutError


class Stream(Protocol):
    """What the steward needs of the session it serves."""

    person: str

    @property
    def is_live(self) -> bool:
        """Whether a socket is up and accepted."""

    @property
    def number(self) -> int | None:
        """The machine's number of the socket that counts."""

    @property
    def target(self) -> Target | None:
        """What the socket was opened for."""

    @property
    def assigned(self) -> frozenset[int]:
        """What the stream should carry."""

    def asks(self) -> frozenset[int]:
        """What a request that is about to leave asks for."""

    def carry(self, target: Target) -> None:
        """The socket carries what `target` says from now on."""

    def recount(self) -> None:
        """Look again at which symbols have shown that they are carried."""

    def swap(self, fresh: QuoteSocket, target: Target, since: float) -> None:
        """Read `fresh`, whose token was sent at `since`, from here on and let go of the old socket. Must not wait."""

    def ended(self, event: on.Event) -> None:
        """The socket is gone after all."""

    def give_up(self) -> None:
        """The socket is as good as gone."""

    def failed(self, trouble: Trouble) -> None:
        """The login does not work any more."""


class Steward:
    """Serves one session. `run` is its task; everything else only leaves a wish."""

    def __init__(
        self,
        stream: Stream,
        aim: Aim,
        adoption: Adoption,
        *,
        chronicle: Chronicle,
        world: World = REAL,
    ) -> None:
        self._stream = stream
        self._aim = aim
        self._adoption = adoption
        self._chronicle = chronicle
        self._chance = world.chance
        self._now = world.monotonic
        self._open_socket = world.open_socket
        self._stir = asyncio.Event()
        self._replace_why: Why | None = None
        self._ask_again = False
        self._failures = 0
        self._not_before = 0.0
        self._changing_since = float("inf")
        self._replacing = False
        self._ended_meanwhile: on.Event | None = None
        self._ended_at = 0.0
        self._lapse: asyncio.TimerHandle | None = None
        self._scope: asyncio.Timeout | None = None

    @property
    def has_lapsed(self) -> bool:
        """Whether the old socket ended too long ago to call its symbols carried."""
        return self._ended_meanwhile is not None and self._now() - self._ended_at >= self._hold_s

    @property
    def is_stuck(self) -> bool:
        """Whether the last try to change the stream failed, or one takes long."""
        return self._failures > 0 or self._now() - self._changing_since >= SLOW_S

    @property
    def rotates(self) -> bool:
        """Whether a new socket is wanted because of a new token."""
        return self._replace_why is Why.TOKEN_ROTATED

    @property
    def _hold_s(self) -> float:
        """A refresh ends the old socket for sure: its symbols are not carried from then on."""
        return 0.0 if self.rotates else HOLD_S

    def stir(self) -> None:
        """Something changed."""
        self._stir.set()

    def ask_again(self) -> None:
        """Ask for the same symbols once more: the stream has been silent too long."""
        self._ask_again = True
        self._stir.set()

    def replace(self, why: Why) -> None:
        """Move to a new socket."""
        self._replace_why = why
        self._stir.set()

    def reset(self) -> None:
        """The stream came up or went down: earlier wishes are void, and so is what is being done about them."""
        if self._scope is not None and not self._stream.is_live:
            self._scope.reschedule(asyncio.get_running_loop().time())
        self._replace_why, self._ask_again, self._ended_meanwhile = None, False, None
        self._failures, self._not_before = 0, 0.0
        self._stir.set()

    def holds(self, event: on.Event) -> bool:
        """Whether the end of the old socket is expected, because its replacement is under way."""
        if self._replacing and self._ended_meanwhile is None:
            self._ended_meanwhile, self._ended_at = event, self._now()
            self._lapse = asyncio.get_running_loop().call_later(self._hold_s, self._stream.recount)
        return self._replacing

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._until_stirred()
            if not self._stream.is_live or self._now() < self._not_before:
                continue
            if self._replace_why is not None:
                await self._while_live(self._replace(self._replace_why))
            elif self._ask_again or self._is_other():
                await self._while_live(self._ask())
            elif self._adoption.judge(self._now()):
                self.replace(Why.NOT_ADOPTED)
            else:
                self._stream.recount()

    async def _while_live(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, but leave it when the stream goes down: a socket of ours would end the one that the machine opens."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None) as self._scope:
                self._changing_since = self._now()
                try:
                    await work
                finally:
                    self._scope, self._changing_since = None, float("inf")

    async def _until_stirred(self) -> None:
        due = self._due_at()
        limit = None if due == float("inf") else max(due - self._now(), 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._stir.wait()
        self._stir.clear()

    def _due_at(self) -> float:
        """When there is something to do. A stream that is down is the machine's, and nothing is due here."""
        if not self._stream.is_live:
            return float("inf")
        has_wish = self._replace_why is not None or self._ask_again or self._is_other()
        return self._not_before if has_wish else max(self._not_before, self._adoption.due_at)

    def _is_other(self) -> bool:
        """Whether the stream carries other symbols than it should, or may have lost some of these."""
        target, assigned = self._stream.target, self._stream.assigned
        ids = target.ids if target is not None else frozenset[int]()
        return ids != assigned or self._aim.omissions.may_lack(assigned)

    # --- in place ---

    async def _ask(self) -> None:
        """Ask for the assigned set in place; a new socket follows where that is known not to be enough."""
        await asyncio.sleep(DEBOUNCE_S)
        ids, number, before = self._stream.assigned, self._stream.number, self._stream.target
        if not ids or not self._stream.is_live or before is None:
            return
        added = ids - before.ids
        if added and self._adoption.lesson.habit is Habit.REOPEN:
            self._adoption.asked(added, self._now())
            self.replace(Why.SYMBOLS_CHANGED)
            return
        try:
            async with asyncio.timeout(ASK_S):
                target = await self._aim.take(self._stream.asks)
        except (UpstreamError, TimeoutError) as trouble:
            self._postpone(Why.SYMBOLS_CHANGED, trouble)
            return
        if not self._stream.is_live or self._stream.number != number:
            return
        self._ask_again, self._failures = False, 0
        self._adoption.asked(target.ids - before.ids, self._now())
        if target.is_same_socket(before):
            self._stream.carry(target)
        else:
            self.replace(Why.TOKEN_ROTATED)

    # --- by a new socket ---

    async def _replace(self, why: Why) -> None:
        number = self._stream.number
        self._replacing, self._ended_meanwhile = True, None
        try:
            fresh, target, since = await self._open()
        except (UpstreamError, TimeoutError) as trouble:
            self._not_replaced(why, trouble)
            return
        finally:
            self._replacing = False
            if self._lapse is not None:
                self._lapse.cancel()
        if not self._stream.is_live or self._stream.number != number:
            await fresh.close()
            return
        self._replace_why, self._ask_again, self._failures = None, False, 0
        self._ended_meanwhile = None
        self._stream.swap(fresh, target, since)
        detail = f"{self._stream.person}'s stream moved to a new socket ({why})"
        self._chronicle.note(Happening.RECONNECT, why, person=self._stream.person, detail=detail)

    async def _open(self) -> tuple[QuoteSocket, Target, float]:
        async with asyncio.timeout(REPLACE_S):
            target = await self._aim.take(self._stream.asks)
            fresh = await self._open_socket(target.url)
            since = self._now()
            try:
                await fresh.authenticate(target.token)
            except BaseException:
                await fresh.close()
                raise
            return fresh, target, since

    def _not_replaced(self, why: Why, trouble: Trouble) -> None:
        """The new socket did not come up: the old one goes on if it still lives."""
        self._replacing = False
        ended, self._ended_meanwhile = self._ended_meanwhile, None
        if ended is not None:
            self._note(why, self._told(why, trouble), logging.WARNING)
            self._stream.ended(ended)
        elif why is Why.STREAM_MUTE and self._stream.is_live:  # the old one is proved dead: others may do better
            self._note(why, self._told(why, trouble), logging.WARNING)
            self._stream.give_up()
        elif isinstance(trouble, (TokenSpentError, AccessTokenError)) and self._stream.is_live:
            self._note(why, self._told(why, trouble), logging.WARNING)
            self._stream.failed(trouble)
        else:
            self._postpone(why, trouble)

    def _postpone(self, why: Why, trouble: Trouble) -> None:
        self._failures += 1
        self._not_before = self._now() + PACE.delay(self._failures, self._chance)
        self._note(why, self._told(why, trouble), logging.WARNING)

    def _told(self, why: Why, trouble: Trouble) -> str:
        return f"{self._stream.person}'s stream could not be changed ({why}): {str(trouble) or type(trouble).__name__}"

    def _note(self, why: Why, detail: str, level: int) -> None:
        self._chronicle.note(Happening.STREAM, why, person=self._stream.person, detail=detail, level=level)
