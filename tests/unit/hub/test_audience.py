"""Who gets the updates of which symbol: to come, to go, and to come back before anybody looked."""

from quotewire.hub.audience import Audiences, Places
from quotewire.hub.lane import Lane
from quotewire.hub.outbox import Outbox
from quotewire.hub.shape import shape_of
from quotewire.hub.wants import Wants
from quotewire.wire.codec import Form
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options


def wants(*symbol_ids: int, options: Options = DEFAULT_OPTIONS) -> Wants:
    return ((options, symbol_ids),)


def lane(*symbol_ids: int, options: Options = DEFAULT_OPTIONS) -> Lane:
    return Lane((Form.NATIVE, True, wants(*symbol_ids, options=options)))


def test_wanted_grows_with_the_first_and_shrinks_with_the_last() -> None:
    audiences = Audiences()
    one, two = lane(1, 2), lane(1)
    assert audiences.add_lane(one, one.wants)
    assert not audiences.add_lane(two, two.wants)
    assert audiences.wanted() == {1, 2}
    assert audiences.remove_lane(one, one.wants)
    assert audiences.wanted() == {1}
    assert audiences.remove_lane(two, two.wants)
    assert len(audiences) == 0
    assert audiences.of(1) is None


def test_a_place_that_is_gone_is_taken_out_when_there_is_need() -> None:
    places = Places[list[int]]()
    all_of_them: list[list[int]] = [[] for _ in range(5)]
    for place in all_of_them:
        places.add(place)
    places.remove(all_of_them[0])
    assert len(places.here) == 5
    places.tidy()
    assert [id(place) for place in places.here] == [id(place) for place in all_of_them[1:]]
    for place in all_of_them[1:4]:
        places.remove(place)
    assert len(places.here) == 1


def test_a_place_that_comes_back_before_that_is_there_once() -> None:
    places = Places[list[int]]()
    one, two, three = [1], [2], [3]
    for place in (one, two, three):
        places.add(place)
    places.remove(one)
    places.add(one)
    places.tidy()
    assert places.here == [one, two, three]


def test_each_shape_has_its_places() -> None:
    audiences = Audiences()
    whole, delta, latest = lane(1), lane(1, options=Options(delta=True)), lane(1, options=Options(mode=Mode.LATEST))
    for each in (whole, delta, latest):
        audiences.add_lane(each, each.wants)
    audience = audiences.of(1)
    assert audience is not None
    assert audience.slots is not None
    assert len(audience.runs) == 2
    assert [places.here for places in audience.slots.values()] == [[latest.slots]]
    assert len(list(audience.lane_places())) == 3
    audiences.remove_lane(delta, delta.wants)
    assert list(audience.runs) == [shape_of(Form.NATIVE, DEFAULT_OPTIONS, gaps=True)]


def test_outboxes_have_their_options() -> None:
    audiences = Audiences()
    mine = wants(1, 2, options=Options(max_rate=1.0))
    outbox = Outbox(Form.NATIVE, mine, gaps=True, ring_size=1)
    assert audiences.add_outbox(outbox, mine)
    audience = audiences.of(2)
    assert audience is not None
    assert audience.outboxes == {outbox: Options(max_rate=1.0)}
    assert audiences.remove_outbox(outbox, mine)
    assert len(audiences) == 0


def test_ids_are_the_objects_in_use_already() -> None:
    audiences = Audiences()
    big = int("123456789")
    mine = lane(big)
    audiences.add_lane(mine, mine.wants)
    found = audiences.same([int("123456789"), 7, 7])
    assert found == [123456789, 7]
    assert found[0] is big


def test_no_shape_is_kept_when_nobody_wants_anything_in_it() -> None:
    """Clients make shapes up: what is left of one would be left for good."""
    audiences = Audiences()
    bids = Options(fields=("bidPrice",))
    mine = lane(1)
    audiences.add_lane(mine, mine.wants)
    audiences.add_lane(mine, wants(2, options=bids))
    audiences.remove_lane(mine, wants(2, options=bids))
    audiences.add_lane(mine, wants(options=bids))
    assert list(audiences._runs) == [shape_of(Form.NATIVE, DEFAULT_OPTIONS, gaps=True)]
    audiences.remove_lane(mine, mine.wants)
    assert not audiences._runs
