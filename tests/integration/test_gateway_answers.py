"""A whole gateway on simulated quotes, asked as PROTOCOL.md says."""

import json
from typing import Any

import httpx
from websockets.asyncio.client import connect

from quotewire.testing import running_gateway


async def test_a_snapshot_follows_its_acknowledgement_at_once_even_when_the_upstream_changes_by_it() -> None:
    """The first subscription opens a stream: a change of the upstream, told after the answer and not within it."""
    async with running_gateway() as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as http:
            token = (await http.get("/api-auth/auth/access-token/alice")).json()["data"]["accessToken"]
        async with connect(gateway.url.replace("http", "ws") + "/ws", proxy=None) as socket:

            async def answered() -> dict[str, Any]:
                message: dict[str, Any] = json.loads(await socket.recv())
                return message

            await socket.send(json.dumps({"type": "hello", "protocol": 1, "token": token}))
            while (await answered())["type"] != "welcome":
                pass
            await socket.send(json.dumps({"type": "subscribe", "symbols": ["AAPL"], "requestId": "s"}))
            types = [(await answered())["type"] for _ in range(4)]
            assert types[0] == "subscribed"
            assert types[1] == "snapshot"
            assert "status" in types
