"""Clients of both dialects that keep all they are sent, and the check against what was sent upstream."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Key = tuple[int, float | None, float | None, float | None]


@dataclass
class Listener:
    """One client: what it wants, the quotes it was sent in order, and how its connection ended."""

    dialect: str
    ids: Sequence[int]
    quotes: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    close_code: int | None = None
    skipped: int = 0
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str, token: str) -> None:
        """Connect, subscribe, and listen until the connection ends."""
        base = url.replace("http", "ws", 1)
        if self.dialect == "native":
            async with connect(f"{base}/ws", subprotocols=["quotewire.v1.json"], compression=None) as socket:  # type: ignore[list-item]
                await self._ask(socket, {"type": "hello", "protocol": 1, "token": token}, "welcome")
                await self._ask(socket, {"type": "subscribe", "ids": list(self.ids)}, "subscribed")
                await self._listen(socket)
        else:
            async with connect(f"{base}/", compression=None) as socket:
                await socket.send(token)
                assert json.loads(await socket.recv())["success"] is True
                await self._ask(socket, {"mode": "streaming", "ids": list(self.ids)}, "subscribed")
                await self._listen(socket)

    async def _ask(self, socket: ClientConnection, message: dict[str, Any], answer: str) -> None:
        await socket.send(json.dumps(message))
        async with asyncio.timeout(20):
            while True:
                told = json.loads(await socket.recv())
                if told.get("type") == answer:
                    return
                self._take(told)

    async def _listen(self, socket: ClientConnection) -> None:
        self.subscribed.set()
        try:
            async for text in socket:
                self._take(json.loads(text))
        except ConnectionClosed:
            pass
        self.close_code = socket.close_code

    def _take(self, message: dict[str, Any]) -> None:
        self.skipped += message.get("skipped", 0)
        for quote in message.get("quotes", ()):
            self.quotes.setdefault(quote["symbolId"], []).append(quote)

    def newest(self, symbol_id: int) -> Key | None:
        """What the last quote of a symbol said."""
        return key_of(self.quotes[symbol_id][-1]) if self.quotes.get(symbol_id) else None


def key_of(quote: dict[str, Any]) -> Key:
    """What a quote and the simulator's record of it have in common."""
    return (quote["volume"], quote["bidPrice"], quote["askPrice"], quote["lastTradePrice"])


def collapsed(keys: Sequence[Key]) -> list[Key]:
    """The keys without repeats: a change of a size, or of freshness, leaves the key as it was."""
    return [key for position, key in enumerate(keys) if position == 0 or key != keys[position - 1]]


async def sent_by(control_url: str, person: str) -> dict[int, list[Key]]:
    """What the simulator says it sent to a person's stream, by symbol, in order."""
    async with httpx.AsyncClient() as client:
        stats = (await client.get(f"{control_url}/stats", timeout=30)).json()
    sent: dict[int, list[Key]] = {}
    for symbol_id, volume, bid, ask, last, _ in stats["quotes"]["record"][person]:
        sent.setdefault(symbol_id, []).append((volume, bid, ask, last))
    return sent


def check_all_received(listener: Listener, sent: dict[int, list[Key]]) -> int:
    """Assert that every update sent since the client's snapshot arrived, once and in order; returns how many."""
    checked = 0
    for symbol_id in listener.ids:
        got = listener.quotes[symbol_id]
        sequences = [quote["sequence"] for quote in got]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences))), f"gap in {symbol_id}"
        keys = collapsed([key_of(quote) for quote in got])
        expected = collapsed(sent[symbol_id])
        assert keys == expected[len(expected) - len(keys) :], f"{symbol_id} differs from what was sent"
        checked += len(keys)
    return checked
