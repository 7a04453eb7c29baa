"""The SDK living with failure, over real sockets: lost lines, refused tokens, silence, polling, prompt leaving."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

import quotewire
from quotewire.errors import ClientError
from quotewire.resilience.lifecycle_types import Reason
from quotewire.testing.scripted_gateway import ScriptedGateway
from quotewire.wire.codes import CloseCode
from quotewire.wire.messages import Hello, Ping, Subscribe
from tests.integration.client_tools import FAST, SYMBOLS, eventually, only, take

State = quotewire.State


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    async with ScriptedGateway(SYMBOLS) as running:
        yield running


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A port where somebody listens and never says a word."""
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    for writer in held:
        writer.transport.abort()


async def reached(client: quotewire.Client, state: State) -> None:
    await eventually(lambda: client.state.state is state)


async def test_who_is_calling_is_told_in_headers_and_hello(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        headers = only(gateway).headers
        (hello,) = only(gateway).of(Hello)
        assert headers["X-Connection-ID"] == hello.connection_id == client.connection_id
        assert headers["X-Client-Version"] == hello.client_version == quotewire.__version__
        assert headers["X-Session-Timeout"] == "1800000"
        assert headers["Sec-WebSocket-Protocol"] == "quotewire.v1.json"
        assert client.connection_id.startswith("ws-")
        assert client.state.person == "alice"  # the one who is active, not the first


async def test_a_lost_line_is_repaired_and_quotes_go_on(gateway: ScriptedGateway) -> None:
    gateway.publish("AAPL")
    gateway.publish("SHOP.TO")
    async with quotewire.connect(gateway.url, lifecycle=FAST, connection_id="ws-1-test") as client:
        stream = client.quotes("AAPL", "SHOP.TO")
        assert await take(stream, 2) == [("AAPL", 1), ("SHOP.TO", 1)]
        only(gateway).cut()
        await eventually(lambda: client.state.state is not State.CONNECTED)
        latest = client.latest("AAPL")
        assert latest is not None
        assert latest.freshness is quotewire.Freshness.STALE
        gateway.publish("AAPL")  # missed: it is replayed
        await reached(client, State.CONNECTED)
        assert await take(stream, 1) == [("AAPL", 2)]
        gateway.publish("SHOP.TO")
        assert await take(stream, 1) == [("SHOP.TO", 2)]
        ids = [conversation.of(Hello)[0].connection_id for conversation in gateway.conversations]
        assert ids == ["ws-1-test", "ws-1-test"]
        assert [message.resume for message in only(gateway).of(Subscribe)] == [[(8049, 1, 1), (7, 1, 1)]]
        assert client.get_metrics().reconnection_count == 1


async def test_a_restarted_gateway_begins_a_new_epoch(gateway: ScriptedGateway) -> None:
    for _ in range(5):
        gateway.publish("AAPL")
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        stream = client.quotes("AAPL")
        assert await take(stream, 1) == [("AAPL", 5)]
        await gateway.stop()
        await eventually(lambda: client.state.attempt >= 2)
        assert "connection refused" in client.state.detail
        gateway.epoch = 2
        gateway.publish("AAPL")
        await gateway.start()
        assert await take(stream, 1) == [("AAPL", 1)]
        assert (client.state.state, client.state.detail) == (State.CONNECTED, "")


async def test_going_away_is_followed_by_coming_back(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        only(gateway).close(CloseCode.GOING_AWAY)
        await eventually(lambda: len(gateway.conversations) == 2)
        await reached(client, State.CONNECTED)


async def test_a_refused_token_is_replaced_at_once(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        gateway.tokens.clear()
        only(gateway).close(CloseCode.TOKEN_REFUSED)
        await eventually(lambda: client.get_metrics().token_refresh_count == 1)
        await reached(client, State.CONNECTED)
        tokens = [conversation.of(Hello)[0].token for conversation in gateway.conversations]
        assert len(set(tokens)) == 2
        assert not any("refresh=true" in path for path, _ in gateway.requests)


async def test_a_forced_refresh_reconnects_with_a_new_token(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        await client.refresh_token()
        assert client.state.state is State.CONNECTED
        assert client.get_metrics().token_refresh_count == 1
        assert any(path.endswith("/alice?refresh=true") for path, _ in gateway.requests)
        gateway.http_status = 503
        with pytest.raises(quotewire.GatewayUnreachableError, match="scripted 503"):
            await client.refresh_token()


async def test_a_given_token_is_used_as_it_is(gateway: ScriptedGateway) -> None:
    gateway.tokens.add("given")
    async with quotewire.connect(gateway.url, token="given", lifecycle=FAST, metrics_interval_s=None) as client:
        assert [path for path, _ in gateway.requests] == ["GET /ws"]
        with pytest.raises(ClientError, match="fixed token"):
            await client.refresh_token()
        stream = client.quotes("AAPL")
        await stream.subscribe()
        only(gateway).close(CloseCode.TOKEN_REFUSED)
        with pytest.raises(quotewire.GatewayUnreachableError, match="a new one is needed"):
            await take(stream, 1)
        assert client.state.state is State.ERROR


async def test_a_given_token_that_is_wrong_is_told_at_once(gateway: ScriptedGateway) -> None:
    with pytest.raises(quotewire.GatewayUnreachableError, match="a new one is needed"):
        async with quotewire.connect(gateway.url, token="wrong", lifecycle=FAST):
            pass


async def test_a_person_can_be_chosen(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, person="bob", lifecycle=FAST) as client:
        assert client.state.person == "bob"
        assert "GET /api-auth/persons" not in [path for path, _ in gateway.requests]


async def test_no_persons_is_told(gateway: ScriptedGateway) -> None:
    gateway.persons = []
    with pytest.raises(quotewire.GatewayUnreachableError, match="has no persons yet"):
        async with quotewire.connect(gateway.url, lifecycle=FAST):
            pass


async def test_a_final_close_code_ends_the_iterators_with_an_error(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        stream = client.quotes("AAPL")
        await stream.subscribe()
        waiting = asyncio.create_task(take(stream, 1))
        await asyncio.sleep(0)
        only(gateway).close(CloseCode.UNSUPPORTED_PROTOCOL)
        with pytest.raises(quotewire.GatewayUnreachableError, match="not spoken here"):
            await waiting
        assert (client.state.state, client.state.reason) == (State.ERROR, Reason.CLOSED_FOR_GOOD)
    assert len(gateway.conversations) == 1


async def test_a_mute_gateway_is_left_and_tried_again(gateway: ScriptedGateway) -> None:
    impatient = replace(FAST, ping_interval_s=0.1, pong_timeout_s=0.05, auth_timeout_s=0.1)
    async with quotewire.connect(gateway.url, lifecycle=impatient) as client:
        await eventually(lambda: client.state.latency_ms is not None)
        assert client.state.quality is quotewire.Quality.GOOD
        assert all(ping.timestamp > 1_700_000_000_000 for ping in only(gateway).of(Ping))
        gateway.mute = True
        reasons = set()
        async for state in client.states():
            reasons.add(state.reason)
            if {Reason.PONG_TIMEOUT, Reason.AUTH_TIMEOUT} <= reasons:
                break
        gateway.mute = False
        await reached(client, State.CONNECTED)


async def test_the_upgrade_has_its_own_time_out(silent: str) -> None:
    impatient = replace(FAST, upgrade_timeout_s=0.1)
    client = quotewire.connect(silent, token="t", lifecycle=impatient, connect_attempts=2)
    with pytest.raises(quotewire.GatewayUnreachableError, match="did not open the WebSocket in time"):
        await client.connect()
    assert client.get_metrics().connections_failed == 2


async def test_entering_gives_up_after_its_time(silent: str) -> None:
    started = time.monotonic()
    with pytest.raises(quotewire.GatewayUnreachableError, match=r"within 0\.2 s"):
        async with quotewire.connect(silent, lifecycle=FAST, connect_timeout_s=0.2):
            pass
    assert time.monotonic() - started < 1.2


async def test_an_unreachable_gateway_is_told_after_the_attempts(gateway: ScriptedGateway) -> None:
    await gateway.stop()
    with pytest.raises(quotewire.GatewayUnreachableError, match=f"{gateway.url}: connection refused"):
        async with quotewire.connect(gateway.url, lifecycle=FAST, connect_attempts=3):
            pass


async def test_entering_need_not_wait(gateway: ScriptedGateway) -> None:
    gateway.publish("AAPL")
    await gateway.stop()
    async with quotewire.connect(gateway.url, lifecycle=FAST, wait=False) as client:
        reading = asyncio.create_task(take(client.quotes("AAPL"), 1))
        await eventually(lambda: client.state.attempt >= 1)
        await gateway.start()
        assert await reading == [("AAPL", 1)]


async def test_without_a_socket_quotes_are_polled_until_it_is_back(gateway: ScriptedGateway) -> None:
    gateway.publish("AAPL")
    polling = replace(FAST, max_attempts=1, poll_interval_s=0.05)
    async with quotewire.connect(gateway.url, lifecycle=polling) as client:
        stream = client.quotes("AAPL")
        assert await take(stream, 1) == [("AAPL", 1)]
        gateway.upgrade_status = 503
        only(gateway).cut()
        await reached(client, State.DEGRADED)
        assert "HTTP 503" in client.state.detail
        gateway.next_quote("AAPL")
        assert await take(stream, 1) == [("AAPL", 2)]
        gateway.http_status = 503
        await reached(client, State.ERROR)  # polls fail as well, and are tried still
        gateway.http_status = None
        await reached(client, State.DEGRADED)
        gateway.upgrade_status = None
        await reached(client, State.CONNECTED)
        polls = sum(path.endswith("/quotes/batch") for path, _ in gateway.requests)
        gateway.publish("AAPL")
        assert await take(stream, 1) == [("AAPL", 3)]
        await asyncio.sleep(3 * polling.poll_interval_s)
        assert sum(path.endswith("/quotes/batch") for path, _ in gateway.requests) == polls


async def test_a_full_gateway_is_given_the_time_it_asks_for(gateway: ScriptedGateway) -> None:
    gateway.upgrade_status = 429
    async with quotewire.connect(gateway.url, lifecycle=FAST, wait=False) as client:
        await eventually(lambda: client.state.attempt == 1)
        state = client.state
        assert state.next_attempt_at is not None
        assert state.next_attempt_at - state.since == pytest.approx(1000, abs=2)  # Retry-After: 1
        gateway.upgrade_status = None
        await reached(client, State.CONNECTED)


async def test_a_symbol_that_cannot_be_looked_up_now_comes_later(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quotewire.client import subscriptions
    from quotewire.wire.codes import ErrorCode

    monkeypatch.setattr(subscriptions, "RETRY_DELAY_S", 0.05)
    gateway.publish("AAPL")
    gateway.publish("SHOP.TO")
    gateway.refusals["SHOP.TO"] = (ErrorCode.UPSTREAM_UNAVAILABLE, True)
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        stream = client.quotes("AAPL", "SHOP.TO")
        assert await take(stream, 1) == [("AAPL", 1)]
        gateway.refusals.clear()
        assert await take(stream, 1) == [("SHOP.TO", 1)]


async def test_states_and_the_callback_tell_the_same_story(gateway: ScriptedGateway) -> None:
    called: list[State] = []

    def on_state(state: quotewire.ClientState) -> None:
        called.append(state.state)
        raise ValueError("a callback's own trouble is not ours")

    seen: list[State] = []
    async with quotewire.connect(gateway.url, lifecycle=FAST, on_state=on_state) as client:

        async def watch() -> None:
            async for state in client.states():
                seen.append(state.state)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0)
        only(gateway).cut()
        await eventually(lambda: State.CONNECTING in seen and seen[-1] is State.CONNECTED)
    await watching
    assert seen[0] is State.CONNECTED
    assert seen[-1] is called[-1] is State.DISCONNECTED
    assert called[0] is State.CONNECTING


async def test_metrics_are_reported_and_can_be_switched_off(gateway: ScriptedGateway) -> None:
    def reports() -> list[bytes]:
        return [body for path, body in gateway.requests if path == "POST /api/metrics/websocket"]

    async with quotewire.connect(gateway.url, lifecycle=FAST, metrics_interval_s=0.05) as client:
        gateway.http_status = 503  # a report that fails harms nobody
        await eventually(lambda: sum(b'"connectionsSucceeded":1' in report for report in reports()) >= 2)
        assert all(client.connection_id.encode() in report for report in reports())
        assert client.state.state is State.CONNECTED
    gateway.requests.clear()
    gateway.http_status = None
    async with quotewire.connect(gateway.url, lifecycle=FAST, metrics_interval_s=None):
        await asyncio.sleep(0.2)
    assert reports() == []


@pytest.mark.parametrize("stage", ["preparing", "authenticating", "waiting", "live"])
async def test_leaving_is_prompt_and_leaves_no_task_behind(gateway: ScriptedGateway, silent: str, stage: str) -> None:
    url = silent if stage == "preparing" else gateway.url
    gateway.mute = stage == "authenticating"
    if stage == "waiting":
        await gateway.stop()
    slow = replace(FAST, backoff=replace(FAST.backoff, base_s=60.0, cap_s=60.0))
    before = asyncio.all_tasks()
    async with quotewire.connect(url, lifecycle=slow, wait=stage == "live") as client:
        reading = asyncio.create_task(take(client.quotes("AAPL"), 1))
        if stage == "waiting":
            await eventually(lambda: client.state.next_attempt_at is not None)
        elif stage == "authenticating":
            await eventually(lambda: any(talk.of(Hello) for talk in gateway.conversations))
        else:
            await asyncio.sleep(0.05)
        started = time.monotonic()
    assert time.monotonic() - started < 1.0
    with pytest.raises(StopAsyncIteration):
        await reading
    await eventually(lambda: not client._task)
    mine = {task for task in asyncio.all_tasks() - before if "quotewire" in repr(task.get_coro())}
    assert {task for task in mine if "_accept" not in repr(task)} == set()


async def test_cancelling_while_connecting_is_prompt(silent: str) -> None:
    async def enter() -> None:
        async with quotewire.connect(silent, lifecycle=FAST):
            pass

    task = asyncio.create_task(enter())
    await asyncio.sleep(0.05)
    started = time.monotonic()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert time.monotonic() - started < 1.0


async def test_a_gateway_that_does_not_answer_the_close_is_not_waited_for(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST):
        only(gateway)._writer.transport.pause_reading()  # type: ignore[attr-defined]
        started = time.monotonic()
    assert time.monotonic() - started < 1.0


def test_a_wrong_argument_is_told_before_anything_happens() -> None:
    with pytest.raises(quotewire.ConfigurationError, match="is not a gateway's address"):
        quotewire.connect("127.0.0.1:4005")
    with pytest.raises(ValueError, match="no connection id"):
        quotewire.connect(connection_id="a b")
    with pytest.raises(ValueError, match="must be positive"):
        quotewire.connect(queue_size=0)
