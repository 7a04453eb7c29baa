"""What a client can ask, whichever dialect it speaks, and what can be wrong with what it sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from quotewire.wire.codes import ErrorCode
from quotewire.wire.options import DEFAULT_OPTIONS, Options, Position

Timestamp = int | float | str | None


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Open the session with this token (kept out of `repr` by `__repr__`). `capabilities`: what the client can take."""

    token: str
    connection_id: str | None = None
    client_version: str | None = None
    request_id: str | None = None
    timestamp: Timestamp = None
    capabilities: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Authenticate(connection_id={self.connection_id!r}, request_id={self.request_id!r})"


@dataclass(frozen=True, slots=True)
class Add:
    """Want these symbols too, delivered like this. `positions`: where the client stands in symbols it had before."""

    names: tuple[str, ...]
    ids: tuple[int, ...]
    request_id: str | None = None
    timestamp: Timestamp = None
    options: Options = DEFAULT_OPTIONS
    positions: Mapping[int, Position] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Replace:
    """Want exactly these symbols."""

    ids: tuple[int, ...]
    request_id: str | None = None
    timestamp: Timestamp = None


@dataclass(frozen=True, slots=True)
class Remove:
    """Want these symbols no more."""

    names: tuple[str, ...]
    ids: tuple[int, ...]
    request_id: str | None = None
    timestamp: Timestamp = None


@dataclass(frozen=True, slots=True)
class AskPong:
    """Answer with a pong."""

    request_id: str | None = None
    timestamp: Timestamp = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """A message that needs no answer."""

    request_id: str | None = None
    timestamp: Timestamp = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A message that cannot be served, and why."""

    code: ErrorCode
    message: str
    request_id: str | None = None
    timestamp: Timestamp = None


SymbolCommand = Add | Replace | Remove
Command = Authenticate | SymbolCommand | AskPong | Nothing | Problem


class Resolution(msgspec.Struct, gc=False):
    """One symbol of a command, looked up. `symbol_id` is 0 when it was not found; then `code` and `reason` say why.

    `json` and `msgpack` are how a client is told, made on first need: what was found for one is told to many.
    """

    asked: str | int
    symbol: str = ""
    symbol_id: int = 0
    code: ErrorCode | None = None
    reason: str = ""
    retryable: bool = False
    json: bytes = b""
    msgpack: bytes = b""
