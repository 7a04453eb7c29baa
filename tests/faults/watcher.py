"""A native client that keeps everything it is sent, with the time it came."""

import asyncio
import bisect
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TRADABLE = frozenset({"live", "quiet"})
ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One quote as it came; `at` is epoch seconds of this machine."""

    at: float
    quote: dict[str, Any]

    @property
    def freshness(self) -> str:
        return str(self.quote["freshness"])


@dataclass
class Watcher:
    """Connects once, and must never be cut. `seen` holds the quotes of each symbol in the order they came."""

    ids: Sequence[int]
    seen: dict[int, list[Seen]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    skipped: int = 0
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str | None = None

    async def run(self, url: str) -> None:
        """Say hello, subscribe, and listen until cancelled."""
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            persons = (await client.get("/api-auth/persons")).json()["data"]
            answer = await client.get(f"/api-auth/auth/access-token/{persons[0]['personName']}")
        token = answer.json()["data"]["accessToken"]
        address = f"{url.replace('http', 'ws', 1)}/ws"
        async with connect(address, subprotocols=["quotewire.v1.json"], compression=None) as socket:  # type: ignore[list-item]
            await self._ask(socket, {"type": "hello", "protocol": 1, "token": token}, "welcome")
            await self._ask(socket, {"type": "subscribe", "ids": list(self.ids)}, "subscribed")
            self.subscribed.set()
            try:
                async for text in socket:
                    self._take(json.loads(text))
            except ConnectionClosed:
                pass
            self.ended = f"closed with {socket.close_code}"

    async def _ask(self, socket: ClientConnection, message: dict[str, Any], answer: str) -> None:
        await socket.send(json.dumps(message))
        async with asyncio.timeout(ANSWER_S):
            while True:
                told = json.loads(await socket.recv())
                self._take(told)
                if told.get("type") == answer:
                    return

    def _take(self, message: dict[str, Any]) -> None:
        now = time.time()
        self.skipped += message.get("skipped", 0)
        if message.get("type") == "status":
            self.statuses.append(message["upstream"])
        for quote in message.get("quotes", ()):
            self.seen.setdefault(quote["symbolId"], []).append(Seen(now, quote))

    # --- what it sees ---

    def view(self, symbol_id: int) -> str:
        """The freshness it shows for a symbol now."""
        seen = self.seen.get(symbol_id)
        return seen[-1].freshness if seen else "none"

    def views(self, *ids: int) -> set[str]:
        """The freshness of these, or of all, now."""
        return {self.view(symbol_id) for symbol_id in ids or self.ids}

    def since(self, at: float) -> Iterator[Seen]:
        """Everything that came from `at` (epoch seconds) on."""
        for seen in self.seen.values():
            yield from seen[bisect.bisect_left(seen, at, key=lambda each: each.at) :]

    def spans(self, symbol_id: int, until: float) -> Iterator[tuple[float, float, Seen]]:
        """From when to when it showed which quote of a symbol; the last one up to `until`."""
        seen = self.seen[symbol_id]
        for position, each in enumerate(seen):
            yield each.at, seen[position + 1].at if position + 1 < len(seen) else until, each
