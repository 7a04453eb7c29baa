"""The plain dialect of existing front ends (PROTOCOL.md section 8): token first, then `mode: streaming`."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from quotewire.market.quote import SymbolId
from quotewire.wire.capabilities import Agreed
from quotewire.wire.codec import Form
from quotewire.wire.codes import RETRYABLE, ErrorCode
from quotewire.wire.commands import (
    AskPong,
    Authenticate,
    Command,
    Nothing,
    Problem,
    Replace,
    Resolution,
    SymbolCommand,
)
from quotewire.wire.dialect import NOT_JSON, NOTHING, UNREADABLE, Facts, explain, heading, json_head, json_results
from quotewire.wire.messages import RequestId, Timestamp, UpstreamState
from quotewire.wire.options import Gap

MAX_TOKEN_CHARACTERS = 4096


class _Streaming(msgspec.Struct, rename="camel"):
    mode: Literal["streaming"]
    ids: list[SymbolId]
    request_id: RequestId | None = None
    timestamp: Timestamp = None


class _Typed(msgspec.Struct, rename="camel"):
    type: str | None = None
    mode: str | None = None
    request_id: RequestId | None = None
    timestamp: Timestamp = None


_streaming = msgspec.json.Decoder(_Streaming)
_typed = msgspec.json.Decoder(_Typed)
_encode = msgspec.json.Encoder().encode


class PlainDialect:
    """Reads and phrases the messages that front ends of this system have always used."""

    form = Form.PLAIN
    binary = False

    def first(self, data: str | bytes) -> Command:
        """Take the first message as the token itself."""
        token = str(data).strip()
        if not token or len(token) > MAX_TOKEN_CHARACTERS:
            return Problem(ErrorCode.UNAUTHORIZED, "the first message must be an access token of this gateway")
        return Authenticate(token)

    def read(self, data: str | bytes) -> Command:
        """Read one message; a bad one becomes a `Problem`."""
        try:
            head = _typed.decode(data)
            if head.mode == "streaming":
                message = _streaming.decode(data)
                return Replace(tuple(message.ids), message.request_id, message.timestamp)
        except UNREADABLE as error:
            return explain(lambda: json_head(data), error, (), NOT_JSON)
        if head.type == "ping":
            return AskPong(head.request_id, head.timestamp)
        if head.type == "pong":
            return Nothing()
        told = 'neither "mode": "streaming" nor "type": "ping"'
        return Problem(ErrorCode.UNKNOWN_TYPE, f"the message is {told}", head.request_id, head.timestamp)

    def head(self, data: str | bytes) -> Nothing:
        """Read of a message what its answer repeats."""
        return heading(lambda: json_head(data))

    def welcome(self, facts: Facts, request_id: str | None, timestamp: Timestamp, agreed: Agreed = NOTHING) -> bytes:
        """Phrase the answer to a good token; there is nothing to agree on."""
        return _encode({"success": True, "connectionId": facts.connection_id})

    def acknowledge(self, command: SymbolCommand, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase the answer."""
        return self.answer(command, len(resolutions), [self.phrase(resolutions)])

    def answer(self, command: SymbolCommand, count: int, phrased: Sequence[bytes]) -> bytes:
        """Phrase the answer; it has no `success`, which front ends take for the answer to their token."""
        tail = b"" if command.request_id is None else b',"requestId":' + _encode(command.request_id)
        if command.timestamp is not None:
            tail += b',"timestamp":' + _encode(command.timestamp)
        return b'{"type":"subscribed","results":[' + b",".join(phrased) + b"]" + tail + b"}"

    def phrase(self, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase a part of `results`."""
        return json_results(resolutions)

    def taken(self, ids: Sequence[int]) -> bytes:
        """Never asked: nothing is taken away by name."""
        raise NotImplementedError

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None, *, more: bool = False) -> bytes | None:
        """Phrase a snapshot as ordinary quotes."""
        return b'{"quotes":[' + b",".join(quotes) + b"]}" if quotes else None

    def gap(self, gaps: Sequence[Gap], request_id: str | None) -> None:
        """Say nothing: the snapshot that follows tells it."""

    def pong(self, timestamp: Timestamp, request_id: str | None, server_time: int) -> bytes:
        """Phrase the answer to a ping."""
        answer: dict[str, object] = {"type": "pong", "timestamp": timestamp, "serverTime": server_time}
        if request_id is not None:
            answer["requestId"] = request_id
        return _encode(answer)

    def status(self, upstream: UpstreamState) -> None:
        """Say nothing: each quote's freshness tells it."""

    def reconnect(self, after_ms: int, deadline_ms: int, reason: str) -> None:
        """Say nothing: the close code does."""

    def error(self, problem: Problem) -> bytes:
        """Phrase a problem."""
        answer: dict[str, object] = {
            "success": False,
            "error": problem.message,
            "code": problem.code,
            "retryable": problem.code in RETRYABLE,
        }
        if problem.request_id is not None:
            answer["requestId"] = problem.request_id
        return _encode(answer)
