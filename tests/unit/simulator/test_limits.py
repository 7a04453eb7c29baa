"""Rate limits: seconds, hours, headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.simulator.limits import ALLOWANCES, HOUR_S, Category, Limiter


@pytest.mark.parametrize(("category", "most"), [(Category.MARKET, 20), (Category.ACCOUNT, 30)])
def test_the_second_and_what_the_headers_say(category: Category, most: int) -> None:
    limiter = Limiter()
    verdicts = [limiter.call("alice", category, 1000.0 + index / 1000) for index in range(most + 1)]
    assert [verdict.allowed for verdict in verdicts] == [True] * most + [False]
    hour = ALLOWANCES[category].per_hour
    assert verdicts[-1].headers() == {"X-RateLimit-Remaining": str(hour - most), "X-RateLimit-Reset": "4600"}
    assert limiter.call("alice", category, 1001.0).allowed
    assert limiter.call("bob", category, 1000.5).allowed


def test_the_hour_runs_out_and_begins_again() -> None:
    limiter = Limiter()
    limiter.call("alice", Category.MARKET, 0.0)
    limiter.spend_hour("alice", Category.MARKET, 1.0, left=1)
    assert limiter.call("alice", Category.MARKET, 2.0).allowed
    refused = limiter.call("alice", Category.MARKET, 3.0)
    assert (refused.allowed, refused.remaining) == (False, 0)
    assert limiter.call("alice", Category.ACCOUNT, 3.0).allowed
    assert limiter.call("alice", Category.MARKET, HOUR_S).allowed
    limiter.spend_hour("alice", Category.MARKET, HOUR_S)
    limiter.clear()
    assert limiter.call("alice", Category.MARKET, HOUR_S + 1).allowed


@given(st.lists(st.floats(0.0, 0.4), max_size=300))
def test_never_more_than_twenty_in_any_second(gaps: list[float]) -> None:
    limiter, now, passed = Limiter(), 0.0, []
    for gap in gaps:
        now += gap
        if limiter.call("alice", Category.MARKET, now).allowed:
            passed.append(now)
    assert all(sum(1 for other in passed if when <= other < when + 0.999) <= 20 for when in passed)
