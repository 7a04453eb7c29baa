"""The visitor: asks Questrade the time in each person's name, now and then.

One cheap call measures Questrade's clock, keeps the session from ending (socket traffic does not), and shows that a
person whose stream is down could have one again.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

from quotewire.errors import AccessTokenError, RateLimitedError, UpstreamError, UpstreamRefusedError
from quotewire.questrade import requests
from quotewire.questrade.rest import ApiUnreachableError
from quotewire.upstream.clock import MarketClock
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.keeper import Keeper

EVERY_S: Final = 20 * 60.0  # a session ends after 30 minutes without a call
AGAIN_S: Final = 4.0  # after a call that failed
UNREACHED: Final = 2  # calls in a row without a connection, until another host is asked for
CALL_S: Final = 5.0
TICK_S: Final = 1.0


class Visitor:
    """Calls on everybody."""

    def __init__(
        self,
        keeper: Keeper,
        desk: Desk,
        clock: MarketClock,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keeper = keeper
        self._desk = desk
        self._clock = clock
        self._now = now
        self._next: dict[str, float] = {}
        self._tokens: dict[str, str] = {}
        self._jumps = clock.jumps
        self._unreached: dict[str, int] = {}
        self._failing: set[str] = set()
        self._visiting: set[str] = set()
        self._stir = asyncio.Event()

    def stir(self) -> None:
        """Somebody's token changed."""
        self._stir.set()

    def call_on(self, person: str) -> None:
        """Call on this person soon: their stream failed, and an answer would mean that it can be had again."""
        self._next[person] = 0.0
        self._stir.set()

    def doubt(self, person: str) -> None:
        """The person's API host could not be reached; find out whether that lasts."""
        if person not in self._unreached:
            self.call_on(person)

    async def run(self) -> None:
        """Visit until cancelled. Somebody whose call hangs keeps nobody else waiting."""
        async with asyncio.TaskGroup() as visits:
            while True:
                self._stir.clear()
                for person in self.take_due():
                    visits.create_task(self._visit(person), name=f"visit {person}")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._stir.wait()

    def take_due(self) -> list[str]:
        """Everybody who has a new token, or was not called on for a while; they count as called on from here on."""
        if self._jumps != self._clock.jumps:
            self._jumps = self._clock.jumps
            self._next.clear()
        due = []
        for person in self._keeper.persons:
            access = self._keeper.access(person)
            if access is None or person in self._visiting:
                continue
            is_new = self._tokens.get(person) != access.token
            if is_new or self._next.get(person, 0.0) <= self._now():
                self._tokens[person] = access.token
                due.append(person)
        self._visiting.update(due)
        return due

    async def _visit(self, person: str) -> None:
        try:
            await self._call(person)
        finally:
            self._visiting.discard(person)

    async def _call(self, person: str) -> None:
        started = self._now()
        try:
            async with asyncio.timeout(CALL_S):
                record = await self._desk.call_as(person, requests.time(), priority=Priority.LOOKUP)
            self._clock.measure(record.time, self._now() - started)
        except (UpstreamError, TimeoutError) as error:
            self._failed(person, error)
            return
        self._unreached.pop(person, None)
        self._keeper.reached(person)
        if person in self._failing:
            self._failing.discard(person)
            self._desk.nudge(person)
        self._next[person] = self._now() + EVERY_S

    def _failed(self, person: str, error: UpstreamError | TimeoutError) -> None:
        """Come again soon. A host that stays out of reach may be one that Questrade has given up."""
        self._next[person] = self._now() + AGAIN_S
        self._failing.add(person)
        if isinstance(error, ApiUnreachableError):
            self._unreached[person] = self._unreached.get(person, 0) + 1
            if self._unreached[person] >= UNREACHED:
                self._keeper.rehost(person)
        elif isinstance(error, (RateLimitedError, AccessTokenError, UpstreamRefusedError)):
            self._unreached.pop(person, None)  # it answers; a breaker that is open tells nothing about it
