"""What is polled, when, and how long a poll is believed."""

import asyncio
from typing import Any, cast

import pytest

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.quote import QuotePatch
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.wire import QuotesFrame
from quotewire.resilience.budget import Priority
from quotewire.testing import virtual
from quotewire.upstream.desk import Desk
from quotewire.upstream.poller import BELIEVED_S, EVERY_S, MOST_AT_ONCE, Poller
from quotewire.upstream.tuning import DEFAULT
from tests.unit.upstream.fakes import FakeDesk

PATIENCE_S = DEFAULT.poll_patience_s


def frame(person: str, request: ApiRequest[Any]) -> QuotesFrame:
    return QuotesFrame([QuotePatch(symbol_id=int(each)) for each in request.params["ids"].split(",")])


class Bench:
    def __init__(self, answer: Any = frame) -> None:
        self.now = 100.0
        self.desk = FakeDesk(answer)
        self.brought: list[QuotePatch] = []
        self.poller = Poller(cast(Desk, self.desk), self.brought.extend, lambda: self.now)


def test_what_is_overdue_is_told_whether_or_not_it_can_be_polled() -> None:
    now = 100.0
    poller = Poller(cast(Any, None), lambda patches: None, lambda: now, patience_s=5.0)
    poller.uncovered({1})
    now = 103.0
    poller.uncovered({1, 2})
    assert poller.overdue == set()
    now = 105.0
    assert poller.overdue == {1}
    poller.uncovered(set())
    assert poller.overdue == set()


def test_a_stream_gets_some_time_before_its_symbols_are_polled() -> None:
    bench = Bench()
    bench.poller.uncovered({1, 2})
    assert bench.poller.take_due() == []

    bench.now += PATIENCE_S
    assert bench.poller.take_due() == [[1, 2]]
    assert bench.poller.take_due() == [], "asked a moment ago"
    bench.now += EVERY_S
    assert bench.poller.take_due() == [[1, 2]]


def test_what_a_stream_carries_again_is_polled_no_more_and_waits_anew_the_next_time() -> None:
    bench = Bench()
    bench.poller.uncovered({1, 2})
    bench.now += PATIENCE_S
    bench.poller.uncovered({2})
    assert bench.poller.take_due() == [[2]]

    bench.poller.uncovered({1, 2})
    bench.now += EVERY_S - 0.1
    assert bench.poller.take_due() == []


def test_a_request_has_a_hundred_symbols_at_most() -> None:
    bench = Bench()
    bench.poller.uncovered(set(range(1, 251)))
    bench.now += PATIENCE_S

    assert [len(ids) for ids in bench.poller.take_due()] == [100, 100, 50]


@pytest.mark.parametrize("fails", [False, True])
def test_a_request_that_hangs_keeps_no_other_waiting(fails: bool) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()

        async def answer(request: ApiRequest[Any]) -> QuotesFrame:
            if "1" in request.params["ids"].split(","):
                await asyncio.sleep(60)
                if fails:
                    raise UpstreamUnavailableError("no answer")
            return frame("", request)

        brought: list[int] = []
        desk = FakeDesk(lambda person, request: answer(request))
        poller = Poller(
            cast(Desk, desk), lambda patches: brought.extend(patch.symbol_id for patch in patches), loop.time
        )
        poller.uncovered(set(range(1, 151)))
        running = asyncio.create_task(poller.run())
        await asyncio.sleep(PATIENCE_S + 1)
        assert sorted(brought) == list(range(101, 151))
        assert {priority for _, _, priority in desk.calls} == {Priority.POLL}
        await asyncio.sleep(200)
        assert len(poller._under_way) <= MOST_AT_ONCE
        assert (1 in brought) is not fails
        assert set(poller.polled) >= set(range(101, 151))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.run(scenario())


def test_an_old_poll_stands_for_nothing() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.poller.uncovered({1})
        await bench.poller._poll([1])
        bench.now += BELIEVED_S + 0.1
        bench.poller._expire()
        assert bench.poller.polled == {}

    virtual.run(scenario())
