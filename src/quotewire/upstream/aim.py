"""Where a person's next stream socket goes, and the request that tells Questrade what it is to carry."""

from dataclasses import dataclass, field

from quotewire.errors import AccessTokenError
from quotewire.questrade import requests
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.keeper import Keeper


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
    """Takes aim for one person."""

    def __init__(self, person: str, keeper: Keeper, desk: Desk) -> None:
        self._person = person
        self._keeper = keeper
        self._desk = desk

    async def take(self, ids: frozenset[int]) -> Target:
        """Have the person's stream carry exactly `ids`; where it is. The caller sets the deadline.

        Raises UpstreamError of every kind.
        """
        await self._keeper.settled(self._person)
        self._check()
        port = await self._desk.call_as(self._person, requests.stream_port(sorted(ids)), priority=Priority.STREAM)
        access = self._keeper.access(self._person)
        if access is None:
            raise AccessTokenError(self._keeper.last_error(self._person))
        return Target(access.server.stream_url(port), access.token, ids)

    def _check(self) -> None:
        if self._keeper.access(self._person) is None:
            raise AccessTokenError(self._keeper.last_error(self._person))
