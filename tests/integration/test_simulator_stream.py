"""The simulated streams over real sockets: handshake, frames, subscriptions, eviction, endings, every stream fault."""

import asyncio
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from quotewire.simulator import Simulator
from tests.integration.broker_client import AAPL, MSFT, Broker, broker, config, ending, hear, hear_quotes, until

UNAUTHORIZED = {"code": 1017, "message": "Access token is invalid"}
SHOP = 9290418
TRIO = (AAPL, MSFT, SHOP)


async def open_socket(client: Broker) -> tuple[ClientConnection, int]:
    port = await client.port(*TRIO)
    return await client.socket(port), port


async def ids_heard(connection: ClientConnection, quotes: int) -> list[int]:
    heard: list[int] = []
    while len(heard) < quotes:
        heard += [quote["symbolId"] for quote in await hear_quotes(connection)]
    return heard


# -- the ordinary way


async def test_first_frame_is_full_then_changes_follow() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        first = await hear_quotes(connection)
        assert [quote["symbolId"] for quote in first] == list(TRIO)
        previous = {quote["symbolId"]: quote for quote in first}
        for _ in range(200):
            for quote in await hear_quotes(connection):
                assert quote.keys() == first[0].keys()
                assert quote != previous[quote["symbolId"]]
                assert quote["volume"] >= previous[quote["symbolId"]]["volume"]
                previous[quote["symbolId"]] = quote
        await connection.close()


async def test_what_is_received_is_what_was_recorded_as_sent() -> None:
    async with Simulator(config(record=True, rate=8000.0)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        got: list[tuple[Any, ...]] = []
        while len(got) < 1500:
            got += [
                (each["symbolId"], each["volume"], each["bidPrice"], each["askPrice"], each["lastTradePrice"])
                for each in await hear_quotes(connection)
            ]
        stats = sim.stats()
        sent = [tuple(row[:5]) for row in stats["quotes"]["record"]["alice"]]
        assert sent[: len(got)] == got
        assert sum(stats["quotes"]["sent"]["alice"].values()) == len(sent)
        assert stats["quotes"]["dropped"] == {}
        await connection.close()


async def test_recording_can_be_switched_while_it_runs() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await ids_heard(connection, 20)
        assert sim.stats()["quotes"]["record"] == {}
        answer = await alice.http.post(f"{sim.control_url}/record", json={"on": True})
        assert answer.json() == {"record": True}
        await ids_heard(connection, 200)
        stats = (await alice.http.get(f"{sim.control_url}/stats")).json()
        assert stats["quotes"]["recording"] is True
        assert {row[0] for row in stats["quotes"]["record"]["alice"]} == {AAPL}
        await connection.close()


async def test_a_frame_never_has_a_symbol_twice_and_conflation_sends_fewer() -> None:
    async with Simulator(config(frame_quotes=5)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        for _ in range(100):
            ids = [quote["symbolId"] for quote in await hear_quotes(connection)]
            assert len(set(ids)) == len(ids) <= 5
        await connection.close()
    async with Simulator(config(conflate=True, tick_s=0.2)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await ids_heard(connection, 30)
        carried = sim.stats()["quotes"]["sent"]["alice"]
        assert sum(carried.values()) < sim.stats()["marketChanges"] / 8
        await connection.close()


async def test_the_handshake_refuses_bad_tokens() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        port = await alice.port(AAPL)
        for token in ("nonsense", f"Bearer {alice.access_token}", '{"token":"x"}', ""):
            assert await ending(await alice.socket(port, token)) == (1008, [UNAUTHORIZED])
        binary = await connect(f"ws://127.0.0.1:{port}", compression=None)
        await binary.send(alice.access_token.encode())
        assert await ending(binary) == (1008, [UNAUTHORIZED])
    async with Simulator(config(bad_token_code=0)) as sim, broker(sim) as alice:
        assert await ending(await alice.socket(await alice.port(AAPL), "x")) == (1005, [UNAUTHORIZED])


async def test_a_socket_without_a_token_is_closed() -> None:
    async with Simulator(config(auth_timeout_s=0.1)) as sim, broker(sim) as alice:
        connection = await connect(f"ws://127.0.0.1:{await alice.port(AAPL)}", compression=None)
        assert await ending(connection) == (1005, [])
        await until(lambda: sim.stats()["streams"]["closed"].get("auth_timeout") == 1)


async def test_speaking_on_the_socket_closes_it_without_status() -> None:
    async with Simulator(config(json_close_s=0.05)) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await connection.send('{"mode":"streaming","ids":[8049]}')
        assert (await ending(connection))[0] == 1005


async def test_without_a_subscription_nothing_is_sent() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        port = await alice.port(AAPL)
        connection = await bob.socket(port)
        assert await hear(connection) == {"success": True}
        await until(lambda: sim.stats()["marketChanges"] > 50)
        assert "bob" not in sim.stats()["quotes"]["sent"]
        await connection.close()


@pytest.mark.parametrize(
    ("second_get", "after"),
    [("replace", {MSFT}), ("add", {AAPL, MSFT}), ("reconnect", {AAPL})],
)
async def test_a_second_subscription_call(second_get: str, after: set[int]) -> None:
    async with Simulator(config(second_get=second_get)) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        assert set(await ids_heard(connection, 20)) == {AAPL}
        await alice.port(MSFT)
        async with asyncio.timeout(10):
            while (heard := set(await ids_heard(connection, 60))) != after:
                assert heard <= {AAPL, MSFT}
        await connection.close()
        again = await alice.socket(await alice.port(MSFT))
        await hear(again)
        wanted = {AAPL, MSFT} if second_get == "add" else {MSFT}
        assert {quote["symbolId"] for quote in await hear_quotes(again)} == wanted
        await again.close()


@pytest.mark.parametrize(("style", "code"), [("no_status", 1005), ("code", 1000), ("abort", 1006)])
async def test_a_second_socket_evicts_the_first(style: str, code: int) -> None:
    async with Simulator(config(evict_style=style)) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        first = await alice.stream(AAPL)
        other = await bob.stream(AAPL)
        second = await alice.stream(AAPL)
        assert (await ending(first))[0] == code
        await hear_quotes(second)
        await hear_quotes(other)
        await until(lambda: sim.stats()["streams"]["closed"] == {"evicted": 1})
        await second.close()
        await other.close()


@pytest.mark.parametrize("grace", [0.0, 0.3])
async def test_a_refresh_ends_the_older_tokens_stream(grace: float) -> None:
    async with Simulator(config(refresh_ends_stream_s=grace)) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await alice.login()
        code, heard = await ending(connection)
        assert (code, heard[-1]) == (1008, UNAUTHORIZED)
        await until(lambda: sim.stats()["streams"]["closed"] == {"token_replaced": 1})


async def test_a_refresh_can_leave_the_older_tokens_stream_alone() -> None:
    async with Simulator(config(refresh_ends_stream_s=-1.0)) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await alice.login()
        await ids_heard(connection, 200)
        await connection.close()


async def test_the_stream_ends_with_its_token_and_with_the_session() -> None:
    async with Simulator(config(expires_in=1)) as sim, broker(sim) as alice:
        code, heard = await ending(await alice.stream(AAPL))
        assert (code, heard[-1]) == (1008, UNAUTHORIZED)
    async with Simulator(config(session_idle_s=0.2)) as sim, broker(sim) as alice:
        assert (await ending(await alice.stream(AAPL)))[0] == 1005
        await until(lambda: sim.stats()["streams"]["closed"] == {"session_idle": 1})


async def test_stop_closes_sockets_with_1001() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        reading = asyncio.ensure_future(ending(connection))
        await until(lambda: sim.stats()["streams"]["open"])
    assert (await reading)[0] == 1001


# -- faults

ENDINGS: list[tuple[str, dict[str, Any], int, list[Any]]] = [
    ("stream_close", {"code": 4321, "reason": "because"}, 4321, []),
    ("stream_close", {}, 1000, []),
    ("stream_close_no_status", {}, 1005, []),
    ("stream_abort", {}, 1006, []),
    ("stream_unauthorized", {}, 1008, [UNAUTHORIZED]),
    ("access_expired", {}, 1008, [UNAUTHORIZED]),
    ("evict", {}, 1005, []),
]


@pytest.mark.parametrize(("fault", "params", "code", "last"), ENDINGS)
async def test_endings(fault: str, params: dict[str, Any], code: int, last: list[Any]) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        connection, other = await alice.stream(*TRIO), await bob.stream(*TRIO)
        done = await sim.fault(fault, person="alice", **params)
        assert done["hit"] == 1
        got, heard = await ending(connection)
        assert got == code
        assert [each for each in heard if "quotes" not in each] == last
        await hear_quotes(other)
        assert sim.stats()["faults"] == []
        if fault != "access_expired":
            assert (await alice.get("time")).status_code == 200
        await other.close()


async def test_a_dead_token_can_leave_its_stream_alive() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await sim.fault("access_expired", streams=False)
        assert (await alice.get("time")).status_code == 401
        frames = sim.stats()["quotes"]["frames"]["alice"]
        await until(lambda: sim.stats()["quotes"]["frames"]["alice"] > frames + 30)
        assert connection.close_code is None
        await connection.close()


async def test_an_ending_with_a_count_waits_for_the_next_sockets() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("stream_close", person="alice", count=2, code=1011)
        for _ in range(2):
            assert (await ending(await alice.stream(AAPL)))[0] == 1011
        connection = await alice.stream(AAPL)
        await ids_heard(connection, 20)
        await connection.close()


async def test_silent_socket_and_back() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await hear_quotes(connection)
        await sim.fault("silent_socket", person="alice")
        before = sim.stats()["quotes"]["frames"]["alice"]
        await until(lambda: sim.stats()["quotes"]["muted"].get("alice", 0) > 100)
        assert sim.stats()["quotes"]["frames"]["alice"] <= before + 1
        await sim.clear("silent_socket")
        await until(lambda: sim.stats()["quotes"]["frames"]["alice"] > before + 5)
        assert connection.close_code is None
        await connection.close()


async def test_silent_symbol_still_moves_on_rest() -> None:
    async with Simulator(config(limits=False)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await hear_quotes(connection)
        await sim.fault("silent_symbol", symbols=["AAPL"])
        old = (await alice.get(f"markets/quotes/{AAPL}")).json()
        while AAPL in await ids_heard(connection, 60):
            pass
        async with asyncio.timeout(5):
            while (await alice.get(f"markets/quotes/{AAPL}")).json() == old:
                await asyncio.sleep(0.02)
        await sim.clear()
        async with asyncio.timeout(5):
            while AAPL not in await ids_heard(connection, 20):
                pass
        await connection.close()


async def test_slow_frames() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await hear_quotes(connection)
        await sim.fault("stream_slow", after_s=0.3, seconds=5)
        while True:
            began = asyncio.get_running_loop().time()
            await hear_quotes(connection)
            if asyncio.get_running_loop().time() - began > 0.25:
                break
        await sim.clear()
        await connection.close()


async def test_upgrade_faults() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        port = await alice.port(AAPL)
        url = f"ws://127.0.0.1:{port}"
        await sim.fault("upgrade_refused", status=503)
        with pytest.raises(InvalidStatus, match="503"):
            await connect(url)
        await sim.fault("upgrade_drop")
        with pytest.raises((InvalidMessage, ConnectionError)):
            await connect(url)
        await sim.fault("upgrade_hang")
        with pytest.raises(TimeoutError):
            await connect(url, open_timeout=0.2)
        await sim.fault("upgrade_hang", after_s=0.1)
        with pytest.raises((InvalidMessage, ConnectionError)):
            await connect(url)
        await sim.fault("upgrade_drop", kind="notifications")
        await (await alice.socket(port)).close()


async def test_authentication_faults() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        port = await alice.port(AAPL)
        for fault in ("auth_refused", "auth_drop"):
            await sim.fault(fault, person="alice")
        assert await hear(await bob.socket(port)) == {"success": True}
        assert await ending(await alice.socket(port)) == (1008, [UNAUTHORIZED])
        assert await ending(await alice.socket(port)) == (1006, [])
        await sim.fault("auth_hang", after_s=0.2)
        assert await ending(await alice.socket(port)) == (1005, [])
        assert await hear(await alice.socket(port)) == {"success": True}


GARBAGE = ["text", "binary", "json", "half", "utf8", "raw"]


async def first_bad(connection: ClientConnection) -> str | bytes | ConnectionClosed:
    """The first message that is no frame of whole quotes, or the end that came instead."""
    async with asyncio.timeout(10):
        while True:
            try:
                message = await connection.recv()
            except ConnectionClosed as error:
                return error
            if isinstance(message, bytes) or not (message.startswith('{"quotes":[{') and message.endswith("}]}")):
                return message


@pytest.mark.parametrize("shape", GARBAGE)
async def test_garbage_frames(shape: str) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await hear_quotes(connection)
        await sim.fault("stream_garbage", shape=shape)
        bad: Any = await first_bad(connection)
        if shape == "binary":
            assert bad == bytes(range(256))
        elif shape in ("utf8", "raw"):
            assert isinstance(bad, ConnectionClosed)
        elif shape == "json":
            assert "unexpected" in msgspec.json.decode(bad)
        else:
            with pytest.raises(msgspec.DecodeError):
                msgspec.json.decode(bad)
        await connection.close()


async def test_bursts_and_huge_frames() -> None:
    async with Simulator(config(rate=0.0)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        assert len(await hear_quotes(connection)) == 3
        assert (await sim.fault("huge_frame", quotes=5000))["hit"] == 1
        assert len(await hear_quotes(connection)) == 5000
        await connection.close()
    async with Simulator(config(rate=0.2)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await hear_quotes(connection)
        await sim.fault("burst", rounds=3)
        for _ in range(3):
            assert [quote["symbolId"] for quote in await hear_quotes(connection)] == list(TRIO)
        await connection.close()


@pytest.mark.parametrize("drop", [True, False])
async def test_port_change(drop: bool) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection, old = await open_socket(alice)
        assert await hear(connection) == {"success": True}
        await sim.fault("port_change", drop=drop)
        new = await alice.port(*TRIO)
        assert new != old
        if drop:
            assert (await ending(connection))[0] == 1005
            with pytest.raises(OSError, match=r"refused|Connect call failed"):
                await alice.socket(old)
        else:
            await ids_heard(connection, 20)
        fresh = await alice.socket(new)
        assert await hear(fresh) == {"success": True}
        await fresh.close()
        await connection.close()


async def test_halt_and_resume() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        connection = await alice.stream(AAPL)
        await hear_quotes(connection)
        assert (await sim.fault("halt", symbols=["AAPL"], seconds=0.3))["hit"] == 1
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["isHalted"] is False:
            seen += await hear_quotes(connection)
        resumed = (await hear_quotes(connection))[0]
        assert resumed["isHalted"] is False
        assert resumed == {**seen[-1], "isHalted": False}, "nothing moved while it was halted"
        await sim.fault("halt", symbols=[AAPL])
        await until(lambda: sim.world.market.row(AAPL).is_halted)  # type: ignore[union-attr]
        assert (await sim.fault("resume"))["hit"] == 1
        assert sim.stats()["faults"] == []
        await connection.close()


async def test_content_faults_on_the_stream() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault("delayed", person="alice")
        await sim.fault("unknown_keys", person="alice")
        mine, other = await alice.stream(AAPL), await bob.stream(AAPL)
        quote = (await hear_quotes(mine))[0]
        assert quote["delay"] == 1
        assert quote["marketMaker"] == "XQSI"
        assert (await hear_quotes(other))[0]["delay"] == 0
        await mine.close()
        await other.close()


async def test_notifications() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        port = (await alice.get("notifications?mode=WebSocket")).json()["streamPort"]
        assert port != await alice.port(AAPL)
        connection = await alice.socket(port)
        assert await hear(connection) == {"success": True}
        answer = await alice.http.post(
            f"{sim.control_url}/notify", json={"person": "alice", "orders": [{"symbol": "MSFT", "symbolId": MSFT}]}
        )
        assert answer.json() == {"sockets": 1}
        message = await hear(connection)
        assert list(message) == ["orders", "accountNumber"]
        assert message["orders"][0]["symbol"] == "MSFT"
        sim.notify("alice", [{"state": "Partial"}], [{"quantity": 40}])
        message = await hear(connection)
        assert list(message) == ["orders", "executions", "accountNumber"]
        assert message["executions"][0]["quantity"] == 40
        orders = (await alice.get(f"accounts/{message['accountNumber']}/orders")).json()["orders"]
        assert [each["state"] for each in orders] == ["Executed", "Partial"]
        assert len((await alice.get(f"accounts/{message['accountNumber']}/executions")).json()["executions"]) == 1
        await connection.close()


async def test_a_slow_reader_loses_the_oldest_and_it_is_counted() -> None:
    async with Simulator(config(outbox=10, tick_s=0.2)) as sim, broker(sim) as alice:
        connection = await alice.stream(*TRIO)
        await until(lambda: sim.stats()["quotes"]["dropped"].get("alice", 0) > 0)
        await connection.close()
