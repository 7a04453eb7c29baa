"""In whose name a call is made, and what a refusal means for the next."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from quotewire.errors import (
    AccessTokenError,
    RateLimitedError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade import requests, wire
from quotewire.questrade.rest import Access, Answer, ApiUnreachableError, RestClient
from quotewire.resilience.breaker import Circuit
from quotewire.resilience.budget import Priority
from quotewire.testing import virtual
from quotewire.upstream.chronicle import Chronicle
from quotewire.upstream.desk import Desk
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.world import World
from tests.unit.upstream.fakes import FakeKeeper

REQUEST = requests.quotes([1])


class Bench:
    """A desk of alice and bob; `answers` says by access token what the REST client raises, else it answers its name."""

    def __init__(self, *persons: str) -> None:
        self.answers: dict[str, Callable[[], BaseException]] = {}
        self.sent: list[str] = []
        self.unreachable: list[str] = []
        self.keeper = FakeKeeper(*(persons or ("alice", "bob")))
        self.chronicle = Chronicle()
        loop = asyncio.get_running_loop()
        self.desk = Desk(
            cast(Keeper, self.keeper),
            cast(RestClient, self),
            chronicle=self.chronicle,
            on_unreachable=self.unreachable.append,
            world=World(monotonic=loop.time, wall=loop.time),
        )

        self.value: Any = None

    async def send(self, access: Access, request: Any) -> Answer[Any]:
        self.sent.append(access.token)
        await asyncio.sleep(0.01)
        if (trouble := self.answers.get(access.token)) is not None:
            raise trouble()
        return Answer(self.value or access.person, None, 0.01)


def played(scenario: Callable[[], Any]) -> None:
    virtual.run(scenario())


def test_the_first_person_makes_the_call_and_the_next_when_that_fails() -> None:
    async def scenario() -> None:
        bench = Bench()
        assert (await bench.desk.call(REQUEST))[0] == "alice"
        bench.answers["access-alice"] = lambda: UpstreamUnavailableError("502")
        assert (await bench.desk.call(REQUEST))[0] == "bob"
        bench.answers["access-bob"] = lambda: UpstreamUnavailableError("503")
        with pytest.raises(UpstreamUnavailableError, match="503"):
            await bench.desk.call(REQUEST)

    played(scenario)


def test_a_definite_refusal_is_the_answer_whoever_asks_but_one_of_the_person_is_not() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.answers["access-alice"] = lambda: UpstreamRefusedError("no such symbol", status=404, upstream_code=1019)
        with pytest.raises(UpstreamRefusedError):
            await bench.desk.call(REQUEST)
        assert bench.sent == ["access-alice"]

        bench.answers["access-alice"] = lambda: UpstreamRefusedError("out of scope", status=403, upstream_code=1016)
        assert (await bench.desk.call(REQUEST))[0] == "bob"

    played(scenario)


def test_a_refused_access_token_is_renewed_once_and_the_call_repeated() -> None:
    async def scenario() -> None:
        bench = Bench("alice")
        bench.answers["access-alice"] = lambda: AccessTokenError("1017")
        assert (await bench.desk.call(REQUEST))[0] == "alice"
        assert bench.keeper.renewed == [("alice", "access-alice")]

        for token in ("access-alice-renewed", "access-alice-renewed-renewed"):
            bench.answers[token] = lambda: AccessTokenError("1017")
        with pytest.raises(AccessTokenError):
            await bench.desk.call_as("alice", REQUEST, priority=Priority.LOOKUP)

    played(scenario)


def test_what_keeps_failing_for_a_person_is_left_alone_and_told_once_each_time() -> None:
    async def scenario() -> None:
        bench = Bench("alice")
        bench.answers["access-alice"] = lambda: UpstreamUnavailableError("502")
        for _ in range(20):
            with pytest.raises(UpstreamError):
                await bench.desk.call(REQUEST)
        assert len(bench.sent) < 20
        assert bench.desk.breakers("alice")[REQUEST.endpoint] is not Circuit.CLOSED
        assert bench.desk.breakers_open == 1
        opened = [entry for entry in bench.chronicle.last() if entry["event"] == "breaker"]
        assert len([entry for entry in opened if entry["reason"] == "too_many_failures"]) == 1

    played(scenario)


def test_a_rate_limit_is_waited_out_and_others_are_asked_meanwhile() -> None:
    async def scenario() -> None:
        bench = Bench()
        limited = RateLimitedError("429", retry_after_s=600.0, hourly=True)
        bench.answers["access-alice"] = lambda: limited
        assert (await bench.desk.call(REQUEST))[0] == "bob"
        bench.sent.clear()
        assert (await bench.desk.call(REQUEST))[0] == "bob"
        assert bench.sent == ["access-bob"], "alice is not asked again within the hour"
        assert bench.desk.blocked_s("alice") > 500

        bench.keeper.tokens.pop("bob")
        before = asyncio.get_running_loop().time()
        with pytest.raises(RateLimitedError, match="ask again in 600 s"):
            await bench.desk.call(REQUEST, deadline_s=2.0)
        assert asyncio.get_running_loop().time() == before, "what cannot come in time is not waited for"

    played(scenario)


@pytest.mark.parametrize("persons", [("alice",), ("alice", "bob")])
def test_the_limit_of_the_second_is_waited_out_when_all_have_hit_it(persons: tuple[str, ...]) -> None:
    async def scenario() -> None:
        bench = Bench(*persons)
        left = dict.fromkeys(persons, 1)

        def limited(person: str) -> Callable[[], BaseException]:
            def trouble() -> BaseException:
                left[person] -= 1
                if not left[person]:
                    del bench.answers[f"access-{person}"]
                return RateLimitedError("429", retry_after_s=1.0)

            return trouble

        bench.answers = {f"access-{person}": limited(person) for person in persons}
        started = asyncio.get_running_loop().time()
        assert (await bench.desk.call(REQUEST))[0] == "alice"
        assert 1.0 <= asyncio.get_running_loop().time() - started < 1.5
        assert len(bench.sent) == len(persons) + 1

    played(scenario)


def test_a_second_limit_that_is_hit_again_and_again_is_told() -> None:
    async def scenario() -> None:
        bench = Bench("alice")
        bench.answers["access-alice"] = lambda: RateLimitedError("429", retry_after_s=1.0)
        with pytest.raises(RateLimitedError):
            await bench.desk.call(REQUEST)
        assert len(bench.sent) == 2

    played(scenario)


def test_a_budget_holds_however_many_ask_at_once() -> None:
    async def scenario() -> None:
        bench = Bench("alice")
        await asyncio.gather(*(bench.desk.call(REQUEST, priority=Priority.POLL, deadline_s=60) for _ in range(60)))
        loop = asyncio.get_running_loop()
        assert loop.time() >= 60 / 12 - 1, "polls may use 60 % of 20 a second"
        assert bench.desk.waits > 0

    played(scenario)


def test_the_dead_are_not_asked_and_those_without_access_last() -> None:
    async def scenario() -> None:
        bench = Bench("alice", "bob", "carol")
        bench.keeper.dead.add("alice")
        bench.keeper.tokens["bob"] = None
        assert (await bench.desk.call(REQUEST))[0] == "carol"

    played(scenario)


def test_a_host_out_of_reach_is_told() -> None:
    async def scenario() -> None:
        bench = Bench()
        bench.answers["access-alice"] = lambda: ApiUnreachableError("refused")
        await bench.desk.call(REQUEST)
        assert bench.unreachable == ["alice"]

    played(scenario)


def test_a_row_that_cannot_be_read_is_told_once_and_counted_each_time() -> None:
    async def scenario() -> None:
        bench = Bench()
        lost = wire.decode_quotes(b'{"quotes":[{"symbolId":1},{"symbolId":2,"bidPrice":"x"},7]}')
        bench.value = lost
        for _ in range(3):
            _, frame = await bench.desk.call(REQUEST)
            assert [patch.symbol_id for patch in frame.patches] == [1]

        told = [each["detail"] for each in bench.chronicle.last() if each["reason"] == "row_unreadable"]
        assert len(told) == 2
        assert "the row of 2 cannot be read" in told[1]
        assert bench.desk.rows_lost == 6

    played(scenario)


def test_a_call_that_waits_for_a_refresh_obeys_a_429_that_came_meanwhile() -> None:
    async def scenario() -> None:
        bench = Bench("alice")
        use, over = bench.keeper.use, asyncio.Event()

        @contextlib.asynccontextmanager
        async def refreshing(person: str) -> AsyncIterator[Access]:
            await over.wait()
            async with use(person) as access:
                yield access

        loop = asyncio.get_running_loop()
        bench.keeper.use = refreshing  # type: ignore[method-assign]
        waiting = asyncio.create_task(bench.desk.call(REQUEST))
        await asyncio.sleep(0.1)
        bench.keeper.use = use  # type: ignore[method-assign]
        bench.answers["access-alice"] = lambda: RateLimitedError("429", retry_after_s=1.0)
        with pytest.raises(RateLimitedError):
            await bench.desk.call_as("alice", REQUEST, priority=Priority.STREAM)
        limited_at = loop.time()
        bench.answers.clear()
        over.set()

        assert (await waiting)[0] == "alice"
        assert loop.time() - limited_at >= 1.0

    played(scenario)
