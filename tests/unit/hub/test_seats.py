"""Who shares a lane and who has an outbox, as sockets block and wishes change."""

import pytest

from quotewire.hub.outbox import CALM_S
from quotewire.hub.seats import Seats
from quotewire.wire.codec import EncodedQuote
from quotewire.wire.options import Mode, Options, Position
from tests.hub_clients import FakeClient, World
from tests.wire_samples import quote

LATEST, PACED = Options(mode=Mode.LATEST), Options(max_rate=4.0)


def test_one_that_blocks_has_an_outbox_until_it_is_calm() -> None:
    world = World()
    slow, healthy = world.client(1, 2), world.client(1, 2)
    world.hub.publish([quote(1, 1)])
    world.block(slow)
    assert slow.apart
    world.hub.publish([quote(1, 2), quote(1, 3), quote(2, 1)])
    world.sleep(0.5)
    assert healthy.sequences() == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert slow.writes == []
    stats = world.hub.stats()
    assert (stats["clients_waiting"], stats["clients_apart"], stats["updates_waiting"]) == (1, 1, 3)
    world.unblock(slow)
    told = slow.told()
    assert told[0] == {"type": "quotes", "quotes": [], "skipped": 1, "lagMs": 500}
    assert [(q["symbolId"], q["sequence"]) for m in told for q in m["quotes"]] == [(1, 1), (1, 3), (2, 1)]
    world.hub.settle(slow)
    assert slow.apart
    world.sleep(CALM_S)
    world.hub.settle(slow)
    assert slow.lane is healthy.lane is not None
    world.hub.publish([quote(1, 4)])
    world.sleep(1)
    assert slow.sequences() == [(1, 4)]
    assert world.hub.stats()["updates_skipped"] == 1


def test_one_that_blocks_while_it_is_written_to_keeps_its_place_in_the_order() -> None:
    world = World()
    slow, healthy = world.client(1), world.client(1)

    def take(data: bytes) -> None:
        slow.take(data)
        world.block(slow)

    slow.write = take
    world.hub.publish([quote(1, 1)])
    world.sleep(1)
    world.hub.publish([quote(1, 2)])
    world.sleep(1)
    slow.write = slow.take
    world.unblock(slow)
    assert slow.sequences() == healthy.sequences() == [(1, 1), (1, 2)]


def test_to_block_without_wishes_and_to_subscribe_blocked() -> None:
    world = World()
    client = world.client()
    world.block(client)
    assert world.hub.stats()["clients_apart"] == 0
    world.hub.publish([quote(1, 1)])
    assert len(world.hub.join(client, [1]).snapshot) == 1
    assert client.apart
    world.hub.publish([quote(1, 2)])
    world.sleep(1)
    assert client.writes == []
    world.unblock(client)
    assert client.sequences() == [(1, 2)]


def test_one_that_wants_anew_while_blocked_is_written_what_was_in_order_and_spared_the_slots() -> None:
    world = World()
    client = world.client(1, 2)
    world.hub.publish([quote(1, 1)])
    world.block(client)
    world.hub.publish([quote(1, 2), quote(1, 3), quote(2, 1)])
    joined = world.hub.join(client, [1])
    assert len(joined.snapshot) == 1
    assert client.sequences() == [(1, 1)]
    world.unblock(client)
    assert client.sequences() == [(2, 1)]


def test_a_rate_is_kept_by_one_timer_for_all() -> None:
    world = World()
    clients = [world.client(1, 2, options=PACED) for _ in range(5)]
    world.hub.publish([quote(1, 1), quote(2, 1)])
    world.sleep(0.01)
    pending = len(world.delays)
    for sequence in range(2, 30):
        world.hub.publish([quote(1, sequence)])
        world.sleep(0.005)
    assert [client.sequences() for client in clients] == [[(1, 1), (2, 1)]] * 5
    world.sleep(0.2)
    for client in clients:
        told = client.told()
        assert [m.get("skipped", 0) for m in told] == [27, 0]
        assert told[1]["quotes"][0]["sequence"] == 29
    assert len(world.delays) - pending < 40
    world.sleep(5)
    assert [client.sequences() for client in clients] == [[]] * 5


@pytest.mark.parametrize("how", ["detach", "leave", "block"])
def test_what_is_not_due_yet_goes_with_its_client(how: str) -> None:
    world = World()
    client = world.client(1, options=PACED)
    world.hub.publish([quote(1, 1)])
    world.sleep(0.01)
    world.hub.publish([quote(1, 2)])
    world.sleep(0.01)
    if how == "detach":
        world.hub.detach(client)
    elif how == "leave":
        world.hub.leave(client, [1])
    else:
        world.block(client)
    world.sleep(2)
    assert client.sequences() == [(1, 1)]
    if how == "block":
        world.unblock(client)
        assert client.sequences() == [(1, 2)]


def test_latest_mode_replaces_within_a_window_and_counts() -> None:
    world = World()
    one, two = world.client(1, 2, options=LATEST), world.client(1, 2, options=LATEST)
    assert one.lane is two.lane is not None
    world.hub.publish([quote(1, 1), quote(1, 2), quote(2, 1), quote(1, 3)])
    world.turn()
    assert one.writes[0] is two.writes[0]
    told = one.told()
    assert [message.get("skipped", 0) for message in told] == [2, 0, 0]
    assert {(q["symbolId"], q["sequence"]) for m in told for q in m["quotes"]} == {(1, 3), (2, 1)}
    assert world.hub.stats()["updates_skipped"] == 4


def test_one_that_begins_in_latest_mode_in_a_window_shares_the_lane_after_it() -> None:
    world = World()
    first = world.client(1, options=LATEST)
    world.hub.publish([quote(1, 1)])
    second = world.client(1, options=LATEST)
    assert second.apart
    world.hub.publish([quote(1, 2), quote(1, 3)])
    world.hub.settle(second)
    world.turn()
    assert second.sequences() == [(1, 3)]
    assert first.sequences() == [(1, 3)]
    world.hub.settle(second)
    assert second.lane is first.lane is not None


def test_one_whose_position_is_ahead_hears_nothing_twice() -> None:
    world = World()
    world.hub.publish([quote(1, 5)])
    client = FakeClient()
    joined = world.hub.join(client, [1], positions={1: Position(7, 7)})
    assert (joined.snapshot, joined.replay, joined.gaps) == ([], [], [])
    world.hub.publish([quote(1, sequence) for sequence in (6, 7, 8)])
    world.sleep(2)
    assert client.sequences() == [(1, 8)]
    world.hub.settle(client)
    assert client.lane is not None


def test_one_that_becomes_like_another_joins_it() -> None:
    world = World()
    one, two = world.client(1), world.client(1, 2)
    world.hub.join(one, [2])
    assert one.lane is two.lane is not None
    world.hub.leave(two, [1])
    assert one.lane is not two.lane
    world.hub.publish([quote(1, 1), quote(2, 1)])
    world.turn()
    assert one.sequences() == [(1, 1), (2, 1)]
    assert two.sequences() == [(2, 1)]


def test_what_was_owed_in_latest_mode_is_paid_before_a_command() -> None:
    world = World()
    one, two = world.client(1, options=LATEST), world.client(1, options=LATEST)
    world.hub.publish([quote(1, 1), quote(1, 2)])
    world.hub.join(one, [3], LATEST)
    assert one.sequences() == [(1, 2)]
    world.hub.publish([quote(1, 3)])
    world.turn()
    assert [m.get("skipped", 0) for m in two.told()] == [2, 0]
    assert one.sequences() == [(1, 3)]


def test_a_round_writes_what_its_window_held_and_leaves_the_next_windows_slots() -> None:
    """A slot written before its window is over would be no base for what comes after it in that window."""
    seats, client = Seats(ring_size=8), FakeClient()
    seats.seat(client, ((Options(mode=Mode.LATEST, delta=True), (1,)), (Options(), (2,))))
    bids = {1: 10.0, 2: 20.0, 3: 10.0}
    updates = [EncodedQuote(quote(1, sequence, bid_price=bid)) for sequence, bid in bids.items()]

    def deliver(update: EncodedQuote, base: EncodedQuote | None) -> None:
        audience = seats.audience_of(update.symbol_id)
        assert audience is not None
        seats.deliver(audience, update, base, None, 0.0)

    deliver(updates[0], None)
    deliver(EncodedQuote(quote(2, 1)), None)
    seats.begin_round(0.0)
    deliver(updates[1], updates[0])  # the round is under way: this one is the next window's
    assert seats.go_round(lambda: 0.0, 1.0)
    assert client.sequences() == [(2, 1), (1, 1)]
    deliver(updates[2], updates[1])
    seats.begin_round(0.0)
    seats.go_round(lambda: 0.0, 1.0)
    skipped, told = client.told()
    assert skipped["skipped"] == 1
    (change,) = told["quotes"]
    assert change["sequence"] == 3
    assert "bidPrice" not in change  # the client has had 10.0 and not 20.0
