"""What a dialect must be able to do for the session: read what a client sends, and phrase what it is told."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from quotewire.wire.capabilities import Agreed
from quotewire.wire.codec import Form
from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Command, Nothing, Problem, Resolution, SymbolCommand, Timestamp
from quotewire.wire.messages import SymbolResult, UpstreamState
from quotewire.wire.options import Gap

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


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


NOTHING: Agreed = frozenset()


class Dialect(Protocol):
    """One way of speaking. Stateless: one instance serves every connection.

    What a client sends is text or, where `binary` is true, bytes; the session sees to it that no other comes here.
    """

    form: Form
    binary: bool

    def first(self, data: str | bytes) -> Command:
        """Read the first message of a connection."""

    def read(self, data: str | bytes) -> Command:
        """Read any later message."""

    def head(self, data: str | bytes) -> Nothing:
        """Of a later message that is refused unread: what the answer repeats of it."""

    def welcome(self, facts: Facts, request_id: str | None, timestamp: Timestamp, agreed: Agreed = NOTHING) -> bytes:
        """Phrase the answer to a good token. `agreed`: the capabilities in force."""

    def acknowledge(self, command: SymbolCommand, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase the answer to a symbol command: what became of each symbol, in order."""

    def answer(self, command: SymbolCommand, count: int, phrased: Sequence[bytes]) -> bytes:
        """Phrase the answer to a symbol command, of so many results that are phrased already, in parts."""

    def phrase(self, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase a part of an answer: what became of each symbol. What was phrased once costs little the next time."""

    def taken(self, ids: Sequence[int]) -> bytes:
        """Phrase a part of an answer: each of these ids is taken away."""

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None, *, more: bool = False) -> bytes | None:
        """Phrase a snapshot of quotes encoded in this form; None when there is nothing to say.

        `more`: it is a part, and another follows.
        """

    def gap(self, gaps: Sequence[Gap], request_id: str | None) -> bytes | None:
        """Phrase updates that will not come; None when this dialect does not tell them."""

    def pong(self, timestamp: Timestamp, request_id: str | None, server_time: int) -> bytes:
        """Phrase the answer to a ping."""

    def status(self, upstream: UpstreamState) -> bytes | None:
        """Phrase a change of the upstream; None when this dialect does not tell it."""

    def reconnect(self, after_ms: int, deadline_ms: int, reason: str) -> bytes | None:
        """Phrase that the client should move to another connection; None when this dialect does not tell it."""

    def error(self, problem: Problem) -> bytes:
        """Phrase a problem."""


class Head(msgspec.Struct):
    """As much of a bad message as is needed to answer it."""

    type: Any = None
    requestId: Any = None  # noqa: N815  the wire's own name
    timestamp: Any = None


json_head: Callable[[str | bytes], Head] = msgspec.json.Decoder(Head).decode
msgpack_head: Callable[[bytes], Head] = msgspec.msgpack.Decoder(Head).decode

UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
"""All that decoding a text can raise: bad JSON or types, a lone surrogate, too deep a nest."""


NOT_JSON = Problem(ErrorCode.INVALID_JSON, "the message is not a JSON object")


def explain(head: Callable[[], Head], error: Exception, known_types: Sequence[str], unreadable: Problem) -> Problem:
    """Turn a decoding failure into a problem that says what is wrong, with the request id if there is one.

    `head` reads what it can of the message; where it cannot, the problem is `unreadable`.
    """
    try:
        seen = head()
    except UNREADABLE:
        return unreadable
    request_id, timestamp = _repeated(seen)
    if known_types and (not isinstance(seen.type, str) or seen.type not in known_types):
        shown = repr(seen.type[:80]) if isinstance(seen.type, str) else "that is no text"
        message = f"there is no message type {shown}; known are {', '.join(known_types)}"
        return Problem(ErrorCode.UNKNOWN_TYPE, message, request_id, timestamp)
    return Problem(ErrorCode.INVALID_MESSAGE, str(error)[:200], request_id, timestamp)


def heading(head: Callable[[], Head]) -> Nothing:
    """What the answer to a message repeats of it; nothing of one that `head` cannot read."""
    try:
        return Nothing(*_repeated(head()))
    except UNREADABLE:
        return Nothing()


def _repeated(seen: Head) -> tuple[str | None, Timestamp]:
    request_id = seen.requestId if isinstance(seen.requestId, str) and len(seen.requestId) <= 128 else None
    timed = type(seen.timestamp) in (int, float) or (isinstance(seen.timestamp, str) and len(seen.timestamp) <= 128)
    return request_id, seen.timestamp if timed else None


def json_results(resolutions: Sequence[Resolution]) -> bytes:
    """What became of each symbol, as elements of a JSON array."""
    return b",".join([each.json or _phrase_json(each) for each in resolutions])


def msgpack_results(resolutions: Sequence[Resolution]) -> bytes:
    """What became of each symbol, as elements of a MessagePack array."""
    return b"".join([each.msgpack or _phrase_msgpack(each) for each in resolutions])


def _phrase_json(resolution: Resolution) -> bytes:
    resolution.json = _json(result_of(resolution))
    return resolution.json


def _phrase_msgpack(resolution: Resolution) -> bytes:
    resolution.msgpack = _msgpack(result_of(resolution))
    return resolution.msgpack


def result_of(resolution: Resolution) -> SymbolResult:
    """What became of one symbol."""
    if resolution.code is None:
        return SymbolResult(ok=True, symbol=resolution.symbol or None, symbol_id=resolution.symbol_id or None)
    named = isinstance(resolution.asked, str)
    return SymbolResult(
        ok=False,
        symbol=str(resolution.asked) if named else None,
        symbol_id=None if named else int(resolution.asked),
        code=resolution.code,
        reason=resolution.reason,
        retryable=resolution.retryable,
    )
