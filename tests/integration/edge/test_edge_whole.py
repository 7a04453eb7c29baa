"""The edge as one process of several: the whole gateway has a say in who comes in, and speaks for all in numbers."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from quotewire.errors import UpstreamUnavailableError
from quotewire.telemetry.catalogue import Sample
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, raw, until

Sockets = contextlib.AsyncExitStack


@dataclass
class FakeWhole:
    """The rest of the gateway. `gate` is awaited before an admission; `away`: nobody answers."""

    admits: bool = True
    away: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)

    def _answer(self) -> None:
        if self.away:
            raise UpstreamUnavailableError("the owner is away; try again")

    async def samples(self) -> Sequence[Sample]:
        self._answer()
        return [
            Sample("quotewire_connections", 70.0),
            Sample("quotewire_symbols_wanted", 8.0),
            Sample("quotewire_updates_total", 900.0),
        ]

    async def report(self) -> dict[str, Any]:
        self._answer()
        return {"persons": ["everybody"]}

    async def clients(self) -> dict[str, Any]:
        self._answer()
        return {"clients": 7}

    def reported(self, client: str, counts: Mapping[str, float]) -> None:
        self.reports.append(client)

    async def admit(self, address: str) -> bool:
        self.asked.append(address)
        await self.gate.wait()
        self._answer()
        return self.admits

    def left(self, address: str) -> None:
        self.gone.append(address)


@pytest.fixture
def whole() -> FakeWhole:
    found = FakeWhole()
    found.gate.set()
    return found


@pytest.fixture
async def node(edge: EdgeGateway, whole: FakeWhole) -> EdgeGateway:
    edge.gate.whole = whole
    return edge


@pytest.fixture
async def sockets() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as stack:
        yield stack


async def test_a_connection_is_counted_in_and_out(node: EdgeGateway, whole: FakeWhole) -> None:
    async with node.native() as socket:
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "token": node.token()}))
        assert json.loads(await socket.recv())["type"] == "welcome"
        assert whole.asked == ["127.0.0.1"]
        assert node.gate.census() == Counter({"127.0.0.1": 1})
    await until(lambda: whole.gone == ["127.0.0.1"])


async def test_the_whole_gateway_may_refuse(node: EdgeGateway, whole: FakeWhole, sockets: Sockets) -> None:
    whole.admits = False
    socket = await sockets.enter_async_context(raw(node))
    answer = await socket.upgrade()
    assert answer.status == 429
    assert answer.json()["code"] == "too_many_connections"
    assert "retry-after" in answer.headers
    assert node.gate.refused["429"] == 1
    assert node.gate.limiter.seats == 0
    assert whole.gone == []


async def test_what_a_client_says_meanwhile_waits(node: EdgeGateway, whole: FakeWhole, sockets: Sockets) -> None:
    whole.gate.clear()
    socket = await sockets.enter_async_context(raw(node))
    opening = asyncio.create_task(socket.upgrade())
    await until(lambda: bool(whole.asked))
    await socket.text({"type": "hello", "protocol": 1, "token": node.token()})
    assert not opening.done()

    whole.gate.set()
    assert (await opening).status == 101
    assert (await socket.message())["type"] == "welcome"


async def test_while_nobody_can_be_asked_this_process_decides(
    edge_with: EdgeWith, whole: FakeWhole, sockets: Sockets
) -> None:
    node = await edge_with(MAX_CONNECTIONS_PER_IP="1")
    node.gate.whole = whole
    whole.away = True
    first, second = [await sockets.enter_async_context(raw(node)) for _ in range(2)]
    assert (await first.upgrade()).status == 101
    assert (await second.upgrade()).status == 429


async def test_a_client_that_is_gone_before_the_answer_gives_its_place_back(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    whole.gate.clear()
    socket = await sockets.enter_async_context(raw(node))
    opening = asyncio.create_task(socket.upgrade())
    await until(lambda: bool(whole.asked))
    opening.cancel()
    socket.sock.close()
    whole.gate.set()
    await until(lambda: node.gate.limiter.seats == 0 and whole.gone == ["127.0.0.1"])


async def test_a_gateway_that_began_to_leave_meanwhile_lets_nobody_in(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets
) -> None:
    whole.gate.clear()
    socket = await sockets.enter_async_context(raw(node))
    opening = asyncio.create_task(socket.upgrade())
    await until(lambda: bool(whole.asked))
    node.gate.close_all()
    whole.gate.set()
    assert (await opening).status == 503
    assert whole.gone == ["127.0.0.1"]


async def test_numbers_and_reports_are_the_whole_gateways(node: EdgeGateway, whole: FakeWhole) -> None:
    async with node.http() as client:
        health = (await client.get("/health")).json()
        assert (health["connections"], health["symbols"], health["updates"]) == (70, 8, 900)
        assert "quotewire_connections 70.0" in (await client.get("/metrics")).text
        assert (await client.get("/api/upstream")).json()["data"] == {"persons": ["everybody"]}
        assert (await client.get("/api/metrics")).json()["data"] == {"clients": 7}
        assert (await client.post("/api/metrics/websocket", json={"connectionId": "a"})).status_code == 200
    assert whole.reports == ["a"]
    assert node.services.reports.reports == 0


async def test_while_nobody_can_be_asked_the_process_is_alive_and_sums_are_not_made_up(
    node: EdgeGateway, whole: FakeWhole
) -> None:
    whole.away = True
    async with node.http() as client:
        health = await client.get("/health")
        assert health.status_code == 200
        assert health.json()["connections"] == 0
        for path in ("/metrics", "/api/upstream", "/api/metrics"):
            assert (await client.get(path)).status_code == 503
