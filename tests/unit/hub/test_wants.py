"""What a client wants, as a value."""

from quotewire.hub.wants import NOTHING, added, ids_of, is_paced, removed
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options

EVERY = Options(mode=Mode.EVERY)


def test_equal_wishes_are_equal_whatever_the_order_they_came_in() -> None:
    one = added(added(NOTHING, [3, 1], DEFAULT_OPTIONS), [2], EVERY)
    two = added(added(NOTHING, [2], EVERY), [1, 3, 3], DEFAULT_OPTIONS)
    assert one == two == ((DEFAULT_OPTIONS, (1, 3)), (EVERY, (2,)))
    assert hash(one) == hash(two)


def test_to_want_anew_replaces_the_options() -> None:
    wants = added(added(NOTHING, [1, 2], DEFAULT_OPTIONS), [2, 3], EVERY)
    assert wants == ((DEFAULT_OPTIONS, (1,)), (EVERY, (2, 3)))
    assert added(wants, [1], EVERY) == ((EVERY, (1, 2, 3)),)


def test_to_want_no_more() -> None:
    wants = added(added(NOTHING, [1, 2], DEFAULT_OPTIONS), [3], EVERY)
    assert removed(wants, [1, 9]) == ((DEFAULT_OPTIONS, (2,)), (EVERY, (3,)))
    assert removed(wants, {1, 2}) == ((EVERY, (3,)),)
    assert removed(wants, [1, 2, 3]) == NOTHING
    assert added(wants, [], EVERY) is wants


def test_what_it_tells() -> None:
    wants = added(added(NOTHING, [1, 2], DEFAULT_OPTIONS), [3], Options(max_rate=1.0))
    assert sorted(ids_of(wants)) == [1, 2, 3]
    assert is_paced(wants)
    assert not is_paced(removed(wants, [3]))
