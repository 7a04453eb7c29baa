"""Quotes as server-sent events over real sockets: the same quotes, resumed by Last-Event-ID, under the same limits."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from quotewire.edge import events as events_module
from quotewire.edge.auth import ClientTokens
from quotewire.edge.drain import Phase
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, crowd, raw, running_edge, until
from tests.integration.edge.sse import PATH, events


async def test_it_tells_what_a_websocket_tells(edge: EdgeGateway) -> None:
    edge.publish(1, bid_price=5.0)
    async with events(edge, "symbols=S1,NOPE&ids=2", X_Connection_ID="ws-1-a") as source, raw(edge) as socket:
        assert source.status == 200
        assert source.headers["content-type"].startswith("text/event-stream")
        assert source.headers["cache-control"] == "no-store"
        assert source.headers["x-connection-id"] == "ws-1-a"
        await socket.upgrade()
        await socket.text({"type": "hello", "token": edge.token()})
        await socket.message()
        await socket.text({"type": "subscribe", "symbols": ["S1", "NOPE"], "ids": [2]})
        theirs = [await socket.message() for _ in range(2)]
        assert await source.started() == theirs
        assert source.retry_ms == 1000
        edge.publish(1, 2, bid_price=6.0)
        edge.publish(1, bid_price=7.0)
        assert await source.event() == await socket.message()
        assert await source.event() == await socket.message()
        assert await source.event() == await socket.message()
    assert edge.gate.opened == {"events": 1, "native": 1}


async def test_the_token_may_stand_in_the_query(edge: EdgeGateway) -> None:
    async with events(edge, f"ids=1&access_token={edge.token()}", Authorization="") as source:
        assert source.status == 200


async def test_nobody_without_a_good_token_gets_one(edge: EdgeGateway) -> None:
    stranger = ClientTokens(b"x" * 32, ttl_s=100).mint("alice")[0]
    for given in ("", "Bearer ", "Bearer x", f"Bearer {stranger}", f"Basic {edge.token()}"):
        async with events(edge, "ids=1", Authorization=given) as source:
            assert (source.status, (await source.refusal())["code"]) == (401, "unauthorized")
            assert source.headers["www-authenticate"] == "Bearer"
    assert edge.gate.limiter.seats == 0


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "invalid_request"),
        ("ids=", 400, "invalid_request"),
        ("ids=0", 400, "invalid_request"),
        ("ids=1,x", 400, "invalid_request"),
        ("ids=-1", 400, "invalid_request"),
        (f"ids={2**53}", 400, "invalid_request"),
        ("symbols=%00", 400, "invalid_request"),
        ("symbols=" + "A" * 65, 400, "invalid_request"),
        ("ids=" + ",".join(map(str, range(1, 1002))), 400, "invalid_request"),
        ("symbols=NOPE", 404, "unknown_symbol"),
        ("ids=1&lastEventId=nonsense", 400, "invalid_request"),
    ],
)
async def test_a_bad_request_is_told_so(edge: EdgeGateway, query: str, status: int, code: str) -> None:
    async with events(edge, query) as source:
        told = await source.refusal()
        assert (source.status, told["code"], told["success"]) == (status, code, False)
    assert edge.gate.limiter.seats == 0


async def test_a_client_that_comes_back_with_its_last_event_id_misses_nothing(edge: EdgeGateway) -> None:
    edge.publish(1, 2)
    async with events(edge, "ids=1,2") as source:
        await source.started()
        for _ in range(5):
            edge.publish(1, 2)
        await source.until_seen(1, 6)
        await source.until_seen(2, 6)
        await source.until(lambda: source.last_id.endswith("/1.6,2.6"))
    for _ in range(10):
        edge.publish(1, 2)
    async with events(edge, "ids=1,2", Last_Event_ID=source.last_id) as again:
        assert (await again.started())[-1]["quotes"] == []  # resumed: nothing is told twice
        edge.publish(1)
        await again.until_seen(1, 17)
        await again.until_seen(2, 16)
    for symbol_id, last in ((1, 17), (2, 16)):
        came = [sequence for _, sequence in source.seen[symbol_id] + again.seen[symbol_id]]
        assert sorted(set(came)) == list(range(1, last + 1))


async def test_what_cannot_be_resumed_is_told_as_a_gap_and_given_anew(edge_with: EdgeWith) -> None:
    edge = await edge_with()
    edge.publish(1)
    async with events(edge, "ids=1", Last_Event_ID="99/1.5") as source:
        told = await source.started()
        gap = next(each for each in told if each["type"] == "gap")
        assert [(each["symbolId"], each["cause"]) for each in gap["gaps"]] == [(1, "epoch")]
        assert [q["sequence"] for q in told[-1]["quotes"]] == [1]


async def test_heartbeats_are_comments(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_PING_INTERVAL="150")
    async with events(edge, "ids=1") as source:
        await source.started()
        reader = asyncio.create_task(source.until_end())
        await until(lambda: source.comments >= 3)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def test_streams_count_as_connections_of_their_address_and_key(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="2")
    async with events(edge, "ids=1") as one, raw(edge) as two:
        assert one.status == 200
        assert (await two.upgrade()).status == 101
        async with events(edge, "ids=1") as three:
            assert (three.status, (await three.refusal())["code"]) == (429, "too_many_connections")
            assert int(three.headers["retry-after"]) > 0
        async with edge.http() as http:
            assert (await http.get("/health")).json()["connections"] == 2
    await until(lambda: edge.gate.limiter.seats == 0)
    edge = await edge_with(MAX_CONNECTIONS_PER_KEY="1", MAX_SYMBOLS_PER_KEY="3")
    async with events(edge, "ids=1,2,3"), events(edge, "ids=1") as second:
        assert (second.status, (await second.refusal())["code"]) == (429, "too_many_connections")
    await until(lambda: edge.gate.limiter.seats == 0)
    async with events(edge, "ids=1,2,3,4") as bomb:
        assert (bomb.status, (await bomb.refusal())["code"]) == (429, "too_many_symbols")


async def test_a_slow_reader_is_conflated_told_and_in_the_end_cut_and_nobody_else_notices(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_SLOW_CONSUMER_TIMEOUT="1500")
    ids = ",".join(map(str, range(10, 40)))
    async with crowd(edge), events(edge, f"ids={ids}", receive_buffer=8192) as slow:
        await slow.started()
        async with asyncio.timeout(20):
            while edge.hub.stats()["clients_waiting"] == 0:
                edge.publish(*range(10, 40), last_trade_tick="x" * 2000)
                await asyncio.sleep(0)
        for _ in range(5):
            edge.publish(*range(10, 40))
        await slow.until_seen(39, edge.sequences[39])
        assert sum(told.get("skipped", 0) for told in slow.told) > 0
        for symbol_id in range(10, 40):
            sequences = [sequence for _, sequence in slow.seen[symbol_id]]
            assert sequences == sorted(sequences)
            assert sequences[-1] == edge.sequences[symbol_id]
        async with asyncio.timeout(20):
            while edge.gate.closing["slow_consumer"] == 0:
                edge.publish(*range(10, 40), last_trade_tick="x" * 2000)
                await asyncio.sleep(0.005)
        await until(lambda: edge.gate.closed["4005"] == 1)


async def test_many_streams_get_every_update_and_leave_nothing(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="400", WS_HANDSHAKE_RATE_PER_IP="1000")
    edge.publish(1, 2, 3)
    async with contextlib.AsyncExitStack() as stack:
        sources = [await stack.enter_async_context(events(edge, "ids=1,2,3")) for _ in range(200)]
        await asyncio.gather(*(source.started() for source in sources))
        for _ in range(50):
            edge.publish(1, 2, 3)
            await asyncio.sleep(0)
        await asyncio.gather(*(source.until_seen(3, 51) for source in sources))
        for source in sources:
            assert [sequence for _, sequence in source.seen[1]] == list(range(1, 52))
        assert edge.hub.stats()["lanes"] == 1  # alike, they share what is written
        for source in sources[:100]:
            source.sock.sock.close()
        await until(lambda: len(edge.gate.connections) == 100)
        edge.publish(1)
        await asyncio.gather(*(source.until_seen(1, 52) for source in sources[100:]))


async def test_a_gateway_that_leaves_tells_them_and_ends_them_with_a_checkpoint(edge_with: EdgeWith) -> None:
    edge = await edge_with(DRAIN_SPREAD_MS="100")
    edge.publish(1)
    async with events(edge, "ids=1") as source:
        await source.started()
        edge.gate.drain.ask()
        edge.publish(1)
        async with events(edge, "ids=1") as late:
            assert (late.status, (await late.refusal())["code"]) == (503, "stopping")
        await source.until_end()
        assert source.ended  # a whole answer, not a broken one
        reconnect = next(told for told in source.told if told["type"] == "reconnect")
        assert reconnect["deadlineMs"] > reconnect["afterMs"] >= 0
        assert source.last_id.endswith("1.2")
        await until(lambda: edge.gate.drain.phase is Phase.GONE)
    assert edge.gate.closed == {"1001": 1}


async def test_the_gateway_stops_with_streams_open(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running_edge(tmp_path, patient=False) as edge:
            sources = [await stack.enter_async_context(events(edge, "ids=1")) for _ in range(20)]
            blocked = await stack.enter_async_context(events(edge, "ids=2", receive_buffer=4096))
            async with asyncio.timeout(20):
                while edge.hub.stats()["clients_waiting"] == 0:
                    edge.publish(2, last_trade_tick="x" * 5000)
                    await asyncio.sleep(0)
            began = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - began < 4.0
        for source in sources:
            await source.until_end()
            assert source.ended
        assert blocked.status == 200


async def test_head_answers_the_head_alone(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        answer = await http.head(f"{PATH}?ids=1", headers={"Authorization": f"Bearer {edge.token()}"})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert edge.gate.limiter.seats == 0


async def test_pages_of_other_origins_may_read_it_where_they_are_allowed_to(edge_with: EdgeWith) -> None:
    edge = await edge_with(CORS_ORIGIN="https://app.example")
    async with events(edge, "ids=1", Origin="https://app.example") as source:
        assert source.headers["access-control-allow-origin"] == "https://app.example"
        assert (await source.started())[-1]["type"] == "snapshot"


async def test_a_defect_in_one_stream_ends_that_stream_alone(edge: EdgeGateway) -> None:
    async with events(edge, "ids=1") as broken, events(edge, "ids=2") as healthy:
        await broken.started()
        await healthy.started()
        await until(lambda: len(edge.gate.connections) == 2)
        victim = next(c for c in edge.gate.connections if isinstance(c, events_module.EventStream) and c._ids == (1,))

        def fail(sink: object, data: bytes) -> None:
            raise RuntimeError("mine")

        edge.gate.hub.rewire(victim, fail)
        edge.publish(1, 2)
        await broken.until_end()
        await healthy.until_seen(2, 1)
    assert edge.gate.closing == {"internal_error": 1}


async def test_it_is_in_the_openapi_document(edge: EdgeGateway) -> None:
    async with edge.http() as http:
        described = (await http.get("/openapi.json")).json()["paths"][PATH]["get"]
    assert "text/event-stream" in described["responses"]["200"]["content"]
    assert {"400", "401", "404", "429", "503"} <= set(described["responses"])
    assert {each["name"] for each in described["parameters"]} == {"symbols", "ids", "access_token", "lastEventId"}
    assert json.dumps(described)
