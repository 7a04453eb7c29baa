"""The SDK's iterators over real sockets: order, sharing, letting go, refusals, slow readers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

import quotewire
from quotewire.testing.scripted_gateway import ScriptedGateway
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import Subscribe, Unsubscribe
from tests.integration.client_tools import FAST, SYMBOLS, eventually, only, take


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    async with ScriptedGateway(SYMBOLS) as running:
        yield running


@pytest.fixture
async def client(gateway: ScriptedGateway) -> AsyncIterator[quotewire.Client]:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as connected:
        yield connected


async def test_a_snapshot_of_each_symbol_then_every_update_in_sequence(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    gateway.publish("AAPL", bid_price=101.0)
    gateway.publish("AAPL", bid_price=102.0)
    gateway.publish("SHOP.TO", bid_price=5.0)
    stream = client.quotes("AAPL", "SHOP.TO")
    assert await take(stream, 2) == [("AAPL", 2), ("SHOP.TO", 1)]
    for _ in range(50):
        gateway.publish("AAPL")
    assert await take(stream, 50) == [("AAPL", sequence) for sequence in range(3, 53)]
    assert isinstance(client.latest("AAPL"), quotewire.Quote)


async def test_a_symbol_without_a_quote_yet_comes_with_its_first(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    stream = client.quotes("AAPL")
    await stream.subscribe()
    assert client.latest("AAPL") is None
    gateway.publish("AAPL")
    assert await take(stream, 1) == [("AAPL", 1)]


async def test_iterators_share_one_socket_and_each_symbol_is_subscribed_once(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    gateway.publish("AAPL")
    first, second, third = client.quotes("AAPL"), client.quotes("AAPL", 7), client.quotes(8049)
    assert await take(first, 1) == await take(second, 1) == await take(third, 1) == [("AAPL", 1)]
    gateway.publish("AAPL")
    for stream in (first, second, third):
        assert await take(stream, 1) == [("AAPL", 2)]
    heard = [(*message.symbols, *message.ids) for message in only(gateway).of(Subscribe)]
    assert heard == [("AAPL",), (7,), (8049,)]
    assert client.state.symbol_count == 2
    assert len(gateway.conversations) == 1


async def test_the_last_reader_to_leave_lets_the_symbol_go(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.publish("AAPL")
    kept = client.quotes("AAPL")
    await take(kept, 1)
    async with client.quotes("AAPL", "SHOP.TO") as left:
        await take(left, 1)
    await eventually(lambda: only(gateway).wanted == {8049})
    await kept.aclose()
    await kept.aclose()
    await eventually(lambda: only(gateway).wanted == set())
    assert [message.ids for message in only(gateway).of(Unsubscribe)] == [[7], [8049]]
    assert client.state.symbol_count == 0


async def test_leaving_a_loop_is_enough(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.publish("AAPL")
    async for quote in client.quotes("AAPL"):
        assert quote.sequence == 1
        break
    await eventually(lambda: only(gateway).wanted == set())


async def test_a_cancelled_reader_lets_go(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    async def read() -> None:
        async for _ in client.quotes("AAPL"):
            pass

    task = asyncio.create_task(read())
    await eventually(lambda: only(gateway).wanted == {8049})
    task.cancel()
    await asyncio.wait({task})
    del task
    await eventually(lambda: only(gateway).wanted == set())


async def test_closing_an_iterator_ends_the_wait_of_another_task(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    stream = client.quotes("AAPL")
    await stream.subscribe()
    waiting = asyncio.create_task(take(stream, 1))
    await asyncio.sleep(0)
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting


async def test_an_unknown_symbol_raises_before_any_quote(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.publish("AAPL")
    stream = client.quotes("AAPL", "NOPE", 12345)
    with pytest.raises(quotewire.SymbolError, match="Questrade knows no symbol NOPE") as raised:
        await take(stream, 1)
    assert [(result.symbol, result.symbol_id) for result in raised.value.results] == [("NOPE", None), (None, 12345)]
    await eventually(lambda: only(gateway).wanted == set())
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_unknown_symbols_can_be_left_out(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.publish("AAPL")
    stream = client.quotes("NOPE", "AAPL", on_error="skip")
    assert await take(stream, 1) == [("AAPL", 1)]
    assert [result.code for result in stream.refused] == [ErrorCode.UNKNOWN_SYMBOL]


async def test_when_nothing_can_be_had_leaving_out_does_not_help(client: quotewire.Client) -> None:
    with pytest.raises(quotewire.SymbolError):
        await take(client.quotes("NOPE", on_error="skip"), 1)


async def test_the_verdict_can_be_had_alone(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    stream = client.quotes("NOPE", "AAPL", on_error="skip")
    await stream.subscribe()
    assert [result.symbol for result in stream.refused] == ["NOPE"]
    with pytest.raises(quotewire.SymbolError):
        await client.quotes("NOPE").subscribe()
    assert only(gateway).wanted == {8049}


@pytest.mark.parametrize("name", ["", " ", "A" * 65, "A\nB", "\ud800", 0, -5, True, 2**53])
async def test_what_cannot_be_a_symbol_is_refused_without_asking(
    gateway: ScriptedGateway, client: quotewire.Client, name: str | int
) -> None:
    with pytest.raises(quotewire.SymbolError, match="neither a symbol's name"):
        client.quotes("AAPL", name)
    assert only(gateway).of(Subscribe) == []


async def test_no_symbol_at_all_is_a_mistake(client: quotewire.Client) -> None:
    with pytest.raises(ValueError, match="at least one symbol"):
        client.quotes()


async def test_a_slow_reader_gets_the_newest_of_each_symbol_and_the_count(
    gateway: ScriptedGateway, client: quotewire.Client
) -> None:
    stream = client.quotes("AAPL", "SHOP.TO", queue_size=4)
    await stream.subscribe()
    for _ in range(100):
        gateway.publish("AAPL")
    gateway.publish("SHOP.TO")
    await eventually(lambda: client.get_metrics().quotes_received == 101)
    assert stream.pending <= 4
    taken = await take(stream, stream.pending)
    assert taken[-1] == ("SHOP.TO", 1)
    assert dict(taken) == {"AAPL": 100, "SHOP.TO": 1}
    assert stream.skipped == client.get_metrics().quotes_skipped == 101 - len(taken)


async def test_a_large_set_is_asked_for_in_messages_the_gateway_accepts() -> None:
    symbols = {f"SYMBOL{number:04}": number + 1 for number in range(500)}
    async with ScriptedGateway(symbols) as gateway:
        gateway.max_message_bytes = 2048
        async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
            await client.quotes(*symbols).subscribe()
            assert len(only(gateway).of(Subscribe)) > 3
            assert client.state.symbol_count == 500


async def test_one_time_requests(gateway: ScriptedGateway, client: quotewire.Client) -> None:
    gateway.next_quote("AAPL", bid_price=3.5)
    assert [quote.bid_price for quote in await client.snapshot("AAPL", "SHOP.TO")] == [3.5]
    assert [symbol.symbol for symbol in await client.search("S")] == ["SHOP.TO"]
    assert {name: symbol.symbol_id for name, symbol in (await client.lookup("AAPL", "NOPE")).items()} == {"AAPL": 8049}


async def test_disconnecting_ends_every_iterator(gateway: ScriptedGateway) -> None:
    async with quotewire.connect(gateway.url, lifecycle=FAST) as client:
        seen: list[str] = []

        async def read() -> str:
            async for quote in client.quotes("AAPL"):
                seen.append(quote.symbol)
            return "ended"

        task = asyncio.create_task(read())
        await eventually(lambda: only(gateway).wanted == {8049})
        gateway.publish("AAPL")
        await eventually(lambda: seen == ["AAPL"])
        await client.disconnect()
        await client.disconnect()
        assert await task == "ended"
        assert client.state.state is quotewire.State.DISCONNECTED
        with pytest.raises(quotewire.ClientClosedError):
            client.quotes("AAPL")
    await eventually(lambda: gateway.conversations[0].close_code == 1000)


async def test_a_client_can_be_entered_again(gateway: ScriptedGateway) -> None:
    client = quotewire.connect(gateway.url, lifecycle=FAST)
    with pytest.raises(quotewire.ClientClosedError, match="async with"):
        client.quotes("AAPL")
    for _ in range(2):
        async with client:
            await client.connect()
            await client.quotes("AAPL").subscribe()
    assert len(gateway.conversations) == 2
