# ruff: noqa: D102  the methods of a transport and a handler are known
"""The edge without a network: a peer's bytes go into the real HTTP protocol, what it answers is collected."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from quotewire.app import new_hub
from quotewire.edge import api
from quotewire.edge.auth import ClientTokens
from quotewire.edge.gate import Gate
from quotewire.edge.http import bound_to
from quotewire.edge.services import Services
from quotewire.settings import load
from tests.fake_upstream import FakeUpstream

SETTINGS = {
    "WS_MAX_MESSAGE_BYTES": "4096",
    "MAX_CONNECTIONS_PER_IP": "1000",
    # Inputs come faster than any client's.
    "WS_HANDSHAKE_RATE_PER_IP": "100000",
    "WS_HANDSHAKE_RATE_PER_KEY": "100000",
    "WS_FAULT_RATE_PER_IP": "100000",
    "QUOTEWIRE_TOKEN_RATE_PER_IP": "100000",
}
TURNS = 6
"""Iterations of the loop after each piece: enough for a request's task, a look-up and a flush."""


class Wire(asyncio.Transport):
    """A socket of no network: keeps what is written, and closes when told to."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__({"peername": ("192.0.2.1", 40000), "sockname": ("127.0.0.1", 4005)})
        self._loop, self._protocol, self._closing = loop, protocol, False
        self.written = bytearray()

    def write(self, data: Any) -> None:
        if not self._closing:
            self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(lambda: self._protocol.connection_lost(None))

    abort = close

    def feed(self, data: bytes) -> None:
        """What a selector does with bytes that came."""
        protocol = self._protocol
        if not self._closing and data and isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)


class Complaints(logging.Handler):
    """Keeps what the product reports as its own failure."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


class Edge:
    """A gateway's edge with a fake upstream, on a loop that turns only when told to."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.complaints = Complaints()
        self.loop.set_exception_handler(lambda _, context: self.complaints.told.append(str(context)))
        for name in ("quotewire", "uvicorn.error", "asyncio"):
            logging.getLogger(name).addHandler(self.complaints)
            logging.getLogger(name).propagate = False
        self.loop.run_until_complete(self._make())

    async def _make(self) -> None:
        settings, upstream = load(SETTINGS), FakeUpstream()
        self.hub = new_hub(settings, lambda _: None)
        self.tokens = ClientTokens(b"k" * 32, ttl_s=3600)
        self.gate = Gate(settings, self.hub, self.tokens, upstream)
        app = api.create(Services(settings, self.hub, self.gate, self.tokens, upstream, bound_port=lambda: 4005))
        config = uvicorn.Config(app, http=bound_to(self.gate), ws="none", lifespan="off", log_config=None)
        config.load()
        self._config = config

    def connect(self) -> Wire:
        """A new connection."""
        protocol: Any = bound_to(self.gate)(self._config, ServerState(), {}, self.loop)
        wire = Wire(self.loop, protocol)
        protocol.connection_made(wire)
        return wire

    def turn(self, turns: int = TURNS) -> None:
        """Let the loop do what is due."""

        async def rest() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)

        self.loop.run_until_complete(rest())

    def talk(self, wire: Wire, pieces: Iterable[bytes]) -> bytes:
        """Feed the pieces, one after another, and tell what was answered."""
        for piece in pieces:
            self.loop.run_until_complete(self._fed(wire, piece))
            self.turn()
        return bytes(wire.written)

    async def _fed(self, wire: Wire, piece: bytes) -> None:
        wire.feed(piece)

    def hang_up(self, wire: Wire) -> None:
        """The peer goes. What it leaves behind, and what the product complained of, is the caller's to judge."""
        wire.close()
        self.turn()

    def left_behind(self) -> dict[str, float]:
        """What is left of connections that are gone; empty when there is nothing."""
        stats = self.hub.stats()
        left = {
            "connections": len(self.gate.connections),
            "seats": self.gate.limiter.seats,
            "clients": stats["clients"],
            "symbols wanted": stats["symbols_wanted"],
        }
        return {name: count for name, count in left.items() if count}
