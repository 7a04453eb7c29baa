"""The native dialect, `quotewire.v1.json` (PROTOCOL.md sections 3 and 4)."""

from collections.abc import Sequence

import msgspec

from quotewire.wire import messages
from quotewire.wire.codec import Form
from quotewire.wire.codes import RETRYABLE, ErrorCode
from quotewire.wire.commands import (
    Add,
    AskPong,
    Authenticate,
    Command,
    Nothing,
    Problem,
    Remove,
    SymbolCommand,
    Timestamp,
)
from quotewire.wire.dialect import UNREADABLE, Facts, explain
from quotewire.wire.messages import PROTOCOL_VERSION, SymbolResult, UpstreamState

_decoder = msgspec.json.Decoder(messages.ClientMessage)
_encode = msgspec.json.Encoder().encode
KNOWN_TYPES = ("hello", "subscribe", "unsubscribe", "ping", "pong")


class NativeDialect:
    """Reads and phrases the messages of wire/messages.py."""

    form = Form.NATIVE

    def first(self, text: str) -> Command:
        """Only `hello` may come first."""
        command = self.read(text)
        if isinstance(command, Authenticate):
            return command
        if isinstance(command, Problem) and command.code in (ErrorCode.INVALID_JSON, ErrorCode.UNSUPPORTED_PROTOCOL):
            return command
        problem = Problem(ErrorCode.NOT_AUTHENTICATED, "the first message must be hello, with a token")
        if isinstance(command, Problem):
            return Problem(problem.code, f"{problem.message}: {command.message}", command.request_id, command.timestamp)
        if isinstance(command, Nothing):
            return problem
        return Problem(problem.code, problem.message, command.request_id, command.timestamp)

    def read(self, text: str) -> Command:
        """Read one message; a bad one becomes a `Problem`."""
        try:
            message = _decoder.decode(text)
        except UNREADABLE as error:
            return explain(text, error, KNOWN_TYPES)
        match message:
            case messages.Hello():
                return _hello(message)
            case messages.Subscribe():
                return Add(tuple(message.symbols), tuple(message.ids), message.request_id, message.timestamp)
            case messages.Unsubscribe():
                return Remove(tuple(message.symbols), tuple(message.ids), message.request_id, message.timestamp)
            case messages.Ping():
                return AskPong(message.request_id, message.timestamp)
            case _:
                return Nothing()

    def welcome(self, facts: Facts, request_id: str | None, timestamp: Timestamp) -> bytes:
        """Phrase `welcome`."""
        fields = {name: getattr(facts, name) for name in facts.__struct_fields__}
        return _encode(
            messages.Welcome(protocol=PROTOCOL_VERSION, request_id=request_id, timestamp=timestamp, **fields)
        )

    def acknowledge(self, command: SymbolCommand, results: Sequence[SymbolResult]) -> bytes:
        """Phrase `subscribed` or `unsubscribed`."""
        kind = messages.Unsubscribed if isinstance(command, Remove) else messages.Subscribed
        return _encode(kind(results=list(results), request_id=command.request_id, timestamp=command.timestamp))

    def snapshot(self, quotes: Sequence[bytes], request_id: str | None) -> bytes:
        """Phrase `snapshot`; sent even when empty, so that a client knows it has all there is."""
        named = b"" if request_id is None else b'"requestId":' + _encode(request_id) + b","
        return b'{"type":"snapshot",' + named + b'"quotes":[' + b",".join(quotes) + b"]}"

    def pong(self, timestamp: Timestamp, request_id: str | None, server_time: int) -> bytes:
        """Phrase `pong`."""
        return _encode(messages.Pong(timestamp=timestamp, request_id=request_id, server_time=server_time))

    def status(self, upstream: UpstreamState) -> bytes:
        """Phrase `status`."""
        return _encode(messages.Status(upstream=upstream))

    def error(self, problem: Problem) -> bytes:
        """Phrase `error`."""
        return _encode(
            messages.Error(
                code=problem.code,
                message=problem.message,
                retryable=problem.code in RETRYABLE,
                request_id=problem.request_id,
                timestamp=problem.timestamp,
            )
        )


def _hello(message: messages.Hello) -> Command:
    if message.protocol != PROTOCOL_VERSION:
        told = f"protocol {message.protocol} is not spoken here; protocol {PROTOCOL_VERSION} is"
        return Problem(ErrorCode.UNSUPPORTED_PROTOCOL, told, message.request_id, message.timestamp)
    return Authenticate(
        message.token, message.connection_id, message.client_version, message.request_id, message.timestamp
    )
