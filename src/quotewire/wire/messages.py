"""The messages of the native protocol v1 (spec/PROTOCOL.md) and of the plain dialect, as typed values.

Every message is a JSON object, or the same as a MessagePack map. Native ones name themselves in `type`. Unknown keys
are ignored in both directions, so that a newer peer can say more; new fields always have defaults, and none is ever
retyped.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from quotewire.market.quote import Quote, SymbolId
from quotewire.wire.codes import ErrorCode
from quotewire.wire.options import Gap, Mode

RequestId = Annotated[str, Meta(max_length=128)]
Timestamp = int | float | Annotated[str, Meta(max_length=128)] | None
SymbolName = Annotated[str, Meta(min_length=1, max_length=64)]
TokenText = Annotated[str, Meta(min_length=1, max_length=4096)]

Count = Annotated[int, Meta(ge=0, lt=2**53)]
CapabilityName = Annotated[str, Meta(max_length=64)]

PROTOCOL_VERSION = 1
SUBPROTOCOL_JSON = "quotewire.v1.json"
SUBPROTOCOL_MSGPACK = "quotewire.v1.msgpack"
MAX_CAPABILITIES = 64


class Message(msgspec.Struct, tag_field="type", rename="camel", kw_only=True, omit_defaults=True, frozen=True):
    """What all native messages share.

    `request_id` and `timestamp` (a number or a text, as the client keeps time) are the client's own, echoed in the
    answer.
    """

    request_id: RequestId | None = None
    timestamp: Timestamp = None


# --- client to gateway ---


class Hello(Message, tag="hello", frozen=True):
    """The first message: who is calling. `token` is from `GET /api-auth/auth/access-token/{person}`."""

    token: TokenText
    protocol: int = PROTOCOL_VERSION
    connection_id: str | None = None
    client_version: str | None = None
    capabilities: Annotated[list[CapabilityName], Meta(max_length=MAX_CAPABILITIES)] = []


class Subscribe(Message, tag="subscribe", frozen=True):
    """Add symbols, by name or Questrade id, to what this connection wants, or change how they are delivered.

    `fields`: names of a quote's fields, None for all. `max_rate`: updates a second and symbol, 0 for no limit.
    `resume`: `(symbol_id, epoch, sequence)` of symbols wanted, with the last position the client has of each.
    """

    symbols: list[SymbolName] = []
    ids: list[SymbolId] = []
    fields: list[str] | None = None
    max_rate: float = 0.0
    delta: bool = False
    mode: Mode = Mode.ADAPTIVE
    resume: list[tuple[SymbolId, Count, Count]] = []


class Unsubscribe(Message, tag="unsubscribe", frozen=True):
    """Take symbols away from what this connection wants."""

    symbols: list[SymbolName] = []
    ids: list[SymbolId] = []


class Ping(Message, tag="ping", frozen=True):
    """Answered at once by a `pong` with the same `timestamp`."""


class ClientPong(Message, tag="pong", frozen=True):
    """Accepted and ignored, so that a client may treat ping symmetrically."""


ClientMessage = Hello | Subscribe | Unsubscribe | Ping | ClientPong


# --- gateway to client ---


class Welcome(Message, tag="welcome", frozen=True):
    """The answer to a good `hello`: what this gateway is and what it allows. Durations in milliseconds."""

    protocol: int
    connection_id: str
    version: str
    server_time: int
    ping_interval_ms: int
    pong_timeout_ms: int
    max_message_bytes: int
    max_symbols: int
    upstream: "UpstreamState"
    capabilities: list[str] = []


class SymbolResult(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True, frozen=True):
    """What became of one symbol of a command. When `ok` is false, `code` and `reason` say why."""

    ok: bool
    symbol: str | None = None
    symbol_id: int | None = None
    code: ErrorCode | None = None
    reason: str | None = None
    retryable: bool = False


class Subscribed(Message, tag="subscribed", frozen=True):
    """The acknowledgement of `subscribe`, one result a symbol, in the order asked (names first, then ids)."""

    results: list[SymbolResult]


class Unsubscribed(Message, tag="unsubscribed", frozen=True):
    """The acknowledgement of `unsubscribe`, one result a symbol."""

    results: list[SymbolResult]


class Snapshot(Message, tag="snapshot", frozen=True):
    """What the gateway knows now of the symbols just subscribed; live updates continue from these sequences.

    `more`: it is a part of the snapshot of many symbols, and another follows.
    """

    quotes: list[Quote]
    more: bool = False


class Quotes(Message, tag="quotes", frozen=True):
    """Live updates, oldest first; each of them whole, or a delta.

    `skipped` counts updates conflated away for this client since its last message, `lag_ms` is how long the oldest of
    what is written with it had waited for the connection.
    """

    quotes: list[Quote]
    skipped: int = 0
    lag_ms: int = 0


class Gaps(Message, tag="gap", frozen=True):
    """Updates that this client will not get, and why."""

    gaps: list[Gap]


class Reconnect(Message, tag="reconnect", frozen=True):
    """The gateway is going: open another connection after `after_ms`, and close this one before `deadline_ms`.

    Both count from the moment the message is received.
    """

    after_ms: int
    deadline_ms: int
    reason: str


class UpstreamState(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True, frozen=True):
    """The gateway's own connection to Questrade (R7). `since` is in milliseconds since 1970."""

    state: str
    reason: str
    since: int
    person: str | None = None
    symbol_count: int = 0


class Status(Message, tag="status", frozen=True):
    """The gateway's upstream changed; sent to every native client."""

    upstream: UpstreamState


class Pong(Message, tag="pong", frozen=True):
    """The answer to `ping`; `server_time` in milliseconds since 1970."""

    server_time: int


class Error(Message, tag="error", frozen=True):
    """Something could not be served. `retryable` says whether the same request may work later."""

    code: ErrorCode
    message: str
    retryable: bool = False


ServerMessage = Welcome | Subscribed | Unsubscribed | Snapshot | Quotes | Gaps | Status | Reconnect | Pong | Error
