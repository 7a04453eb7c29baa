"""The gateway is restarted under its clients: an SDK client and a plain one come back, to a newer epoch."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

import quotewire
from quotewire import app
from quotewire.settings import load
from quotewire.simulator import Simulator
from tests.faults.stage import TUNING, busy
from tests.integration.client_tools import FAST
from tests.upstream_support import environment

APPLE = 8049
PATIENCE_S = 20.0


@dataclass
class PlainClient:
    """As an existing front end does it: a token, the socket, one `streaming` message; and again when it ends."""

    quotes: list[dict[str, Any]] = field(default_factory=list)
    opened: int = 0
    closes: list[int | None] = field(default_factory=list)

    async def run(self, url: str) -> None:
        while True:
            try:
                await self._once(url)
            except (OSError, httpx.HTTPError, WebSocketException):
                await asyncio.sleep(0.1)

    async def _once(self, url: str) -> None:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            token = (await client.get("/api-auth/auth/access-token/alice")).json()["data"]["accessToken"]
        async with connect(url.replace("http", "ws", 1), compression=None) as socket:
            await socket.send(token)
            assert json.loads(await socket.recv())["success"] is True
            await socket.send(json.dumps({"mode": "streaming", "ids": [APPLE]}))
            self.opened += 1
            try:
                async for text in socket:
                    self.quotes += json.loads(text).get("quotes", ())
            finally:
                self.closes.append(socket.close_code)


@asynccontextmanager
async def gateway(sim: Simulator, data_dir: Path, port: str) -> AsyncIterator[str]:
    settings = load({**environment(sim, data_dir), "PORT": port})
    async with app.running(settings, tuning=TUNING) as running:
        yield running.url


async def test_clients_live_through_a_restart(tmp_path: Path) -> None:
    lived: list[list[tuple[int, int]]] = [[], []]
    async with Simulator(busy()) as sim:
        async with gateway(sim, tmp_path, "0") as url:
            client = quotewire.connect(url, lifecycle=FAST, metrics_interval_s=None)
            await client.connect()
            stream, plain = client.quotes(APPLE), PlainClient()
            running = asyncio.create_task(plain.run(url))
            async with asyncio.timeout(PATIENCE_S):
                lived[0] = [(quote.epoch, quote.sequence) for quote in [await anext(stream) for _ in range(20)]]
                while len(plain.quotes) < 20:
                    await asyncio.sleep(0.01)
        async with asyncio.timeout(PATIENCE_S):
            while client.state.state is quotewire.State.CONNECTED or not plain.closes:
                await asyncio.sleep(0.01)
        held = client.latest(APPLE)
        assert held is not None
        assert not held.tradable
        assert plain.closes == [1001]

        async with gateway(sim, tmp_path, url.rpartition(":")[2]):
            async with asyncio.timeout(PATIENCE_S):
                while len(lived[1]) < 20:
                    quote = await anext(stream)
                    if quote.epoch > lived[0][0][0]:
                        lived[1].append((quote.epoch, quote.sequence))
                while not plain.quotes or plain.quotes[-1]["epoch"] != lived[1][-1][0]:
                    await asyncio.sleep(0.01)
            running.cancel()
            await client.disconnect()
        await asyncio.gather(running, return_exceptions=True)

        for quotes in lived:
            (epoch, first), count = quotes[0], len(quotes)
            assert quotes == [(epoch, first + step) for step in range(count)], "no gap and no repeat within an epoch"
        epochs = [quote["epoch"] for quote in plain.quotes]
        assert epochs == sorted(epochs)
        assert len(set(epochs)) == 2
        assert sum(sim.stats(record=False)["tokens"]["outcomes"]["alice"].values()) == 1, "the token is still good"
