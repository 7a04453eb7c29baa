"""The desk: every REST call of the upstream goes over it, in the name of whichever person can make it now.

It keeps each person's budget and breakers, shared by streams, look-ups and polls. What a refusal means for the person
(refresh, wait, leave alone for a while) is settled here, so that callers see one answer or one error.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from quotewire.errors import (
    AccessTokenError,
    RateLimitedError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade.requests import ApiRequest, Endpoint
from quotewire.questrade.rest import Access, ApiUnreachableError, RestClient
from quotewire.questrade.wire import QuotesFrame, Rows
from quotewire.resilience.breaker import Changed, Circuit
from quotewire.resilience.budget import BudgetView, Category, Priority
from quotewire.upstream.allowance import OUT_OF_SCOPE, Allowance, Closed, Grant, Wait
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.world import REAL, World

__all__ = ["Desk", "Priority"]

T = TypeVar("T")
MOST_LOST: Final = 1000  # unreadable rows that are told of
LONGEST_NAP_S: Final = 1.0  # waiting for budget, look again at least this often


class Desk:
    """Makes calls; knows who may not be asked just now.

    `on_answer(person)` is called after each call that was answered, `on_unreachable(person)` when the host of the
    person's token could not be reached.
    """

    def __init__(
        self,
        keeper: Keeper,
        rest: RestClient,
        *,
        chronicle: Chronicle,
        on_answer: Callable[[str], None] = lambda person: None,
        on_unreachable: Callable[[str], None] = lambda person: None,
        world: World = REAL,
    ) -> None:
        self._keeper = keeper
        self._rest = rest
        self._chronicle = chronicle
        self._on_answer = on_answer
        self._on_unreachable = on_unreachable
        self._now = world.monotonic
        self._wall = world.wall
        self._allowances: dict[str, Allowance] = {}
        self.calls = 0
        self.failures = 0
        self.waits = 0
        self.rows_lost = 0
        self._told_lost: set[tuple[Endpoint, int]] = set()

    def report(self, person: str) -> dict[str, Any]:
        """The person's budgets and breakers."""
        return self._allowance(person).report(self._now())

    def blocked_s(self, person: str) -> float:
        """For how long Questrade's limits forbid to ask for a stream in this person's name."""
        return self._allowance(person).budget.view(Category.MARKET, self._now()).blocked_for_s

    def budgets(self, person: str) -> dict[Category, BudgetView]:
        """The person's budgets as they stand."""
        return {category: self._allowance(person).budget.view(category, self._now()) for category in Category}

    def breakers(self, person: str) -> dict[Endpoint, Circuit]:
        """The person's breakers that were ever needed."""
        return {endpoint: breaker.state for endpoint, breaker in self._allowance(person).breakers.items()}

    @property
    def breakers_open(self) -> int:
        """Breakers that are not closed."""
        breakers = [b for allowance in self._allowances.values() for b in allowance.breakers.values()]
        return sum(breaker.state is not Circuit.CLOSED for breaker in breakers)

    def nudge(self, person: str) -> None:
        """Questrade can be reached again in this person's name."""
        self._allowance(person).nudge(self._now())

    async def call(
        self, request: ApiRequest[T], *, priority: Priority = Priority.LOOKUP, deadline_s: float = 8.0
    ) -> tuple[str, T]:
        """Make a call in anybody's name; who made it, and the answer. Who hit the limit of the second is asked again
        once that is over, when the others could not make it either.

        Raises UpstreamRefusedError for a definite refusal, RateLimitedError at once when no limit allows a call in
        time, another UpstreamError when nobody could make it in time.
        """
        error: UpstreamError = UpstreamUnavailableError("no person's login can be used now")
        tried: set[str] = set()
        hurried: set[str] = set()
        until = self._now() + deadline_s
        try:
            async with asyncio.timeout(deadline_s):
                while (person := await self._choose(request, priority, tried, until)) is not None:
                    tried.add(person)
                    try:
                        return person, await self._granted(person, request, priority)
                    except UpstreamRefusedError as refusal:
                        if refusal.status != OUT_OF_SCOPE:
                            raise
                        error = refusal
                    except UpstreamError as failure:
                        error = failure
                        if isinstance(failure, RateLimitedError) and not failure.hourly and person not in hurried:
                            hurried.add(person)
                            tried.discard(person)
        except TimeoutError:
            raise UpstreamUnavailableError(f"{request.endpoint}: no answer within {deadline_s:g} s") from None
        raise error

    async def call_as(self, person: str, request: ApiRequest[T], *, priority: Priority) -> T:
        """Make a call in one person's name, once their budget allows. The caller sets the deadline.

        A refused access token is renewed and the call repeated once. Raises UpstreamError of every kind.
        """
        if await self._choose(request, priority, set(self._keeper.persons) - {person}) is None:
            raise UpstreamUnavailableError(
                f"{request.endpoint} keeps failing for {person}; it is left alone for a while"
            )
        return await self._granted(person, request, priority)

    async def _choose(
        self, request: ApiRequest[T], priority: Priority, tried: Iterable[str], until: float = float("inf")
    ) -> str | None:
        """Wait until somebody who was not tried is granted the call; None when there is nobody to wait for.

        Raises RateLimitedError when the limits grant it to nobody before `until`.
        """
        while True:
            naps: list[float] = []
            for person in self._candidates(request, tried):
                match self._allowance(person).ask(request.endpoint, request.category, priority, self._now()):
                    case Grant(changed=changed):
                        self._tell(person, request, changed)
                        return person
                    case Wait(seconds=seconds):
                        naps.append(seconds)
                    case Closed():
                        pass
            if not naps:
                return None
            self.waits += 1
            if self._now() + min(naps) > until:
                raise _limited(request, min(naps))
            await asyncio.sleep(min(*naps, LONGEST_NAP_S))

    def _candidates(self, request: ApiRequest[T], tried: Iterable[str]) -> list[str]:
        """Everybody who could make a call, in order; those with less prospect of it come last."""
        able = [person for person in self._keeper.persons if person not in tried and not self._keeper.is_dead(person)]

        def doubts(person: str) -> tuple[bool, bool]:
            return self._keeper.access(person) is None, not self._allowance(person).is_ready(request.endpoint)

        return sorted(able, key=doubts)

    async def _granted(self, person: str, request: ApiRequest[T], priority: Priority) -> T:
        """Make a call that was granted; after a refused access token once more, with a new one."""
        refused = ""
        with contextlib.suppress(AccessTokenError):
            async with self._keeper.use(person) as access:
                refused = access.token
                return await self._send(access, request)
        await self._keeper.renew(person, refused)
        return await self._again(person, request, priority)

    async def _again(self, person: str, request: ApiRequest[T], priority: Priority) -> T:
        others = set(self._keeper.persons) - {person}
        if await self._choose(request, priority, others) is None:
            raise UpstreamUnavailableError(f"{request.endpoint} is left alone for {person} for a while")
        async with self._keeper.use(person) as access:
            return await self._send(access, request)

    async def _send(self, access: Access, request: ApiRequest[T]) -> T:
        allowance = self._allowance(access.person)
        if (held_s := allowance.budget.paused_s(request.category, self._now())) > 0:
            await asyncio.sleep(held_s)  # a 429 came while this call waited for an exchange of tokens
        self.calls += 1
        try:
            answer = await self._rest.send(access, request)
        except UpstreamError as error:
            self.failures += 1
            self._note(access.person, request, error)
            if isinstance(error, ApiUnreachableError):
                self._on_unreachable(access.person)
            self._tell(access.person, request, allowance.failed(request.endpoint, request.category, error, self._now()))
            raise
        if answer.rate is not None:
            reset_in_s = answer.rate.reset_in_s(self._wall())
            allowance.observe(request.category, answer.rate.remaining, reset_in_s, self._now())
        self._tell(access.person, request, allowance.succeeded(request.endpoint, self._now()))
        self._on_answer(access.person)
        if isinstance(answer.value, (Rows, QuotesFrame)) and answer.value.lost:
            self._tell_lost(access.person, request.endpoint, answer.value.lost)
        return answer.value

    def _tell_lost(self, person: str, endpoint: Endpoint, lost: Sequence[int]) -> None:
        """Rows of an answer could not be read: that is told once, since whoever asks for them does so again."""
        self.rows_lost += len(lost)
        for symbol_id in lost:
            if (endpoint, symbol_id) in self._told_lost or len(self._told_lost) >= MOST_LOST:
                continue
            self._told_lost.add((endpoint, symbol_id))
            what = str(symbol_id) if symbol_id else "a symbol whose id cannot be read either"
            detail = f"{endpoint} in {person}'s name: the row of {what} cannot be read; the others are used"
            self._chronicle.note(
                Happening.CALL, Why.ROW_UNREADABLE, person=person, detail=detail, level=logging.WARNING
            )

    def _allowance(self, person: str) -> Allowance:
        allowance = self._allowances.get(person)
        if allowance is None:
            allowance = self._allowances[person] = Allowance()
        return allowance

    def _note(self, person: str, request: ApiRequest[T], error: UpstreamError) -> None:
        detail = f"{request.endpoint} in {person}'s name: {error}"
        self._chronicle.note(Happening.CALL, error.code, person=person, detail=detail, level=logging.WARNING)

    def _tell(self, person: str, request: ApiRequest[T], changes: Iterable[Changed]) -> None:
        for change in changes:
            detail = f"{request.endpoint} for {person}: the breaker is {change.after} ({change.reason})"
            level = logging.INFO if change.after is Circuit.CLOSED else logging.WARNING
            self._chronicle.note(Happening.BREAKER, change.reason, person=person, detail=detail, level=level)


def _limited(request: ApiRequest[Any], wait_s: float) -> RateLimitedError:
    told = f"{request.endpoint}: Questrade's limits leave no call for this now; ask again in {max(wait_s, 1.0):.0f} s"
    return RateLimitedError(told, retry_after_s=wait_s, hourly=True)
