"""What the edge needs of the rest of the gateway. The upstream fits these shapes; the edge never imports it."""

from collections.abc import Sequence
from typing import Any, Protocol

from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import UpstreamState


class LookedUp(Protocol):
    """One symbol asked for, by name or id, and what was found. `code` and `reason` say why `symbol` is None."""

    @property
    def asked(self) -> str | int: ...
    @property
    def symbol(self) -> Symbol | None: ...
    @property
    def code(self) -> ErrorCode | None: ...
    @property
    def reason(self) -> str: ...
    @property
    def retryable(self) -> bool: ...


class Person(Protocol):
    """One person whose login the gateway holds. `last_error` says in a sentence why it does not work; else empty."""

    @property
    def name(self) -> str: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def last_error(self) -> str: ...


class Reading(Protocol):
    """One number for the catalogue's metric of that name, with its labels in order."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def value(self) -> float: ...


class UpstreamPort(Protocol):
    """Several people's logins as one source."""

    @property
    def state(self) -> UpstreamState: ...

    def persons(self) -> Sequence[Person]: ...

    async def resolve(self, names: Sequence[str], ids: Sequence[int]) -> Sequence[LookedUp]: ...

    async def search(self, prefix: str, offset: int = 0) -> Sequence[Symbol]: ...

    async def snapshot(self, ids: Sequence[int]) -> Sequence[Quote]: ...

    async def refresh(self, person: str, *, force: bool = False) -> Person: ...

    def report(self) -> dict[str, Any]: ...

    def readings(self) -> Sequence[Reading]: ...

    def counters(self) -> dict[str, int | float]: ...
