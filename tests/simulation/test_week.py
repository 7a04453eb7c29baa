"""A part of the simulated trading week in every run of the tests; `make simulate-week` runs all of it."""

import pytest

from quotewire.resilience.budget import LIMITS, Category
from tests.simulation.run import simulate
from tests.simulation.week import HOUR_S, Figures, week

HOURS = 5.0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_morning_with_a_fault_every_few_minutes() -> None:
    result = simulate(week(1, HOURS * HOUR_S))
    figures = Figures.of(result)

    assert result.breach is None, str(result)
    assert result.virtual_s >= HOURS * HOUR_S
    assert figures.faults >= 60
    assert figures.p99 <= 15.0
    assert result.repairs == 0
    for (_, what, span), most in result.peaks.items():
        limit = LIMITS[Category(what)]
        assert most <= (limit.per_hour if span > 1 else limit.per_second)
    assert set(result.refreshes) == {"alice", "bob", "carol"}
    assert all(HOURS <= count <= HOURS * 12 for count in result.refreshes.values())
