"""Changes to a stream that works: in place where that is enough, else by a new socket before the old one ends."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from quotewire.errors import UpstreamUnavailableError
from quotewire.questrade.stream import QuoteSocket
from quotewire.resilience import lifecycle_events as on
from quotewire.testing import virtual
from quotewire.upstream.adoption import ADOPT_S, Adoption, Habit, Lesson
from quotewire.upstream.aim import Aim, Target
from quotewire.upstream.chronicle import Chronicle, Why
from quotewire.upstream.omissions import Omissions
from quotewire.upstream.steward import HOLD_S, SLOW_S, Steward, Trouble
from quotewire.upstream.world import World


class FakeSocket:
    """A socket that is accepted after `slow_s`."""

    def __init__(self, bench: "Bench") -> None:
        self.bench = bench
        self.is_closed = False

    async def authenticate(self, token: str, *, timeout_s: float = 10.0) -> None:
        await asyncio.sleep(self.bench.slow_s)
        if self.bench.refuses:
            raise UpstreamUnavailableError("no")

    async def close(self) -> None:
        self.is_closed = True


class Bench:
    """The stream that is served, and the world it is in."""

    def __init__(self, habit: Habit = Habit.UNKNOWN) -> None:
        loop = asyncio.get_running_loop()
        self.person = "alice"
        self.is_live = True
        self.number = 1
        self.assigned = frozenset({1, 2})
        self.target: Target | None = self.aim_at("t1")
        self.token = "t1"
        self.slow_s = 0.1
        self.refuses = False
        self.told: list[str] = []
        self.sockets: list[FakeSocket] = []
        self.chronicle = Chronicle()
        self.adoption = Adoption(Lesson(habit))
        self.omissions = Omissions()
        self.steward = Steward(
            self,
            cast(Aim, self),
            self.adoption,
            chronicle=self.chronicle,
            world=World(monotonic=loop.time, chance=lambda: 1.0, open_socket=self.open_socket),
        )

    def aim_at(self, token: str) -> Target:
        return Target("wss://api01/", token, self.assigned)

    async def take(self, ids: Callable[[], frozenset[int]]) -> Target:
        self.told.append(f"ask {sorted(ids())}")
        await asyncio.sleep(0.05)
        self.omissions.answered(self.assigned)
        return self.aim_at(self.token)

    async def open_socket(self, url: str, *, timeout_s: float = 5.0) -> QuoteSocket:
        self.sockets.append(FakeSocket(self))
        return cast(QuoteSocket, self.sockets[-1])

    def asks(self) -> frozenset[int]:
        return self.assigned

    def carry(self, target: Target) -> None:
        self.target = target
        self.told.append(f"carry {sorted(target.ids)}")

    def recount(self) -> None:
        """Nothing is counted here."""

    def swap(self, fresh: QuoteSocket, target: Target, since: float) -> None:
        self.target = target
        self.adoption.opened_anew(asyncio.get_running_loop().time())
        self.told.append("swap")

    def ended(self, event: on.Event) -> None:
        self.is_live = False
        self.told.append("ended")

    def give_up(self) -> None:
        self.is_live = False
        self.told.append("given up")

    def failed(self, trouble: Trouble) -> None:
        self.told.append("failed")


def played(scenario: Callable[[Bench], Any], habit: Habit = Habit.UNKNOWN) -> None:
    async def main() -> None:
        bench = Bench(habit)
        running = asyncio.create_task(bench.steward.run())
        await asyncio.sleep(0)
        await scenario(bench)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    virtual.run(main())


def test_changes_that_come_together_are_one_request_in_place() -> None:
    async def scenario(bench: Bench) -> None:
        for symbol_id in (3, 4, 5):
            bench.assigned |= {symbol_id}
            bench.steward.stir()
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        assert bench.told == ["ask [1, 2, 3, 4, 5]", "carry [1, 2, 3, 4, 5]"]

    played(scenario)


def test_symbols_that_show_nothing_in_place_lead_to_a_new_socket() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assigned |= {3}
        bench.steward.stir()
        await asyncio.sleep(ADOPT_S + 2)
        assert bench.told[-1] == "swap"
        assert [(entry["event"], entry["reason"]) for entry in bench.chronicle.last()] == [("reconnect", "not_adopted")]

    played(scenario)


def test_where_that_is_known_a_new_socket_is_opened_at_once() -> None:
    async def scenario(bench: Bench) -> None:
        bench.assigned |= {3}
        bench.steward.stir()
        await asyncio.sleep(1)
        assert bench.told == ["ask [1, 2, 3]", "swap"]
        assert bench.chronicle.last()[0]["reason"] == "symbols_changed"

    played(scenario, Habit.REOPEN)


def test_the_end_of_the_old_socket_is_expected_while_its_replacement_is_under_way() -> None:
    async def scenario(bench: Bench) -> None:
        bench.steward.replace(Why.NOT_ADOPTED)
        await asyncio.sleep(0.1)
        assert bench.steward.holds(on.Closed(1, 1006))
        assert not bench.steward.has_lapsed
        await asyncio.sleep(1)
        assert bench.told[-1] == "swap"
        assert "ended" not in bench.told
        assert not bench.steward.holds(on.Closed(1, 1006)), "of the new socket it is not"

    played(scenario)


def test_what_ended_too_long_ago_is_not_carried_and_a_refreshed_one_not_for_a_moment() -> None:
    async def scenario(bench: Bench) -> None:
        bench.slow_s = 10.0
        bench.steward.replace(Why.NOT_ADOPTED)
        await asyncio.sleep(0.1)
        bench.steward.holds(on.Closed(1, 1006))
        await asyncio.sleep(HOLD_S - 0.1)
        assert not bench.steward.has_lapsed
        await asyncio.sleep(0.2)
        assert bench.steward.has_lapsed

    async def refreshed(bench: Bench) -> None:
        bench.steward.replace(Why.TOKEN_ROTATED)
        await asyncio.sleep(0.1)
        bench.steward.holds(on.Closed(1, 1006))
        assert bench.steward.has_lapsed
        assert bench.steward.rotates

    played(scenario)
    played(refreshed)


def test_a_replacement_that_fails_ends_the_stream_only_if_the_old_socket_is_gone() -> None:
    async def scenario(bench: Bench) -> None:
        bench.refuses = True
        bench.steward.replace(Why.NOT_ADOPTED)
        await asyncio.sleep(0.5)
        assert bench.is_live
        assert bench.sockets[0].is_closed
        await asyncio.sleep(10)
        assert len(bench.sockets) > 1, "tried again, later"

        bench.steward.replace(Why.NOT_ADOPTED)
        while not bench.steward.holds(on.Closed(1, 1006)):
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        assert bench.told[-1] == "ended"

    played(scenario)


def test_a_stream_that_is_proved_dead_is_given_up_when_it_cannot_be_replaced() -> None:
    async def scenario(bench: Bench) -> None:
        bench.refuses = True
        bench.steward.replace(Why.STREAM_MUTE)
        await asyncio.sleep(1)
        assert bench.told[-1] == "given up"

    played(scenario)


def test_when_the_stream_goes_down_what_is_being_done_for_it_is_left() -> None:
    async def scenario(bench: Bench) -> None:
        bench.slow_s = 5.0
        bench.steward.replace(Why.NOT_ADOPTED)
        await asyncio.sleep(0.5)
        bench.is_live = False
        bench.steward.reset()
        await asyncio.sleep(10)
        assert "swap" not in bench.told
        assert bench.sockets[0].is_closed

    played(scenario)


def test_what_a_failed_request_left_out_is_asked_for_again_when_it_is_wanted_once_more() -> None:
    async def scenario(bench: Bench) -> None:
        bench.omissions.answered(frozenset({1, 2}))
        bench.omissions.leaves(frozenset({1}), 0.0)  # and no answer came
        bench.told.clear()

        bench.steward.stir()
        await asyncio.sleep(1)
        assert bench.told == ["ask [1, 2]", "carry [1, 2]"]

    played(scenario)


def test_a_change_that_takes_long_is_not_waited_for() -> None:
    async def scenario(bench: Bench) -> None:
        bench.slow_s = 2 * SLOW_S
        bench.steward.replace(Why.NOT_ADOPTED)
        stuck = []
        for wait_s in (SLOW_S - 0.1, 0.2, 2 * SLOW_S):
            await asyncio.sleep(wait_s)
            stuck.append(bench.steward.is_stuck)

        assert bench.told[-1] == "swap"
        assert stuck == [False, True, False]

    played(scenario)
