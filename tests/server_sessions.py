"""A server's session driven by hand, and the answers of those it asks: shared by the tests of its parts."""

from collections.abc import Sequence
from typing import Any

import msgspec

from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Resolution
from quotewire.wire.dialect import Dialect, Facts
from quotewire.wire.limits import SessionLimits
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import Effect, Phase, Send, ServerSession, Verify
from tests.wire_samples import upstream

NATIVE, MSGPACK, PLAIN = NativeDialect(), MsgpackDialect(), PlainDialect()
LIMITS = SessionLimits(
    upgrade_timeout_s=5,
    auth_timeout_s=10,
    ping_interval_s=30,
    pong_timeout_s=5,
    idle_timeout_s=300,
    slow_timeout_s=30,
    max_symbols=5,
    wall_ms=lambda now: int(now * 1000) + 1_000_000,
)
FACTS = Facts(
    connection_id="ws-1",
    version="0",
    server_time=5,
    ping_interval_ms=1,
    pong_timeout_ms=2,
    max_message_bytes=3,
    max_symbols=5,
    upstream=upstream(),
)
START = 1000.0
HELLO = '{"type":"hello","token":"good","requestId":"h"}'


def begin(dialect: Dialect = NATIVE, limits: SessionLimits = LIMITS) -> ServerSession:
    return ServerSession(dialect, limits, now=START, first_ping_in_s=20.0)


def live(dialect: Dialect = NATIVE, limits: SessionLimits = LIMITS) -> ServerSession:
    session = begin(dialect, limits)
    (verify,) = session.text(HELLO if dialect is NATIVE else "good", START)
    assert isinstance(verify, Verify)
    session.authenticated(verify.request, FACTS)
    assert session.phase is Phase.LIVE
    return session


def told(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(effect.payload) for effect in effects if isinstance(effect, Send)]


def kinds(effects: Sequence[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def found(*ids: int) -> list[Resolution]:
    return [Resolution(i, symbol=f"S{i}", symbol_id=i) for i in ids]


def unknown(asked: str | int) -> Resolution:
    return Resolution(asked, code=ErrorCode.UNKNOWN_SYMBOL, reason="unknown")


def unavailable(asked: str | int) -> Resolution:
    return Resolution(asked, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason="down", retryable=True)


def subscribe(*ids: int, request_id: str = "s") -> str:
    return msgspec.json.encode({"type": "subscribe", "ids": ids, "requestId": request_id}).decode()


def streaming(*ids: int, request_id: str = "s") -> str:
    return msgspec.json.encode({"mode": "streaming", "ids": ids, "requestId": request_id}).decode()


def join(session: ServerSession, *ids: int, now: float = START) -> None:
    session.text(subscribe(*ids), now)
    session.resolved(found(*ids), now)
