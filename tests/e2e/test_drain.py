"""One gateway hands over to the next on the same port, as real programs, and no client misses an update."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from quotewire.market.quote import Quote
from tests.e2e.clients import Key, collapsed, key_of, sent_by
from tests.e2e.programs import Program, SimulatedQuestrade, Start
from tests.e2e.test_delivery import quotable_ids
from tests.e2e.watching import Watcher
from tests.e2e.watching import key_of as sdk_key_of

pytestmark = pytest.mark.slow

CLIENTS_EACH = 15
SPREAD_S = 2.0
TOGETHER = {
    "QUOTEWIRE_REUSE_PORT": "1",
    "QUOTEWIRE_TOKEN_KEY": "shared-by-both-gateways",
    "DRAIN_SPREAD_MS": str(int(SPREAD_S * 1000)),
}


@dataclass
class Follower:
    """A front end of the plain dialect: it knows no `reconnect`, and comes back when a close code says so."""

    ids: Sequence[int]
    keys: dict[int, list[Key]] = field(default_factory=dict)
    closes: list[int] = field(default_factory=list)
    away_s: list[float] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, url: str) -> None:
        token, left = await token_from(url), None
        while True:
            try:
                async with connect(url.replace("http", "ws", 1) + "/", compression=None) as socket_:
                    await socket_.send(token)
                    await socket_.send(json.dumps({"mode": "streaming", "ids": list(self.ids)}))
                    while True:
                        told = json.loads(await socket_.recv())
                        if left is not None and told.get("quotes"):
                            self.away_s.append(time.monotonic() - left)
                            left = None
                        self._take(told)
            except ConnectionClosed as closed:
                self.closes.append(closed.rcvd.code if closed.rcvd is not None else 1006)
                left = left or time.monotonic()
                if self.closes[-1] == 4001:
                    token = await token_from(url)
            except (InvalidHandshake, OSError):
                await asyncio.sleep(0.05)

    def _take(self, told: dict[str, object]) -> None:
        quotes = told.get("quotes")
        for quote in quotes if isinstance(quotes, list) else ():
            self.keys.setdefault(quote["symbolId"], []).append(key_of(quote))
            self.begun.set()


async def token_from(url: str) -> str:
    """A token for whoever works at the gateway that answers."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        persons = (await client.get("/api-auth/persons")).json()["data"]
        answer = await client.get(f"/api-auth/auth/access-token/{persons[0]['personName']}")
        return str(answer.json()["data"]["accessToken"])


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def gateway_of(
    serve: Start, questrade: SimulatedQuestrade, person: str, data_dir: Path, **environ: str
) -> Program:
    """A gateway with that person's login, ready."""
    persons = {"QUOTEWIRE_PERSONS": f"{person}={questrade.persons[person]}"}
    program, _ = await serve(questrade, data_dir, **TOGETHER, **persons, **environ)
    await program.line(r'"event":"ready"', stream="errors")
    assert isinstance(program, Program)
    return program


def market_of(first: list[Key], second: list[Key]) -> list[Key]:
    """What the market did, from what two streams were sent of it: the second began while the first went on."""
    for start in range(len(first)):
        if first[start:] == second[: len(first) - start]:
            return first[:start] + second
    raise AssertionError("the second stream began after the first had ended")


def difference(keys: list[Key], market: list[Key]) -> str:
    """How these differ from what the market did, one after the other; empty when nothing is missing or out of order."""
    start = market.index(keys[0]) if keys[0] in market else 0
    for place, (mine, theirs) in enumerate(zip(keys, market[start:], strict=False)):
        if mine != theirs:
            due = market[start + place :][:4]
            return f"after {keys[max(0, place - 3) : place]} came {keys[place : place + 3]}, not {due}"
    return "" if len(keys) <= len(market) - start else f"more than there was: {keys[len(market) - start :]}"


def seam(quotes: list[Quote]) -> str:
    """The quotes on both sides of the move, with when the gateways had them."""
    last = max(index for index, quote in enumerate(quotes) if quote.epoch == quotes[0].epoch)
    around = quotes[max(0, last - 2) : last + 3]
    return "; ".join(f"{q.epoch}.{q.sequence} {q.source} at {q.received_at}: {sdk_key_of(q)}" for q in around)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_clients_move_to_the_next_gateway_and_miss_nothing(
    workers: str, simulate: Start, serve: Start, tmp_path: Path
) -> None:
    questrade = await simulate("--persons", "alice,bob", "--seed", "11", "--rate", "60", "--record")
    port = free_port()
    url, environ = f"http://127.0.0.1:{port}", {"PORT": str(port), "QUOTEWIRE_WORKERS": workers}
    first = await gateway_of(serve, questrade, "alice", tmp_path / "first", **environ)
    ids = (await quotable_ids(url))[:6]
    watchers = [Watcher([ids[(number + step) % 6] for step in range(3)]) for number in range(CLIENTS_EACH)]
    followers = [Follower([ids[(number + step) % 6] for step in range(3)]) for number in range(CLIENTS_EACH)]
    clients: list[Watcher | Follower] = [*watchers, *followers]
    tasks = [asyncio.create_task(client.run(url)) for client in clients]
    async with asyncio.timeout(60):
        await asyncio.gather(*(client.begun.wait() for client in clients))

    second = await gateway_of(serve, questrade, "bob", tmp_path / "second", **environ)
    before = [sum(map(len, watcher.items.values())) for watcher in watchers]
    async with asyncio.timeout(20):  # both run, and everybody is served by the first
        while any(sum(map(len, w.items.values())) <= count for w, count in zip(watchers, before, strict=True)):
            await asyncio.sleep(0.02)
    asked = time.monotonic()
    first.send(signal.SIGTERM)
    assert await first.ended(SPREAD_S + 8) == 0
    assert time.monotonic() - asked >= SPREAD_S * 0.5  # it waited for its clients
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client, asyncio.timeout(10):
        while (await client.get("/health")).json()["connections"] != len(clients):
            await asyncio.sleep(0.1)
        paused = await client.post(f"{questrade.control_url}/fault", json={"fault": "silent_socket", "seconds": 120})
        assert paused.status_code == 200
    # The market stands still: what was sent is known, and everybody has the end of it.
    alice, bob = [await sent_by(questrade.control_url, person) for person in ("alice", "bob")]
    market = {i: market_of(collapsed(alice[i]), collapsed(bob[i])) for i in ids}
    async with asyncio.timeout(20):
        while any(watcher.newest(i) != market[i][-1] for watcher in watchers for i in watcher.ids):
            await asyncio.sleep(0.05)
        while any(follower.keys[i][-1] != market[i][-1] for follower in followers for i in follower.ids):
            await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    for watcher in watchers:
        for i in watcher.ids:
            keys = collapsed([sdk_key_of(quote) for quote in watcher.quotes(i)])
            assert difference(keys, market[i]) == "", f"{i}: {seam(watcher.quotes(i))}"
        assert not any(state.state == "disconnected" for state in watcher.states[1:-1])
    for follower in followers:
        assert follower.closes == [1001]
        assert follower.away_s[0] < 5.0
        for i in follower.ids:
            positions = [market[i].index(key) if key in market[i] else -1 for key in collapsed(follower.keys[i])]
            assert -1 not in positions
            assert positions[-1] == market[i].index(market[i][-1])
    assert not any("Traceback" in line for program in (first, second) for line in program.errors)
    second.send(signal.SIGINT)
    assert await second.ended(5) == 0


async def test_a_second_sigterm_ends_the_wait(simulate: Start, serve: Start, tmp_path: Path) -> None:
    questrade = await simulate("--persons", "alice", "--seed", "3", "--rate", "20")
    program, url = await serve(questrade, tmp_path, DRAIN_SPREAD_MS="60000")
    ids = await quotable_ids(url)
    follower = Follower(ids[:1])
    task = asyncio.create_task(follower.run(url))
    await asyncio.wait_for(follower.begun.wait(), 20)
    program.send(signal.SIGTERM)
    await program.line(r'"event":"drain_leaving"', stream="errors")
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/ready")).status_code == 503
    before = len(follower.keys[ids[0]])
    async with asyncio.timeout(20):
        while len(follower.keys[ids[0]]) < before + 2:  # served as ever
            await asyncio.sleep(0.05)
    program.send(signal.SIGTERM)
    assert await program.ended(5) == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert follower.closes == [1001]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_an_operator_sends_it_away_over_http(workers: str, simulate: Start, serve: Start, tmp_path: Path) -> None:
    admin = "0123456789-the-operator"
    questrade = await simulate("--persons", "alice", "--seed", "3", "--rate", "20")
    environ = {"QUOTEWIRE_ADMIN_TOKEN": admin, "DRAIN_SPREAD_MS": "500", "QUOTEWIRE_WORKERS": workers}
    program, url = await serve(questrade, tmp_path, **environ)
    ids = await quotable_ids(url)
    followers = [Follower(ids[:1]) for _ in range(4)]
    tasks = [asyncio.create_task(follower.run(url)) for follower in followers]
    async with asyncio.timeout(30):
        await asyncio.gather(*(follower.begun.wait() for follower in followers))
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.post("/admin/drain")).status_code == 401
        answer = await client.post("/admin/drain", headers={"Authorization": f"Bearer {admin}"})
        assert answer.status_code == 202
    assert await program.ended(15) == 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert [follower.closes[0] for follower in followers] == [1001] * 4
    assert not any(admin in line or "Traceback" in line for line in program.errors)
