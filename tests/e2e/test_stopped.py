"""A gateway that did not run for some seconds: what waited in its sockets meanwhile is never called live."""

import asyncio
import itertools
import signal
from pathlib import Path

import msgspec
import pytest

from quotewire.market.quote import Freshness, Quote
from tests.e2e.programs import Start
from tests.e2e.watching import Watcher

pytestmark = pytest.mark.slow

STOPPED_S = 5.0
IDS = (8049, 9290418)


def after(quotes: list[Quote], since_ms: int) -> list[Quote]:
    return [quote for quote in quotes if quote.received_at >= since_ms and quote.freshness is not Freshness.STALE]


def content(quote: Quote) -> Quote:
    return msgspec.structs.replace(quote, sequence=0, received_at=0, freshness=Freshness.LIVE)


async def test_what_waited_while_it_stood_still_is_not_live(simulate: Start, serve: Start, tmp_path: Path) -> None:
    questrade = await simulate("--persons", "alice", "--rate", "100")
    gateway, url = await serve(questrade, tmp_path)
    watcher = Watcher(IDS)
    watching = asyncio.create_task(watcher.run(url))
    try:
        async with asyncio.timeout(30):
            while not all(any(q.freshness is Freshness.LIVE for q in watcher.quotes(i)) for i in IDS):
                await asyncio.sleep(0.02)
        gateway.send(signal.SIGSTOP)
        last_ms = max(quote.received_at for i in IDS for quote in watcher.quotes(i))
        await asyncio.sleep(STOPPED_S)  # how long it stands still is what is tested
        gateway.send(signal.SIGCONT)
        woken_ms = last_ms + int((STOPPED_S - 1) * 1000)
        async with asyncio.timeout(30):
            while not all(any(q.freshness is Freshness.LIVE for q in after(watcher.quotes(i), woken_ms)) for i in IDS):
                await asyncio.sleep(0.02)
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    for symbol_id in IDS:
        told = after(watcher.quotes(symbol_id), woken_ms)
        assert told[0].freshness is Freshness.RECOVERING, told[0]
        caught_up_ms = told[0].received_at + 1500
        for before, quote in itertools.pairwise(told):
            # Without new data it is a second look at what came before, with the time of that.
            is_data = content(before) != content(quote)
            if is_data and quote.received_at < caught_up_ms:
                assert quote.freshness is not Freshness.LIVE, "called live before it had caught up"
