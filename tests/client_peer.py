"""A client's session driven by hand, and the gateway's answers to it: shared by the tests of its parts."""

from itertools import count
from typing import Any, TypeVar

import msgspec

from quotewire.client.entries import Reader
from quotewire.client.session import SendMessage, Session
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.wire import messages as wire
from quotewire.wire.capabilities import Capability

E = TypeVar("E")

CONFIG = LifecycleConfig(backoff=Backoff(jitter=Jitter.OFF), max_attempts=2)
OFFSET = 1_764_000_000.0
UPSTREAM = wire.UpstreamState(state="connected", reason="authenticated", since=0)


class Peer:
    """A session, the gateway's answers to it, and a clock."""

    def __init__(self, encoding: str = "json") -> None:
        numbers = count(1)
        self.now = 100.0
        self.session = Session(
            CONFIG,
            lambda: 0.0,
            lambda prefix: f"{prefix}-{next(numbers)}",
            connection_id="ws-1-a",
            version="0.1.0",
            epoch_offset_s=OFFSET,
            now=self.now,
            encoding=encoding,
        )
        self.effects: list[Any] = []

    def step(self, event: on.Event) -> None:
        self.effects = self.session.step(event, self.now)

    def hear(self, message: wire.Message | bytes, socket: int | None = None) -> None:
        text = message if isinstance(message, bytes) else msgspec.json.encode(message)
        number = self.session.socket if socket is None else socket
        assert number is not None
        self.effects = self.session.received(number, text, self.now)

    def join(self, *names: str | int) -> Reader:
        reader = Reader(names, 8)
        self.effects = self.session.join(reader, self.now)
        return reader

    def of(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def sent(self, kind: str) -> list[dict[str, Any]]:
        texts = [msgspec.json.decode(effect.data) for effect in self.of(SendMessage)]
        return [message for message in texts if message["type"] == kind]

    def authenticating(self) -> "Peer":
        if self.session.socket is None:
            self.step(on.ConnectRequested() if self.session.counters.connections_attempted == 0 else on.Tick())
        number = self.session.socket
        assert number is not None
        self.session.credentials("alice", "secret-token")
        self.step(on.Prepared(number))
        self.step(on.Opened(number))
        return self

    def live(self) -> "Peer":
        self.authenticating()
        self.hear(welcome())
        return self


def welcome() -> wire.Welcome:
    return wire.Welcome(
        protocol=1,
        connection_id="ws-1-a",
        version="0.1.0",
        server_time=0,
        ping_interval_ms=30_000,
        pong_timeout_ms=5_000,
        max_message_bytes=262_144,
        max_symbols=5_000,
        upstream=UPSTREAM,
        capabilities=sorted(Capability),
    )


def quote(sequence: int, freshness: Freshness = Freshness.LIVE) -> Quote:
    return Quote(
        symbol="AAPL",
        symbol_id=8049,
        epoch=1,
        sequence=sequence,
        freshness=freshness,
        source=Source.STREAM,
        delayed=False,
        received_at=0,
    )


def acknowledge(peer: Peer) -> None:
    (command,) = peer.sent("subscribe")
    granted = wire.SymbolResult(ok=True, symbol="AAPL", symbol_id=8049)
    peer.hear(wire.Subscribed(request_id=command["requestId"], results=[granted]))
