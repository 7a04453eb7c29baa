"""Stand-ins for what most of the upstream leans on: a keeper whose logins work, and a desk that answers as told."""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from quotewire.errors import AccessTokenError
from quotewire.questrade.hosts import ApiServer
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.rest import Access
from quotewire.resilience.budget import Priority

SERVER = ApiServer("https://api01.iq.questrade.com", "api01.iq.questrade.com", True)


class FakeKeeper:
    """Persons whose access tokens are in `tokens`; those without one cannot call now."""

    def __init__(self, *persons: str) -> None:
        self.tokens: dict[str, str | None] = {person: f"access-{person}" for person in persons}
        self.dead: set[str] = set()
        self.off: set[str] = set()
        self.refreshing: set[str] = set()
        self.renewed: list[tuple[str, str]] = []
        self.rehosted: list[str] = []

    @property
    def persons(self) -> list[str]:
        return list(self.tokens)

    def access(self, person: str) -> Access | None:
        token = self.tokens.get(person)
        return None if token is None else Access(person, SERVER, token)

    def is_dead(self, person: str) -> bool:
        return person in self.dead

    def may_stream(self, person: str) -> bool:
        return person not in self.off

    def is_refreshing(self, person: str) -> bool:
        return person in self.refreshing

    def last_error(self, person: str) -> str:
        return f"{person} is out of order" if self.access(person) is None else ""

    async def settled(self, person: str) -> None:
        """Nothing is under way."""

    async def renew(self, person: str, refused: str) -> None:
        self.renewed.append((person, refused))
        if self.tokens[person] == refused:
            self.tokens[person] = f"{refused}-renewed"

    def rehost(self, person: str) -> None:
        self.rehosted.append(person)

    def reached(self, person: str) -> None:
        """The host answered."""

    @contextlib.asynccontextmanager
    async def use(self, person: str) -> AsyncIterator[Access]:
        access = self.access(person)
        if access is None:
            raise AccessTokenError("none")
        yield access


class FakeDesk:
    """Calls are kept in `calls`; `answer(person, request)` may be a coroutine function's result, or raise."""

    def __init__(self, answer: Callable[[str, ApiRequest[Any]], Any]) -> None:
        self.answer = answer
        self.calls: list[tuple[str, dict[str, str], Priority]] = []
        self.nudged: list[str] = []

    async def call(
        self, request: ApiRequest[Any], *, priority: Priority = Priority.LOOKUP, deadline_s: float = 8.0
    ) -> tuple[str, Any]:
        return "alice", await self.call_as("alice", request, priority=priority)

    async def call_as(self, person: str, request: ApiRequest[Any], *, priority: Priority) -> Any:
        self.calls.append((person, dict(request.params), priority))
        answer = self.answer(person, request)
        return await answer if hasattr(answer, "__await__") else answer

    def nudge(self, person: str) -> None:
        self.nudged.append(person)
