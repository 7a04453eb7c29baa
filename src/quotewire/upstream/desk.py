"""The desk: every REST call of the upstream goes over it, in the name of whichever person can make it now.

Persons are tried in order. What a refusal means for the person (refresh, wait, leave alone for a while) is settled
here, so that callers see one answer or one error.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final, TypeVar

from quotewire.errors import (
    AccessTokenError,
    RateLimitedError,
    TokenSpentError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade.requests import ApiRequest, Category
from quotewire.questrade.rest import Access, RestClient
from quotewire.upstream.chronicle import Chronicle, Happening
from quotewire.upstream.keeper import Keeper

T = TypeVar("T")
OUT_OF_SCOPE: Final = 403


class Priority(IntEnum):
    """Whose call goes first when there is not enough budget for all; lower is more urgent."""

    STREAM = 0
    LOOKUP = 1
    CHECK = 2
    POLL = 3


class Desk:
    """Makes calls; knows who may not be asked just now."""

    def __init__(
        self, keeper: Keeper, rest: RestClient, *, chronicle: Chronicle, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._keeper = keeper
        self._rest = rest
        self._chronicle = chronicle
        self._now = now
        self._resting: dict[tuple[str, Category], float] = {}
        self.calls = 0
        self.failures = 0

    async def call(
        self, request: ApiRequest[T], *, priority: Priority = Priority.LOOKUP, deadline_s: float = 8.0
    ) -> tuple[str, T]:
        """Make a call in anybody's name; who made it, and the answer.

        Raises UpstreamRefusedError for a definite refusal, another UpstreamError when nobody could make it in time.
        """
        error: UpstreamError = UpstreamUnavailableError("no person's login can be used now")
        try:
            async with asyncio.timeout(deadline_s):
                for person in self._candidates(request.category):
                    try:
                        return person, await self.call_as(person, request, priority=priority)
                    except UpstreamRefusedError as refusal:
                        if refusal.status != OUT_OF_SCOPE:
                            raise
                        error = refusal
                    except UpstreamError as failure:
                        error = failure
        except TimeoutError:
            raise UpstreamUnavailableError(f"{request.endpoint}: no answer within {deadline_s:g} s") from None
        raise error

    async def call_as(self, person: str, request: ApiRequest[T], *, priority: Priority) -> T:
        """Make a call in one person's name; a refused access token is renewed and the call repeated once.

        Raises UpstreamError of every kind. The caller sets the deadline.
        """
        refused = ""
        for _ in range(2):
            async with self._keeper.use(person) as access:
                refused = access.token
                try:
                    return await self._send(access, request)
                except AccessTokenError as error:
                    self._note(person, request, error)
            await self._keeper.renew(person, refused)
        raise AccessTokenError(f"Questrade refused a new access token of {person} at once")

    async def _send(self, access: Access, request: ApiRequest[T]) -> T:
        self.calls += 1
        try:
            answer = await self._rest.send(access, request)
        except RateLimitedError as error:
            self._resting[access.person, request.category] = self._now() + error.retry_after_s
            self._note(access.person, request, error)
            raise
        except (UpstreamUnavailableError, UpstreamRefusedError) as error:
            self._note(access.person, request, error)
            raise
        return answer.value

    def _candidates(self, category: Category) -> list[str]:
        """Everybody who could make a call, those who are resting last."""
        able = [person for person in self._keeper.persons if not self._keeper.is_dead(person)]
        now = self._now()
        return sorted(able, key=lambda person: self._resting.get((person, category), 0.0) > now)

    def _note(self, person: str, request: ApiRequest[T], error: UpstreamError) -> None:
        self.failures += 1
        self._chronicle.note(
            Happening.CALL,
            error.code,
            person=person,
            detail=f"{request.endpoint} in {person}'s name: {error}",
            level=logging.WARNING,
        )


def is_final(error: UpstreamError) -> bool:
    """Whether the same call would fail again for anybody."""
    return isinstance(error, (UpstreamRefusedError, TokenSpentError))
