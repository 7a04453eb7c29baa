"""Thousands of symbols at once: joined in parts, taken out in parts, and nobody else is held up or sent too much."""

import msgspec
import pytest

from quotewire.hub import audience
from quotewire.hub.hub import Hub
from quotewire.hub.wants import added, grown, has, is_fresh, merged, size, split
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options, Position
from tests.hub_clients import FakeClient, World
from tests.wire_samples import quote

DELTA = Options(delta=True)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "SWEPT_AT_ONCE", 2)


def join(hub: Hub, client: FakeClient, *parts: tuple[int, ...], options: Options = DEFAULT_OPTIONS) -> list[int]:
    """Join part by part; the ids of all snapshots."""
    seen: list[int] = []
    for at, ids in enumerate(parts):
        joined = hub.join(client, ids, options, more=at + 1 < len(parts))
        seen += [msgspec.json.decode(each)["symbolId"] for each in joined.snapshot]
    return seen


def is_tidy(world: World) -> bool:
    return world.hub._seats.tidy


def attached(world: World) -> FakeClient:
    return world.client()


def test_each_part_is_live_from_its_snapshot_on() -> None:
    world = World()
    client = attached(world)
    world.hub.publish([quote(1, 1), quote(3, 1)])
    first = world.hub.join(client, (1, 2), more=True)
    assert len(first.snapshot) == 1
    world.hub.publish([quote(1, 2), quote(2, 1), quote(3, 2)])
    world.turn()
    assert client.sequences() == [(1, 2), (2, 1)]
    world.hub.publish([quote(1, 3), quote(3, 3)])
    second = world.hub.join(client, (3, 4), more=False)
    assert client.sequences() == [(1, 3)]
    assert msgspec.json.decode(second.snapshot[0])["sequence"] == 3
    world.hub.publish([quote(1, 4), quote(3, 4), quote(4, 1)])
    world.turn()
    assert client.sequences() == [(1, 4), (3, 4), (4, 1)]


def test_who_comes_in_parts_shares_a_lane_in_the_end() -> None:
    world = World()
    whole = world.client(1, 2, 3, 4, 5)
    world.hub.publish([quote(i, 1) for i in range(1, 6)])
    world.turn()
    whole.told()
    client = attached(world)
    assert join(world.hub, client, (5, 2), (1, 4), (3,)) == [5, 2, 1, 4, 3]
    assert client.lane is whole.lane
    world.hub.publish([quote(i, 2) for i in range(1, 6)])
    world.sleep(1)
    world.hub.publish([quote(i, 3) for i in range(1, 6)])
    world.sleep(1)
    assert client.sequences() == whole.sequences() == [(i, n) for n in (2, 3) for i in range(1, 6)]
    assert world.hub.stats()["lanes"] == 1


def test_two_who_grow_alike_at_the_same_time_are_two_until_both_are_done() -> None:
    world = World()
    one, two = attached(world), attached(world)
    for more, ids in ((True, (1, 2)), (True, (3, 4)), (False, (5, 6))):
        for client in (one, two):
            world.hub.join(client, ids, more=more)
        assert (one.lane is two.lane) is (not more)
        world.hub.publish([quote(i, ids[0]) for i in range(1, 7)])
        world.sleep(1)
    assert one.sequences() == two.sequences() != []


def test_what_was_wanted_before_goes_on_in_its_order() -> None:
    world = World()
    client, other = world.client(1, 2), world.client(1, 2)
    world.hub.publish([quote(1, 1)])
    assert join(world.hub, client, (3, 4), (5, 6)) == []
    assert client.lane is not other.lane
    world.hub.publish([quote(1, 2), quote(6, 1), quote(2, 1)])
    world.sleep(1)
    assert client.sequences() == [(1, 1), (1, 2), (6, 1), (2, 1)]
    assert other.sequences() == [(1, 1), (1, 2), (2, 1)]


@pytest.mark.parametrize("options", [DEFAULT_OPTIONS, DELTA, Options(mode=Mode.LATEST), Options(mode=Mode.EVERY)])
def test_the_same_again_in_parts_changes_nothing_or_the_options(options: Options) -> None:
    world = World()
    client = attached(world)
    world.hub.publish([quote(i, 1) for i in range(1, 6)])
    world.turn()
    join(world.hub, client, (1, 2), (3, 4), (5,))
    assert join(world.hub, client, (1, 2), (3, 4), (5,), options=options) == [1, 2, 3, 4, 5]
    world.sleep(2)
    world.hub.publish([quote(i, 2) for i in range(1, 6)])
    world.sleep(2)
    assert sorted(client.sequences()) == [(i, 2) for i in range(1, 6)]
    world.hub.detach(client)
    world.sleep(1)
    assert world.wanted[-1] == set()


def test_one_who_is_slow_in_the_middle_gets_the_newest_and_the_rest_later() -> None:
    world = World()
    client = attached(world)
    world.hub.join(client, (1, 2), more=True)
    world.block(client)
    world.hub.publish([quote(1, 1), quote(1, 2), quote(3, 1)])
    world.turn()
    assert client.sequences() == []
    world.unblock(client)
    assert client.sequences() == [(1, 2)]
    joined = world.hub.join(client, (3, 4), more=True)
    assert len(joined.snapshot) == 1
    world.hub.join(client, (5,), more=False)
    world.sleep(2)
    world.hub.settle(client)
    assert client.lane is not None
    world.hub.publish([quote(i, 9) for i in range(1, 6)])
    world.sleep(1)
    assert client.sequences() == [(i, 9) for i in range(1, 6)]


def test_one_with_a_maximum_rate_grows_in_its_outbox() -> None:
    world = World()
    client = attached(world)
    join(world.hub, client, (1, 2), (3,), options=Options(max_rate=10.0))
    assert client.outbox is not None
    world.hub.publish([quote(1, 1), quote(3, 1)])
    world.sleep(1)
    assert client.sequences() == [(1, 1), (3, 1)]


def test_a_position_ahead_of_what_is_known_waits_in_a_part_too() -> None:
    world = World()
    client = attached(world)
    world.hub.join(client, (1,), more=True)
    world.hub.join(client, (2,), positions={2: Position(7, 5)}, more=False)
    world.hub.publish([quote(1, 1), quote(2, 5), quote(2, 6)])
    world.sleep(1)
    assert client.sequences() == [(1, 1), (2, 6)]


def test_who_goes_in_the_middle_leaves_nothing() -> None:
    world = World()
    stays, goes = world.client(1), attached(world)
    world.hub.join(goes, (1, 2, 3), more=True)
    world.hub.join(goes, (4, 5), more=True)
    world.hub.detach(goes)
    world.hub.publish([quote(i, 1) for i in range(1, 6)])
    world.sleep(1)
    assert goes.sequences() == []
    assert stays.sequences() == [(1, 1)]
    assert world.wanted[-1] == {1}
    assert world.hub.stats()["lanes"] == 1


def test_who_goes_with_many_symbols_is_taken_out_bit_by_bit_while_others_are_served() -> None:
    world = World()
    stays, goes = world.client(1, 2, 3), world.client(*range(1, 10))
    world.hub.detach(goes)
    assert not is_tidy(world)
    world.hub.publish([quote(i, 1) for i in range(1, 10)])
    turns = 0
    while not is_tidy(world):
        world.turn()
        turns += 1
    assert turns >= 4
    assert stays.sequences() == [(1, 1), (2, 1), (3, 1)]
    assert goes.writes == []
    world.sleep(1)
    assert world.wanted[-1] == {1, 2, 3}
    back = world.client(*range(1, 10))
    world.hub.publish([quote(i, 2) for i in range(1, 10)])
    world.sleep(1)
    assert back.sequences() == [(i, 2) for i in range(1, 10)]


def test_an_outbox_that_nobody_reads_any_more_is_taken_out_bit_by_bit() -> None:
    world = World()
    slow = world.client(*range(1, 8))
    world.block(slow)
    world.hub.detach(slow)
    assert not is_tidy(world)
    world.hub.publish([quote(i, 1) for i in range(1, 8)])
    world.sleep(1)
    assert is_tidy(world)
    assert slow.writes == []
    assert world.wanted[-1] == set()


def test_wants_that_grew_are_the_same_as_those_that_came_at_once() -> None:
    at_once = added(added((), (3, 1, 2, 6), DEFAULT_OPTIONS), (5,), DELTA)
    by_and_by = grown(grown(grown((), (3, 1), DEFAULT_OPTIONS), (5,), DELTA), (6, 2), DEFAULT_OPTIONS)
    assert by_and_by != at_once
    assert merged(by_and_by) == at_once
    assert merged(at_once) is at_once
    assert size(by_and_by) == 5
    assert is_fresh(by_and_by, (4, 7))
    assert not is_fresh(by_and_by, (4, 5))
    assert has(by_and_by, (1, 6), DEFAULT_OPTIONS)
    assert not has(by_and_by, (1, 5), DEFAULT_OPTIONS)
    first, others = split(by_and_by, 3)
    assert (size(first), size(others)) == (3, 2)
    assert (*first, *others) == by_and_by
