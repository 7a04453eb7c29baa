"""The native dialect, `quotewire.v1.json` and `quotewire.v1.msgpack` (PROTOCOL.md sections 3 and 4)."""

from collections.abc import Callable, Sequence

import msgspec

from quotewire.wire import messages
from quotewire.wire.capabilities import Agreed
from quotewire.wire.codec import Form, msgpack_array
from quotewire.wire.codes import RETRYABLE, ErrorCode
from quotewire.wire.commands import (
    AskPong,
    Authenticate,
    Command,
    Nothing,
    Problem,
    Remove,
    Resolution,
    SymbolCommand,
    Timestamp,
)
from quotewire.wire.dialect import (
    NOT_JSON,
    NOTHING,
    UNREADABLE,
    Facts,
    Head,
    explain,
    heading,
    json_head,
    json_results,
    msgpack_head,
    msgpack_results,
)
from quotewire.wire.messages import PROTOCOL_VERSION, UpstreamState
from quotewire.wire.options import Gap
from quotewire.wire.wishes import add

_json = msgspec.json.Encoder().encode
_json_message: Callable[[str | bytes], messages.ClientMessage] = msgspec.json.Decoder(messages.ClientMessage).decode
_msgpack = msgspec.msgpack.Encoder().encode
_msgpack_message: Callable[[bytes], messages.ClientMessage] = msgspec.msgpack.Decoder(messages.ClientMessage).decode
KNOWN_TYPES = ("hello", "subscribe", "unsubscribe", "ping", "pong")
NOT_MSGPACK = Problem(ErrorCode.INVALID_MSGPACK, "the message is not a MessagePack map with text keys")


class NativeDialect:
    """Reads and phrases the messages of wire/messages.py, as JSON."""

    form = Form.NATIVE
    binary = False

    def first(self, data: str | bytes) -> Command:
        """Only `hello` may come first."""
        command = self.read(data)
        if isinstance(command, Authenticate):
            return command
        if isinstance(command, Problem) and command.code in SAID_FIRST:
            return command
        problem = Problem(ErrorCode.NOT_AUTHENTICATED, "the first message must be hello, with a token")
        if isinstance(command, Problem):
            return Problem(problem.code, f"{problem.message}: {command.message}", command.request_id, command.timestamp)
        if isinstance(command, Nothing):
            return problem
        return Problem(problem.code, problem.message, command.request_id, command.timestamp)

    def read(self, data: str | bytes) -> Command:
        """Read one message; a bad one becomes a `Problem`."""
        try:
            message = self._decode(data)
        except UNREADABLE as error:
            return self._explain(data, error)
        match message:
            case messages.Hello():
                return _hello(message)
            case messages.Subscribe():
                return add(message)
            case messages.Unsubscribe():
                return Remove(tuple(message.symbols), tuple(message.ids), message.request_id, message.timestamp)
            case messages.Ping():
                return AskPong(message.request_id, message.timestamp)
            case _:
                return Nothing()

    def head(self, data: str | bytes) -> Nothing:
        """Read of a message what its answer repeats."""
        return heading(lambda: self._head(data))

    def welcome(self, facts: Facts, request_id: str | None, timestamp: Timestamp, agreed: Agreed = NOTHING) -> bytes:
        """Phrase `welcome`."""
        fields = msgspec.structs.asdict(facts)
        welcome = messages.Welcome(
            protocol=PROTOCOL_VERSION,
            request_id=request_id,
            timestamp=timestamp,
            capabilities=sorted(agreed),
            **fields,
        )
        return self._encode(welcome)

    def acknowledge(self, command: SymbolCommand, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase `subscribed` or `unsubscribed`."""
        return self.answer(command, len(resolutions), [self.phrase(resolutions)])

    def phrase(self, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase a part of `results`."""
        return json_results(resolutions)

    def taken(self, ids: Sequence[int]) -> bytes:
        """Phrase a part of `results`, for ids that are taken as they are."""
        return b",".join([b'{"ok":true,"symbolId":%d}'] * len(ids)) % tuple(ids)

    def answer(self, command: SymbolCommand, count: int, phrased: Sequence[bytes]) -> bytes:
        """Phrase `subscribed` or `unsubscribed` around its results."""
        head = b'{"type":"unsubscribed",' if isinstance(command, Remove) else b'{"type":"subscribed",'
        if command.request_id is not None:
            head += b'"requestId":' + _json(command.request_id) + b","
        if command.timestamp is not None:
            head += b'"timestamp":' + _json(command.timestamp) + b","
        return head + b'"results":[' + b",".join(phrased) + b"]}"

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None, *, more: bool = False) -> bytes:
        """Phrase `snapshot`; sent even when empty, so that a client knows it has all there is."""
        named = b"" if request_id is None else b'"requestId":' + _json(request_id) + b","
        head = b'{"type":"snapshot",' + named + (b'"more":true,' if more else b"") + b'"quotes":['
        if not quotes:
            return head + b"]}"
        # Head and tail go with the first and the last, so that what may be megabytes is copied once.
        parts = list(quotes)
        parts[0] = head + parts[0]
        parts[-1] += b"]}"
        return b",".join(parts)

    def gap(self, gaps: Sequence[Gap], request_id: str | None) -> bytes:
        """Phrase `gap`."""
        return self._encode(messages.Gaps(gaps=list(gaps), request_id=request_id))

    def pong(self, timestamp: Timestamp, request_id: str | None, server_time: int) -> bytes:
        """Phrase `pong`."""
        return self._encode(messages.Pong(timestamp=timestamp, request_id=request_id, server_time=server_time))

    def status(self, upstream: UpstreamState) -> bytes:
        """Phrase `status`."""
        return self._encode(messages.Status(upstream=upstream))

    def reconnect(self, after_ms: int, deadline_ms: int, reason: str) -> bytes:
        """Phrase `reconnect`."""
        return self._encode(messages.Reconnect(after_ms=after_ms, deadline_ms=deadline_ms, reason=reason))

    def error(self, problem: Problem) -> bytes:
        """Phrase `error`."""
        error = messages.Error(
            code=problem.code,
            message=problem.message,
            retryable=problem.code in RETRYABLE,
            request_id=problem.request_id,
            timestamp=problem.timestamp,
        )
        return self._encode(error)

    # --- the encoding ---

    def _encode(self, message: messages.Message) -> bytes:
        return _json(message)

    def _decode(self, data: str | bytes) -> messages.ClientMessage:
        return _json_message(data)

    def _head(self, data: str | bytes) -> Head:
        return json_head(data)

    def _explain(self, data: str | bytes, error: Exception) -> Problem:
        return explain(lambda: self._head(data), error, KNOWN_TYPES, NOT_JSON)


class MsgpackDialect(NativeDialect):
    """The same messages as MessagePack."""

    form = Form.MSGPACK
    binary = True

    def phrase(self, resolutions: Sequence[Resolution]) -> bytes:
        """Phrase a part of `results`."""
        return msgpack_results(resolutions)

    def taken(self, ids: Sequence[int]) -> bytes:
        """Phrase a part of `results`, for ids that are taken as they are."""
        return b"".join([b"\x82\xa2ok\xc3\xa8symbolId" + _msgpack(symbol_id) for symbol_id in ids])

    def answer(self, command: SymbolCommand, count: int, phrased: Sequence[bytes]) -> bytes:
        """Phrase `subscribed` or `unsubscribed` around its results."""
        told: dict[str, object] = {"type": "unsubscribed" if isinstance(command, Remove) else "subscribed"}
        if command.request_id is not None:
            told["requestId"] = command.request_id
        if command.timestamp is not None:
            told["timestamp"] = command.timestamp
        head = bytes((0x80 | len(told) + 1,)) + b"".join([_msgpack(key) + _msgpack(told[key]) for key in told])
        return head + b"\xa7results" + msgpack_array(count) + b"".join(phrased)

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None, *, more: bool = False) -> bytes:
        """Phrase `snapshot`; sent even when empty, so that a client knows it has all there is."""
        named = b"" if request_id is None else b"\xa9requestId" + _msgpack(request_id)
        if more:
            named += b"\xa4more\xc3"
        head = bytes((0x82 + (request_id is not None) + more,)) + b"\xa4type\xa8snapshot" + named
        return head + b"\xa6quotes" + msgpack_array(len(quotes)) + b"".join(quotes)

    def _encode(self, message: messages.Message) -> bytes:
        return _msgpack(message)

    def _decode(self, data: str | bytes) -> messages.ClientMessage:
        return _msgpack_message(_bytes(data))

    def _head(self, data: str | bytes) -> Head:
        return msgpack_head(_bytes(data))

    def _explain(self, data: str | bytes, error: Exception) -> Problem:
        return explain(lambda: self._head(data), error, KNOWN_TYPES, NOT_MSGPACK)


SAID_FIRST = frozenset({ErrorCode.INVALID_JSON, ErrorCode.INVALID_MSGPACK, ErrorCode.UNSUPPORTED_PROTOCOL})
"""What is wrong with a first message beyond its not being `hello`."""


def _bytes(data: str | bytes) -> bytes:
    return data if isinstance(data, bytes) else data.encode()


def _hello(message: messages.Hello) -> Command:
    if message.protocol != PROTOCOL_VERSION:
        told = f"protocol {message.protocol} is not spoken here; protocol {PROTOCOL_VERSION} is"
        return Problem(ErrorCode.UNSUPPORTED_PROTOCOL, told, message.request_id, message.timestamp)
    return Authenticate(
        message.token,
        message.connection_id,
        message.client_version,
        message.request_id,
        message.timestamp,
        tuple(message.capabilities),
    )
