"""A gateway of several processes, started as a user would, and what can be seen of it from outside."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.programs import Program

NAMES = ["AAPL", "MSFT", "SHOP.TO", "RY.TO", "TD.TO", "ENB.TO", "AMZN", "NVDA", "TSLA", "SPY", "QQQ", "XIU.TO"]
QUICK_DRAIN = {
    "DRAIN_SPREAD_MS": "500",
    "QUOTEWIRE_HISTORY_DEPTH": "1000",  # for as long as a busy machine may take to bring a client back
}


class Gateway:
    """A gateway of several processes, seen through its parent's log."""

    def __init__(self, program: Program, url: str) -> None:
        self.program = program
        self.url = url

    def lines(self, event: str) -> list[dict[str, object]]:
        """What was logged of an event."""
        parsed = (json.loads(line) for line in self.program.errors if f'"event":"{event}"' in line)
        return list(parsed)

    def pids(self) -> dict[str, int]:
        """The newest process of each name."""
        found: dict[str, int] = {}
        for line in self.lines("process.started"):
            assert isinstance(line["pid"], int)
            found[str(line["who"])] = line["pid"]
        return found

    def homes(self) -> Counter[str]:
        """How many clients authenticated with each worker."""
        return Counter(str(line["process"]) for line in self.lines("client_authenticated"))

    def kill(self, who: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send one process a signal; its pid."""
        pid = self.pids()[who]
        os.kill(pid, number)
        return pid

    async def started_again(self, who: str, times: int = 2) -> None:
        """Wait until a process of that name has been ready so often."""
        event = "owner.running" if who == "owner" else "worker.serving"
        await until(lambda: sum(line["process"] == who for line in self.lines(event)) >= times, 60)

    async def ready(self) -> None:
        """Wait until quotes can be served live."""
        async with httpx.AsyncClient(base_url=self.url) as client, asyncio.timeout(30):
            while (await client.get("/ready")).status_code != 200:
                await asyncio.sleep(0.05)

    async def ids(self) -> list[int]:
        """Some symbols."""
        await self.ready()
        async with httpx.AsyncClient(base_url=self.url) as client:
            found = (await client.post("/api-market/symbols/lookup", json={"symbols": NAMES})).json()["data"]
        return [symbol["symbolId"] for symbol in found.values()]


async def until(condition: object, seconds: float = 30.0) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def hello(url: str, token: str) -> ClientConnection:
    socket = await connect(f"{url.replace('http', 'ws', 1)}/ws", compression=None)
    await socket.send(json.dumps({"type": "hello", "protocol": 1, "token": token}))
    assert json.loads(await socket.recv())["type"] == "welcome"
    return socket


async def token(url: str) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = (await client.get("/api-auth/auth/access-token/alice")).json()
    return str(answer["data"]["accessToken"])
