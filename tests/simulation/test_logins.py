"""Logins in virtual time: another program that takes streams, a refresh of the only login, and what is told of both."""

import asyncio
import contextlib
import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from quotewire.market.quote import Freshness
from quotewire.testing import virtual
from quotewire.upstream.supervisor import Upstream
from tests.simulation.faults import Nature, Timetable
from tests.simulation.run import Simulation

LIVE = {Freshness.LIVE, Freshness.QUIET}
MARKET_STEP_S = 0.25


class Stage(Simulation):
    """A gateway and its world, without a timetable."""

    @property
    def upstream(self) -> Upstream:
        assert self.gateway.upstream is not None
        return self.gateway.upstream

    def freshness(self) -> set[Freshness]:
        return {self.watch.quotes.seen[i].quote.freshness for i in self.gateway.wanted if i in self.watch.quotes.seen}

    async def until(self, condition: Callable[[], bool], within_s: float = 60.0, every_s: float = 0.05) -> float:
        """Virtual seconds until a condition came true."""
        began = self.now
        while not condition():
            assert self.now - began < within_s, f"not within {within_s} virtual seconds"
            await asyncio.sleep(every_s)
        return self.now - began

    async def refresh(self, person: str) -> None:
        assert self.gateway.process is not None
        await self.gateway.process.spawn(self.upstream.refresh(person, force=True), name="refresh")

    def carried(self) -> dict[str, int]:
        return {person.name: person.symbol_count for person in self.upstream.persons()}

    def reasons(self, event: str) -> list[str]:
        return [entry["reason"] for entry in self.upstream.report()["last"] if entry["event"] == event]

    async def goes_on(self) -> None:
        while True:
            await asyncio.sleep(MARKET_STEP_S)
            self.network.broker.tick(self.loop.time(), MARKET_STEP_S)

    async def rival(self, person: str, after_s: float) -> None:
        """A program that opens the person's stream again, so soon after it was taken from it."""
        while True:
            await self.until(lambda: bool(self.network.live(person)), within_s=10_000)
            await asyncio.sleep(after_s)
            for wire in self.network.live(person):
                wire.end(0)


@contextlib.asynccontextmanager
async def staged(data_dir: Path, *persons: str, symbols: int = 12, **nature: Any) -> AsyncIterator[Stage]:
    steady = {"wants_change": False, "pace_s": 1.0, "jitter_s": 0.0}
    world = Nature(persons=persons, symbols=symbols, wanted=symbols, **{**steady, **nature})
    stage = Stage(Timetable(1, world, ()), data_dir)
    for person in persons:
        stage._vault.add(person, stage.network.broker.issue(person, stage.loop.time()))
    stage.gateway.wanted = frozenset(stage.network.broker.market.ids)
    stage.gateway.start()
    market = asyncio.create_task(stage.goes_on())
    try:
        await stage.until(lambda: len(stage.watch.quotes.seen) == symbols and stage.freshness() <= LIVE)
        await stage.until(lambda: all(stage.carried().values()))
        yield stage
        assert stage.watch.breach is None, stage.watch.breach
        await stage.gateway.stop()
    finally:
        market.cancel()
        await asyncio.gather(market, return_exceptions=True)
        await stage.gateway.bury()


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    virtual.run(main(), start=100.0, chance=random.Random(1).random)


def test_a_program_that_keeps_taking_a_stream_is_recognised_and_left_to_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with staged(tmp_path, "alice", "bob", symbols=12) as stage:
            rival = asyncio.create_task(stage.rival("alice", 5.0))
            await stage.until(lambda: "evicted" in stage.reasons("stream"), within_s=240)
            (alice, _) = stage.upstream.report()["persons"]
            assert alice["lastError"].startswith("another program seems to use alice's login")
            await stage.until(lambda: stage.freshness() <= LIVE, within_s=3)
            assert stage.carried() == {"alice": 0, "bob": 12}

            before = stage.network.broker.accounts["alice"].calls["markets/quotes"]
            await asyncio.sleep(1800)
            opened = stage.network.broker.accounts["alice"].calls["markets/quotes"] - before
            assert opened <= 10, "tried less and less often"

            rival.cancel()
            await stage.until(lambda: all(stage.carried().values()), within_s=700)
            await asyncio.sleep(5)
            assert stage.upstream.report()["persons"][0]["lastError"] == ""

    play(scenario)


def test_with_one_login_a_rival_is_met_with_polls_and_longer_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with staged(tmp_path, "alice") as stage:
            rival = asyncio.create_task(stage.rival("alice", 3.0))
            await stage.until(lambda: "evicted" in stage.reasons("stream"), within_s=120)
            before = stage.watch.streams.opened
            await stage.until(lambda: stage.upstream.state.state == "degraded", within_s=20)
            await asyncio.sleep(1800)
            assert stage.watch.streams.opened - before <= 8
            rival.cancel()

    play(scenario)


@pytest.mark.parametrize("ends_after_s", [0.0, 5.0, -1.0])
def test_a_refresh_of_the_only_login_is_a_short_gap_that_is_never_called_live(
    tmp_path: Path, ends_after_s: float
) -> None:
    async def scenario() -> None:
        async with staged(tmp_path, "alice", refresh_ends_stream_s=ends_after_s) as stage:
            await asyncio.sleep(30)
            labels: Counter[Freshness] = Counter()
            refreshing = asyncio.create_task(stage.refresh("alice"))
            for _ in range(800):
                await asyncio.sleep(0.01)
                labels.update(stage.freshness())
                is_up = bool(stage.watch.streams.open)
                assert is_up or not stage.freshness() & LIVE, "live without a stream"
            await refreshing
            assert stage.freshness() <= LIVE
            not_live_s = sum(count for label, count in labels.items() if label not in LIVE) * 0.01
            print(f"{ends_after_s}: not live for {not_live_s:.2f} s {dict(labels)}")
            assert not_live_s <= 1.5
            assert Freshness.STALE not in labels
            assert set(stage.reasons("reconnect")) == {"token_rotated"}

    play(scenario)


def test_a_refresh_is_no_gap_where_another_login_can_take_over(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with staged(tmp_path, "alice", "bob") as stage:
            await asyncio.sleep(30)
            refreshing = asyncio.create_task(stage.refresh("alice"))
            for _ in range(800):
                await asyncio.sleep(0.01)
                assert stage.freshness() <= LIVE
            await refreshing

    play(scenario)


def test_each_thing_that_happens_is_one_event_in_log_metric_and_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told(stage: Stage) -> Counter[tuple[str, str]]:
        readings = stage.upstream.readings()
        return Counter({(x.labels[0], x.labels[1]): int(x.value) for x in readings if x.name.endswith("events_total")})

    async def scenario() -> None:
        async with staged(tmp_path, "alice", "bob") as stage:
            caplog.clear()
            before = told(stage)
            for wire in stage.network.live("alice"):
                wire.end(1001)
            await asyncio.sleep(30)
            for wire in stage.network.live("bob"):  # now alice is asked again
                wire.end(1001)
            await stage.until(lambda: "closed_by_peer" in stage.reasons("reconnect"))
            await asyncio.sleep(30)
            await stage.refresh("bob")
            await asyncio.sleep(5)

            happened = told(stage) - before
            assert happened["stream", "closed_by_peer"] == 2
            assert happened["failover", "person_failed"] == 2
            assert happened["reconnect", "closed_by_peer"] == 2
            assert happened["token", "requested"] == 1
            logged = Counter(
                (str(record.__dict__["event"]).removeprefix("upstream."), record.__dict__["reason"])
                for record in caplog.records
                if record.name == "quotewire.upstream" and record.levelno >= logging.INFO
            )
            assert logged == happened
            report = stage.upstream.report()["last"][: sum(happened.values())]
            assert Counter((entry["event"].value, entry["reason"]) for entry in report) == happened

    with caplog.at_level(logging.INFO, logger="quotewire.upstream"):
        play(scenario)
