"""A small, plain client of the simulated broker, for tests: it checks nothing and repairs nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from quotewire.simulator import Simulator, SimulatorConfig

AAPL, MSFT, TD = 8049, 27426, 38738
DEADLINE_S = 10.0
BUSY = {"rate": 2000.0, "symbols": 12, "halts_per_day": 0.0}  # every symbol changes many times a second


def config(**settings: Any) -> SimulatorConfig:
    """A fast, fixed market."""
    chosen: dict[str, Any] = {"persons": ("alice", "bob"), "start": "2026-03-03T10:00", **BUSY, **settings}
    return SimulatorConfig(**chosen)


class Broker:
    """One person's view of a simulator."""

    def __init__(self, sim: Simulator, person: str, http: httpx.AsyncClient) -> None:
        self.sim = sim
        self.person = person
        self.http = http
        self.refresh_token = sim.refresh_tokens[person]
        self.access_token = ""
        self.api = ""

    async def exchange(self, token: str | None = None, **form: str) -> httpx.Response:
        """Send a refresh token, whatever comes of it."""
        values = {"grant_type": "refresh_token", "refresh_token": token or self.refresh_token, **form}
        return await self.http.post(f"{self.sim.login_url}/oauth2/token", data=values)

    async def login(self) -> dict[str, Any]:
        """Exchange the refresh token and remember what it bought."""
        answer = await self.exchange()
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        self.refresh_token, self.access_token = body["refresh_token"], body["access_token"]
        self.api = body["api_server"].rstrip("/").removesuffix("/v1")
        return body

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """GET below /v1/ with the access token."""
        sent = {"Authorization": f"Bearer {self.access_token}", **headers}
        return await self.http.get(f"{self.api}/v1/{path}", headers=sent)

    async def port(self, *ids: int) -> int:
        """Subscribe, and where to connect."""
        answer = await self.get(f"markets/quotes?ids={','.join(map(str, ids))}&stream=true&mode=WebSocket")
        assert answer.status_code == 200, answer.text
        return int(answer.json()["streamPort"])

    async def socket(self, port: int, token: str | None = None) -> ClientConnection:
        """An open socket that has sent the token; its queue has no bound, so that it always notices the end."""
        connection = await connect(f"ws://127.0.0.1:{port}/any/path", compression=None, max_size=None, max_queue=None)
        await connection.send(self.access_token if token is None else token)
        return connection

    async def stream(self, *ids: int) -> ClientConnection:
        """Subscribe, connect, and read the success message."""
        connection = await self.socket(await self.port(*ids))
        assert await hear(connection) == {"success": True}
        return connection


@asynccontextmanager
async def broker(sim: Simulator, person: str = "alice", *, login: bool = True) -> AsyncIterator[Broker]:
    """A person's client, logged in unless told otherwise."""
    async with httpx.AsyncClient(timeout=DEADLINE_S) as http:
        client = Broker(sim, person, http)
        if login:
            await client.login()
        yield client


async def hear(connection: ClientConnection) -> Any:
    """The next message, decoded."""
    async with asyncio.timeout(DEADLINE_S):
        return msgspec.json.decode(await connection.recv())


async def hear_quotes(connection: ClientConnection) -> list[dict[str, Any]]:
    """The next frame of quotes."""
    message = await hear(connection)
    assert list(message) == ["quotes"], message
    quotes: list[dict[str, Any]] = message["quotes"]
    return quotes


async def ending(connection: ClientConnection) -> tuple[int | None, list[Any]]:
    """Read to the end: the close code (1005 no status, 1006 none at all), and every JSON message that came before."""
    heard: list[Any] = []
    with contextlib.suppress(ConnectionClosed):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                heard.append(msgspec.json.decode(await connection.recv()))
    await connection.wait_closed()
    return connection.close_code, heard


async def until(condition: Any) -> None:
    """Wait until a condition is true, or fail."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)
