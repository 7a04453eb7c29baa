"""The edge as one process of several: the whole gateway has a say in who comes in, and speaks for all in numbers."""

import asyncio
import json

import pytest

from quotewire.resilience.accounts import Held, Limit, Scope
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, raw, until
from tests.integration.edge.whole import ALICE, HERE, FakeWhole, Sockets, shares


async def test_a_connection_is_counted_in_and_out(node: EdgeGateway, whole: FakeWhole) -> None:
    async with node.native() as socket:
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "token": node.token()}))
        assert json.loads(await socket.recv())["type"] == "welcome"
        assert whole.asked == [("admit", *HERE), ("admit", *ALICE)]
        assert shares(node).held() == [Held(*HERE, 1), Held(*ALICE, 1)]
    await until(lambda: whole.gone == [Held(*HERE, 1), Held(*ALICE, 1)])
    assert shares(node).held() == []


@pytest.mark.parametrize(
    ("limit", "code"), [(Limit.CONNECTIONS, "too_many_connections"), (Limit.HANDSHAKES, "too_many_handshakes")]
)
async def test_the_whole_gateway_may_refuse(
    node: EdgeGateway, whole: FakeWhole, sockets: Sockets, limit: Limit, code: str
) -> None:
    whole.refuses[Scope.ADDRESS] = limit
    socket = await sockets.enter_async_context(raw(node))
    answer = await socket.upgrade()
    assert answer.status == 429
    assert answer.json()["code"] == code
    assert answer.headers["retry-after"] == "3"
    assert node.gate.limiter.refused == {(limit, Scope.ADDRESS): 1}
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
    node = await edge_with(whole=whole, MAX_CONNECTIONS_PER_IP="1")
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
    await until(lambda: node.gate.limiter.seats == 0 and whole.gone == [Held(*HERE, 1)])


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
    assert whole.gone == [Held(*HERE, 1)]


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
