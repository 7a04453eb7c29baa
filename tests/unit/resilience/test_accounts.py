"""Allowances and what is left of them."""

import pytest

from quotewire.resilience.accounts import (
    Account,
    Accounts,
    Allowance,
    Bucket,
    Exceeded,
    Limit,
    Limits,
    Rate,
    Scope,
    opened,
)
from quotewire.settings import load

WIDE = Rate(1000, 1000.0)


def allowance(connections: int = 1000, symbols: int = 1000, handshakes: Rate = WIDE) -> Allowance:
    return Allowance(connections, symbols, handshakes, WIDE, WIDE, WIDE, WIDE)


def test_a_bucket_gives_its_burst_at_once_and_its_rate_from_then_on() -> None:
    bucket, rate = Bucket(100.0), Rate(2, 3.0)
    assert [bucket.take(rate, 100.0) for _ in range(3)] == [0.0] * 3
    assert bucket.take(rate, 100.0) == pytest.approx(0.5)
    assert bucket.take(rate, 100.4) == pytest.approx(0.1)
    assert bucket.take(rate, 100.5) == 0.0
    assert bucket.take(rate, 99.0) > 0.0  # a clock that steps back gives nothing
    assert not bucket.full(rate, 101.0)
    assert bucket.full(rate, 110.0)


def test_a_bucket_tells_what_is_left_and_takes_back_what_was_not_used() -> None:
    bucket, rate = Bucket(0.0), Rate(2, 3.0)
    assert bucket.left(rate, 0.0) == 3
    bucket.spend(3)
    assert bucket.left(rate, 0.0) == 0
    assert bucket.left(rate, 0.9) == 1
    bucket.spend(-1)
    assert bucket.left(rate, 0.9) == 2
    bucket.spend(-100)  # never more than it holds
    assert bucket.left(rate, 0.9) == 3


def test_an_account_opens_what_it_may() -> None:
    account, allowed = Account(0.0), allowance(connections=1, handshakes=Rate(10, 2.0))
    assert opened(account, Scope.KEY, allowed, 0.0) is None
    full = opened(account, Scope.KEY, allowed, 0.0)
    assert full == Exceeded(Limit.CONNECTIONS, Scope.KEY, 1, 10.0)
    fast = opened(account, Scope.KEY, allowed, 0.0)
    assert fast is not None
    assert fast.limit is Limit.HANDSHAKES
    assert fast.retry_after_s == pytest.approx(0.1)
    assert account.connections == 1


def test_an_account_that_holds_symbols_alone_is_kept() -> None:
    accounts = Accounts(allowance(), capacity=2)
    accounts.of("a", 0.0).symbols = 3
    for name in "bcdef":
        accounts.of(name, 0.0)
    accounts.sweep(1000.0, 100)
    assert len(accounts) == 1
    assert accounts.of("a", 1000.0).symbols == 3


def test_the_settings_say_the_limits() -> None:
    limits = Limits.of(load({}))
    named = Rate(10_000, 100_000.0)
    assert limits.address == Allowance(
        5, 25_000, Rate(50, 100.0), Rate(500, 1000.0), named, Rate(50, 100.0), Rate(10, 50.0)
    )
    assert limits.key.symbol_rate == Rate(1_000_000, 10_000_000.0)
    assert limits.key.connections == 100_000
    raised = Limits.of(load({"MAX_CONNECTIONS_PER_IP": "20000"}))
    assert raised.address.handshakes == Rate(50, 20_000.0)  # as many as it may have may come at once
    chosen = Limits.of(load({"MAX_SYMBOLS_PER_IP": "7", "WS_COMMAND_RATE_PER_IP": "3"}))
    assert (chosen.address.symbols, chosen.address.commands) == (7, Rate(3, 6.0))
    # One connection by itself never meets what it shares with others.
    assert Limits.of(load({"WS_SYMBOL_RATE_PER_IP": "1"})).address.symbol_rate == Rate(1, 10_000.0)


def test_an_account_that_named_many_symbols_is_remembered_until_that_makes_no_difference() -> None:
    account, allowed = Account(0.0), allowance()
    account.named = Bucket(0.0)
    assert account.named.take(allowed.symbol_rate, 0.0, 500) == 0.0
    assert not account.idle(allowed, 0.25)
    assert account.idle(allowed, 0.5)


def test_a_bucket_gives_all_that_is_asked_for_or_nothing() -> None:
    bucket, rate = Bucket(0.0), Rate(10, 100.0)
    assert bucket.take(rate, 0.0, 70) == 0.0
    assert bucket.take(rate, 0.0, 50) == pytest.approx(2.0)
    assert bucket.left(rate, 0.0) == 30
    assert bucket.take(rate, 2.0, 50) == 0.0


def test_a_new_account_is_idle() -> None:
    assert Account(3.0).idle(allowance(), 3.0)
