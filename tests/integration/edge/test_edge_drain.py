"""The gateway leaves over real sockets: unready at once, nobody let in, each client in its turn, quotes to the end."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quotewire.edge.drain import Phase
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, Raw, raw, running_edge, until

ADMIN = "0123456789-the-operator"
BEARER = {"Authorization": f"Bearer {ADMIN}"}
SPREAD_S = 0.6


@contextlib.asynccontextmanager
async def mover(edge: EdgeGateway, *ids: int) -> AsyncIterator[Raw]:
    """A native client that knows how to move."""
    async with raw(edge) as client:
        await client.upgrade()
        await client.text({"type": "hello", "token": edge.token(), "capabilities": ["reconnect"]})
        assert "reconnect" in (await client.message())["capabilities"]
        await client.text({"type": "subscribe", "ids": list(ids)})
        assert [(await client.message())["type"] for _ in range(2)] == ["subscribed", "snapshot"]
        yield client


@contextlib.asynccontextmanager
async def plain(edge: EdgeGateway, *ids: int) -> AsyncIterator[Raw]:
    """A front end that knows nothing of moving."""
    async with raw(edge) as client:
        await client.upgrade("/")
        await client.text(edge.token())
        assert (await client.message())["success"]
        await client.text({"mode": "streaming", "ids": list(ids)})
        assert (await client.message())["type"] == "subscribed"
        yield client


async def fate(client: Raw) -> tuple[list[dict[str, Any]], int | None, float]:
    """All it is told up to its close frame, and when that came."""
    messages, code = await client.ending()
    return messages, code, time.monotonic()


async def publish(edge: EdgeGateway) -> None:
    while True:
        edge.publish(1)
        await asyncio.sleep(0.01)


async def test_each_client_leaves_in_its_turn_and_has_live_quotes_until_then(edge_with: EdgeWith) -> None:
    edge = await edge_with(DRAIN_SPREAD_MS=str(int(SPREAD_S * 1000)))
    async with contextlib.AsyncExitStack() as stack:
        movers = [await stack.enter_async_context(mover(edge, 1)) for _ in range(4)]
        plains = [await stack.enter_async_context(plain(edge, 1)) for _ in range(8)]
        silent = await stack.enter_async_context(raw(edge))
        await silent.upgrade()
        publisher = asyncio.create_task(publish(edge))
        await until(lambda: edge.sequences.get(1, 0) > 5)
        asked = time.monotonic()
        edge.gate.drain.ask()

        async with raw(edge) as late:
            refused = await late.upgrade()
            assert (refused.status, refused.json()["code"], refused.headers["retry-after"]) == (503, "stopping", "1")
        async with edge.http() as http:
            assert (await http.get("/ready")).status_code == 503
            health = (await http.get("/health")).json()
            assert health["success"]
            assert health["drain"] == {"phase": "leaving", "clients": 13}

        fates = await asyncio.gather(*(fate(client) for client in [*movers, *plains, silent]))
        publisher.cancel()
        await asyncio.gather(publisher, return_exceptions=True)
        await until(lambda: edge.gate.drain.phase is Phase.GONE)
        assert {code for _, code, _ in fates} == {1001}
        turns = sorted(when - asked for _, _, when in fates[4:])
        assert turns[-1] < SPREAD_S + 1.0
        assert turns[-1] - turns[0] > SPREAD_S * 0.4  # not all together

        for messages, _, when in fates[:4]:
            told = [message for message in messages if message.get("type") == "reconnect"]
            assert len(told) == 1
            assert 0 <= told[0]["afterMs"] <= SPREAD_S * 1000
            assert told[0]["deadlineMs"] >= told[0]["afterMs"] + 500
            assert when - asked >= told[0]["deadlineMs"] / 1000 - 0.05  # sockets last
            sequences = [q["sequence"] for message in messages for q in message.get("quotes", ())]
            assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
            assert len(sequences) > 50  # all that time
        afters = sorted(m["afterMs"] for fate_ in fates[:4] for m in fate_[0] if m.get("type") == "reconnect")
        assert afters[0] < afters[-1]
        assert edge.gate.drain.ways == {"told": 4, "closed": 13}


async def test_a_client_that_moves_by_itself_ends_it_early(edge_with: EdgeWith) -> None:
    edge = await edge_with(DRAIN_SPREAD_MS="100", DRAIN_DEADLINE_MS="60000")
    async with mover(edge, 1) as client:
        edge.gate.drain.ask()
        assert (await client.message())["type"] == "reconnect"
        client.sock.close()
        await until(edge.gate.drain.gone.is_set, 1.0)
    assert edge.gate.drain.ways["closed"] == 0


async def test_without_clients_it_is_over_at_once(edge_with: EdgeWith) -> None:
    edge = await edge_with(DRAIN_SPREAD_MS="60000")
    edge.gate.drain.ask()
    assert edge.gate.drain.gone.is_set()


async def test_it_can_be_hastened(edge_with: EdgeWith) -> None:
    edge = await edge_with(DRAIN_SPREAD_MS="60000")
    async with mover(edge, 1) as one, plain(edge, 1) as two:
        edge.gate.drain.ask()
        edge.gate.drain.hasten()
        fates = await asyncio.gather(fate(one), fate(two))
        assert [code for _, code, _ in fates] == [1001, 1001]


async def test_those_that_never_answer_are_cut_by_the_deadline(tmp_path: Path) -> None:
    async with (
        running_edge(tmp_path, patient=False, DRAIN_SPREAD_MS="50", DRAIN_DEADLINE_MS="1200") as edge,
        mover(edge, 1),
        plain(edge, 1),
        raw(edge) as half,
    ):
        await half.send(b"GET /ws HTTP/1.1\r\n")
        began = time.monotonic()
        edge.gate.drain.ask()
        await until(edge.gate.drain.gone.is_set, 4.0)
        assert time.monotonic() - began < 2.6


async def test_the_operator_asks_over_http(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_ADMIN_TOKEN=ADMIN, DRAIN_SPREAD_MS="60000")
    async with edge.http() as http, mover(edge, 1) as client:
        assert (await http.get("/admin/drain", headers=BEARER)).json()["data"]["phase"] == "serving"
        asked = await http.post("/admin/drain", headers=BEARER)
        assert (asked.status_code, asked.json()["data"]["phase"], asked.json()["data"]["told"]) == (202, "leaving", 1)
        assert (await client.message())["type"] == "reconnect"
        assert (await http.post("/admin/drain", headers=BEARER)).json()["data"]["phase"] == "leaving"
        metrics = (await http.get("/metrics")).text
        assert 'quotewire_drain_phase{phase="leaving"} 1.0' in metrics
        assert 'quotewire_drain_phase{phase="serving"} 0.0' in metrics
        hastened = await http.post("/admin/drain?now=true", headers=BEARER)
        assert hastened.json()["data"]["phase"] == "closing"
        assert (await fate(client))[1] == 1001


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {ADMIN}x"},
        {"Authorization": f"Basic {ADMIN}"},
        {"Authorization": "Bearer \u00e9"},
    ],
)
async def test_nobody_else_does(edge_with: EdgeWith, headers: dict[str, str]) -> None:
    edge = await edge_with(QUOTEWIRE_ADMIN_TOKEN=ADMIN)
    encoded = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    async with edge.http() as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, "/admin/drain", headers=encoded)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
            assert ADMIN not in answer.text
    assert edge.gate.drain.phase is Phase.SERVING


async def test_there_is_no_such_path_without_an_admin_token(edge_with: EdgeWith) -> None:
    edge = await edge_with()
    async with edge.http() as http:
        assert (await http.post("/admin/drain", headers=BEARER)).status_code == 404
        assert "/admin/drain" not in json.dumps((await http.get("/openapi.json")).json())


async def test_the_admin_token_is_not_taken_where_others_can_read_it_and_guesses_are_few(edge_with: EdgeWith) -> None:
    proxied = {"QUOTEWIRE_TRUSTED_PROXIES": "127.0.0.1", "MAX_CONNECTIONS_PER_IP": "5"}
    edge = await edge_with(QUOTEWIRE_ADMIN_TOKEN=ADMIN, QUOTEWIRE_TOKEN_RATE_PER_IP="5", **proxied)
    async with edge.http() as http:
        far = {"X-Forwarded-For": "203.0.113.9"}
        assert (await http.get("/admin/drain", headers={**BEARER, **far})).json()["code"] == "insecure"
        over_tls = {**BEARER, **far, "X-Forwarded-Proto": "https"}
        assert (await http.get("/admin/drain", headers=over_tls)).status_code == 200
        wrong = {**over_tls, "Authorization": "Bearer wrong"}
        answers = [await http.get("/admin/drain", headers=wrong) for _ in range(60)]
        assert {answer.status_code for answer in answers} == {401, 429}
