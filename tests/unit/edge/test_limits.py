"""The limits: what each address and key may have, what they are told, and what is forgotten of them."""

import pytest

from quotewire.edge.limits import Limiter, Seat
from quotewire.resilience.accounts import Allowance, Exceeded, Limit, Limits, Rate, Scope

WIDE = Rate(1000, 1000.0)


def allowance(
    connections: int = 1000,
    symbols: int = 1000,
    handshakes: Rate = WIDE,
    commands: Rate = WIDE,
    symbol_rate: Rate = WIDE,
    tokens: Rate = WIDE,
    faults: Rate = WIDE,
) -> Allowance:
    return Allowance(connections, symbols, handshakes, commands, symbol_rate, tokens, faults)


def limiter(*, address: Allowance | None = None, key: Allowance | None = None, capacity: int = 1000) -> Limiter:
    return Limiter(Limits(address or allowance(), key or allowance()), capacity=capacity)


def seat(judged: Seat | Exceeded) -> Seat:
    assert isinstance(judged, Seat)
    return judged


def test_an_address_has_so_many_connections_at_once_and_gets_those_back_that_end() -> None:
    judge = limiter(address=allowance(connections=2))
    first, _ = seat(judge.enter("a", 0.0)), seat(judge.enter("a", 0.0))
    refused = judge.enter("a", 0.0)
    assert isinstance(refused, Exceeded)
    assert (refused.limit, refused.scope, refused.allowed) == (Limit.CONNECTIONS, Scope.ADDRESS, 2)
    assert str(refused) == "2 connections of this address are open already"
    seat(judge.enter("b", 0.0))
    first.leave()
    first.leave()
    seat(judge.enter("a", 0.0))
    assert isinstance(judge.enter("a", 0.0), Exceeded)
    assert (judge.seats, judge.refused) == (3, {("connections", "ip"): 2})


def test_an_address_opens_so_many_a_second() -> None:
    judge = limiter(address=allowance(handshakes=Rate(10, 2.0)))
    for _ in range(2):
        seat(judge.enter("a", 5.0)).leave()
    refused = judge.enter("a", 5.0)
    assert isinstance(refused, Exceeded)
    assert refused.retry_after_s == pytest.approx(0.1)
    assert str(refused) == "this address may open 10 connections a second"
    seat(judge.enter("a", 5.1))
    assert judge.refused == {("handshakes", "ip"): 1}


def test_a_key_has_limits_of_its_own_wherever_it_comes_from() -> None:
    judge = limiter(key=allowance(connections=1))
    one, two = seat(judge.enter("a", 0.0)), seat(judge.enter("b", 0.0))
    assert one.identify("k", 0.0) is None
    assert one.identify("k", 0.0) is None  # once is enough
    refused = two.identify("k", 0.0)
    assert refused is not None
    assert (refused.limit, refused.scope) == (Limit.CONNECTIONS, Scope.KEY)
    assert two.identify("other", 0.0) is None
    one.leave()
    assert seat(judge.enter("c", 0.0)).identify("k", 0.0) is None


def test_a_key_authenticates_so_many_times_a_second() -> None:
    judge = limiter(key=allowance(handshakes=Rate(1, 1.0)))
    assert seat(judge.enter("a", 0.0)).identify("k", 0.0) is None
    refused = seat(judge.enter("a", 0.0)).identify("k", 0.0)
    assert refused is not None
    assert str(refused) == "this key may open 1 connections a second"
    assert seat(judge.enter("a", 0.0)).identify("k", 1.0) is None


def test_messages_count_for_the_address_first_and_then_for_the_key() -> None:
    judge = limiter(address=allowance(commands=Rate(1, 2.0)), key=allowance(commands=Rate(1, 3.0)))
    one, two = seat(judge.enter("a", 0.0)), seat(judge.enter("b", 0.0))
    for each in (one, two):
        each.identify("k", 0.0)
    assert [one.command(0.0) for _ in range(3)] == [None, None, "this address may send 1 messages a second"]
    # What the address was refused is not taken from the key.
    assert [two.command(0.0) for _ in range(2)] == [None, "this key may send 1 messages a second"]
    assert judge.refused == {("commands", "ip"): 1, ("commands", "key"): 1}


def test_symbols_are_named_at_a_rate_by_all_connections_of_an_address_and_of_a_key() -> None:
    judge = limiter(address=allowance(symbol_rate=Rate(10, 100.0)), key=allowance(symbol_rate=Rate(10, 150.0)))
    first, far = seat(judge.enter("a", 0.0)), seat(judge.enter("b", 0.0))
    for each in (first, far):
        each.identify("k", 0.0)
    assert [first.command(0.0, 60) for _ in range(2)] == [None, "this address may name 10 symbols a second"]
    assert first.command(0.0, 40) is None
    assert first.command(0.0) is None  # a message that names none is none of it
    first.leave()
    again = seat(judge.enter("a", 0.0))
    again.identify("k", 0.0)
    assert again.command(0.0, 1) == "this address may name 10 symbols a second"  # a new connection changes nothing
    # What the address was refused is not taken from the key.
    assert [far.command(0.0, 50), far.command(0.0, 1)] == [None, "this key may name 10 symbols a second"]
    assert again.command(2.0, 20) is None
    assert judge.refused == {("symbol_rate", "ip"): 2, ("symbol_rate", "key"): 1}


def test_what_would_be_refused_can_be_told_beforehand_and_nothing_is_taken() -> None:
    judge = limiter(address=allowance(commands=Rate(1, 2.0)), key=allowance(symbol_rate=Rate(10, 100.0)))
    one = seat(judge.enter("a", 0.0))
    one.identify("k", 0.0)
    assert one.lacks(0.0, 101) is None  # nobody has named any yet: such a message is read
    assert one.command(0.0, 60) is None
    assert [one.lacks(0.0, 40) for _ in range(3)] == [None] * 3
    assert one.lacks(0.0, 41) == "this key may name 10 symbols a second"
    assert one.lacks(0.0, 0) is None
    assert one.command(0.0, 40) is None
    assert one.lacks(0.0, 0) == "this address may send 1 messages a second"
    assert judge.refused == {("symbol_rate", "key"): 1, ("commands", "ip"): 1}
    one.leave()
    assert one.lacks(0.0, 1000) is None


def test_symbols_are_shared_and_given_back() -> None:
    judge = limiter(address=allowance(symbols=10), key=allowance(symbols=12))
    one, two, far = seat(judge.enter("a", 0.0)), seat(judge.enter("a", 0.0)), seat(judge.enter("b", 0.0))
    for each in (one, two, far):
        each.identify("k", 0.0)
    assert one.claim(6) is None
    assert two.claim(5) == "this address may want 10 symbols"
    assert two.claim(4) is None
    assert far.claim(3) == "this key may want 12 symbols"
    assert far.claim(2) is None
    assert one.claim(1) is None  # fewer
    assert two.claim(10) == "this address may want 10 symbols"
    one.leave()
    assert two.claim(10) is None
    assert one.claim(50) is None  # gone: it counts for nobody
    assert judge.refused == {("symbols", "ip"): 2, ("symbols", "key"): 1}


def test_tokens_are_asked_for_at_a_rate() -> None:
    judge = limiter(address=allowance(tokens=Rate(1, 1.0)))
    assert judge.ask_token("a", 0.0) is None
    refused = judge.ask_token("a", 0.0)
    assert refused is not None
    assert str(refused) == "this address may ask for 1 tokens a second"
    assert judge.ask_token("b", 0.0) is None
    assert judge.ask_token("a", 1.0) is None


def test_an_address_whose_clients_keep_misbehaving_waits_and_nobody_is_cut_for_it() -> None:
    judge = limiter(address=allowance(faults=Rate(1, 2.0)))
    held = seat(judge.enter("a", 0.0))
    for _ in range(3):  # one more than there is room for: it does not wait the longer for it
        held.fault(0.0)
    refused = judge.enter("a", 0.0)
    assert isinstance(refused, Exceeded)
    assert (refused.limit, refused.scope, refused.retry_after_s) == (Limit.FAULTS, Scope.ADDRESS, 1.0)
    assert held.command(0.0) is None
    seat(judge.enter("c", 0.0))
    seat(judge.enter("a", 1.0))
    held.leave()
    held.fault(1.0)  # gone: nobody's
    assert isinstance(judge.enter("a", 2.0), Seat)


def test_what_makes_no_difference_is_forgotten() -> None:
    judge = limiter()
    held = seat(judge.enter("held", 0.0))
    for number in range(500):
        seat(judge.enter(f"a{number}", 0.0)).leave()
    assert len(judge.addresses) == 501
    judge.sweep(60.0)
    assert len(judge.addresses) == 1
    held.leave()
    judge.sweep(120.0)
    assert len(judge.addresses) == 0


def test_an_address_that_spent_its_allowance_is_remembered_until_it_is_full_again() -> None:
    judge = limiter(address=allowance(handshakes=Rate(1, 5.0)))
    for _ in range(5):
        seat(judge.enter("a", 0.0)).leave()
    judge.sweep(4.0)
    assert len(judge.addresses) == 1
    judge.sweep(5.0)
    assert len(judge.addresses) == 0


def test_too_many_addresses_push_out_those_heard_longest_ago_but_no_connection() -> None:
    judge = limiter(address=allowance(handshakes=Rate(1, 2.0)), capacity=10)
    held = [seat(judge.enter(f"held{number}", 0.0)) for number in range(5)]
    for number in range(10_000):
        judge.enter(f"a{number}", 0.0)
        judge.ask_token(f"b{number}", 0.0)
        assert len(judge.addresses) <= 10 or judge.seats > 5
        if judge.seats > 5:
            break
    for each in held:
        assert each.claim(3) is None
    assert judge.addresses.of("held0", 0.0).symbols == 3
