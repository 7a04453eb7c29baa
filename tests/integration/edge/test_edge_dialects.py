"""Both dialects over real sockets, step by step as spec/PROTOCOL.md has them."""

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from quotewire.edge.websocket import Connection
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, crowd, raw, until
from tests.wire_samples import masked, upstream


async def told(client: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(5):
        message: dict[str, Any] = json.loads(await client.recv())
        return message


async def say(client: ClientConnection, **message: Any) -> None:
    await client.send(json.dumps(message))


async def welcomed(gateway: EdgeGateway, client: ClientConnection, **more: Any) -> dict[str, Any]:
    await say(client, type="hello", token=gateway.token(), **more)
    return await told(client)


async def test_native_hello_is_welcomed_with_all_it_needs_to_know(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        assert client.subprotocol == "quotewire.v1.json"
        welcome = await welcomed(edge, client, requestId="h1", timestamp=17, protocol=1)
        assert (welcome["type"], welcome["protocol"], welcome["requestId"], welcome["timestamp"]) == (
            "welcome",
            1,
            "h1",
            17,
        )
        assert (welcome["pingIntervalMs"], welcome["pongTimeoutMs"]) == (30_000, 5_000)
        assert (welcome["maxMessageBytes"], welcome["maxSymbols"]) == (262_144, 5_000)
        assert welcome["upstream"]["state"] == "connected"
        assert welcome["upstream"]["person"] == "alice"
        assert abs(welcome["serverTime"] / 1000 - time.time()) < 5


async def test_native_subscribe_snapshot_then_live_then_unsubscribe(edge: EdgeGateway) -> None:
    edge.publish(1, 1, 2)
    async with edge.native() as client:
        await welcomed(edge, client)
        await say(client, type="subscribe", requestId="s1", timestamp=5, symbols=["S1", "NOPE"], ids=[3])
        answer = await told(client)
        assert (answer["type"], answer["requestId"], answer["timestamp"]) == ("subscribed", "s1", 5)
        assert answer["results"] == [
            {"ok": True, "symbol": "S1", "symbolId": 1},
            {"ok": False, "symbol": "NOPE", "code": "unknown_symbol", "reason": "Questrade knows no symbol NOPE"},
            {"ok": True, "symbol": "S3", "symbolId": 3},
        ]
        snapshot = await told(client)
        assert (snapshot["type"], snapshot["requestId"]) == ("snapshot", "s1")
        assert [(q["symbolId"], q["sequence"]) for q in snapshot["quotes"]] == [(1, 2)]
        assert edge.wanted == {1, 3}

        edge.publish(1, 2, 3)
        first, second = await told(client), await told(client)
        assert [m["type"] for m in (first, second)] == ["quotes", "quotes"]
        assert [(m["quotes"][0]["symbolId"], m["quotes"][0]["sequence"]) for m in (first, second)] == [(1, 3), (3, 1)]
        assert "skipped" not in first

        await say(client, type="unsubscribe", requestId="u1", ids=[1], symbols=["NOPE"])
        answer = await told(client)
        assert (answer["type"], answer["requestId"]) == ("unsubscribed", "u1")
        assert [result["ok"] for result in answer["results"]] == [True, True]
        edge.publish(1, 3)
        assert [q["symbolId"] for q in (await told(client))["quotes"]] == [3]
        assert edge.wanted == {3}


async def test_a_symbol_asked_for_again_is_in_the_snapshot_again(edge: EdgeGateway) -> None:
    edge.publish(1)
    async with edge.native() as client:
        await welcomed(edge, client)
        for _ in range(2):
            await say(client, type="subscribe", ids=[1])
            assert (await told(client))["results"] == [{"ok": True, "symbol": "S1", "symbolId": 1}]
            assert [q["symbolId"] for q in (await told(client))["quotes"]] == [1]


async def test_native_ping_pong_and_pong(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        await welcomed(edge, client)
        await say(client, type="pong", timestamp=1)
        await say(client, type="ping", timestamp=1764000030000, requestId="p1")
        pong = await told(client)
        assert (pong["type"], pong["timestamp"], pong["requestId"]) == ("pong", 1764000030000, "p1")
        assert pong["serverTime"] > 1_700_000_000_000


async def test_websocket_pings_are_answered_before_and_after_the_welcome(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        for _ in range(2):
            async with asyncio.timeout(5):
                await (await client.ping(b"payload"))
            await welcomed(edge, client)


async def test_a_change_of_the_upstream_is_told_to_native_clients_only(edge: EdgeGateway) -> None:
    async with edge.native() as native, edge.plain() as plain:
        await welcomed(edge, native)
        await plain.send(edge.token())
        await told(plain)
        edge.hub.tell_upstream(upstream("degraded", reason="polling"))
        status = await told(native)
        assert (status["type"], status["upstream"]["state"]) == ("status", "degraded")
        await say(plain, type="ping", timestamp=1)
        assert (await told(plain))["type"] == "pong"


async def test_errors_leave_the_connection_open_and_echo(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        await welcomed(edge, client)
        for message, code in (
            ({"type": "what"}, "unknown_type"),
            ({"type": "subscribe", "symbols": "S1"}, "invalid_message"),
            ({"type": "subscribe", "ids": ["1"]}, "invalid_message"),
            ({"type": "hello", "token": "again"}, "already_authenticated"),
        ):
            await say(client, requestId="r", **message)
            error = await told(client)
            assert (error["type"], error["code"], error["requestId"]) == ("error", code, "r")
        await say(client, type="ping")
        assert (await told(client))["type"] == "pong"


async def test_more_symbols_than_allowed(edge_with: EdgeWith) -> None:
    edge = await edge_with(MAX_SYMBOLS_PER_CLIENT="3")
    async with edge.native() as client:
        assert (await welcomed(edge, client))["maxSymbols"] == 3
        await say(client, type="subscribe", ids=[1, 2])
        await told(client)
        await told(client)
        await say(client, type="subscribe", ids=[3, 4], requestId="over")
        error = await told(client)
        assert (error["code"], error["requestId"]) == ("too_many_symbols", "over")
        assert edge.wanted == {1, 2}


async def test_commands_that_wait_are_bounded_and_answered_in_order(edge: EdgeGateway) -> None:
    gone_on = asyncio.Event()

    async def wait(name: str) -> None:
        await gone_on.wait()

    edge.upstream.before = wait
    async with edge.native() as client:
        await welcomed(edge, client)
        for i in range(70):
            await say(client, type="subscribe", ids=[1], requestId=f"s{i}")
        refused = [await told(client) for _ in range(5)]
        assert [error["requestId"] for error in refused] == [f"s{i}" for i in range(65, 70)]
        assert {error["code"] for error in refused} == {"too_many_commands"}
        assert all(error["retryable"] for error in refused)
        gone_on.set()
        answers = [await told(client) for _ in range(130)]
        acknowledged = [answer["requestId"] for answer in answers if answer["type"] == "subscribed"]
        assert acknowledged == [f"s{i}" for i in range(65)]


async def test_plain_conversation(edge: EdgeGateway) -> None:
    edge.publish(1, 2)
    async with edge.plain() as client:
        assert client.subprotocol is None
        await client.send(edge.token())
        answer = await told(client)
        assert answer["success"] is True
        assert answer["connectionId"].startswith("ws-")

        await say(client, mode="streaming", ids=[1, 2, 4], requestId="sub-1-a", timestamp=9)
        answer = await told(client)
        assert (answer["type"], answer["requestId"], answer["timestamp"]) == ("subscribed", "sub-1-a", 9)
        assert [result["symbolId"] for result in answer["results"]] == [1, 2, 4]
        assert "success" not in answer
        snapshot = await told(client)
        assert set(snapshot) == {"quotes"}
        assert [q["symbolId"] for q in snapshot["quotes"]] == [1, 2]

        edge.publish(4)
        live = await told(client)
        assert set(live) == {"quotes"}
        assert [(q["symbolId"], q["sequence"]) for q in live["quotes"]] == [(4, 1)]

        await say(client, type="ping", timestamp=123)
        pong = await told(client)
        assert (pong["type"], pong["timestamp"]) == ("pong", 123)


async def test_plain_set_is_replaced_and_what_stays_flows_on(edge: EdgeGateway) -> None:
    edge.publish(1, 2, 3)
    async with edge.plain() as client:
        await client.send(edge.token())
        await told(client)
        await say(client, mode="streaming", ids=[1, 2])
        await told(client)
        await told(client)
        edge.publish(2)
        await say(client, mode="streaming", ids=[2, 3])
        assert [q["symbolId"] for q in (await told(client))["quotes"]] == [2]
        assert [r["symbolId"] for r in (await told(client))["results"]] == [2, 3]
        assert [q["symbolId"] for q in (await told(client))["quotes"]] == [3]  # 2 was there already
        edge.publish(1, 2, 3)
        live = [(await told(client))["quotes"][0] for _ in range(2)]
        assert [(q["symbolId"], q["sequence"]) for q in live] == [(2, 3), (3, 2)]
        await say(client, mode="streaming", ids=[])
        assert (await told(client))["results"] == []
        assert edge.wanted == frozenset()


async def test_plain_errors_have_their_own_shape(edge: EdgeGateway) -> None:
    async with edge.plain() as client:
        await client.send(edge.token())
        await told(client)
        await say(client, mode="streaming", ids=["S1"], requestId="r")
        error = await told(client)
        assert (error["success"], error["code"], error["retryable"]) == (False, "invalid_message", False)
        assert error["requestId"] == "r"
        assert "$.ids[0]" in error["error"]


async def test_the_client_may_close_and_gets_its_own_code_back(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        await welcomed(edge, client)
        await client.close(3005, "done")
        assert client.close_code == 3005
    await until(lambda: edge.gate.closed == {"other": 1})
    async with edge.native() as client:
        await client.close()
    await until(lambda: edge.gate.closed["1000"] == 1)


@pytest.mark.parametrize("path", ["/ws", "/ws?connectionId=ws-9-q&clientVersion=1.2"])
async def test_the_connection_id_is_returned_and_kept(edge: EdgeGateway, path: str) -> None:
    async with raw(edge) as client:
        headers = {} if "?" in path else {"X_Connection_ID": "ws-9-q", "X_Client_Version": "1.2"}
        answer = await client.upgrade(path, **headers)
        assert answer.headers["x-connection-id"] == "ws-9-q"
        await client.text({"type": "hello", "token": edge.token()})
        assert (await client.message())["connectionId"] == "ws-9-q"
        (connection,) = edge.gate.connections
        assert isinstance(connection, Connection)
        assert (connection.connection_id, connection.client_version) == ("ws-9-q", "1.2")


async def test_a_connection_id_that_does_not_fit_is_replaced(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        answer = await client.upgrade("/ws", X_Connection_ID="a b<c>")
        made = answer.headers["x-connection-id"]
        assert made.startswith("ws-")
        await client.text({"type": "hello", "token": edge.token()})
        assert (await client.message())["connectionId"] == made


async def test_hello_may_name_the_connection_where_headers_cannot(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        welcome = await welcomed(edge, client, connectionId="ws-1764000000000-k3v9x0a1b", clientVersion="3.1")
        assert welcome["connectionId"] == "ws-1764000000000-k3v9x0a1b"
        (connection,) = edge.gate.connections
        assert isinstance(connection, Connection)
        assert connection.client_version == "3.1"


async def test_messages_that_come_with_the_upgrade_are_read(edge: EdgeGateway) -> None:
    """A client need not wait for the 101 before it speaks."""
    async with raw(edge) as client:
        hello = masked(1, json.dumps({"type": "hello", "token": edge.token()}).encode())
        lines = "Host: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        head = f"GET /ws HTTP/1.1\r\n{lines}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        await client.send(head.encode() + hello)
        assert (await client.answer()).status == 101
        assert (await client.message())["type"] == "welcome"


async def test_absolute_form_and_percent_encoding_of_the_path(edge: EdgeGateway) -> None:
    for path in ("http://gateway.example/ws", "/%77s?x=1"):
        async with raw(edge) as client:
            assert (await client.upgrade(path)).status == 101


async def test_a_websocket_may_follow_a_request_on_the_same_connection(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        assert (await client.request("GET /health HTTP/1.1\nHost: x")).status == 200
        await client.hello(edge, 1)


async def test_ten_clients_of_both_dialects_see_every_update(edge: EdgeGateway) -> None:
    async with crowd(edge):
        await until(lambda: edge.sequences[1] > 200)


async def test_data_after_our_close_is_ignored(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        await client.hello(edge)
        await client.text("nonsense")
        messages, code = await client.ending()
        assert (messages[-1]["code"], code) == ("invalid_json", 4500)
        await client.text({"type": "subscribe", "ids": [1]})
        await client.text({"type": "ping"})
        await client.end_of_stream()
        assert client.buffer == b""
    assert edge.upstream.calls == []


async def test_a_peer_that_never_answers_our_close_is_cut(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        await client.hello(edge)
        started = asyncio.get_running_loop().time()
        await client.text("nonsense")
        await client.ending()
        await client.end_of_stream()
        assert 0.8 < asyncio.get_running_loop().time() - started < 3
    assert edge.gate.closed == {"4500": 1}


async def test_a_client_that_closes_with_unread_data_is_forgotten(edge: EdgeGateway) -> None:
    async with edge.native() as client:
        await welcomed(edge, client)
        await say(client, type="subscribe", ids=[1, 2, 3])
        await until(lambda: edge.wanted == {1, 2, 3})
        for _ in range(1000):
            edge.publish(1, 2, 3)
        client.transport.abort()
        await until(lambda: edge.wanted == frozenset())
