"""Connections of an address over all nodes: never more than allowed, and none forgotten."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from quotewire.bus.admissions import Admissions


def test_the_limit_holds_over_all_nodes() -> None:
    admissions = Admissions(2)
    assert admissions.enter(1, "a")
    assert admissions.enter(2, "a")
    assert not admissions.enter(3, "a")
    assert admissions.enter(3, "b")
    assert admissions.refused == 1

    admissions.leave(2, "a")
    assert admissions.enter(3, "a")


def test_a_node_that_is_gone_gives_its_places_back() -> None:
    admissions = Admissions(1)
    assert admissions.enter(1, "a")
    admissions.forget(1)
    admissions.forget(1)
    assert admissions.enter(2, "a")


def test_what_a_node_had_before_counts_even_beyond_the_limit() -> None:
    admissions = Admissions(1)
    admissions.restore(1, {"a": 3, "b": 0})
    assert not admissions.enter(2, "a")
    assert admissions.enter(2, "b")
    for _ in range(3):
        admissions.leave(1, "a")
    assert admissions.enter(2, "a")


def test_what_never_entered_cannot_leave() -> None:
    admissions = Admissions(1)
    admissions.leave(1, "a")
    assert admissions.enter(1, "a")
    admissions.leave(2, "a")
    assert not admissions.enter(2, "a")
    assert len(admissions) == 1


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave", "forget"]), st.integers(1, 3), st.sampled_from("ab"))))
def test_it_counts_as_a_plain_list_would(steps: list[tuple[str, int, str]]) -> None:
    admissions, model = Admissions(3), Counter[tuple[int, str]]()
    for what, node, address in steps:
        open_now = sum(count for (_, each), count in model.items() if each == address)
        if what == "enter":
            assert admissions.enter(node, address) is (open_now < 3)
            model[node, address] += open_now < 3
        elif what == "leave":
            admissions.leave(node, address)
            model[node, address] = max(model[node, address] - 1, 0)
        else:
            admissions.forget(node)
            for each in "ab":
                model.pop((node, each), None)
    assert len(admissions) == len({address for (_, address), count in model.items() if count})
