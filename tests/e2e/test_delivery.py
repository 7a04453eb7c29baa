"""A hundred clients of each dialect get every update, in sequence; and all are told when the gateway stops."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.e2e.clients import Listener, check_all_received, sent_by
from tests.e2e.programs import Start

pytestmark = pytest.mark.slow

CLIENTS_EACH = 100
SYMBOLS = 20
UPDATES_WANTED = 30


async def stream_everything(url: str, ids: list[int]) -> tuple[list[Listener], list[asyncio.Task[None]]]:
    async with httpx.AsyncClient(base_url=url) as client:
        token = (await client.get("/api-auth/auth/access-token/alice")).json()["data"]["accessToken"]
    listeners = [
        Listener(dialect, [ids[(number + step) % len(ids)] for step in range(5)])
        for dialect in ("native", "plain")
        for number in range(CLIENTS_EACH)
    ]
    tasks = [asyncio.create_task(listener.run(url, token)) for listener in listeners]
    async with asyncio.timeout(60):
        await asyncio.gather(*(listener.subscribed.wait() for listener in listeners))
    return listeners, tasks


async def quotable_ids(url: str) -> list[int]:
    names = ["AAPL", "MSFT", "SHOP.TO", "RY.TO", "TD.TO", "ENB.TO", "AMZN", "NVDA", "TSLA", "SPY", "QQQ", "XIU.TO"]
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(30):
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0.05)
        found = (await client.post("/api-market/symbols/lookup", json={"symbols": names})).json()["data"]
    assert len(found) == len(names)
    return [symbol["symbolId"] for symbol in found.values()]


async def test_two_hundred_clients_receive_every_update(simulate: Start, serve: Start, tmp_path: Path) -> None:
    questrade = await simulate("--persons", "alice", "--seed", "7", "--rate", "200", "--record")
    gateway, url = await serve(questrade, tmp_path)
    ids = await quotable_ids(url)

    listeners, tasks = await stream_everything(url, ids)
    async with asyncio.timeout(60):
        while min(sum(map(len, listener.quotes.values())) for listener in listeners) < UPDATES_WANTED:
            await asyncio.sleep(0.1)
    # The market stands still, so that the end of what was sent is one moment for everybody.
    async with httpx.AsyncClient() as client:
        paused = await client.post(f"{questrade.control_url}/fault", json={"fault": "silent_socket", "seconds": 120})
        assert paused.status_code == 200, paused.text
    sent = await sent_by(questrade.control_url, "alice")
    async with asyncio.timeout(20):
        for listener in listeners:
            while any(listener.newest(symbol_id) != sent[symbol_id][-1] for symbol_id in listener.ids):
                await asyncio.sleep(0.05)

    checked = [check_all_received(listener, sent) for listener in listeners]
    assert min(checked) >= UPDATES_WANTED / 2
    assert sum(listener.skipped for listener in listeners) == 0

    gateway.send(signal.SIGTERM)
    assert await gateway.ended(5) == 0
    await asyncio.gather(*tasks)
    assert {listener.close_code for listener in listeners} == {1001}
    assert not any("Traceback" in line for line in gateway.errors)
