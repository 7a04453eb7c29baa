"""The edge over real sockets: a gateway with a fake upstream, a socket that does only what it is told, and a crowd."""

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from quotewire.app import new_hub
from quotewire.edge import api
from quotewire.edge.auth import ClientTokens
from quotewire.edge.gate import Gate
from quotewire.edge.listening import bind
from quotewire.edge.ports import WholePort
from quotewire.edge.server import serving
from quotewire.edge.services import Services
from quotewire.hub.hub import Hub
from quotewire.settings import load
from quotewire.wire.frames import CLOSE, PING, TEXT
from tests.fake_upstream import FakeUpstream
from tests.wire_samples import masked, quote

DEADLINE_S = 10.0
GRACE_S = 2.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


async def until(condition: Callable[[], bool], seconds: float = DEADLINE_S) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


@dataclass
class EdgeGateway:
    """A gateway that serves on `port`."""

    services: Services
    upstream: FakeUpstream
    port: int
    wanted: frozenset[int] = frozenset()
    sequences: dict[int, int] = field(default_factory=dict)

    @property
    def hub(self) -> Hub:
        return self.services.hub

    @property
    def gate(self) -> Gate:
        return self.services.gate

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, person: str = "alice") -> str:
        return self.services.tokens.mint(person)[0]

    def publish(self, *symbol_ids: int, **fields: Any) -> None:
        """One more update of each of these symbols."""
        for symbol_id in symbol_ids:
            self.sequences[symbol_id] = self.sequences.get(symbol_id, 0) + 1
            self.hub.publish([quote(symbol_id, self.sequences[symbol_id], **fields)])

    def http(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=DEADLINE_S, trust_env=False)

    def native(self, **options: Any) -> connect:
        subprotocols = [Subprotocol("quotewire.v1.json")]
        return connect(f"ws://127.0.0.1:{self.port}/ws", subprotocols=subprotocols, proxy=None, **options)

    def plain(self, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/", proxy=None, **options)

    def leaks(self) -> dict[str, float]:
        """What is left of connections that are gone; empty when there is nothing."""
        stats = self.hub.stats()
        left = {
            "connections": len(self.gate.connections),
            "seats": self.gate.limiter.seats,
            "tasks": len(self.gate._tasks),
            "clients": stats["clients"],
            "lanes": stats["lanes"],
            "apart": stats["clients_apart"],
            "symbols_wanted": stats["symbols_wanted"],
            "wanted": len(self.wanted),
        }
        return {name: count for name, count in left.items() if count}


@contextlib.asynccontextmanager
async def running_edge(
    tmp_path: Path, *, patient: bool = True, whole: WholePort | None = None, **environ: str
) -> AsyncIterator[EdgeGateway]:
    """Serve until the block ends, as a part of `whole` if there is one; then nothing of any connection may be left.

    `patient`: clients have hung up by then, and the gateway must have noticed before it stops.
    """
    chosen = {
        "MAX_CONNECTIONS_PER_IP": "100",
        "WS_FAULT_RATE_PER_IP": "1000",
        "QUOTEWIRE_DATA_DIR": str(tmp_path),
        **environ,
    }
    settings, upstream = load(chosen), FakeUpstream()
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])

        def wanted(ids: frozenset[int]) -> None:
            gateway.wanted = ids

        hub = new_hub(settings, wanted)
        tokens = ClientTokens(b"k" * 32, ttl_s=settings.token_ttl_ms / 1000)
        gate = Gate(settings, hub, tokens, upstream, whole)
        services = Services(settings, hub, gate, tokens, upstream, bound_port=lambda: port)
        gateway = EdgeGateway(services, upstream, port)
        async with serving(api.create(services), gate, listener, grace_s=GRACE_S):
            yield gateway
            if patient:
                with contextlib.suppress(TimeoutError):
                    await until(lambda: not gateway.leaks(), 3.0)
                left = gateway.leaks()
        assert not patient or left == {}
    assert gateway.leaks() == {}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


class Raw:
    """A socket that reads when told to, and never answers by itself."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.loop = asyncio.get_running_loop()

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.loop.sock_sendall(self.sock, data)

    async def text(self, message: str | bytes | dict[str, Any]) -> None:
        payload = json.dumps(message) if isinstance(message, dict) else message
        await self.send(masked(TEXT, payload.encode() if isinstance(payload, str) else payload))

    async def more(self) -> bool:
        """Read on; False at the end of the stream."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                data = await self.loop.sock_recv(self.sock, 65536)
            except ConnectionResetError:
                data = b""
        self.buffer += data
        return bool(data)

    async def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if not await self.more():
                raise EOFError
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    async def answer(self) -> Answer:
        """Read one HTTP answer."""
        while b"\r\n\r\n" not in self.buffer:
            if not await self.more():
                raise EOFError(self.buffer)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await self.take(int(headers.get("content-length", "0")))
        return Answer(int(lines[0].split(" ")[1]), headers, body)

    async def request(self, text: str) -> Answer:
        """Send a request head, lines as they are, and read the answer."""
        await self.send("\r\n".join([*text.strip().split("\n"), "", ""]).encode("latin-1"))
        return await self.answer()

    async def upgrade(self, path: str = "/ws", **headers: str) -> Answer:
        named = {
            "Host": "127.0.0.1",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        lines = [f"{name}: {value}" for name, value in named.items() if value]
        return await self.request("\n".join([f"GET {path} HTTP/1.1", *lines]))

    async def frame(self) -> tuple[int, bytes]:
        first, length = await self.take(2)
        if length == 126:
            (length,) = struct.unpack("!H", await self.take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.take(8))
        return first & 0x0F, await self.take(length)

    async def message(self) -> dict[str, Any]:
        """The next text message; pings are passed over unanswered."""
        while True:
            opcode, payload = await self.frame()
            if opcode == TEXT:
                told: dict[str, Any] = json.loads(payload)
                return told
            assert opcode == PING, (opcode, payload)

    async def ending(self) -> tuple[list[dict[str, Any]], int | None]:
        """All messages up to the end, and the close code; None where there was no close frame."""
        messages: list[dict[str, Any]] = []
        with contextlib.suppress(EOFError):
            while True:
                opcode, payload = await self.frame()
                if opcode == TEXT:
                    messages.append(json.loads(payload))
                if opcode == CLOSE:
                    return messages, struct.unpack_from("!H", payload)[0] if payload else None
        return messages, None

    async def end_of_stream(self) -> None:
        while await self.more():
            pass

    async def hello(self, gateway: EdgeGateway, *ids: int) -> dict[str, Any]:
        """Open the native dialect and subscribe."""
        assert (await self.upgrade()).status == 101
        await self.text({"type": "hello", "token": gateway.token()})
        welcome = await self.message()
        assert welcome["type"] == "welcome"
        if ids:
            await self.text({"type": "subscribe", "ids": list(ids)})
            assert (await self.message())["type"] == "subscribed"
            assert (await self.message())["type"] == "snapshot"
        return welcome


@contextlib.asynccontextmanager
async def raw(gateway: EdgeGateway, *, receive_buffer: int | None = None) -> AsyncIterator[Raw]:
    """A raw socket, gone at the end without good-bye."""
    with socket.socket() as sock:
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", gateway.port))
        yield Raw(sock)


CROWD_SYMBOLS = (1, 2, 3)


@dataclass
class Witness:
    """A healthy client, and the sequences it was shown of each symbol."""

    dialect: str
    socket: ClientConnection
    seen: dict[int, list[int]] = field(default_factory=dict)
    other: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        async for text in self.socket:
            told = json.loads(text)
            if told.get("type", "quotes") not in ("quotes", "snapshot") or told.get("skipped"):
                self.other.append(told)
            for q in told.get("quotes", ()):
                self.seen.setdefault(q["symbolId"], []).append(q["sequence"])


@contextlib.asynccontextmanager
async def crowd(gateway: EdgeGateway, count: int = 10) -> AsyncIterator[list[Witness]]:
    """While the block runs, updates flow to `count` healthy clients; at its end each must have seen every one."""
    async with contextlib.AsyncExitStack() as stack:
        witnesses = []
        gateway.publish(*CROWD_SYMBOLS)
        for i in range(count):
            witnesses.append(await _witness(gateway, stack, native=i % 2 == 0))
        readers = [asyncio.create_task(witness.read()) for witness in witnesses]
        publisher = asyncio.create_task(_publish(gateway))
        try:
            yield witnesses
            publisher.cancel()
            gateway.publish(*CROWD_SYMBOLS)
            await until(lambda: all(_complete(gateway, witness) for witness in witnesses))
            for witness in witnesses:
                assert not witness.other, witness.other
                assert witness.socket.close_code is None
        finally:
            publisher.cancel()
            for reader in readers:
                reader.cancel()
            await asyncio.gather(publisher, *readers, return_exceptions=True)


async def _witness(gateway: EdgeGateway, stack: contextlib.AsyncExitStack, *, native: bool) -> Witness:
    if native:
        client = await stack.enter_async_context(gateway.native())
        await client.send(json.dumps({"type": "hello", "token": gateway.token()}))
        await client.recv()
        await client.send(json.dumps({"type": "subscribe", "ids": CROWD_SYMBOLS}))
    else:
        client = await stack.enter_async_context(gateway.plain())
        await client.send(gateway.token())
        await client.recv()
        await client.send(json.dumps({"mode": "streaming", "ids": CROWD_SYMBOLS}))
    assert json.loads(await client.recv())["type"] == "subscribed"
    return Witness("native" if native else "plain", client)


async def _publish(gateway: EdgeGateway) -> None:
    while True:
        gateway.publish(*CROWD_SYMBOLS)
        await asyncio.sleep(0.002)


def _complete(gateway: EdgeGateway, witness: Witness) -> bool:
    """Whether this client has seen every update up to the newest. Raises when one is missing or out of order."""
    for symbol_id in CROWD_SYMBOLS:
        seen = witness.seen.get(symbol_id, [])
        assert seen == list(range(seen[0], seen[0] + len(seen))) if seen else True, (witness.dialect, symbol_id, seen)
        if not seen or seen[-1] != gateway.sequences[symbol_id]:
            return False
    return True


def external_references(html: str) -> list[str]:
    """What a browser would fetch from elsewhere to show this page."""
    return re.findall(r"""(?:src|href|url)\s*[=(:]\s*["']?((?:https?:)?//[^"'\s>)]+)""", html)
