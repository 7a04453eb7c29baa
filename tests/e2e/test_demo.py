"""What a stranger does first: the demo, each path of R15 with an HTTP client, and `watch`."""

import asyncio
import json
import signal
import socket
from typing import Any

import httpx
import pytest

from tests.e2e.programs import Program, Start

pytestmark = pytest.mark.slow


async def demo(start: Start) -> tuple[Program, str]:
    program = await start("demo", "--port", "0")
    found = await program.line(r"dashboard\s+(http://\S+)/")
    return program, found.group(1)


async def until_ready(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0.05)


async def test_every_path_answers_as_specified(start: Start) -> None:
    _, url = await demo(start)
    async with httpx.AsyncClient(base_url=url) as client:
        await until_ready(client)

        persons = (await client.get("/api-auth/persons")).json()
        assert persons["success"] is True
        assert {"personName": "alice", "isActive": True} in persons["data"]

        for query in ("", "?refresh=true"):
            token = (await client.get(f"/api-auth/auth/access-token/alice{query}")).json()["data"]
            assert set(token) == {"accessToken", "apiServer", "expiresAt"}
            assert token["apiServer"] == "http://127.0.0.1"

        lookup = (await client.post("/api-market/symbols/lookup", json={"symbols": ["AAPL", "NO.SUCH"]})).json()
        assert lookup["data"]["AAPL"]["symbolId"] == 8049
        assert [problem["symbol"] for problem in lookup["errors"]] == ["NO.SUCH"]

        body: dict[str, Any] = {"symbolIds": [8049], "personName": "alice"}
        port = (await client.post("/api-market/symbols/stream-port", json=body)).json()
        assert port == {"success": True, "data": {"streamPort": int(url.rsplit(":", 1)[1])}}

        batch = (await client.post("/api-market/quotes/batch", json={"symbols": ["AAPL"]})).json()
        assert batch["success"] is True
        assert batch["data"][0]["symbolId"] == 8049
        assert batch["data"][0]["bidPrice"] < batch["data"][0]["askPrice"]
        assert batch["data"][0]["freshness"] != "stale"

        report = await client.post("/api/metrics/websocket", json={"connectionsAttempted": 1, "averageLatency": 5})
        assert report.json()["success"] is True

        health = (await client.get("/health")).json()
        assert health["success"] is True
        assert health["status"] == "ok"
        assert health["uptime"] > 0

        assert b"quotewire_connections " in (await client.get("/metrics")).content
        assert "/api-market/quotes/batch" in (await client.get("/openapi.json")).json()["paths"]
        assert (await client.get("/docs")).status_code == 200
        assert "<html" in (await client.get("/")).text.lower()


async def test_watch_ends_after_the_count(start: Start) -> None:
    _, url = await demo(start)

    watch = await start("watch", "AAPL", "--json", "--count", "20", "--url", url)
    assert await watch.ended() == 0

    quotes = [json.loads(line) for line in watch.output]
    assert len(quotes) == 20
    assert {quote["symbol"] for quote in quotes} == {"AAPL"}
    sequences = [quote["sequence"] for quote in quotes]
    assert sequences == list(range(sequences[0], sequences[0] + 20))


async def test_a_port_in_use_is_one_line_that_names_it(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = await start("demo", "--port", str(port))
        assert await program.ended() != 0

    said = [line for line in program.output + program.errors if line]
    assert len(said) == 1
    assert str(port) in said[0]


async def test_sigterm_ends_the_demo_quietly(start: Start) -> None:
    program, _ = await demo(start)

    program.send(signal.SIGTERM)

    assert await program.ended(5) == 0
    assert not any("Traceback" in line for line in program.errors)
