"""SIGKILL at any moment: the gateway comes back with a valid token and none made by hand.

The simulator answers a token request slowly, so that the kill lands before, during and after the exchange.
"""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.programs import SimulatedQuestrade, Start

pytestmark = pytest.mark.slow

ANSWER_AFTER_S = 0.8


async def stats(questrade: SimulatedQuestrade) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        told: dict[str, Any] = (await client.get(f"{questrade.control_url}/stats", timeout=30)).json()
    return told


async def fault(questrade: SimulatedQuestrade, **what: Any) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{questrade.control_url}/fault", json=what)
        assert answer.status_code == 200, answer.text


async def until_streaming(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(60):
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("kill_after_s", [0.0, 0.2, 0.5, 0.9, 1.2, 2.0])
async def test_killed_during_the_first_exchange(
    simulate: Start, serve: Start, tmp_path: Path, kill_after_s: float
) -> None:
    questrade = await simulate("--persons", "alice")
    await fault(questrade, fault="token_slow", person="alice", after_s=ANSWER_AFTER_S, count=1)

    gateway, _ = await serve(questrade, tmp_path)
    await asyncio.sleep(kill_after_s)  # the moment of the kill is what is tested, not a wait for something
    gateway.send(signal.SIGKILL)
    await gateway.ended()

    _, url = await serve(questrade, tmp_path)
    await until_streaming(url)
    uses = (await stats(questrade))["tokens"]["uses"]
    outcomes = [use["outcome"] for use in uses]
    assert set(outcomes) == {"granted"}, f"a token was refused: {outcomes}"
    assert len({use["token"] for use in uses}) == len(uses), "a refresh token was sent twice"


async def test_killed_again_and_again_during_renewals(simulate: Start, serve: Start, tmp_path: Path) -> None:
    questrade = await simulate("--persons", "alice", "--expires-in", "4")
    await fault(questrade, fault="token_slow", person="alice", after_s=0.3, count=1000)

    for moment in (1.0, 1.7, 2.3, 2.9, 3.6):
        gateway, _ = await serve(questrade, tmp_path)
        await asyncio.sleep(moment)
        gateway.send(signal.SIGKILL)
        await gateway.ended()

    _, url = await serve(questrade, tmp_path)
    await until_streaming(url)
    uses = (await stats(questrade))["tokens"]["uses"]
    assert {use["outcome"] for use in uses} == {"granted"}
    assert len({use["token"] for use in uses}) == len(uses), "a refresh token was sent twice"
