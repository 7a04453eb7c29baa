"""Where a person's next stream socket goes, and the request that tells Questrade what it is to carry."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from quotewire.errors import AccessTokenError, UpstreamRefusedError, UpstreamUnavailableError
from quotewire.questrade import requests
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.omissions import Omissions

TOO_LONG_STATUS: Final = frozenset({413, 414, 431})
TOO_LONG_CODES: Final = frozenset({1003, 1005, 1024})
"""What Questrade says of a list that is too long; how long it may be is documented nowhere."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to open a socket, with which access token, and what it will carry."""

    url: str
    token: str = field(repr=False)
    ids: frozenset[int] = field(repr=False)

    def is_same_socket(self, other: "Target") -> bool:
        """Whether a socket opened for `other` serves this target too."""
        return (self.url, self.token) == (other.url, other.token)


class Aim:
    """Takes aim for one person. `close` when done; `now` is monotonic seconds."""

    def __init__(self, person: str, keeper: Keeper, desk: Desk, now: Callable[[], float]) -> None:
        self._person = person
        self._keeper = keeper
        self._desk = desk
        self._now = now
        self.omissions = Omissions()
        self._under_way: asyncio.Task[Target] | None = None
        self.most: int | None = None  # symbols in one request, once Questrade found a list too long

    async def take(self, ids: Callable[[], frozenset[int]]) -> Target:
        """Have the person's stream carry exactly what `ids` gives when it is asked for; where it is.

        One request at a time, also where nobody waits for the earlier one any more: two under way could reach
        Questrade in the other order, and the older list would count. The caller sets the deadline. Raises UpstreamError
        of every kind.
        """
        await self._keeper.settled(self._person)
        while self._under_way is not None:
            await asyncio.wait({self._under_way})
        asking = self._under_way = asyncio.create_task(self._ask(ids()), name=f"aim {self._person}")
        asking.add_done_callback(self._done)
        return await asyncio.shield(asking)

    async def close(self) -> None:
        """Give up what is being asked."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait({self._under_way})

    def _done(self, asking: asyncio.Task[Target]) -> None:
        self._under_way = None
        if not asking.cancelled():
            asking.exception()  # nobody may be waiting for it any more

    async def _ask(self, ids: frozenset[int]) -> Target:
        self._check()
        if not ids:
            raise UpstreamUnavailableError("the stream has nothing to carry any more")
        request = requests.stream_port(sorted(ids))
        self.omissions.leaves(ids, self._now())
        try:
            port = await self._desk.call_as(self._person, request, priority=Priority.STREAM)
        except UpstreamRefusedError as refusal:
            if refusal.status in TOO_LONG_STATUS or refusal.upstream_code in TOO_LONG_CODES:
                self.most = max(len(ids) // 2, 1)
            raise
        self.omissions.answered(ids)
        access = self._keeper.access(self._person)
        if access is None:
            raise AccessTokenError(self._keeper.last_error(self._person) or f"{self._person} has no access token now")
        return Target(access.server.stream_url(port), access.token, ids)

    def _check(self) -> None:
        if self._keeper.access(self._person) is None:
            raise AccessTokenError(self._keeper.last_error(self._person) or f"{self._person} has no access token now")
