"""Each limit over real sockets: the refusal, its code, and healthy clients beside it that notice nothing."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from quotewire.wire.frames import PING, PONG, TEXT
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, Raw, crowd, raw, until
from tests.wire_samples import masked

PROXY = {"QUOTEWIRE_TRUSTED_PROXIES": "127.0.0.1"}
THEM = "203.0.113.9"


@contextlib.asynccontextmanager
async def client_of(edge: EdgeGateway, address: str, *ids: int, key: str | None = None) -> AsyncIterator[Raw]:
    """An authenticated native client that comes from `address` through a trusted proxy."""
    async with raw(edge) as client:
        assert (await client.upgrade(X_Forwarded_For=address)).status == 101
        token = edge.services.tokens.mint("alice", key=key)[0]
        await client.text({"type": "hello", "token": token})
        assert (await client.message())["type"] == "welcome"
        if ids:
            await client.text({"type": "subscribe", "ids": list(ids)})
            assert (await client.message())["type"] == "subscribed"
            assert (await client.message())["type"] == "snapshot"
        yield client


async def pinged(client: Raw) -> str:
    await client.text({"type": "ping", "timestamp": 1})
    told = await client.message()
    return str(told["code"] if told["type"] == "error" else told["type"])


async def test_openings_a_second_of_one_address(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, MAX_CONNECTIONS_PER_IP="15", WS_HANDSHAKE_RATE_PER_IP="1")
    async with crowd(edge):
        answers = []
        for _ in range(20):
            async with raw(edge) as client:
                answers.append(await client.upgrade(X_Forwarded_For=THEM))
        assert [answer.status for answer in answers[:15]] == [101] * 15
        refused = [answer for answer in answers if answer.status != 101]
        assert {(answer.status, answer.json()["code"]) for answer in refused} == {(429, "too_many_handshakes")}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        async with raw(edge) as other:
            assert (await other.upgrade(X_Forwarded_For="203.0.113.10")).status == 101
    assert edge.gate.limiter.refused["handshakes", "ip"] == len(refused) >= 3


async def test_messages_a_second_of_one_connection_then_the_connection_ends(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_COMMAND_RATE_PER_CLIENT="1")
    async with crowd(edge), raw(edge) as flood, raw(edge) as neighbour:
        await neighbour.hello(edge)
        await flood.hello(edge)
        told: list[str] = []
        while "rate_limited" not in told:
            told.append(await pinged(flood))
        assert told[:2] == ["pong"] * 2
        await flood.text({"type": "subscribe", "ids": [1], "requestId": "r", "timestamp": 7})
        refused = await flood.message()
        assert (refused["code"], refused["retryable"], refused["requestId"]) == ("rate_limited", True, "r")
        await flood.send(masked(TEXT, b'{"type":"ping"}') * 40)
        messages, code = await flood.ending()
        assert code == 4006
        assert messages[-1]["code"] == "rate_limited"
        assert await pinged(neighbour) == "pong"
    assert edge.gate.errors["rate_limited"] == 20


async def test_pings_of_the_websocket_protocol_count_as_messages(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_COMMAND_RATE_PER_CLIENT="1")
    async with crowd(edge), raw(edge) as flood:
        assert (await flood.upgrade()).status == 101  # before any token, too
        await flood.send(masked(PING, b"x") * 100)
        frames = []
        while (frame := await flood.frame())[0] == PONG:
            frames.append(frame)
        assert 2 <= len(frames) <= 4
        assert frame[0] == TEXT
        messages, code = await flood.ending()
        assert (messages[-1]["code"], code) == ("rate_limited", 4006)


async def test_symbols_a_second_that_one_connection_names(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_SYMBOL_RATE_PER_CLIENT="1", MAX_SYMBOLS_PER_CLIENT="10")
    async with crowd(edge), raw(edge) as bomb:
        await bomb.hello(edge, *range(20, 30))
        await bomb.text({"type": "unsubscribe", "ids": list(range(20, 30))})
        assert (await bomb.message())["type"] == "unsubscribed"
        await bomb.text({"type": "subscribe", "ids": list(range(20, 30)), "requestId": "r"})
        refused = await bomb.message()
        assert (refused["code"], refused["retryable"], refused["requestId"]) == ("rate_limited", True, "r")
        assert "symbols a second" in refused["message"]
        # More than a connection may ever have is told as that, whatever the rate.
        await bomb.text({"type": "subscribe", "ids": list(range(20, 31))})
        assert (await bomb.message())["code"] == "too_many_symbols"
        assert await pinged(bomb) == "pong"


@pytest.mark.parametrize("scope", ["ip", "key"])
async def test_a_client_that_comes_back_goes_on_with_what_its_address_and_key_have_left(
    edge_with: EdgeWith, scope: str
) -> None:
    edge = await edge_with(**PROXY, **{f"WS_SYMBOL_RATE_PER_{scope.upper()}": "1", "MAX_SYMBOLS_PER_CLIENT": "100"})
    async with crowd(edge):
        for symbols in (100, 60):
            async with client_of(edge, THEM, *range(20, 20 + symbols), key="them"):
                pass
        async with client_of(edge, THEM, key="them") as bomb:
            await bomb.text({"type": "subscribe", "ids": list(range(20, 120)), "requestId": "r"})
            refused = await bomb.message()
            whom = {"ip": "this address", "key": "this key"}[scope]
            assert (refused["code"], refused["requestId"]) == ("rate_limited", "r")
            assert refused["message"] == f"{whom} may name 1 symbols a second"
            assert await pinged(bomb) == "pong"
    assert edge.gate.limiter.refused == {("symbol_rate", scope): 1}


async def test_an_address_whose_clients_keep_misbehaving_waits(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, WS_FAULT_RATE_PER_IP="1")
    statuses = []
    async with crowd(edge), client_of(edge, THEM) as neighbour:
        for _ in range(14):
            async with raw(edge) as bad:
                answer = await bad.upgrade(X_Forwarded_For=THEM)
                statuses.append(answer.status)
                if answer.status != 101:
                    assert answer.json()["code"] == "too_many_faults"
                    assert int(answer.headers["retry-after"]) >= 1
                    continue
                await bad.send(b"\xff" * 10)
                assert (await bad.ending())[1] == 1002
        assert statuses[:5] == [101] * 5
        assert 429 in statuses
        assert await pinged(neighbour) == "pong"  # who is in, stays in
        async with client_of(edge, "203.0.113.10"):
            pass


@pytest.mark.parametrize("scope", ["ip", "key"])
async def test_messages_a_second_of_those_that_share(edge_with: EdgeWith, scope: str) -> None:
    name = f"WS_COMMAND_RATE_PER_{scope.upper()}"
    edge = await edge_with(**PROXY, **{name: "1"})
    theirs = (THEM, "k") if scope == "ip" else ("198.51.100.1", "k")
    async with (
        client_of(edge, THEM, key="k") as one,
        client_of(edge, theirs[0], key=theirs[1]) as two,
        client_of(edge, "203.0.113.77", key="other") as healthy,
    ):
        told = []
        while "rate_limited" not in told:
            told.append(await pinged(one))
        assert len(told) < 10
        assert await pinged(two) == "rate_limited"
        assert [await pinged(healthy) for _ in range(2)] == ["pong"] * 2
    assert edge.gate.limiter.refused["commands", scope] >= 2


@pytest.mark.parametrize("scope", ["ip", "key"])
async def test_symbols_of_those_that_share(edge_with: EdgeWith, scope: str) -> None:
    edge = await edge_with(**PROXY, **{f"MAX_SYMBOLS_PER_{scope.upper()}": "5"})
    address = THEM if scope == "ip" else "198.51.100.1"
    async with client_of(edge, THEM, 1, 2, 3, key="k") as one, client_of(edge, address, key="k") as two:
        await two.text({"type": "subscribe", "ids": [4, 5, 6], "requestId": "s"})
        refused = await two.message()
        assert (refused["code"], refused["requestId"]) == ("too_many_symbols", "s")
        assert "5 symbols" in refused["message"]
        async with client_of(edge, "203.0.113.77", 1, 2, 3, 4, 5, key="other"):
            pass
        await one.text({"type": "unsubscribe", "ids": [1]})
        assert (await one.message())["type"] == "unsubscribed"
        await two.text({"type": "subscribe", "ids": [4, 5, 6]})
        assert (await two.message())["type"] == "subscribed"
    assert edge.gate.limiter.refused["symbols", scope] == 1


async def test_connections_of_one_key_from_many_addresses(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, MAX_CONNECTIONS_PER_KEY="2")
    async with client_of(edge, THEM, key="k"), client_of(edge, "203.0.113.10", key="k"):
        async with raw(edge) as third:
            await third.upgrade(X_Forwarded_For="203.0.113.11")
            await third.text({"type": "hello", "token": edge.services.tokens.mint("alice", key="k")[0]})
            messages, code = await third.ending()
            assert (messages[-1]["code"], messages[-1]["retryable"], code) == ("too_many_connections", True, 4006)
        async with raw(edge) as plain:
            await plain.upgrade("/", X_Forwarded_For="203.0.113.11")
            await plain.text(edge.services.tokens.mint("alice", key="k")[0])
            messages, code = await plain.ending()
            assert (messages[-1]["code"], messages[-1]["success"], code) == ("too_many_connections", False, 4006)
        async with client_of(edge, "203.0.113.11", key="other"):
            pass
    async with client_of(edge, "203.0.113.11", key="k"):
        pass


async def test_authentications_a_second_of_one_key(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_HANDSHAKE_RATE_PER_KEY="1")
    codes = []
    for _ in range(4):
        async with raw(edge) as client:
            await client.upgrade()
            await client.text({"type": "hello", "token": edge.token()})
            codes.append((await client.message()).get("code"))
    assert codes[:2] == [None, None]
    assert "too_many_handshakes" in codes
    async with raw(edge) as other:
        await other.upgrade()
        await other.text({"type": "hello", "token": edge.services.tokens.mint("bob")[0]})
        assert (await other.message())["type"] == "welcome"


async def test_tokens_a_second_of_one_address(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, MAX_CONNECTIONS_PER_IP="3", QUOTEWIRE_TOKEN_RATE_PER_IP="1")
    path = "/api-auth/auth/access-token/alice"
    async with edge.http() as http:
        answers = [await http.get(path, headers={"X-Forwarded-For": THEM}) for _ in range(6)]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        last = answers[-1]
        assert (last.status_code, last.json()["code"]) == (429, "too_many_token_requests")
        assert int(last.headers["Retry-After"]) >= 1
        # Unknown persons count as well: whose logins are held is not found out by trying.
        assert (await http.get("/api-auth/auth/access-token/x", headers={"X-Forwarded-For": THEM})).status_code == 429
        assert (await http.get(path, headers={"X-Forwarded-For": "203.0.113.10"})).status_code == 200
        metrics = (await http.get("/metrics")).text
    assert 'quotewire_limits_exceeded_total{limit="tokens",scope="ip"}' in metrics


async def test_an_ipv6_customer_is_one_address_and_its_neighbour_another(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, MAX_CONNECTIONS_PER_IP="2")
    async with client_of(edge, "2001:db8:5:6::1"), client_of(edge, "[2001:db8:5:6:ffff::2]:4711"):
        async with raw(edge) as third:
            assert (await third.upgrade(X_Forwarded_For="2001:db8:5:6:a:b:c:d")).status == 429
        async with client_of(edge, "2001:db8:5:7::1"):
            pass


async def test_nobody_gets_another_share_by_saying_who_they_are(edge_with: EdgeWith) -> None:
    slow = {"WS_HANDSHAKE_RATE_PER_IP": "1", "QUOTEWIRE_TOKEN_RATE_PER_IP": "1"}
    edge = await edge_with(MAX_CONNECTIONS_PER_IP="3", **slow)
    statuses = []
    for number in range(8):
        async with raw(edge) as client:
            named = {"X_Forwarded_For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"}
            statuses.append((await client.upgrade(**named)).status)
    assert statuses.count(101) <= 4
    assert len(edge.gate.limiter.addresses) == 1
    async with edge.http() as http:
        spoofed = [
            await http.get("/api-auth/auth/access-token/alice", headers={"X-Forwarded-For": f"203.0.113.{number}"})
            for number in range(25)
        ]
    assert 429 in {answer.status_code for answer in spoofed}
    assert len(edge.gate.limiter.addresses) == 1


async def test_what_comes_before_a_trusted_proxys_own_hop_is_made_up(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, MAX_CONNECTIONS_PER_IP="1")
    async with client_of(edge, f"198.51.100.1, {THEM}"), raw(edge) as again:
        assert (await again.upgrade(X_Forwarded_For=f"198.51.100.2, {THEM}")).status == 429


async def test_a_thousand_addresses_leave_nothing_behind(edge_with: EdgeWith) -> None:
    edge = await edge_with(**PROXY, WS_HANDSHAKE_RATE_PER_IP="1000")
    async with contextlib.AsyncExitStack() as stack:
        for number in range(1000):
            async with raw(edge) as client:
                await client.upgrade(X_Forwarded_For=f"10.0.{number // 250}.{number % 250}")
            if number == 500:
                kept = await stack.enter_async_context(client_of(edge, "10.9.9.9", 1))
        await until(lambda: len(edge.gate.limiter.addresses) == 1)
        assert await pinged(kept) == "pong"
