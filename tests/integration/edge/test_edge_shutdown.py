"""The gateway stops: everyone is told 1001, and nobody, however dead, holds it up."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.edge.gateway import raw, running_edge, until
from tests.integration.edge.test_edge_slow import SYMBOLS, block

LIMIT_S = 3.0


async def test_clients_are_told_1001_and_the_gateway_is_gone_at_once(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running_edge(tmp_path, patient=False) as gateway:
            native = await stack.enter_async_context(gateway.native())
            await native.send(json.dumps({"type": "hello", "token": gateway.token()}))
            await native.recv()
            plain = await stack.enter_async_context(gateway.plain())
            silent = await stack.enter_async_context(gateway.native())
            readers = [asyncio.create_task(client.recv()) for client in (native, plain, silent)]
            await asyncio.sleep(0)
            stopping = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopping < 1.0
        for reader, client in zip(readers, (native, plain, silent), strict=True):
            with pytest.raises(ConnectionClosed):
                await reader
            assert client.close_code == 1001
            assert client.close_reason
        assert gateway.gate.closed == {"1001": 3}
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection("127.0.0.1", gateway.port)


async def test_dead_peers_of_every_kind_do_not_hold_it_up(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running_edge(tmp_path, patient=False) as gateway:
            never = asyncio.Event()

            async def hang(name: str) -> None:
                if name == "search":
                    await never.wait()

            gateway.upstream.before = hang
            vanished = await stack.enter_async_context(raw(gateway))
            await vanished.hello(gateway, 1)
            blocked = await stack.enter_async_context(raw(gateway, receive_buffer=8192))
            await blocked.hello(gateway, *SYMBOLS)
            await block(gateway)
            silent = await stack.enter_async_context(raw(gateway))
            await silent.upgrade()
            await stack.enter_async_context(raw(gateway))  # says nothing at all
            half = await stack.enter_async_context(raw(gateway))
            await half.send(b"GET /health HTTP/1.1\r\nX-")
            idle = await stack.enter_async_context(raw(gateway))
            await idle.request("GET /health HTTP/1.1\nHost: x")
            waiting = await stack.enter_async_context(raw(gateway))
            await waiting.send(b"GET /api-market/symbols/search?prefix=S HTTP/1.1\r\nHost: x\r\n\r\n")
            await until(lambda: ("search", ("S", 0)) in gateway.upstream.calls)
            stopping = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopping < LIMIT_S
        assert gateway.gate.closed == {"1001": 3}
        messages, code = await silent.ending()
        assert (messages, code) == ([], 1001)


async def test_a_look_up_under_way_is_given_up(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with running_edge(tmp_path, patient=False) as gateway:

            async def hang(name: str) -> None:
                await asyncio.Event().wait()

            gateway.upstream.before = hang
            client = await stack.enter_async_context(raw(gateway))
            await client.hello(gateway)
            await client.text({"type": "subscribe", "ids": [1]})
            await until(lambda: len(gateway.upstream.calls) == 1)
            stopping = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - stopping < LIMIT_S
        assert await client.ending() == ([], 1001)


async def test_nobody_is_let_in_any_more(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as gateway, raw(gateway) as early, raw(gateway) as late:
        await early.hello(gateway)
        gateway.gate.close_all()
        assert await early.ending() == ([], 1001)
        answer = await late.upgrade()
        assert (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (503, "stopping", "1")
        async with gateway.http() as http:
            ready = await http.get("/ready")
            assert ready.status_code == 503
            assert "the gateway is stopping" in ready.json()["reasons"]


async def test_what_goes_wrong_inside_is_raised_as_itself(tmp_path: Path) -> None:
    async def serve() -> None:
        async with running_edge(tmp_path, patient=False) as gateway, raw(gateway) as client:
            await client.hello(gateway)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await serve()


async def test_cancelling_it_stops_it(tmp_path: Path) -> None:
    up = asyncio.Event()

    async def serve() -> None:
        async with running_edge(tmp_path, patient=False):
            up.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    async with asyncio.timeout(5):
        await up.wait()
    task.cancel()
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(asyncio.CancelledError):
            await task
