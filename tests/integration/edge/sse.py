"""A reader of server-sent events over a raw socket, as the HTML standard has it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.edge.gateway import DEADLINE_S, EdgeGateway, Raw, raw

PATH = "/api-market/quotes/stream"


@dataclass
class EventSource:
    """One stream. `last_id` is what a browser would come back with."""

    sock: Raw
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    last_id: str = ""
    retry_ms: int = 0
    comments: int = 0
    told: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    _text: bytes = b""
    _given: int = 0
    ended: bool = False

    async def open(self, edge: EdgeGateway, query: str, **headers: str) -> "EventSource":
        named = {"Host": "x", "Authorization": f"Bearer {edge.token()}"}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in named.items() if value]
        await self.sock.send("\r\n".join([f"GET {PATH}?{query} HTTP/1.1", *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self.sock.buffer:
            if not await self.sock.more():
                raise EOFError(self.sock.buffer)
        head, _, self.sock.buffer = self.sock.buffer.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        return self

    async def refusal(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(await self.sock.take(int(self.headers["content-length"])))
        return told

    async def _chunk(self) -> bytes:
        while b"\r\n" not in self.sock.buffer:
            if not await self.sock.more():
                raise EOFError
        size, _, self.sock.buffer = self.sock.buffer.partition(b"\r\n")
        data = await self.sock.take(int(size, 16) + 2)
        return data[:-2]

    async def read(self) -> bool:
        """Read one chunk; False at the end of the stream."""
        chunk = await self._chunk()
        self.ended = not chunk
        self._text += chunk
        while b"\n\n" in self._text:
            block, _, self._text = self._text.partition(b"\n\n")
            self._take(block.decode())
        return not self.ended

    async def event(self) -> dict[str, Any] | None:
        """The next message; None at the end of the stream."""
        while self._given == len(self.told):
            if not await self.read():
                return None
        self._given += 1
        return self.told[self._given - 1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read on until that holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                assert await self.read(), "the stream ended"

    def _take(self, block: str) -> None:
        message = None
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "":
                    self.comments += 1
                case "id":
                    self.last_id = value
                case "retry":
                    self.retry_ms = int(value)
                case "data":
                    message = json.loads(value)
        if message is not None:
            self.told.append(message)
            for q in message.get("quotes", ()):
                self.seen.setdefault(q["symbolId"], []).append((q["epoch"], q["sequence"]))

    async def started(self) -> list[dict[str, Any]]:
        """Read up to the snapshot."""
        await self.until(lambda: any(told["type"] == "snapshot" for told in self.told))
        while self.told[self._given - 1]["type"] != "snapshot" or not self._given:
            self._given += 1
        return self.told[: self._given]

    async def until_seen(self, symbol_id: int, sequence: int) -> None:
        await self.until(lambda: bool(self.seen.get(symbol_id)) and self.seen[symbol_id][-1][1] >= sequence)

    async def until_end(self) -> None:
        with contextlib.suppress(EOFError):
            while await self.read():
                pass


@contextlib.asynccontextmanager
async def events(
    edge: EdgeGateway, query: str, *, receive_buffer: int | None = None, **headers: str
) -> AsyncIterator[EventSource]:
    """Open a stream."""
    async with raw(edge, receive_buffer=receive_buffer) as sock:
        yield await EventSource(sock).open(edge, query, **headers)
