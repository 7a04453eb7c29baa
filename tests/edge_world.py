"""The gateway's own edge and hub in virtual time, on transports that only remember: no socket, no waiting.

world = World(QUOTEWIRE_HISTORY_DEPTH="4")
client = world.connect("quotewire.v1.json")
client.send({"type": "hello", "token": world.token})
await world.settle()
client.told()
"""

import asyncio
import struct
from typing import Any

import msgspec

from quotewire.edge.auth import ClientTokens
from quotewire.edge.gate import MSGPACK, NATIVE, PLAIN, Admitted
from quotewire.edge.gate import Gate as EdgeGate
from quotewire.edge.limits import Seat
from quotewire.edge.websocket import Connection
from quotewire.hub.hub import Delivery, Hub
from quotewire.market.quote import Quote
from quotewire.settings import load
from quotewire.wire.dialect import Dialect
from quotewire.wire.frames import BINARY, CLOSE, PONG, TEXT
from tests.fake_upstream import FakeUpstream
from tests.wire_samples import masked

DIALECTS: dict[str, Dialect] = {"quotewire.v1.json": NATIVE, "quotewire.v1.msgpack": MSGPACK, "plain": PLAIN}
SETTLED_S = 0.0005
"""Time in which everything that is due now has happened."""


class Transport(asyncio.Transport):
    """Takes everything, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


class Peer:
    """One client's end of a connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.transport = Transport()
        self.open = True
        connection.connection_made(self.transport)

    @property
    def binary(self) -> bool:
        return self.connection.dialect.binary

    def send(self, message: Any) -> None:
        """A message, in the encoding of this connection."""
        if self.binary:
            self.frame(BINARY, msgspec.msgpack.encode(message))
        else:
            self.frame(TEXT, message.encode() if isinstance(message, str) else msgspec.json.encode(message))

    def frame(self, opcode: int, payload: bytes) -> None:
        self.connection.data_received(masked(opcode, payload))

    def block(self) -> None:
        """Take no more."""
        self.connection.pause_writing()

    def unblock(self) -> None:
        """Take data again."""
        self.connection.resume_writing()

    def drop(self) -> None:
        """Be gone."""
        if self.open:
            self.open = False
            self.connection.connection_lost(None)

    def payloads(self) -> list[tuple[int, bytes]]:
        """Opcode and payload of what was written since the last call. Pings are answered."""
        found, data = [], self.transport.written
        self.transport.written = b""
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = struct.unpack("!H", data[2:4])[0], 4
            elif length == 127:
                length, start = struct.unpack("!Q", data[2:10])[0], 10
            found.append((data[0] & 0x0F, data[start : start + length]))
            data = data[start + length :]
        return found

    def told(self) -> list[dict[str, Any]]:
        """The messages since the last call; a close frame is `{"close": code}`."""
        told = []
        for opcode, payload in self.payloads():
            if opcode == CLOSE:
                told.append({"close": struct.unpack("!H", payload[:2])[0]})
            elif opcode in (TEXT, BINARY):
                assert opcode == (BINARY if self.binary else TEXT)
                told.append((msgspec.msgpack if self.binary else msgspec.json).decode(payload))
            elif opcode != PONG:
                self.frame(PONG, payload)
        return told


class World:
    """One gateway process after another, and the peers of the one that runs. Needs a running virtual loop."""

    def __init__(self, **environ: str) -> None:
        self._settings = load(environ)
        self._tokens = ClientTokens(b"k" * 32, ttl_s=86_400)
        self.token = self._tokens.mint("alice")[0]
        self.upstream = FakeUpstream()
        self.peers: list[Peer] = []
        self._sweep: asyncio.Task[None] | None = None
        self._opened = 0
        self.start()

    def start(self) -> None:
        """A process begins: it knows nothing."""
        loop, settings = asyncio.get_running_loop(), self._settings
        self.hub = Hub(
            schedule=loop.call_later,
            clock=loop.time,
            on_wanted=lambda ids: None,
            delivery=Delivery(
                max_window_s=settings.flush_window_ms / 1000,
                ring_size=settings.every_tick_backlog,
                history_depth=settings.history_depth,
                history_symbols=settings.history_symbols,
            ),
        )
        self.gate = EdgeGate(settings, self.hub, self._tokens, self.upstream)
        self._sweep = loop.create_task(self.gate.sweep())

    async def stop(self) -> None:
        """The process ends, and its connections with it."""
        for peer in self.peers:
            peer.drop()
        self.peers.clear()
        if self._sweep is not None:
            self._sweep.cancel()
            await asyncio.wait([self._sweep])

    def connect(self, subprotocol: str) -> Peer:
        """A client opens a connection."""
        self._opened += 1
        address = f"10.{self._opened >> 16}.{self._opened >> 8 & 255}.{self._opened & 255}"
        seat = self.gate.seat(address)
        assert isinstance(seat, Seat)
        admitted = Admitted(DIALECTS[subprotocol], subprotocol, seat)
        peer = Peer(Connection(self.gate, admitted, address=address, connection_id="ws-1"))
        self.peers.append(peer)
        return peer

    def publish(self, *quotes: Quote) -> None:
        """Updates come from upstream."""
        self.hub.publish(quotes)

    async def settle(self) -> None:
        """Let happen what is due now."""
        await asyncio.sleep(SETTLED_S)
