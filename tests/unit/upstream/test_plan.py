from hypothesis import given
from hypothesis import strategies as st

from quotewire.upstream.plan import Bearer, Rank, bridge, hand_over, plan

persons = st.lists(st.sampled_from("abcde"), min_size=1, max_size=5, unique=True)
symbols = st.frozensets(st.integers(1, 60))


def bearers(*names: str, limit: int = 100, unfit: str = "") -> list[Bearer]:
    return [Bearer(name, Rank.RESTING if name in unfit else Rank.FIT, limit) for name in names]


def ranked(limit: int, **ranks: Rank) -> list[Bearer]:
    return [Bearer(name, rank, limit) for name, rank in ranks.items()]


def test_one_person_carries_everything() -> None:
    assert plan({1, 2, 3}, bearers("a"), {}) == {"a": frozenset({1, 2, 3})}


def test_symbols_are_spread_evenly_and_the_first_person_gets_the_first() -> None:
    assert plan({1, 2, 3, 4, 5}, bearers("a", "b"), {}) == {"a": frozenset({1, 3, 5}), "b": frozenset({2, 4})}


def test_a_symbol_stays_where_it_is() -> None:
    current = {"a": frozenset({4, 5}), "b": frozenset({1, 2})}

    assert plan({1, 2, 4, 5}, bearers("a", "b"), current) == current


def test_the_symbols_of_an_unfit_person_go_to_the_others() -> None:
    assert plan({1, 2}, bearers("a", "b", unfit="a"), {"a": {1, 2}}) == {"b": frozenset({1, 2})}


def test_with_nobody_fit_somebody_keeps_trying() -> None:
    assert plan({1}, bearers("a", "b", unfit="ab"), {}) == {"a": frozenset({1}), "b": frozenset()}


def test_what_does_not_fit_in_is_in_nobodys_share() -> None:
    shares = plan(set(range(10)), bearers("a", "b", limit=3), {})

    assert sorted(map(len, shares.values())) == [3, 3]


def test_a_healed_person_takes_over_what_is_beyond_the_others_share() -> None:
    shares = plan(set(range(40)), bearers("a", "b"), {"a": set(range(40))})

    assert len(shares["a"]) == 27
    assert len(shares["b"]) == 13


def test_nothing_is_dropped_before_its_new_stream_has_it() -> None:
    target = {"a": frozenset({1}), "b": frozenset({2})}

    assert hand_over(target, {"a": {1, 2}, "b": set()}) == {"a": frozenset({1, 2}), "b": frozenset({2})}
    assert hand_over(target, {"a": {1, 2}, "b": {2}}) == target


def test_a_person_who_is_to_carry_nothing_keeps_what_waits_for_its_new_stream() -> None:
    assert hand_over({"b": frozenset({1})}, {"a": {1}, "b": set()})["a"] == {1}


def test_with_two_copies_each_symbol_has_two_bearers() -> None:
    shares = plan({1, 2, 3}, bearers("a", "b", "c"), {}, copies=2)

    assert sorted(symbol for ids in shares.values() for symbol in ids) == [1, 1, 2, 2, 3, 3]
    assert all(shares.values())


def test_two_copies_need_two_who_are_fit() -> None:
    assert plan({1, 2}, bearers("a", "b", unfit="b"), {}, copies=2) == {"a": frozenset({1, 2})}


def test_a_second_bearer_makes_room_for_a_first() -> None:
    shares = plan({1, 2, 3}, bearers("a", "b", limit=2), {"a": {1, 2}, "b": {1, 2}}, copies=2)

    assert set().union(*shares.values()) == {1, 2, 3}


def test_what_the_fit_have_no_room_for_goes_to_the_eager_and_then_to_the_resting() -> None:
    everybody = ranked(2, a=Rank.RESTING, b=Rank.EAGER, c=Rank.FIT)

    assert plan({1, 2}, everybody, {}) == {"c": frozenset({1, 2})}
    assert plan({1, 2, 3}, everybody, {}) == {"c": frozenset({1, 2}), "b": frozenset({3})}
    assert plan({1, 2, 3, 4, 5}, everybody, {})["a"] == {5}
    assert set().union(*plan(set(range(9)), everybody, {}).values()) == set(range(6))


def test_nothing_moves_from_a_working_stream_but_new_symbols_go_to_the_fit() -> None:
    shares = plan({1, 2, 3, 4}, ranked(9, a=Rank.WORKING, b=Rank.FIT), {"a": {1, 2}})

    assert shares == {"a": frozenset({1, 2}), "b": frozenset({3, 4})}


def test_nothing_moves_from_a_stream_that_is_about_to_come_up() -> None:
    everybody = ranked(9, a=Rank.TRYING, b=Rank.WORKING)

    assert plan({1, 2, 3}, everybody, {"a": {1}, "b": {2}}) == {"a": frozenset({1}), "b": frozenset({2, 3})}


def test_a_second_copy_goes_to_an_eager_one_but_not_to_a_resting_one() -> None:
    fit_and_eager = plan({1, 2}, ranked(9, a=Rank.FIT, b=Rank.EAGER, c=Rank.RESTING), {}, copies=2)

    assert fit_and_eager == {"a": frozenset({1, 2}), "b": frozenset({1, 2})}


def test_who_was_given_more_for_being_fit_keeps_it() -> None:
    wanted = frozenset(range(1, 16))
    able = [
        Bearer(name, rank, 8)
        for name, rank in zip("abcde", (Rank.FIT, Rank.WORKING, Rank.WORKING, Rank.FIT, Rank.WORKING), strict=True)
    ]
    shares = plan(wanted, able, {"d": {1, 2, 3, 4, 15}})

    assert plan(wanted, able, shares) == shares


@given(symbols, persons, st.integers(1, 20), st.data())
def test_whatever_the_ranks_all_room_is_used_once_and_a_plan_is_at_rest(
    wanted: frozenset[int], names: list[str], limit: int, data: st.DataObject
) -> None:
    copies = data.draw(st.integers(1, 2))
    able = [Bearer(name, data.draw(st.sampled_from(Rank)), limit) for name in names]
    current = {name: data.draw(symbols) for name in names}
    shares = plan(wanted, able, current, copies=copies)

    carried = [symbol for ids in shares.values() for symbol in ids]
    assert all(len(ids) <= limit for ids in shares.values())
    assert len(set(carried)) == min(len(wanted), limit * len(names))
    assert all(carried.count(symbol) <= copies for symbol in carried)
    assert plan(wanted, able, shares, copies=copies) == shares


@given(symbols, persons, st.integers(1, 20), st.data())
def test_two_copies_never_cost_a_first(
    wanted: frozenset[int], names: list[str], limit: int, data: st.DataObject
) -> None:
    current = {name: data.draw(symbols) for name in names}
    shares = plan(wanted, bearers(*names, limit=limit), current, copies=2)

    carried = [symbol for ids in shares.values() for symbol in ids]
    assert all(len(ids) <= limit for ids in shares.values())
    assert len(set(carried)) == min(len(wanted), limit * len(names))
    assert max((carried.count(symbol) for symbol in carried), default=0) <= 2
    if limit >= len(wanted) and len(names) > 1:
        assert len(carried) == 2 * len(wanted)
    assert plan(wanted, bearers(*names, limit=limit), shares, copies=2) == shares, "a plan is at rest"


@given(symbols, persons, st.integers(1, 20), st.data())
def test_every_symbol_is_carried_once_and_nobody_carries_too_much(
    wanted: frozenset[int], names: list[str], limit: int, data: st.DataObject
) -> None:
    current = {name: data.draw(symbols) for name in names}
    unfit = "".join(data.draw(st.lists(st.sampled_from(names), max_size=len(names))))

    shares = plan(wanted, bearers(*names, limit=limit, unfit=unfit), current)

    carried = [symbol for ids in shares.values() for symbol in ids]
    assert len(carried) == len(set(carried))
    assert set(carried) <= wanted
    assert all(len(ids) <= limit for ids in shares.values())
    assert len(carried) == min(len(wanted), limit * len(shares))
    assert plan(wanted, bearers(*names, limit=limit, unfit=unfit), shares) == shares, "a plan is at rest"


@given(symbols, persons, st.data())
def test_a_hand_over_ends_in_the_plan(wanted: frozenset[int], names: list[str], data: st.DataObject) -> None:
    """Whatever streams carry, when each does as told the hand-over comes to rest at the target."""
    target = plan(wanted, bearers(*names), {})
    carried = {name: data.draw(symbols) & wanted for name in names}
    for _ in range(2):
        for symbol in wanted:
            carriers = [name for name in names if symbol in carried[name]]
            shares = hand_over(target, carried)
            assert not carriers or any(symbol in shares.get(name, ()) for name in carriers), "a live symbol was dropped"
        carried = {name: hand_over(target, carried).get(name, frozenset()) for name in names}

    assert carried == {name: target.get(name, frozenset()) for name in names}


def test_others_stand_in_for_what_is_missing_as_far_as_they_have_room() -> None:
    shares = {"a": frozenset({1}), "b": frozenset({2})}

    assert bridge(shares, {3, 4}, {"a": 1, "b": 9}, {}) == {"a": frozenset({1}), "b": frozenset({2, 3, 4})}
    assert bridge(shares, {3, 4}, {"a": 1, "b": 9}, {"a": {4}})["a"] == {1, 4}
    assert bridge(shares, {3, 4}, {"a": 1}, {}) == {"a": frozenset({1, 3}), "b": frozenset({2})}
    assert bridge(shares, {3}, {}, {}) == shares


def test_who_stands_in_lets_go_of_what_lingers_for_it_and_of_no_more_than_that() -> None:
    shares = {"a": frozenset({1, 8, 9})}

    assert bridge(shares, {2}, {"a": 2}, {}, {8, 9}) == {"a": frozenset({1, 2, 8})}
    assert bridge(shares, {2}, {"a": 3}, {}, {8, 9}) == {"a": frozenset({1, 2, 8, 9})}
    assert bridge(shares, {2, 3, 4}, {"a": 2}, {}, {8, 9}) == {"a": frozenset({1, 2, 3})}
