from collections.abc import Set

from quotewire.resilience.lifecycle_types import State
from quotewire.upstream.pool import (
    LONGEST_REST_S,
    MISSED_S,
    MISSES,
    REST_S,
    TRIES,
    TRY_AGAIN_S,
    Record,
    Standing,
    Verdict,
    verdict,
)


def standing(name: str, *, dead: bool = False, live: bool = False, access: bool = True) -> Standing:
    return Standing(name, is_dead=dead, is_live=live, has_access=access)


NONE: frozenset[int] = frozenset()


def told(
    *standings: Standing, wanted: Set[int], carried: Set[int], polled: Set[int] = NONE, overdue: Set[int] = NONE
) -> Verdict:
    return verdict(standings, wanted, carried, dict.fromkeys(polled, 0.0), reached=True, overdue=overdue)


def test_nobody_there() -> None:
    assert told(wanted={1}, carried=set()) == Verdict(State.ERROR, "no_persons", None)


def test_only_dead_logins() -> None:
    assert told(standing("a", dead=True), wanted=set(), carried=set()).reason == "all_tokens_refused"


def test_nothing_wanted() -> None:
    assert told(standing("a"), wanted=set(), carried=set()) == Verdict(State.CONNECTED, "idle", "a")
    assert told(standing("a", access=False), wanted=set(), carried=set()).state is State.CONNECTING


def test_everything_carried_names_the_first_who_is_live() -> None:
    verdict = told(standing("a"), standing("b", live=True), wanted={1}, carried={1})

    assert verdict == Verdict(State.CONNECTED, "streaming", "b")


def test_polls_in_place_of_a_stream_are_a_degraded_state() -> None:
    assert told(standing("a"), wanted={1}, carried=set(), polled={1}) == Verdict(State.DEGRADED, "polling", "a")


def test_part_of_the_symbols_on_the_way_to_another_stream() -> None:
    assert told(standing("a", live=True), wanted={1, 2}, carried={1}).state is State.CONNECTED


def test_part_of_the_symbols_left_behind_is_degraded_though_polls_cannot_be_made_either() -> None:
    live = standing("a", live=True)
    assert told(live, wanted={1, 2}, carried={1}, overdue={2}) == Verdict(State.DEGRADED, "polling", "a")
    assert told(standing("a"), wanted={1}, carried=set(), overdue={1}).reason == "no_stream"


def test_nothing_comes_yet() -> None:
    assert told(standing("a"), wanted={1}, carried=set()) == Verdict(State.CONNECTING, "no_stream", "a")
    assert told(standing("a", access=False), wanted={1}, carried=set()).reason == "logging_in"


def test_each_failure_in_a_row_doubles_the_rest() -> None:
    record = Record()
    for failure in range(8):
        record.failed(100.0)
        assert record.rest_until == 100.0 + min(REST_S * 2**failure, LONGEST_REST_S)
        assert record.is_resting(record.rest_until - 0.1)
    record.worked()

    assert not record.is_resting(100.0)


def test_only_a_stream_that_was_dropped_may_be_tried_at_once() -> None:
    record = Record()
    assert not record.is_eager(100.0)
    record.failed(100.0)
    assert not record.is_eager(100.0)
    record.failed(100.0, was_dropped=True)
    assert record.is_eager(100.0)


def test_tries_at_once_are_counted_and_come_back_with_time() -> None:
    record = Record()
    for _ in range(TRIES):
        record.failed(100.0, was_dropped=True)
        assert record.try_at_once(100.0)
        assert not record.try_at_once(100.0), "one at a time"
    record.failed(100.0, was_dropped=True)
    assert not record.is_eager(100.0)
    assert not record.is_eager(100.0 + TRY_AGAIN_S - 0.1)
    assert record.try_at_once(100.0 + TRY_AGAIN_S)


def test_a_try_that_comes_to_nothing_is_made_again_a_moment_later_a_few_times() -> None:
    record, now = Record(), 100.0
    record.failed(now, was_dropped=True)
    for miss in range(1, MISSES + 1):
        assert record.try_at_once(now)
        record.failed(now)
        assert not record.is_eager(now)
        now += MISSED_S
        assert record.is_eager(now) is (miss < MISSES)
