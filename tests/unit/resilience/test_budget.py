"""What may still be called, and what a 429 was about."""

import pytest

from quotewire.resilience.budget import (
    HOUR_S,
    LIMITS,
    SECOND_S,
    SHARES,
    SLOT_S,
    Budget,
    Category,
    Limit,
    LimitHit,
    Priority,
)

MARKET, ACCOUNT = Category.MARKET, Category.ACCOUNT
STREAM, LOOKUP, POLL = Priority.STREAM, Priority.LOOKUP, Priority.POLL
SMALL = {MARKET: Limit(per_second=10, per_hour=100), ACCOUNT: Limit(per_second=10, per_hour=100)}


def take_all(budget: Budget, priority: Priority, now: float, category: Category = MARKET) -> int:
    granted = 0
    while budget.take(category, priority, now) == 0.0:
        granted += 1
    return granted


def spend(budget: Budget, calls: int, start: float = 0.0) -> float:
    """Spend calls a fifth of a second apart; the time after them."""
    for number in range(calls):
        assert budget.take(MARKET, STREAM, start + number / 5) == 0.0
    return start + calls / 5


def test_the_limits_are_questrades() -> None:
    assert {MARKET: Limit(20, 15_000), ACCOUNT: Limit(30, 30_000)} == LIMITS
    assert [SHARES[priority] for priority in Priority] == sorted(SHARES.values(), reverse=True)


def test_a_second_holds_its_limit_and_the_wait_is_exact() -> None:
    budget = Budget()

    assert take_all(budget, STREAM, 0.0) == 20
    wait = budget.take(MARKET, STREAM, 0.5)
    assert wait == pytest.approx(SECOND_S - 0.5, abs=0.01)
    assert budget.take(MARKET, STREAM, 0.5 + wait) == 0.0


def test_categories_are_apart() -> None:
    budget = Budget()

    assert (take_all(budget, STREAM, 0.0), take_all(budget, STREAM, 0.0, ACCOUNT)) == (20, 30)


def test_the_lower_priorities_leave_a_reserve_in_the_second() -> None:
    budget = Budget()

    granted = [take_all(budget, priority, 0.0) for priority in (POLL, LOOKUP, STREAM)]
    assert granted == [12, 5, 3]


def test_the_lower_priorities_leave_a_reserve_in_the_hour() -> None:
    budget = Budget(SMALL)
    now = spend(budget, 60)

    assert budget.take(MARKET, POLL, now) > 3000
    assert budget.take(MARKET, LOOKUP, now) == 0.0
    now = spend(budget, 39, now)
    assert budget.take(MARKET, STREAM, now) > 3000
    assert budget.take(MARKET, STREAM, HOUR_S + SLOT_S) == 0.0


def test_no_call_is_forgotten_before_it_is_an_hour_old() -> None:
    budget = Budget({MARKET: Limit(per_second=10, per_hour=10)})
    late = SLOT_S - 1  # in the slot of the first call
    for at in (0.0, *(late for _ in range(9))):
        assert budget.take(MARKET, STREAM, at) == 0.0

    assert budget.take(MARKET, STREAM, late + HOUR_S - 0.1) > 0
    assert take_all(budget, STREAM, SLOT_S + HOUR_S) == 10


def test_little_left_of_the_hour_is_spread() -> None:
    budget = Budget(SMALL)
    now = spend(budget, 80) + 2
    budget.observe(MARKET, remaining=18, reset_in_s=1800, now=now)

    assert budget.take(MARKET, LOOKUP, now) == 0.0
    assert budget.take(MARKET, LOOKUP, now + 2) == pytest.approx(1800 / 17, rel=0.05)
    assert budget.take(MARKET, STREAM, now + 2) == 0.0


def test_headers_lower_what_is_left_until_the_hour_ends() -> None:
    budget = Budget(SMALL)
    budget.observe(MARKET, remaining=2, reset_in_s=100, now=0.0)

    assert take_all(budget, STREAM, 0.0) == 2
    assert budget.take(MARKET, STREAM, 50.0) == pytest.approx(50, abs=0.01)
    assert budget.take(MARKET, STREAM, 100.0) == 0.0
    assert budget.take(ACCOUNT, STREAM, 0.0) == 0.0


def test_headers_never_raise_the_limit_and_late_answers_never_raise_what_is_left() -> None:
    budget = Budget(SMALL)
    budget.observe(MARKET, remaining=30_000, reset_in_s=100, now=0.0)
    assert budget.view(MARKET, 0.0).left_hour == 100

    budget.observe(MARKET, remaining=40, reset_in_s=99, now=1.0)
    budget.observe(MARKET, remaining=45, reset_in_s=99, now=1.0)  # overtaken by the answer above
    assert budget.view(MARKET, 1.0).left_hour == 40

    budget.observe(MARKET, remaining=90, reset_in_s=3600, now=101.0)  # a new hour
    assert budget.view(MARKET, 101.0).left_hour == 90


def test_a_429_with_calls_left_is_the_second() -> None:
    budget = Budget()

    assert budget.limited(MARKET, now=0.0, remaining=14_000, reset_in_s=3000) == LimitHit(False, 1.0)
    assert budget.take(MARKET, STREAM, 0.5) == pytest.approx(0.5, abs=0.01)
    assert take_all(budget, STREAM, 1.0) == 10  # half the pace
    assert budget.view(MARKET, 52.0).per_second == 20  # grown back


def test_repeated_429s_never_stop_the_pace_altogether() -> None:
    budget = Budget()
    for _ in range(20):
        budget.limited(MARKET, now=0.0, remaining=100, reset_in_s=3000)

    assert budget.view(MARKET, 2.0).per_second == 1
    assert take_all(budget, STREAM, 2.0) == 1


def test_a_429_with_nothing_left_is_the_hour() -> None:
    budget = Budget()

    assert budget.limited(MARKET, now=0.0, remaining=0, reset_in_s=1234) == LimitHit(True, 1234)
    assert budget.take(MARKET, STREAM, 1000.0) == pytest.approx(234, abs=0.01)
    assert budget.view(MARKET, 1000.0).blocked_for_s == pytest.approx(234)
    assert budget.take(MARKET, STREAM, 1234.0) == 0.0


def test_an_hour_that_is_used_up_blocks_before_any_429_and_is_shown() -> None:
    budget = Budget()
    budget.observe(MARKET, remaining=0, reset_in_s=600.0, now=0.0)

    assert budget.view(MARKET, 0.0).blocked_for_s == pytest.approx(600)
    assert budget.view(MARKET, 601.0).blocked_for_s == 0.0

    own = Budget(SMALL)
    now = spend(own, SMALL[MARKET].per_hour)
    assert own.view(MARKET, now).blocked_for_s == pytest.approx(own.take(MARKET, STREAM, now), abs=0.01)


def test_a_bare_429_is_judged_by_our_own_count() -> None:
    fresh, used = Budget(SMALL), Budget(SMALL)
    now = spend(used, 96)

    assert fresh.limited(MARKET, now=now) == LimitHit(False, 1.0)
    assert used.limited(MARKET, now=now) == LimitHit(True, 60.0)


def test_the_view() -> None:
    budget = Budget()
    spend(budget, 5)

    assert budget.view(MARKET, 1.0) == (5, 20, 5, 14_995, 15_000, 0.0)
