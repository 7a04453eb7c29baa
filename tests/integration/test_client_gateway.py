"""The SDK against the real gateway and its simulator: quotes in sequence, sharing, look-ups, restart."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import quotewire
from quotewire.testing import RunningGateway, running_gateway
from tests.integration.client_tools import FAST, PATIENCE_S, eventually

State = quotewire.State


async def collect(client: quotewire.Client, symbols: tuple[str, ...], count: int) -> list[quotewire.Quote]:
    async with asyncio.timeout(3 * PATIENCE_S), client.quotes(*symbols) as stream:
        return [await anext(stream) for _ in range(count)]


def in_sequence(quotes: list[quotewire.Quote]) -> bool:
    by_symbol: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for quote in quotes:
        by_symbol[quote.symbol_id].append((quote.epoch, quote.sequence))
    return all(
        later == (epoch, sequence + 1)
        for positions in by_symbol.values()
        for (epoch, sequence), later in pairwise(positions)
    )


async def test_every_update_comes_once_and_in_sequence_to_many_readers_on_few_sockets() -> None:
    async with running_gateway(MAX_CONNECTIONS_PER_IP="4") as running:
        clients = [quotewire.connect(running.url, lifecycle=FAST) for _ in range(3)]
        for client in clients:
            await client.connect()
        sets = (("AAPL", "SHOP.TO"), ("AAPL",), ("SHOP.TO", "MSFT"))
        collected = await asyncio.gather(*(collect(client, chosen, 25) for client in clients for chosen in sets))
        for quotes in collected:
            assert in_sequence(quotes)
        assert sum(client.get_metrics().connections_attempted for client in clients) == 3
        assert all(client.get_metrics().quotes_skipped == 0 for client in clients)
        for client in clients:
            await client.disconnect()


async def test_look_ups_and_snapshots() -> None:
    async with running_gateway() as running, quotewire.connect(running.url, lifecycle=FAST) as client:
        found = {symbol.symbol: symbol for symbol in await client.search("AAP")}
        assert found["AAPL"].symbol_id == 8049
        assert (await client.lookup("AAPL", "NOPE"))["AAPL"].prev_day_close_price
        (quote,) = await client.snapshot("AAPL")
        assert quote.symbol == "AAPL"
        with pytest.raises(quotewire.SymbolError, match="NOPE"):
            await client.quotes("AAPL", "NOPE").subscribe()
        await client.quotes(8049).subscribe()
        assert client.state.upstream is not None
        assert client.state.person == "alice"


async def test_a_forced_refresh_and_a_report_are_taken() -> None:
    async with (
        running_gateway() as running,
        quotewire.connect(running.url, lifecycle=FAST, metrics_interval_s=0.05) as client,
    ):
        await client.refresh_token()
        assert len(await collect(client, ("AAPL",), 5)) == 5
        metrics = client.get_metrics()
        assert (metrics.token_refresh_count, metrics.reconnection_count) == (1, 1)


async def test_an_unknown_person_is_told() -> None:
    async with running_gateway() as running:
        with pytest.raises(quotewire.GatewayUnreachableError, match="person"):
            async with quotewire.connect(running.url, person="mallory", lifecycle=FAST):
                pass


async def test_a_restart_of_the_gateway_is_lived_through(tmp_path: Path) -> None:
    async def up(port: str) -> tuple[RunningGateway, asyncio.Event, asyncio.Task[None]]:
        """Run a gateway in a task of its own until the event is set."""
        told: asyncio.Future[RunningGateway] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()

        async def live() -> None:
            async with running_gateway(data_dir=tmp_path / "data", PORT=port) as running:
                told.set_result(running)
                await stop.wait()

        task = asyncio.create_task(live())
        async with asyncio.timeout(PATIENCE_S):
            return await told, stop, task

    (tmp_path / "data").mkdir()
    running, stop, task = await up("0")
    async with quotewire.connect(running.url, lifecycle=replace(FAST, max_attempts=1000)) as client:
        stream = client.quotes("AAPL")
        async with asyncio.timeout(PATIENCE_S):
            before = await anext(stream)
        stop.set()
        await task
        await eventually(lambda: client.state.state is not State.CONNECTED)
        latest = client.latest("AAPL")
        assert latest is not None
        assert not latest.tradable
        while stream.pending:
            before = await anext(stream)
        # The simulator began anew as well and knows nothing of the tokens of before: a fresh vault, the same port.
        for left in (tmp_path / "data").iterdir():
            left.unlink()
        running, stop, task = await up(running.url.rpartition(":")[2])
        async with asyncio.timeout(3 * PATIENCE_S):
            after = await anext(stream)
        assert (after.epoch, after.sequence) > (before.epoch, before.sequence)
        stop.set()
    await task
