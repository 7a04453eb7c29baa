"""The SDK over real sockets: nothing is missed over a lost line or a move, and what cannot be had is told as a gap."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import quotewire
from quotewire.client.encoding import EncodingName
from quotewire.client.stream import QuoteStream
from quotewire.testing.scripted_gateway import ScriptedGateway
from quotewire.wire.codes import CloseCode
from quotewire.wire.messages import Gaps, Quotes, Reconnect, Subscribe
from tests.integration.client_tools import FAST, PATIENCE_S, SYMBOLS, eventually, only, take

ENCODINGS: tuple[EncodingName, ...] = ("json", "msgpack")


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    async with ScriptedGateway(SYMBOLS) as running:
        yield running


@pytest.fixture(params=ENCODINGS)
async def client(gateway: ScriptedGateway, request: pytest.FixtureRequest) -> AsyncIterator[quotewire.Client]:
    async with quotewire.connect(gateway.url, lifecycle=FAST, encoding=request.param) as connected:
        yield connected


async def sequences(stream: QuoteStream, count: int) -> list[int]:
    return [sequence for _, sequence in await take(stream, count)]


async def test_what_was_missed_while_the_line_was_down_comes_first(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    gateway.publish("AAPL")
    stream = client.quotes("AAPL")
    assert await sequences(stream, 1) == [1]
    only(gateway).cut()
    await eventually(lambda: not list(gateway.open))
    for _ in range(3):
        gateway.publish("AAPL")
    assert await sequences(stream, 3) == [2, 3, 4]
    gateway.publish("AAPL")
    assert await sequences(stream, 1) == [5]
    assert stream.gaps == ()
    (command,) = only(gateway).of(Subscribe)
    assert command.resume == [(8049, 1, 1)]


async def test_a_quote_is_live_again_when_nothing_was_missed(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    known = gateway.publish("AAPL")
    stream = client.quotes("AAPL")
    assert await sequences(stream, 1) == [1]
    only(gateway).cut()
    await eventually(lambda: client.state.state is not quotewire.State.CONNECTED)
    latest = client.latest("AAPL")
    assert latest is not None
    assert latest.freshness is quotewire.Freshness.STALE
    await eventually(lambda: client.latest("AAPL") == known)
    assert stream.pending == 0


async def test_what_the_gateway_no_longer_has_is_told_as_a_gap(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    heard: list[quotewire.Gap] = []
    gateway.publish("AAPL")
    stream = client.quotes("AAPL", on_gap=heard.append)
    assert await sequences(stream, 1) == [1]
    only(gateway).cut()
    await eventually(lambda: not list(gateway.open))
    for _ in range(4):
        gateway.publish("AAPL")
    del gateway.history[8049][:3]
    assert await sequences(stream, 1) == [5]
    (gap,) = stream.gaps
    assert heard == [gap]
    assert (gap.symbol, gap.from_sequence, gap.to_sequence, gap.cause) == ("AAPL", 2, 4, quotewire.Cause.HISTORY)
    assert client.get_metrics().gaps_received == 1


async def test_a_new_count_is_told_as_a_gap(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    for _ in range(5):
        gateway.publish("AAPL")
    stream = client.quotes("AAPL", "SHOP.TO")
    assert await sequences(stream, 1) == [5]
    await gateway.stop()
    gateway.epoch = 2
    gateway.publish("AAPL")
    gateway.publish("AAPL")
    await gateway.start()
    quote = await asyncio.wait_for(anext(stream), PATIENCE_S)
    assert (quote.epoch, quote.sequence) == (2, 2)
    (gap,) = stream.gaps
    assert (gap.epoch, gap.from_sequence, gap.to_sequence, gap.cause) == (2, 1, 1, quotewire.Cause.EPOCH)


async def test_a_gap_while_connected_comes_in_its_place(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.publish("AAPL")
    seen: list[object] = []
    stream = client.quotes("AAPL", mode="every", on_gap=seen.append)
    seen += await sequences(stream, 1)
    gap = quotewire.Gap("AAPL", 8049, 1, 2, 3, None, None, quotewire.Cause.SLOW)
    gateway.next_quote("AAPL")
    gateway.next_quote("AAPL")
    only(gateway).say(Gaps(gaps=[gap]))
    gateway.publish("AAPL")
    seen += await sequences(stream, 1)
    assert seen == [1, gap, 4]


async def test_a_failing_callback_does_no_harm(gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture) -> None:
    def fail(gap: quotewire.Gap) -> None:
        raise RuntimeError("mine")

    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        gateway.publish("AAPL")
        stream = client.quotes("AAPL", on_gap=fail)
        await take(stream, 1)
        only(gateway).say(Gaps(gaps=[quotewire.Gap("AAPL", 8049, 1, 2, 2, None, None, quotewire.Cause.SLOW)]))
        only(gateway).say(Quotes(quotes=[gateway.next_quote("AAPL")]))
        await take(stream, 1)
    assert "the on_gap callback failed" in caplog.text


async def test_wishes_reach_the_gateway(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    stream = client.quotes("AAPL", fields=["bid_price", "VWAP"], max_rate=2.5, delta=True, mode="latest")
    await stream.subscribe()
    (command,) = only(gateway).of(Subscribe)
    assert (command.max_rate, command.delta, command.mode) == (2.5, True, "latest")
    assert set(command.fields or ()) == {"bidPrice", "VWAP", "receivedAt"}


@pytest.mark.parametrize(
    "wish", [{"fields": ["price"]}, {"max_rate": -1}, {"mode": "sometimes"}, {"mode": "every", "max_rate": 1}]
)
async def test_a_wish_that_cannot_be(gateway: ScriptedGateway, wish: dict[str, object]) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        with pytest.raises(ValueError, match=r"field|updates a second|mode"):
            client.quotes("AAPL", **wish)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="encoding"):
        quotewire.connect(gateway.url, encoding="xml")  # type: ignore[arg-type]


async def test_asked_to_move_it_is_there_before_it_leaves(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    states: list[quotewire.State] = []
    gateway.publish("AAPL")
    stream = client.quotes("AAPL", mode="every")
    assert await sequences(stream, 1) == [1]
    first = only(gateway)
    task = asyncio.ensure_future(follow(client, states))
    first.say(Reconnect(after_ms=20, deadline_ms=5000, reason="the gateway is stopping"))
    published = 1
    while first.open:  # updates go on all the while, on both connections
        gateway.publish("AAPL")
        published += 1
        await asyncio.sleep(0.002)
    gateway.publish("AAPL")
    assert await sequences(stream, published) == list(range(2, published + 2))
    await eventually(lambda: first.close_code is not None)
    assert first.close_code == 1000
    assert only(gateway) is not first
    task.cancel()
    assert states == [quotewire.State.CONNECTED]
    assert client.get_metrics().reconnection_count == 1


async def follow(client: quotewire.Client, states: list[quotewire.State]) -> None:
    async for state in client.states():
        if not states or states[-1] is not state.state:
            states.append(state.state)


async def test_closed_before_it_could_move_it_comes_back_and_goes_on(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    gateway.publish("AAPL")
    stream = client.quotes("AAPL")
    assert await sequences(stream, 1) == [1]
    first = only(gateway)
    first.say(Reconnect(after_ms=60_000, deadline_ms=61_000, reason="the gateway is stopping"))
    first.close(CloseCode.GOING_AWAY)
    await eventually(lambda: not first.open)
    gateway.publish("AAPL")
    assert await sequences(stream, 1) == [2]
