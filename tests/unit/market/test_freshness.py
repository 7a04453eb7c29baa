"""The freshness table, row by row, and the pace it leans on."""

from typing import Any

import pytest

from quotewire.market.calendar import MarketPhase
from quotewire.market.freshness import Pace, Road, Thresholds, judge, judge_now, live_window_s
from quotewire.market.quote import Freshness

OPEN, CLOSED = MarketPhase.REGULAR, MarketPhase.CLOSED


@pytest.mark.parametrize(
    ("facts", "freshness"),
    [
        # the road is up
        ({"age_s": 1.0}, Freshness.LIVE),
        ({"age_s": 24.9}, Freshness.LIVE),
        ({"age_s": 25.1}, Freshness.QUIET),
        ({"age_s": 9.0, "expected_s": 2.0}, Freshness.LIVE),
        ({"age_s": 11.0, "expected_s": 2.0}, Freshness.QUIET),
        ({"age_s": 59.0, "expected_s": 50.0}, Freshness.LIVE),
        ({"age_s": 61.0, "expected_s": 50.0}, Freshness.QUIET),
        ({"age_s": 4.9, "expected_s": 0.01}, Freshness.LIVE),
        ({"age_s": 1.0, "is_halted": True}, Freshness.HALTED),
        ({"age_s": 500.0, "is_halted": True}, Freshness.HALTED),
        ({"age_s": 500.0, "phase": CLOSED}, Freshness.CLOSED),
        ({"age_s": 1.0, "phase": CLOSED, "is_halted": True}, Freshness.CLOSED),
        ({"age_s": 100.0, "phase": MarketPhase.PRE}, Freshness.LIVE),
        ({"age_s": 100.0, "phase": MarketPhase.POST}, Freshness.LIVE),
        ({"age_s": 200.0, "phase": MarketPhase.POST}, Freshness.QUIET),
        # the road came up after the last data
        ({"age_s": None}, Freshness.RECOVERING),
        ({"age_s": 10.0, "road_up_s": 2.0}, Freshness.RECOVERING),
        ({"age_s": 10.0, "road_up_s": 2.0, "is_halted": True}, Freshness.RECOVERING),
        ({"age_s": 10.0, "road_up_s": 2.0, "phase": CLOSED}, Freshness.CLOSED),
        ({"age_s": 10.0, "road_up_s": 2.0, "phase": CLOSED, "close_seen": False}, Freshness.RECOVERING),
        ({"age_s": 1.0, "road_up_s": 2.0, "phase": CLOSED, "close_seen": False}, Freshness.CLOSED),
        # the road is not up
        ({"age_s": 0.0, "road": Road.DOWN}, Freshness.STALE),
        ({"age_s": 0.0, "road": Road.DOWN, "is_halted": True}, Freshness.STALE),
        ({"age_s": None, "road": Road.DOWN, "phase": CLOSED}, Freshness.STALE),
        ({"age_s": 0.0, "road": Road.DOWN, "phase": CLOSED}, Freshness.CLOSED),
        ({"age_s": 9.0, "road": Road.DOWN, "phase": CLOSED, "close_seen": False}, Freshness.STALE),
        ({"age_s": 0.0, "road": Road.RECOVERING}, Freshness.RECOVERING),
        ({"age_s": 0.0, "road": Road.RECOVERING, "phase": CLOSED}, Freshness.CLOSED),
        ({"age_s": 9.0, "road": Road.RECOVERING, "phase": CLOSED, "close_seen": False}, Freshness.RECOVERING),
        ({"age_s": 20.0, "road": Road.POLLING}, Freshness.RECOVERING),
        ({"age_s": 20.0, "road": Road.POLLING, "is_halted": True}, Freshness.HALTED),
        ({"age_s": 80.0, "road": Road.POLLING, "is_halted": True}, Freshness.STALE),
        ({"age_s": 80.0, "road": Road.POLLING}, Freshness.STALE),
        ({"age_s": None, "road": Road.POLLING}, Freshness.STALE),
        ({"age_s": 80.0, "road": Road.POLLING, "phase": CLOSED}, Freshness.CLOSED),
        ({"age_s": 20.0, "road": Road.POLLING, "phase": CLOSED, "close_seen": False}, Freshness.RECOVERING),
    ],
)
def test_judge(facts: dict[str, Any], freshness: Freshness) -> None:
    assert judge(**{"road": Road.UP, "phase": OPEN, **facts}) is freshness


@pytest.mark.parametrize("phase", MarketPhase)
@pytest.mark.parametrize("is_halted", [False, True])
@pytest.mark.parametrize("expected_s", [None, 0.0, 0.001, 3.0, 3600.0])
@pytest.mark.parametrize("road_up_s", [0.0, 0.5, 1e6])
def test_data_of_this_moment_are_judged_as_the_table_says(
    phase: MarketPhase, is_halted: bool, expected_s: float | None, road_up_s: float
) -> None:
    by_the_table = judge(
        road=Road.UP, phase=phase, age_s=0.0, road_up_s=road_up_s, is_halted=is_halted, expected_s=expected_s
    )
    assert judge_now(phase, is_halted=is_halted) is by_the_table


def test_the_live_window_has_bounds() -> None:
    limits = Thresholds(live_factor=5, live_min_s=5, live_max_s=60, live_max_extended_s=300)

    assert live_window_s(OPEN, 0.0, limits) == 5
    assert live_window_s(OPEN, 1e9, limits) == 60
    assert live_window_s(MarketPhase.PRE, 1e9, limits) == 300


def test_pace_is_learned_for_each_phase_apart() -> None:
    pace = Pace(weight=0.5)
    for at in (0.0, 2.0, 6.0):
        pace.observe(OPEN, at)
    pace.observe(MarketPhase.POST, 100.0)
    pace.observe(MarketPhase.POST, 130.0)

    assert pace.expected_s(OPEN) == 3.0
    assert pace.expected_s(MarketPhase.POST) == 30.0
    assert pace.expected_s(MarketPhase.PRE) is None


def test_an_outage_teaches_nothing() -> None:
    pace = Pace()
    pace.observe(OPEN, 0.0)
    pace.observe(OPEN, 2.0)
    pace.interrupt()
    pace.observe(OPEN, 500.0)

    assert pace.expected_s(OPEN) == 2.0


def test_a_long_pause_counts_as_the_longest_and_a_clock_set_back_as_nothing() -> None:
    pace = Pace(longest_s=100.0)
    pace.observe(OPEN, 0.0)
    pace.observe(OPEN, 1e6)
    assert pace.expected_s(OPEN) == 100.0

    pace.observe(OPEN, 0.0)
    assert pace.expected_s(OPEN) == 90.0
