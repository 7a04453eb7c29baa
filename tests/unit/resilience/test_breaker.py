"""The breaker's table, row by row."""

import pytest

from quotewire.resilience.breaker import (
    TRANSITIONS,
    Allow,
    Asked,
    Breaker,
    BreakerConfig,
    BreakerReason,
    Changed,
    Circuit,
    Failed,
    Nudged,
    Refuse,
    Succeeded,
)

CONFIG = BreakerConfig(threshold=3, window_s=60, pause_s=5, pause_cap_s=12, successes=2, probe_timeout_s=30)


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(CONFIG)
    for _ in range(CONFIG.threshold):
        breaker.step(Failed(), at)
    return breaker


def test_every_pair_has_a_rule() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in Circuit for event in (Asked, Succeeded, Failed, Nudged)}


def test_closed_allows_and_opens_at_the_threshold() -> None:
    breaker = Breaker(CONFIG)

    assert [breaker.step(Failed(), 1.0), breaker.step(Failed(), 2.0)] == [[], []]
    assert breaker.step(Asked(), 2.5) == [Allow()]
    assert breaker.step(Failed(), 3.0) == [Changed(Circuit.CLOSED, Circuit.OPEN, BreakerReason.TOO_MANY_FAILURES)]
    assert breaker.step(Asked(), 4.0) == [Refuse(retry_after_s=4.0)]


def test_a_success_and_time_both_forgive() -> None:
    breaker = Breaker(CONFIG)
    for event in (Failed(), Failed(), Succeeded(), Failed(), Failed()):
        breaker.step(event, 1.0)
    assert breaker.state is Circuit.CLOSED

    breaker.step(Failed(), 61.5)
    assert breaker.state is Circuit.CLOSED


def test_after_the_pause_one_probe_at_a_time() -> None:
    breaker = opened()

    assert breaker.step(Asked(), 5.0) == [Changed(Circuit.OPEN, Circuit.HALF_OPEN, BreakerReason.PAUSE_OVER), Allow()]
    assert breaker.step(Asked(), 6.0) == [Refuse(retry_after_s=29.0)]
    assert breaker.step(Succeeded(), 7.0) == []
    assert breaker.step(Asked(), 7.0) == [Allow()]
    assert breaker.step(Succeeded(), 8.0) == [
        Changed(Circuit.HALF_OPEN, Circuit.CLOSED, BreakerReason.PROBES_SUCCEEDED)
    ]
    assert breaker.allows(8.0)


def test_a_failed_probe_doubles_the_pause_up_to_its_cap() -> None:
    breaker, now, pauses = opened(), 5.0, []
    for _ in range(3):
        assert breaker.allows(now)
        breaker.step(Failed(), now)
        (refusal,) = breaker.step(Asked(), now)
        assert isinstance(refusal, Refuse)
        pauses.append(refusal.retry_after_s)
        now += refusal.retry_after_s

    assert pauses == [10, 12, 12]


def test_a_probe_that_never_reports_makes_room_for_another() -> None:
    breaker = opened()

    assert [breaker.allows(5.0), breaker.allows(34.9), breaker.allows(35.0)] == [True, False, True]


@pytest.mark.parametrize("event", [Succeeded(), Failed()])
def test_results_of_calls_from_before_do_not_move_an_open_breaker(event: Succeeded | Failed) -> None:
    breaker = opened()

    assert breaker.step(event, 1.0) == []
    assert repr(breaker) == "<Breaker open>"
    assert breaker.step(Asked(), 4.0) == [Refuse(retry_after_s=1.0)]


def test_a_new_row_of_failures_starts_with_the_short_pause() -> None:
    breaker = opened()
    breaker.allows(5.0)
    breaker.step(Failed(), 5.0)
    for _ in range(CONFIG.successes):
        assert breaker.allows(20.0)
        breaker.step(Succeeded(), 20.0)
    for _ in range(CONFIG.threshold):
        breaker.step(Failed(), 21.0)

    assert breaker.step(Asked(), 21.0) == [Refuse(retry_after_s=5.0)]


def test_news_that_the_other_side_is_back_ends_the_pause() -> None:
    breaker = Breaker()
    for at in range(5):
        breaker.allows(float(at))
        breaker.step(Failed(), float(at))
    assert not breaker.allows(5.0)

    assert breaker.step(Nudged(), 5.0) == []
    assert breaker.state is Circuit.OPEN
    assert breaker.allows(5.0)  # one probe, as after any pause
    assert breaker.step(Nudged(), 5.0) == []
    assert not breaker.allows(5.0)
    breaker.step(Failed(), 5.0)
    assert not breaker.allows(5.1)
    assert Breaker().step(Nudged(), 0.0) == []
