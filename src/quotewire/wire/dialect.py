"""What a dialect must be able to do for the session: read what a client sends, and phrase what it is told."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from quotewire.wire.codec import Form
from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Command, Problem, Resolution, SymbolCommand, Timestamp
from quotewire.wire.messages import SymbolResult, UpstreamState


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a welcome tells. Durations in milliseconds."""

    connection_id: str
    version: str
    server_time: int
    ping_interval_ms: int
    pong_timeout_ms: int
    max_message_bytes: int
    max_symbols: int
    upstream: UpstreamState


class Dialect(Protocol):
    """One way of speaking. Stateless: one instance serves every connection."""

    form: Form

    def first(self, text: str) -> Command:
        """Read the first message of a connection."""

    def read(self, text: str) -> Command:
        """Read any later message."""

    def welcome(self, facts: Facts, request_id: str | None, timestamp: Timestamp) -> bytes:
        """Phrase the answer to a good token."""

    def acknowledge(self, command: SymbolCommand, results: Sequence[SymbolResult]) -> bytes:
        """Phrase the answer to a symbol command."""

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None) -> bytes | None:
        """Phrase a snapshot of encoded quotes; None when there is nothing to say."""

    def pong(self, timestamp: Timestamp, request_id: str | None, server_time: int) -> bytes:
        """Phrase the answer to a ping."""

    def status(self, upstream: UpstreamState) -> bytes | None:
        """Phrase a change of the upstream; None when this dialect does not tell it."""

    def error(self, problem: Problem) -> bytes:
        """Phrase a problem."""


class _Head(msgspec.Struct):
    """As much of a bad message as is needed to answer it."""

    type: Any = None
    requestId: Any = None  # noqa: N815  the wire's own name
    timestamp: Any = None


_head = msgspec.json.Decoder(_Head)

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""All that decoding a text can raise: bad JSON or types, a lone surrogate, too deep a nest."""


def explain(text: str, error: Exception, known_types: Sequence[str]) -> Problem:
    """Turn a decoding failure of `text` into a problem that says what is wrong, with the request id if there is one."""
    try:
        head = _head.decode(text)
    except UNREADABLE:
        return Problem(ErrorCode.INVALID_JSON, "the message is not a JSON object")
    request_id = head.requestId if isinstance(head.requestId, str) and len(head.requestId) <= 128 else None
    timed = type(head.timestamp) in (int, float) or (isinstance(head.timestamp, str) and len(head.timestamp) <= 128)
    timestamp = head.timestamp if timed else None
    if known_types and (not isinstance(head.type, str) or head.type not in known_types):
        shown = repr(head.type)[:80]
        message = f"there is no message type {shown}; known are {', '.join(known_types)}"
        return Problem(ErrorCode.UNKNOWN_TYPE, message, request_id, timestamp)
    return Problem(ErrorCode.INVALID_MESSAGE, str(error)[:200], request_id, timestamp)


def result_of(resolution: Resolution) -> SymbolResult:
    """Phrase one looked-up symbol."""
    if resolution.code is None:
        return SymbolResult(ok=True, symbol=resolution.symbol or None, symbol_id=resolution.symbol_id)
    named = isinstance(resolution.asked, str)
    return SymbolResult(
        ok=False,
        symbol=str(resolution.asked) if named else None,
        symbol_id=None if named else int(resolution.asked),
        code=resolution.code,
        reason=resolution.reason,
        retryable=resolution.retryable,
    )
