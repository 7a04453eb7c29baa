import pytest

from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade.requests import Endpoint
from quotewire.resilience.breaker import BreakerReason, Changed, Circuit
from quotewire.resilience.budget import Category, Priority
from quotewire.upstream.allowance import Allowance, Closed, Grant, Wait

QUOTES, MARKET = Endpoint.QUOTES, Category.MARKET


def ask(allowance: Allowance, now: float, priority: Priority = Priority.STREAM) -> object:
    return allowance.ask(QUOTES, MARKET, priority, now)


def test_polls_wait_before_streams_do() -> None:
    allowance = Allowance()
    polls = sum(isinstance(ask(allowance, 0.0, Priority.POLL), Grant) for _ in range(30))

    assert isinstance(ask(allowance, 0.0, Priority.POLL), Wait)
    assert isinstance(ask(allowance, 0.0), Grant)
    assert 0 < polls < 20


def test_an_endpoint_that_keeps_failing_is_left_alone_and_tried_again() -> None:
    allowance = Allowance()
    for at in range(5):
        assert isinstance(ask(allowance, float(at)), Grant)
        allowance.failed(QUOTES, MARKET, UpstreamUnavailableError("x"), float(at))

    assert not allowance.is_ready(QUOTES)
    assert isinstance(ask(allowance, 5.0), Closed)
    assert isinstance(ask(allowance, 60.0), Grant)
    assert allowance.is_ready(Endpoint.SYMBOLS)


@pytest.mark.parametrize(
    ("error", "opens"),
    [
        (AccessTokenError("x"), False),
        (RateLimitedError("x", retry_after_s=1.0), False),
        (UpstreamRefusedError("x", status=404), False),
        (UpstreamRefusedError("x", status=403), True),
        (UpstreamUnavailableError("x"), True),
    ],
)
def test_only_what_shows_that_it_is_broken_opens_a_breaker(error: QuotewireError, opens: bool) -> None:
    allowance = Allowance()
    for at in range(10):
        ask(allowance, at * 2.0)
        allowance.failed(QUOTES, MARKET, error, at * 2.0)

    assert allowance.breakers[QUOTES].state is (Circuit.OPEN if opens else Circuit.CLOSED)


def test_an_hourly_limit_blocks_until_its_reset_and_a_limit_of_the_second_for_a_second() -> None:
    hourly, second = Allowance(), Allowance()
    hourly.failed(QUOTES, MARKET, RateLimitedError("x", retry_after_s=1200.0, hourly=True), 0.0)
    second.failed(QUOTES, MARKET, RateLimitedError("x", retry_after_s=1.0), 0.0)

    assert isinstance(ask(hourly, 1100.0), Wait)
    assert isinstance(ask(second, 1.5), Grant)


def test_the_header_counts() -> None:
    allowance = Allowance()
    allowance.observe(MARKET, 0, 500.0, 0.0)

    assert isinstance(ask(allowance, 1.0), Wait)
    report = allowance.report(1.0)
    assert report["budgets"]["market"]["leftHour"] == 0


def test_the_probe_has_no_breaker_and_its_success_lets_the_others_be_tried() -> None:
    allowance = Allowance()
    for at in range(10):
        assert isinstance(allowance.ask(Endpoint.TIME, Category.ACCOUNT, Priority.LOOKUP, float(at)), Grant)
        allowance.failed(Endpoint.TIME, Category.ACCOUNT, UpstreamUnavailableError("x"), float(at))
        if isinstance(ask(allowance, float(at)), Grant):
            allowance.failed(QUOTES, MARKET, UpstreamUnavailableError("x"), float(at))
    assert Endpoint.TIME not in allowance.breakers
    assert isinstance(ask(allowance, 10.0), Closed)

    allowance.nudge(10.0)
    assert isinstance(ask(allowance, 10.0), Grant)


def test_the_grant_that_ends_a_breakers_pause_tells_of_it() -> None:
    allowance = Allowance()
    for _ in range(5):
        assert ask(allowance, 0.0) == Grant()
        allowance.failed(QUOTES, MARKET, UpstreamUnavailableError("x"), 0.0)

    assert ask(allowance, 6.0) == Grant((Changed(Circuit.OPEN, Circuit.HALF_OPEN, BreakerReason.PAUSE_OVER),))
