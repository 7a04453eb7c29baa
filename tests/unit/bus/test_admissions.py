"""What addresses and keys hold over all nodes: never more than allowed, and nothing forgotten."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.bus.admissions import AHEAD_S, Admissions, Name
from quotewire.resilience.accounts import Allowance, Exceeded, Held, Limit, Limits, Rate, Scope

WIDE = Rate(1000, 1000.0)
A, B = (Scope.ADDRESS, "a"), (Scope.ADDRESS, "b")
K = (Scope.KEY, "k")


def admissions(
    connections: int = 1000, symbols: int = 1000, handshakes: Rate = WIDE, commands: Rate = WIDE
) -> Admissions:
    allowance = Allowance(connections, symbols, handshakes, commands, WIDE, WIDE, WIDE)
    return Admissions(Limits(allowance, allowance))


def one(name: Name, connections: int = 1, symbols: int = 0) -> list[Held]:
    return [Held(*name, connections, symbols)]


@pytest.mark.parametrize("name", [A, K])
def test_the_limit_of_connections_holds_over_all_nodes(name: Name) -> None:
    counts = admissions(connections=2)
    assert counts.enter(1, name, 0.0) is None
    assert counts.enter(2, name, 0.0) is None
    refused = counts.enter(3, name, 0.0)
    assert refused is not None
    assert (refused.limit, refused.scope, refused.allowed) == (Limit.CONNECTIONS, name[0], 2)
    assert counts.enter(3, (name[0], "another"), 0.0) is None

    counts.leave(2, one(name), 0.0)
    assert counts.enter(3, name, 0.0) is None


def test_openings_a_second_are_counted_over_all_nodes() -> None:
    counts = admissions(handshakes=Rate(2, 4.0))
    passed = [counts.enter(node, K, 0.0) is None for node in (1, 2, 3, 1, 2, 3)]
    assert passed == [True] * 4 + [False] * 2
    refused = counts.enter(1, K, 0.0)
    assert refused is not None
    assert refused.limit is Limit.HANDSHAKES
    assert refused.retry_after_s == pytest.approx(0.5)
    assert counts.enter(1, K, 0.5) is None


def test_symbols_are_counted_over_all_nodes_of_address_and_key_or_of_neither() -> None:
    counts = admissions(symbols=10)
    assert counts.claim(1, [A, K], 6, 0.0) is None
    refused = counts.claim(2, [B, K], 5, 0.0)
    assert refused == Exceeded(Limit.SYMBOLS, Scope.KEY, 10, 10.0)
    assert counts.claim(2, [B], 10, 0.0) is None  # the refusal took nothing of the address
    counts.leave(1, [Held(*A, symbols=6), Held(*K, symbols=6)], 0.0)
    assert counts.claim(2, [A, K], 10, 0.0) is None


def test_a_node_that_is_gone_gives_everything_back() -> None:
    counts = admissions(connections=1, symbols=5)
    assert counts.enter(1, K, 0.0) is None
    assert counts.claim(1, [A, K], 5, 0.0) is None
    counts.forget(1, 0.0)
    counts.forget(1, 0.0)
    assert counts.enter(2, K, 0.0) is None
    assert counts.claim(2, [A, K], 5, 0.0) is None


def test_what_a_node_had_before_counts_even_beyond_the_limit() -> None:
    counts = admissions(connections=1, symbols=10)
    counts.restore(1, [Held(*K, connections=3, symbols=30)], 0.0)
    assert counts.enter(2, K, 0.0) is not None
    assert counts.claim(2, [K], 1, 0.0) is not None
    assert counts.enter(2, B, 0.0) is None
    counts.leave(1, one(K, 3, 30), 0.0)
    assert counts.enter(2, K, 0.0) is None
    assert counts.claim(2, [K], 10, 0.0) is None


def test_what_never_entered_cannot_leave() -> None:
    counts = admissions(connections=1, symbols=5)
    counts.leave(1, one(K, 1, 5), 0.0)
    assert counts.enter(1, K, 0.0) is None
    counts.leave(2, one(K, 1, 5), 0.0)
    counts.leave(1, one(K, 0, 5), 0.0)
    assert counts.enter(2, K, 0.0) is not None
    assert counts.claim(1, [K], 6, 0.0) is not None


def test_what_makes_no_difference_is_forgotten() -> None:
    counts = admissions()
    for number in range(100):
        name = (Scope.KEY, f"k{number}")
        assert counts.enter(1, name, 0.0) is None
        counts.leave(1, one(name), 0.0)
    assert counts.enter(1, A, 0.0) is None
    counts.sweep(60.0)
    assert (counts.known(Scope.KEY), counts.known(Scope.ADDRESS)) == (0, 1)


def test_messages_are_drawn_ahead_where_there_is_plenty_and_one_by_one_where_there_is_not() -> None:
    counts = admissions(commands=Rate(1000, 2000.0))
    for node in (1, 2):
        assert counts.enter(node, K, 0.0) is None
    assert counts.draw("k", 1, 0.0).messages == 1 + int(1000 * AHEAD_S / 2)
    while counts.draw("k", 1, 0.0).messages > 1:
        pass
    while (drawn := counts.draw("k", 1, 0.0)).messages:
        assert drawn.messages == 1
    assert drawn.wait_s == pytest.approx(0.001)
    counts.leave(1, [Held(*K, messages=7)], 0.0)
    assert counts.draw("k", 9, 0.0).messages == 7


@given(
    per_s=st.integers(1, 500),
    nodes=st.integers(1, 5),
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 20), st.floats(0.0, 0.5)), max_size=200),
)
def test_messages_never_exceed_the_allowance_and_little_is_left_lying(
    per_s: int, nodes: int, steps: list[tuple[int, int, float]]
) -> None:
    rate = Rate(per_s, 2.0 * per_s)
    counts, now = admissions(commands=rate), 0.0
    purses, served = Counter[int](), 0
    for node in range(nodes):
        assert counts.enter(node, K, now) is None
    for which, messages, later in steps:
        node, now = which % nodes, now + later
        for _ in range(messages):
            if not purses[node]:
                purses[node] += counts.draw("k", 1, now).messages
            if purses[node]:
                purses[node] -= 1
                served += 1
        assert served + purses.total() <= rate.burst + per_s * now + 1e-6
        assert purses.total() <= AHEAD_S * per_s


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["enter", "claim", "leave", "forget"]),
            st.integers(1, 3),
            st.sampled_from("ab"),
            st.integers(1, 4),
        )
    )
)
def test_it_counts_as_a_plain_list_would(steps: list[tuple[str, int, str, int]]) -> None:
    counts = admissions(connections=3, symbols=8)
    model, symbols = Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for what, node, key, many in steps:
        name = (Scope.KEY, key)
        if what == "enter":
            fits = sum(count for (_, each), count in model.items() if each == key) < 3
            assert (counts.enter(node, name, 0.0) is None) is fits
            model[node, key] += fits
        elif what == "claim":
            fits = sum(count for (_, each), count in symbols.items() if each == key) + many <= 8
            assert (counts.claim(node, [name], many, 0.0) is None) is fits
            symbols[node, key] += many * fits
        elif what == "leave":
            counts.leave(node, one(name, 1, many), 0.0)
            model[node, key] = max(model[node, key] - 1, 0)
            symbols[node, key] = max(symbols[node, key] - many, 0)
        else:
            counts.forget(node, 0.0)
            for each in "ab":
                model.pop((node, each), None)
                symbols.pop((node, each), None)
    counts.sweep(1000.0)
    held = {key for (_, key), count in [*model.items(), *symbols.items()] if count}
    assert counts.known(Scope.KEY) == len(held)
