"""Back-off bounds, budgets that hold in every window, breakers that never stay shut for ever."""

import random
from bisect import bisect_right

from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.breaker import Asked, Breaker, BreakerConfig, Circuit, Failed, Succeeded
from quotewire.resilience.budget import HOUR_S, SHARES, Budget, BudgetConfig, Category, Limit, Priority

MARKET = Category.MARKET


@given(
    base_s=st.floats(0.01, 100),
    factor=st.floats(1, 10),
    stretch=st.floats(1, 1000),
    jitter=st.sampled_from(Jitter),
    attempt=st.integers(1, 10_000),
    draw=st.floats(0, 1, exclude_max=True),
)
def test_a_delay_stays_within_its_bounds_and_grows(
    base_s: float, factor: float, stretch: float, jitter: Jitter, attempt: int, draw: float
) -> None:
    backoff = Backoff(base_s=base_s, factor=factor, cap_s=base_s * stretch, jitter=jitter)
    ceiling = backoff.ceiling(attempt)
    delay = backoff.delay(attempt, lambda: draw)

    assert base_s <= ceiling <= backoff.cap_s
    assert ceiling <= backoff.ceiling(attempt + 1)
    assert {Jitter.OFF: ceiling, Jitter.EQUAL: ceiling / 2, Jitter.FULL: 0.0}[jitter] <= delay <= ceiling


CALLS = st.lists(st.tuples(st.sampled_from(Priority), st.floats(0, 400), st.integers(1, 30)), max_size=60)


@given(CALLS, st.integers(1, 20), st.integers(20, 200))
@settings(max_examples=200, deadline=None)
def test_no_window_of_a_second_or_an_hour_holds_more_than_its_limit(
    script: list[tuple[Priority, float, int]], per_second: int, per_hour: int
) -> None:
    budget = Budget({MARKET: Limit(per_second, per_hour)})
    granted: dict[Priority, list[float]] = {priority: [] for priority in Priority}
    now = 0.0
    for priority, pause, calls in script:
        now += pause
        for _ in range(calls):
            wait = budget.take(MARKET, priority, now)
            assert wait >= 0
            if wait == 0.0:
                granted[priority].append(now)

    everything = sorted(at for each in granted.values() for at in each)
    assert densest(everything, 1.0) <= per_second
    assert densest(everything, HOUR_S) <= per_hour
    assert densest(granted[Priority.POLL], 1.0) <= max(1, int(per_second * SHARES[Priority.POLL]))


def densest(times: list[float], window_s: float) -> int:
    """The most calls that any window [t, t + window) holds."""
    return max((bisect_right(times, at + window_s - 1e-9) - index for index, at in enumerate(times)), default=0)


@given(CALLS, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_whoever_waits_as_told_is_served(script: list[tuple[Priority, float, int]], seed: int) -> None:
    luck = random.Random(seed)
    budget = Budget({MARKET: Limit(5, 40)}, BudgetConfig())
    now = 0.0
    for priority, pause, calls in script:
        now += pause
        for _ in range(calls):
            budget.take(MARKET, priority, now)
        if luck.random() < 0.3:
            budget.observe(MARKET, remaining=luck.randrange(40), reset_in_s=luck.uniform(0, 3600), now=now)
        if luck.random() < 0.2:
            budget.limited(MARKET, now=now, remaining=luck.choice((0, 3)), reset_in_s=luck.uniform(1, 3600))

    for priority in Priority:
        asked = 0
        while (wait := budget.take(MARKET, priority, now)) > 0:
            assert wait <= HOUR_S + 60
            now += wait
            asked += 1
            assert asked <= 6, "each wait must end in a call, or in one for another reason"


@given(
    st.lists(st.tuples(st.sampled_from((Asked(), Succeeded(), Failed())), st.floats(0, 100)), max_size=80),
    st.integers(1, 6),
    st.integers(1, 4),
)
@settings(max_examples=300, deadline=None)
def test_a_breaker_always_comes_back(
    script: list[tuple[Asked | Succeeded | Failed, float]], threshold: int, successes: int
) -> None:
    config = BreakerConfig(threshold=threshold, successes=successes)
    breaker, now = Breaker(config), 0.0
    for event, pause in script:
        now += pause
        breaker.step(event, now)

    now += max(config.pause_cap_s, config.probe_timeout_s)
    for _ in range(successes):
        assert breaker.allows(now)
        breaker.step(Succeeded(), now)
    assert breaker.state is Circuit.CLOSED
    assert breaker.allows(now)


@given(st.lists(st.floats(0, 3), min_size=50, max_size=200))
@settings(max_examples=100, deadline=None)
def test_a_dead_endpoint_is_asked_ever_less(pauses: list[float]) -> None:
    config = BreakerConfig(threshold=3, pause_s=5, pause_cap_s=120)
    breaker, now, asked = Breaker(config), 0.0, 0
    for pause in pauses:
        now += pause
        if breaker.allows(now):
            asked += 1
            breaker.step(Failed(), now)

    assert asked <= 3 + 8 + now / config.pause_cap_s
