"""Which symbols are asked about after a gap, when, and how often."""

import asyncio
from typing import Any, cast

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.quote import QuotePatch
from quotewire.questrade.wire import QuotesFrame
from quotewire.upstream.backfill import AFTER_S, AGAIN_S, Backfill
from quotewire.upstream.chronicle import Chronicle
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.tape import Gap


class Bench:
    """A backfill, and the desk it asks."""

    def __init__(self) -> None:
        self.now = 100.0
        self.asked: list[tuple[str, Priority]] = []
        self.fails = False
        self.brought: list[QuotePatch] = []
        self.chronicle = Chronicle()
        self.backfill = Backfill(cast(Desk, self), self.chronicle, self.brought.extend, lambda: self.now)

    async def call(self, request: Any, *, priority: Priority) -> tuple[str, QuotesFrame]:
        self.asked.append((request.params["ids"], priority))
        if self.fails:
            raise UpstreamUnavailableError("down")
        ids = request.params["ids"].split(",")
        return "alice", QuotesFrame([QuotePatch(symbol_id=int(each)) for each in ids], 0)

    async def round(self, gaps: dict[int, Gap]) -> None:
        async with asyncio.TaskGroup() as group:
            self.backfill.round(gaps, group)


def test_the_stream_speaks_first_if_it_will() -> None:
    bench = Bench()

    assert bench.backfill.take_due({1: Gap(90.0, 100.0 - AFTER_S + 0.1)}) == []
    assert bench.backfill.take_due({1: Gap(90.0, 100.0 - AFTER_S)}) == [1]


def test_each_gap_of_a_symbol_is_asked_about_once() -> None:
    bench = Bench()
    first, second = {1: Gap(80.0, 90.0)}, {1: Gap(92.0, 95.0)}

    assert [bench.backfill.take_due(gaps) for gaps in (first, first, second, second)] == [[1], [], [1], []]


def test_a_request_has_a_hundred_at_most_and_the_rest_follows() -> None:
    bench = Bench()
    gaps = {symbol_id: Gap(80.0, 90.0) for symbol_id in range(1, 151)}

    assert [len(bench.backfill.take_due(gaps)) for _ in range(3)] == [100, 50, 0]


async def test_it_has_the_lowest_priority_and_tells_the_gap_once() -> None:
    bench = Bench()
    await bench.round({1: Gap(80.0, 90.5), 2: Gap(85.0, 90.0)})

    assert bench.asked == [("1,2", Priority.POLL)]
    assert [patch.symbol_id for patch in bench.brought] == [1, 2]
    (entry,) = bench.chronicle.last()
    assert (entry["event"], entry["reason"]) == ("backfill", "gap")
    assert "2 symbols had no stream for up to 10.5 s" in entry["detail"]
    assert bench.backfill.filled == 2


async def test_a_call_that_failed_is_made_again_later() -> None:
    bench = Bench()
    bench.fails = True
    gaps = {1: Gap(80.0, 90.0)}
    await bench.round(gaps)
    await bench.round(gaps)
    assert len(bench.asked) == 1

    bench.now += AGAIN_S
    await bench.round(gaps)
    assert len(bench.asked) == 2
