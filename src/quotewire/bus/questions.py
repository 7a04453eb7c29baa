"""What the nodes ask the owner, and how it is answered: arguments and answers of each `Question`, in one table."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from quotewire.bus.envelope import Question, TokenView
from quotewire.bus.seam import LookedUp, Reports, Source, views
from quotewire.errors import BusError
from quotewire.market.symbol import Symbol
from quotewire.resilience.accounts import Scope
from quotewire.wire.codes import ErrorCode

ARGUMENTS: dict[Question, Any] = {
    Question.RESOLVE: tuple[list[str], list[int]],
    Question.SEARCH: tuple[str, int],
    Question.SNAPSHOT: tuple[list[int]],
    Question.REFRESH: tuple[str, bool],
    Question.REPORT: tuple[()],
    Question.SAMPLES: tuple[()],
    Question.CLIENTS: tuple[()],
    Question.ADMIT: tuple[Scope, str],
    Question.CLAIM: tuple[str, str | None, int],
    Question.DRAW: tuple[str, int],
}


COUNTED = frozenset({Question.ADMIT, Question.CLAIM, Question.DRAW})
"""What clients take of their limits: each is for one connection, and answered at once."""


class Found(msgspec.Struct, array_like=True, frozen=True):
    """One symbol asked for and what was found, as it crosses the bus; the shape of the edge's `LookedUp`."""

    asked: str | int
    symbol: Symbol | None = None
    code: ErrorCode | None = None
    reason: str = ""
    retryable: bool = False


def found(looked_up: Sequence[LookedUp]) -> list[Found]:
    """Look-ups as they cross the bus."""
    return [Found(each.asked, each.symbol, each.code, each.reason, each.retryable) for each in looked_up]


def arguments(question: Question, given: Sequence[Any]) -> Sequence[Any]:
    """Check the arguments of a question. Raises BusError."""
    try:
        checked: Sequence[Any] = msgspec.convert(list(given), ARGUMENTS[question])
    except msgspec.ValidationError as error:
        raise BusError(f"a process on the bus asked {question.value} wrongly: {error}") from None
    return checked


class Answers:
    """Answers what the upstream and the clients' reports answer; the publisher answers the rest itself."""

    def __init__(self, source: Source, reports: Reports) -> None:
        self._source = source
        self._reports = reports
        self._known: dict[Question, Callable[..., Awaitable[Any]]] = {
            Question.RESOLVE: self._resolve,
            Question.SEARCH: self._search,
            Question.SNAPSHOT: self._snapshot,
            Question.REFRESH: self._refresh,
            Question.REPORT: self._report,
            Question.CLIENTS: self._clients,
        }

    async def answer(self, question: Question, given: Sequence[Any]) -> Any:
        """Answer. Raises what the upstream raises."""
        return await self._known[question](*given)

    async def _resolve(self, names: list[str], ids: list[int]) -> list[Found]:
        return found(await self._source.resolve(names, ids))

    async def _search(self, prefix: str, offset: int) -> list[Symbol]:
        return list(await self._source.search(prefix, offset))

    async def _snapshot(self, ids: list[int]) -> Any:
        return list(await self._source.snapshot(ids))

    async def _refresh(self, person: str, force: bool) -> TokenView:
        return views([await self._source.refresh(person, force=force)])[0]

    async def _report(self) -> dict[str, Any]:
        return self._source.report()

    async def _clients(self) -> dict[str, object]:
        return self._reports.summary()
