"""Clocks that are set, that jump, and that Questrade tells."""

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.calendar import TORONTO
from quotewire.upstream.clock import MarketClock, SteadyClock
from quotewire.upstream.world import REAL, World

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=TORONTO).timestamp()


@dataclass(slots=True)
class Machine:
    monotonic: float = 50.0
    wall: float = NOON

    def world(self) -> World:
        return replace(REAL, monotonic=lambda: self.monotonic, wall=lambda: self.wall)

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


def test_a_clock_set_back_is_not_followed() -> None:
    machine = Machine()
    clock = SteadyClock(machine.world())
    machine.wall -= 3600
    machine.pass_time(10)

    assert clock.now() == NOON + 10
    assert clock.jumps == 0


def test_a_jump_ahead_is_time_that_passed_asleep() -> None:
    machine = Machine()
    clock = SteadyClock(machine.world())
    machine.wall += 600
    machine.pass_time(10)

    assert clock.now() == NOON + 610
    assert clock.jumps == 1
    machine.wall -= 600  # it was no sleep: set back again, and nothing goes back
    assert clock.now() == NOON + 610
    assert clock.jumps == 1


def test_the_market_clock_is_questrades_whatever_happens_to_ours() -> None:
    machine = Machine()
    clock = MarketClock(machine.world())
    assert not clock.is_measured
    clock.measure("2026-03-03T09:30:00.000000-05:00", 0.0)
    machine.wall -= 500
    machine.pass_time(60)

    moment = clock.now()
    assert moment.market == datetime(2026, 3, 3, 9, 31, tzinfo=TORONTO)
    assert moment.ms == int(machine.wall * 1000)
    assert clock.theirs() == moment.market.timestamp()
    assert clock.is_measured


def test_the_way_of_the_answer_is_taken_into_account() -> None:
    machine = Machine()
    clock = MarketClock(machine.world())
    clock.measure("2026-03-03T12:00:10.000000-05:00", 4.0)

    assert clock.offset_s == pytest.approx(12.0)


@pytest.mark.parametrize("told", ["", "noon", "2026-13-01T00:00:00"])
def test_a_time_that_cannot_be_read_changes_nothing(told: str) -> None:
    clock = MarketClock(Machine().world())

    with pytest.raises(UpstreamUnavailableError):
        clock.measure(told, 0.1)
    assert (clock.offset_s, clock.is_measured) == (0.0, False)
