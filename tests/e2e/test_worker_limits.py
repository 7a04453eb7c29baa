"""`quotewire serve --workers 3`: the limits of a key hold over all workers, whichever process dies."""

import asyncio
import contextlib
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.programs import Start
from tests.e2e.several import Gateway, token, until

pytestmark = pytest.mark.slow

AT_ONCE = {
    "WS_HANDSHAKE_RATE_PER_IP": "1000",
    "WS_FAULT_RATE_PER_IP": "1000",  # refusals of a key are closes by the client's fault, all from one address here
    "WS_HANDSHAKE_RATE_PER_KEY": "1000",
}


@dataclass
class Client:
    """One connection, and what it was answered last."""

    socket: ClientConnection
    told: dict[str, Any]

    async def ask(self, **message: Any) -> str:
        """Send a message; the type of its answer, or the code of its error."""
        await self.socket.send(json.dumps(message))
        while True:
            self.told = json.loads(await self.socket.recv())
            if self.told["type"] not in ("snapshot", "quotes", "status", "gap"):
                return str(self.told.get("code", self.told["type"]))


class Crowd:
    """Clients of one key that come from wherever the kernel sends them."""

    def __init__(self, gateway: Gateway, key: str) -> None:
        self._url = f"{gateway.url.replace('http', 'ws', 1)}/ws"
        self._token = key
        self._stack = contextlib.AsyncExitStack()
        self.inside: list[Client] = []

    async def come(self, count: int) -> Counter[str]:
        """So many come at once; what they were answered."""
        return Counter(await asyncio.gather(*(self._one() for _ in range(count))))

    async def _one(self) -> str:
        client = Client(await connect(self._url, compression=None, max_queue=None), {})
        self._stack.push_async_callback(client.socket.close)
        answer = await client.ask(type="hello", protocol=1, token=self._token)
        if answer == "welcome":
            self.inside.append(client)
        else:
            with pytest.raises(ConnectionClosed):
                await client.socket.recv()
            assert client.socket.close_code == 4006
        return answer

    async def go(self, client: Client) -> None:
        """One leaves."""
        self.inside.remove(client)
        await client.socket.close()

    async def fill(self, count: int) -> None:
        """Come, one by one, until so many more are inside: what is left is free a moment later."""
        wanted = len(self.inside) + count
        async with asyncio.timeout(10):
            while len(self.inside) < wanted:
                await self._one()

    def only_living(self) -> int:
        """Forget those whose connection broke; how many that were."""
        gone = [client for client in self.inside if client.socket.close_code is not None]
        self.inside = [client for client in self.inside if client not in gone]
        return len(gone)

    async def leave(self) -> None:
        """All leave."""
        await self._stack.aclose()


@contextlib.asynccontextmanager
async def crowd(gateway: Gateway) -> AsyncIterator[Crowd]:
    """Clients that are gone when the block ends."""
    await gateway.ready()
    found = Crowd(gateway, await token(gateway.url))
    try:
        yield found
    finally:
        await found.leave()


async def counted(gateway: Gateway, metric: str) -> float:
    """The sum of a metric over the whole gateway; `metric` is a pattern of name and labels."""
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        metrics = (await client.get("/metrics")).text
    return sum(float(value) for value in re.findall(rf"^{metric} (.*)$", metrics, re.MULTILINE))


async def refused(gateway: Gateway, limit: str) -> float:
    """How often a limit of a key was reached, in the whole gateway."""
    return await counted(gateway, f'quotewire_limits_exceeded_total{{limit="{limit}",scope="key"}}')


async def test_a_key_has_exactly_its_connections_over_all_workers(gateway: Start) -> None:
    running, _ = await gateway(3, **AT_ONCE, MAX_CONNECTIONS_PER_KEY="16")
    async with crowd(running) as clients:
        assert await clients.come(14) == {"welcome": 14}
        await until(lambda: len(running.homes()) > 1)  # that they all meet one worker has a chance of 1 in a million
        assert await clients.come(30) == {"welcome": 2, "too_many_connections": 28}
        assert await refused(running, "connections") == 28
        await clients.go(clients.inside[0])
        await clients.fill(1)
        assert await clients.come(6) == {"too_many_connections": 6}


async def test_a_key_opens_at_its_rate_over_all_workers(gateway: Start) -> None:
    running, _ = await gateway(3, **{**AT_ONCE, "WS_HANDSHAKE_RATE_PER_KEY": "2"})
    async with crowd(running) as clients:
        began = time.monotonic()
        answers = await clients.come(40)
        most = 4 + 2 * (time.monotonic() - began)
        assert set(answers) == {"welcome", "too_many_handshakes"}
        assert 4 <= answers["welcome"] <= most


async def test_a_key_wants_exactly_its_symbols_over_all_workers(gateway: Start) -> None:
    running, _ = await gateway(3, **AT_ONCE, MAX_SYMBOLS_PER_KEY="22")
    ids = await running.ids()
    async with crowd(running) as clients:
        await clients.come(20)
        await until(lambda: len(running.homes()) > 1)
        answers = await asyncio.gather(*(each.ask(type="subscribe", ids=ids[:3]) for each in clients.inside))
        assert Counter(answers) == {"subscribed": 7, "too_many_symbols": 13}
        assert await refused(running, "symbols") == 13
        lucky = clients.inside[answers.index("subscribed")]
        unlucky = clients.inside[answers.index("too_many_symbols")]
        assert await unlucky.ask(type="subscribe", ids=ids[:1]) == "subscribed"  # the last one there was
        assert await unlucky.ask(type="subscribe", ids=ids[:2]) == "too_many_symbols"
        assert await lucky.ask(type="unsubscribe", ids=ids[:2]) == "unsubscribed"
        assert await within_a_moment(unlucky, ids[:3]) == "subscribed"
        assert await lucky.ask(type="subscribe", ids=ids[:2]) == "too_many_symbols"


async def within_a_moment(client: Client, ids: list[int]) -> str:
    """What somebody else gives back is free a moment after the answer."""
    async with asyncio.timeout(5):
        while (answer := await client.ask(type="subscribe", ids=ids)) != "subscribed":
            await asyncio.sleep(0.1)
    return answer


async def test_a_killed_worker_frees_what_its_clients_held_and_no_more(gateway: Start) -> None:
    running, _ = await gateway(3, **AT_ONCE, MAX_CONNECTIONS_PER_KEY="12", MAX_SYMBOLS_PER_KEY="36")
    ids = await running.ids()
    async with crowd(running) as clients:
        assert await clients.come(12) == {"welcome": 12}
        answers = await asyncio.gather(*(each.ask(type="subscribe", ids=ids[:3]) for each in clients.inside))
        assert answers == ["subscribed"] * 12
        homes = running.homes()
        who = max(homes, key=lambda name: homes[name])

        await asyncio.sleep(0.3)  # what it counted until then is told: a tenth of a second may be lost, no more
        running.kill(who)
        await until(lambda: sum(each.socket.close_code is not None for each in clients.inside) == homes[who])
        assert clients.only_living() == homes[who]
        assert await counted(running, r"quotewire_connections_opened_total\{.*\}") == 12
        await clients.fill(homes[who])
        assert await clients.come(6) == {"too_many_connections": 6}
        for each in clients.inside[-homes[who] :]:
            assert await each.ask(type="subscribe", ids=ids[:3]) == "subscribed"
        assert await clients.inside[0].ask(type="subscribe", ids=ids[:4]) == "too_many_symbols"


async def test_a_new_owner_knows_what_all_clients_hold_and_locks_nobody_out(gateway: Start) -> None:
    running, _ = await gateway(3, **AT_ONCE, MAX_CONNECTIONS_PER_KEY="12", MAX_SYMBOLS_PER_KEY="30")
    ids = await running.ids()
    async with crowd(running) as clients:
        assert await clients.come(9) == {"welcome": 9}
        for each in clients.inside:
            assert await each.ask(type="subscribe", ids=ids[:3]) == "subscribed"

        running.kill("owner")
        await until(lambda: len(running.lines("bus.owner_lost")) == 3)
        assert await clients.come(1) == {"welcome": 1}  # nobody can be asked: each worker's own count holds
        await running.started_again("owner")
        await until(lambda: len(running.lines("bus.caught_up")) == 6)

        assert await clients.come(10) == {"welcome": 2, "too_many_connections": 8}
        assert await clients.inside[0].ask(type="subscribe", ids=ids[:7]) == "too_many_symbols"
        assert await clients.inside[0].ask(type="subscribe", ids=ids[:6]) == "subscribed"
        await clients.go(clients.inside[1])
        await clients.fill(1)
        assert await clients.come(3) == {"too_many_connections": 3}


async def test_a_key_sends_its_rate_over_all_workers(gateway: Start) -> None:
    running, _ = await gateway(3, **AT_ONCE, WS_COMMAND_RATE_PER_KEY="50")
    async with crowd(running) as clients:
        await clients.come(12)
        await until(lambda: len(running.homes()) > 1)
        began = time.monotonic()
        served = sum(await asyncio.gather(*(flood(each) for each in clients.inside)))
        most = 100 + 50 * (time.monotonic() - began) + 5
        assert 100 - 5 <= served <= most
        assert await refused(running, "commands") > 100


async def flood(client: Client) -> int:
    """Send a lot at once; how much of it was served, until the connection was closed for it."""
    served = 0
    with contextlib.suppress(ConnectionClosed):
        for _ in range(200):
            await client.socket.send('{"type":"ping"}')
        while True:
            served += json.loads(await client.socket.recv())["type"] == "pong"
    assert client.socket.close_code == 4006
    return served
