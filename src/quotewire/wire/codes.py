"""Error codes and close codes: each with whose turn it is and whether to come back.

The range alone decides (PROTOCOL.md section 7): of our own codes, 4000-4499 mean "reconnect", 4500-4999 mean "do not".
"""

from enum import IntEnum, StrEnum
from typing import NamedTuple


class ErrorCode(StrEnum):
    """`code` of an error message. Those in `CLOSING` are followed by the close code named there."""

    INVALID_JSON = "invalid_json"
    INVALID_MSGPACK = "invalid_msgpack"
    INVALID_MESSAGE = "invalid_message"
    UNKNOWN_TYPE = "unknown_type"
    INVALID_UTF8 = "invalid_utf8"
    BINARY_NOT_SUPPORTED = "binary_not_supported"
    TEXT_NOT_SUPPORTED = "text_not_supported"
    MESSAGE_TOO_BIG = "message_too_big"
    NOT_AUTHENTICATED = "not_authenticated"
    ALREADY_AUTHENTICATED = "already_authenticated"
    UNAUTHORIZED = "unauthorized"
    AUTH_TIMEOUT = "auth_timeout"
    UNSUPPORTED_PROTOCOL = "unsupported_protocol"
    TOO_MANY_SYMBOLS = "too_many_symbols"
    TOO_MANY_COMMANDS = "too_many_commands"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    TOO_MANY_HANDSHAKES = "too_many_handshakes"
    TOO_MANY_ERRORS = "too_many_errors"
    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_QUOTABLE = "not_quotable"
    UPSTREAM_UNAVAILABLE = "upstream_unavailable"
    SLOW_CONSUMER = "slow_consumer"
    INTERNAL_ERROR = "internal_error"


class CloseCode(IntEnum):
    """Close codes the gateway sends. The names of 1000-1015 are those of RFC 6455 section 7.4.1."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    INVALID_PAYLOAD = 1007
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TOKEN_REFUSED = 4001
    AUTH_TIMEOUT = 4002
    PONG_TIMEOUT = 4003
    IDLE_TIMEOUT = 4004
    SLOW_CONSUMER = 4005
    LIMIT_REACHED = 4006
    INVALID_JSON = 4500
    TOO_MANY_ERRORS = 4501
    UNSUPPORTED_PROTOCOL = 4502
    NOT_AUTHENTICATED = 4503


class Close(NamedTuple):
    """How to leave: the code, whether the client should come back, and a reason of at most 123 bytes."""

    code: CloseCode
    reconnect: bool
    reason: str


CLOSES: dict[CloseCode, Close] = {
    close.code: close
    for close in (
        Close(CloseCode.NORMAL_CLOSURE, False, "closed as asked"),
        Close(CloseCode.GOING_AWAY, True, "the gateway is stopping; reconnect"),
        Close(CloseCode.PROTOCOL_ERROR, False, "the WebSocket protocol was violated"),
        Close(
            CloseCode.UNSUPPORTED_DATA,
            False,
            "this dialect is spoken in the other kind of message, text or binary",
        ),
        Close(CloseCode.INVALID_PAYLOAD, False, "a text message was not valid UTF-8"),
        Close(CloseCode.MESSAGE_TOO_BIG, False, "the message is longer than the gateway accepts"),
        Close(CloseCode.INTERNAL_ERROR, True, "the gateway failed to serve this connection; reconnect"),
        Close(CloseCode.TOKEN_REFUSED, True, "token wrong or expired; get a new one and reconnect"),
        Close(CloseCode.AUTH_TIMEOUT, True, "no token came in time; reconnect and send it first"),
        Close(CloseCode.PONG_TIMEOUT, True, "no pong came in time; reconnect"),
        Close(CloseCode.IDLE_TIMEOUT, True, "nothing was heard for too long; reconnect"),
        Close(CloseCode.SLOW_CONSUMER, True, "the connection could not take what it was owed; reconnect"),
        Close(CloseCode.LIMIT_REACHED, True, "more connections or messages than are served at once; reconnect later"),
        Close(CloseCode.INVALID_JSON, False, "a message was not a JSON object, or a MessagePack map"),
        Close(CloseCode.TOO_MANY_ERRORS, False, "too many messages could not be served"),
        Close(CloseCode.UNSUPPORTED_PROTOCOL, False, "this protocol version is not spoken here"),
        Close(CloseCode.NOT_AUTHENTICATED, False, "the first message must authenticate"),
    )
}
"""Every close the gateway makes, by code."""

CLOSING: dict[ErrorCode, CloseCode] = {
    ErrorCode.INVALID_JSON: CloseCode.INVALID_JSON,
    ErrorCode.INVALID_MSGPACK: CloseCode.INVALID_JSON,
    ErrorCode.INVALID_UTF8: CloseCode.INVALID_PAYLOAD,
    ErrorCode.BINARY_NOT_SUPPORTED: CloseCode.UNSUPPORTED_DATA,
    ErrorCode.TEXT_NOT_SUPPORTED: CloseCode.UNSUPPORTED_DATA,
    ErrorCode.MESSAGE_TOO_BIG: CloseCode.MESSAGE_TOO_BIG,
    ErrorCode.NOT_AUTHENTICATED: CloseCode.NOT_AUTHENTICATED,
    ErrorCode.UNAUTHORIZED: CloseCode.TOKEN_REFUSED,
    ErrorCode.AUTH_TIMEOUT: CloseCode.AUTH_TIMEOUT,
    ErrorCode.UNSUPPORTED_PROTOCOL: CloseCode.UNSUPPORTED_PROTOCOL,
    ErrorCode.TOO_MANY_CONNECTIONS: CloseCode.LIMIT_REACHED,
    ErrorCode.TOO_MANY_HANDSHAKES: CloseCode.LIMIT_REACHED,
    ErrorCode.TOO_MANY_ERRORS: CloseCode.TOO_MANY_ERRORS,
    ErrorCode.SLOW_CONSUMER: CloseCode.SLOW_CONSUMER,
    ErrorCode.INTERNAL_ERROR: CloseCode.INTERNAL_ERROR,
}
"""The errors after which the gateway closes; any other error leaves the connection open."""

RETRYABLE: frozenset[ErrorCode] = frozenset(
    {
        ErrorCode.UNAUTHORIZED,
        ErrorCode.AUTH_TIMEOUT,
        ErrorCode.TOO_MANY_COMMANDS,
        ErrorCode.RATE_LIMITED,
        ErrorCode.TOO_MANY_CONNECTIONS,
        ErrorCode.TOO_MANY_HANDSHAKES,
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.SLOW_CONSUMER,
        ErrorCode.INTERNAL_ERROR,
    }
)
"""The errors a client may answer by trying again."""


def should_reconnect(code: int) -> bool:
    """Tell a client whether to come back after `code`, known to it or not; 1005 and 1006 (no close frame) mean yes."""
    if 4000 <= code <= 4999:
        return code < 4500
    known = CLOSES.get(CloseCode(code)) if code in set(CloseCode) else None
    return True if known is None else known.reconnect
