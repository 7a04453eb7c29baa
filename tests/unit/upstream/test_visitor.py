"""Who is called on, when, and what an answer or its absence leads to."""

import asyncio
from typing import Any, cast

from quotewire.errors import UpstreamUnavailableError
from quotewire.questrade.records import TimeRecord
from quotewire.questrade.requests import ApiRequest
from quotewire.questrade.rest import ApiUnreachableError
from quotewire.testing import virtual
from quotewire.upstream.clock import MarketClock
from quotewire.upstream.desk import Desk
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.visitor import AGAIN_S, EVERY_S, UNREACHED, Visitor
from quotewire.upstream.world import World
from tests.unit.upstream.fakes import FakeDesk, FakeKeeper


class Bench:
    """A visitor of alice and bob in virtual time; `trouble` says who does not answer, and how."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.trouble: dict[str, Exception | float] = {}
        self.keeper = FakeKeeper("alice", "bob")
        self.desk = FakeDesk(lambda person, request: self.answer(person, request))
        self.clock = MarketClock(World(monotonic=loop.time, wall=lambda: 1_772_550_000.0 + loop.time()))
        self.visitor = Visitor(
            cast(Keeper, self.keeper), cast(Desk, self.desk), self.clock, now=asyncio.get_running_loop().time
        )

    async def answer(self, person: str, request: ApiRequest[Any]) -> TimeRecord:
        trouble = self.trouble.get(person)
        if isinstance(trouble, Exception):
            raise trouble
        await asyncio.sleep(trouble or 0.05)
        return TimeRecord(time="2026-03-03T10:00:00.000000-05:00")

    def visits(self) -> list[str]:
        found, self.desk.calls = [person for person, _, _ in self.desk.calls], []
        return found

    async def runs(self, for_s: float) -> None:
        running = asyncio.create_task(self.visitor.run())
        await asyncio.sleep(for_s)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_everybody_is_called_on_at_once_and_then_now_and_then() -> None:
    async def scenario() -> None:
        bench = Bench()
        await bench.runs(EVERY_S + 60)
        assert sorted(bench.visits()) == ["alice", "alice", "bob", "bob"]
        assert bench.clock.is_measured

    virtual.run(scenario())


def test_somebody_whose_call_hangs_keeps_nobody_else_waiting() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.trouble["alice"] = 9.0
        running = asyncio.create_task(bench.runs(30))
        await asyncio.sleep(1)
        bench.keeper.tokens["bob"] = "another"
        bench.visitor.stir()
        await asyncio.sleep(1)
        assert bench.visits() == ["alice", "bob", "bob"]
        await running

    virtual.run(scenario())


def test_after_a_failure_it_comes_again_soon_and_tells_the_desk_when_it_is_over() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.keeper.tokens["bob"] = None
        bench.trouble["alice"] = UpstreamUnavailableError("502")
        await bench.runs(AGAIN_S * 2 + 3)
        assert 2 <= len(bench.visits()) <= 3
        assert bench.keeper.rehosted == []

        del bench.trouble["alice"]
        await bench.runs(AGAIN_S + 2)
        assert bench.desk.nudged == ["alice"]

    virtual.run(scenario())


def test_a_host_that_stays_out_of_reach_is_given_up() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.trouble["alice"] = ApiUnreachableError("refused")
        await bench.runs(AGAIN_S * UNREACHED + 2)
        assert bench.keeper.rehosted[0] == "alice"
        assert "bob" not in bench.keeper.rehosted

    virtual.run(scenario())


def test_a_person_whose_stream_failed_is_called_on_at_once() -> None:
    async def scenario() -> None:
        bench = Bench()
        running = asyncio.create_task(bench.runs(10))
        await asyncio.sleep(2)
        bench.visits()
        bench.visitor.call_on("bob")
        await asyncio.sleep(1)
        assert bench.visits() == ["bob"]
        await running

    virtual.run(scenario())
