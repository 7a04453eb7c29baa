"""The hub with clients that only remember: snapshot then live, one pass a turn, nothing left behind."""

import msgspec
import pytest

from quotewire.hub import hub as hub_module
from quotewire.hub.hub import Delivery
from quotewire.wire.codec import Form
from quotewire.wire.options import Cause, Mode, Options, Position
from tests.hub_clients import FakeClient, World
from tests.wire_samples import quote, upstream


def test_a_client_gets_the_updates_of_its_symbols_and_no_others() -> None:
    world = World()
    alice, bob, carol = world.client(1, 2), world.client(2, form=Form.PLAIN), world.client(2, form=Form.MSGPACK)
    world.hub.publish([quote(1, 1), quote(2, 1), quote(3, 1), quote(2, 2)])
    world.turn()
    assert b'"type"' in alice.writes[0]
    assert b'"type"' not in bob.writes[0]
    assert alice.sequences() == [(1, 1), (2, 1), (2, 2)]
    assert bob.sequences() == carol.sequences() == [(2, 1), (2, 2)]


def test_all_updates_of_a_turn_are_one_write() -> None:
    world = World()
    client = world.client(1)
    world.hub.publish([quote(1, 1)])
    world.hub.publish([quote(1, 2), quote(1, 3)])
    assert world.turn() == 1
    assert len(client.writes) == 1
    assert world.turn() == 0
    world.hub.publish([quote(1, 4)])
    world.sleep(1)
    assert client.sequences() == [(1, 1), (1, 2), (1, 3), (1, 4)]


def test_clients_that_want_the_same_share_the_bytes() -> None:
    world = World()
    clients = [world.client(1, 2) for _ in range(3)]
    other = world.client(2)
    world.hub.publish([quote(1), quote(2)])
    world.turn()
    assert clients[0].writes[0] is clients[1].writes[0] is clients[2].writes[0]
    assert other.writes[0] in clients[0].writes[0]
    assert world.hub.stats()["lanes"] == 2


def test_a_single_update_is_one_object_for_all_of_a_form() -> None:
    world = World()
    one, two = world.client(1, 2), world.client(1, 3)
    world.hub.publish([quote(1)])
    world.turn()
    assert one.writes[0] is two.writes[0]


def test_a_snapshot_holds_what_is_known_in_the_order_asked() -> None:
    world = World()
    world.hub.publish([quote(1, 5), quote(2, 9), quote(1, 6)])
    joined = world.hub.join(FakeClient(), [2, 7, 1, 2])
    known = [msgspec.json.decode(encoded) for encoded in joined.snapshot]
    assert [(q["symbolId"], q["sequence"]) for q in known] == [(2, 9), (1, 6)]
    assert (joined.replay, joined.gaps, joined.skipped) == ([], [], 0)


def test_what_is_owed_goes_out_before_a_snapshot_and_only_once() -> None:
    world = World()
    alice, bob = world.client(1, 2), world.client(1, 2)
    world.hub.publish([quote(1, 1), quote(2, 1)])
    joined = world.hub.join(alice, [1, 3])
    assert alice.sequences() == [(1, 1), (2, 1)]
    assert len(joined.snapshot) == 1
    world.hub.publish([quote(1, 2), quote(3, 1)])
    world.turn()
    assert alice.sequences() == [(1, 2), (3, 1)]
    assert bob.sequences() == [(1, 1), (2, 1), (1, 2)]


def test_one_who_comes_in_the_middle_of_a_window_gets_what_follows() -> None:
    world = World()
    alice = world.client(1)
    world.hub.publish([quote(1, 1)])
    bob = world.client(1)
    world.hub.publish([quote(1, 2)])
    carol = world.client(1)
    world.turn()
    assert alice.sequences() == [(1, 1), (1, 2)]
    assert bob.sequences() == [(1, 2)]
    assert carol.sequences() == []
    world.hub.publish([quote(1, 3)])
    world.sleep(1)
    assert alice.sequences() == bob.sequences() == carol.sequences() == [(1, 3)]


def test_wanted_is_told_when_it_changes_and_only_then() -> None:
    world = World()
    alice, bob = world.client(1, 2), world.client(2)
    world.hub.leave(alice, (2,))
    world.hub.leave(bob, (2,))
    world.hub.join(alice, [1], Options(delta=True))
    world.block(alice)
    world.unblock(alice)
    world.sleep(2)
    world.hub.settle(alice)
    world.hub.detach(alice)
    world.hub.detach(bob)
    assert world.wanted == [{1, 2}, {1}]
    world.sleep(1)
    assert world.wanted == [{1, 2}, {1}, set()]


def test_a_client_that_left_gets_nothing_more() -> None:
    world = World()
    client = world.client(1)
    world.hub.publish([quote(1, 1)])
    world.hub.detach(client)
    world.turn()
    world.hub.publish([quote(1, 2)])
    world.turn()
    assert client.writes == []
    stats = world.hub.stats()
    assert {name: count for name, count in stats.items() if count} == {
        "symbols_known": 1,
        "updates": 2,
        "history_symbols": 1,
        "history_updates": 2,
    }


def test_unsubscribing_pays_what_is_owed_first() -> None:
    world = World()
    client = world.client(1, 2)
    world.hub.publish([quote(1, 1), quote(2, 1)])
    world.hub.leave(client, [1])
    assert client.sequences() == [(1, 1), (2, 1)]
    world.hub.publish([quote(1, 2), quote(2, 2)])
    world.turn()
    assert client.sequences() == [(2, 2)]
    world.hub.leave(client, [2])
    assert client.lane is None
    assert world.hub.stats()["lanes"] == 0


def test_detaching_in_the_middle_of_a_turn_leaves_the_others_their_due() -> None:
    world = World()
    alice, bob = world.client(1), world.client(1)
    world.hub.publish([quote(1, 1)])
    world.hub.detach(alice)
    world.hub.publish([quote(1, 2)])
    world.turn()
    assert bob.sequences() == [(1, 1), (1, 2)]


def test_one_whose_write_fails_is_told_so_and_the_others_are_served() -> None:
    world = World()
    clients = [world.client(1) for _ in range(3)]

    def fail(data: bytes) -> None:
        raise RuntimeError("a defect")

    clients[1].write = fail
    world.hub.publish([quote(1)])
    world.turn()
    assert [client.failures for client in clients] == [[], ["flush"], []]
    assert clients[0].sequences() == clients[2].sequences() == [(1, 1)]


def test_not_even_a_defect_in_reporting_a_defect_keeps_the_others_from_their_quotes() -> None:
    world = World()
    clients = [world.client(1, i) for i in range(2, 7)]

    def fail(data: bytes) -> None:
        raise RuntimeError("a defect")

    def fail_again(where: str, error: Exception) -> None:
        raise error

    clients[2].write, clients[2].failed = fail, fail_again  # type: ignore[method-assign]
    world.hub.publish([quote(1, 1)])
    with pytest.raises(RuntimeError):
        world.turn()
    world.sleep(1)
    world.hub.detach(clients[2])
    world.hub.publish([quote(1, 2)])
    world.sleep(1)
    for client in (*clients[:2], *clients[3:]):
        assert client.sequences() == [(1, 1), (1, 2)]


def test_the_upstreams_state_goes_to_every_client_attached() -> None:
    world = World()
    alice, bob = world.client(), world.client()
    world.hub.detach(bob)
    world.hub.tell_upstream(upstream("degraded"))
    assert alice.states == [upstream("degraded")]
    assert bob.states == []
    assert world.hub.clients == {alice}


def test_what_is_forgotten_is_in_no_snapshot() -> None:
    world = World()
    world.hub.publish([quote(1), quote(2)])
    assert world.hub.known() == [quote(1), quote(2)]
    world.hub.forget([1, 99])
    assert world.hub.latest(1) is None
    assert world.hub.latest(2) == quote(2)
    assert len(world.hub.join(FakeClient(), [1, 2]).snapshot) == 1


def test_an_update_that_is_not_newer_is_dropped_and_counted() -> None:
    world = World()
    client = world.client(1)
    world.hub.publish([quote(1, 5), quote(1, 5), quote(1, 4), quote(1, 6), quote(1, 1, epoch=8)])
    world.turn()
    assert client.sequences() == [(1, 5), (1, 6), (1, 1)]
    assert world.hub.stats()["updates_stale"] == 2


@pytest.mark.parametrize("mode", list(Mode))
def test_what_the_gateway_itself_missed_is_told(mode: Mode) -> None:
    world = World()
    options = Options(mode=mode)
    hears = world.client(1, options=options)
    deaf = world.client(1, options=options, hears_gaps=False)
    plain = world.client(1, form=Form.PLAIN)
    world.hub.publish([quote(1, 1)])
    world.sleep(1)
    world.hub.publish([quote(1, 5)])
    world.sleep(1)
    assert plain.sequences() == [(1, 1), (1, 5)]
    assert [message.get("skipped", 0) for message in deaf.told()] == [0, 3, 0]
    told = hears.told()
    if mode is Mode.LATEST:
        assert [message.get("skipped", 0) for message in told] == [0, 3, 0]
        return
    assert [message["type"] for message in told] == ["quotes", "gap", "quotes"]
    (gap,) = told[1]["gaps"]
    assert (gap["from"], gap["to"], gap["cause"]) == (2, 4, Cause.UPSTREAM)


def test_a_burst_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_GATHERED", 10)
    world = World()
    client = world.client(1)
    world.hub.publish([quote(1, sequence) for sequence in range(1, 26)])
    assert len(client.writes) == 2
    world.sleep(1)
    assert client.sequences() == [(1, sequence) for sequence in range(1, 26)]


def test_the_window_opens_under_load_and_closes_again() -> None:
    world = World(Delivery(max_window_s=0.010))
    client = world.client(1)
    costs = [0.0]

    def slow_write(data: bytes) -> None:
        client.take(data)
        world.now += costs[0]

    client.write = slow_write
    world.hub.publish([quote(1, 1)])
    world.sleep(0)
    assert world.delays == [0]
    costs[0] = 0.004
    world.hub.publish([quote(1, 2)])
    world.turn()
    world.hub.publish([quote(1, 3)])
    assert 0.001 <= world.delays[-1] < 0.010
    costs[0] = 1.0
    world.sleep(0.010)
    world.hub.publish([quote(1, 4)])
    assert world.delays[-1] == 0.010
    costs[0] = 0.0
    world.sleep(5)
    world.hub.publish([quote(1, 5)])
    assert world.delays[-1] == 0
    world.sleep(1)
    assert client.sequences() == [(1, sequence) for sequence in range(1, 6)]


def test_a_round_that_takes_long_is_cut_in_slices_and_misses_nobody() -> None:
    world = World(Delivery(max_window_s=0.010))
    clients = [world.client(1, i) for i in range(2, 42)]
    for client in clients:

        def slow_write(data: bytes, client: FakeClient = client) -> None:
            client.take(data)
            world.now += 0.0004

        client.write = slow_write
    world.hub.publish([quote(1, 1)])
    world.turn()
    assert 0 < sum(len(client.writes) for client in clients) < 40
    world.hub.publish([quote(1, 2)])
    world.sleep(1)
    world.hub.publish([quote(1, 3)])
    world.sleep(1)
    assert all(client.sequences() == [(1, 1), (1, 2), (1, 3)] for client in clients)
    # Those whose turn came later had the second with the first.
    assert {len(client.writes) for client in clients} == {2, 3}


def test_few_updates_for_many_lanes_write_to_those_alone() -> None:
    world = World()
    clients = [world.client(i) for i in range(1, 200)]
    world.hub.publish([quote(7), quote(9)])
    world.turn()
    assert [len(client.writes) for client in clients].count(1) == 2
    assert len(clients[6].writes) == len(clients[8].writes) == 1


def test_a_wish_no_one_else_has_keeps_its_lane_as_it_changes() -> None:
    world = World()
    client = world.client(1, 2)
    lane = client.lane
    world.hub.join(client, [3])
    world.hub.leave(client, [1])
    assert client.lane is lane
    world.hub.publish([quote(1), quote(2), quote(3)])
    world.turn()
    assert client.sequences() == [(2, 1), (3, 1)]
    other = world.client(2, 3)
    assert other.lane is lane


def test_options_can_change_and_change_back() -> None:
    world = World()
    client = world.client(1)
    for options in (Options(mode=Mode.EVERY), Options(delta=True), Options(mode=Mode.LATEST), Options()):
        world.hub.join(client, [1], options)
        base = world.hub.latest(1)
        world.hub.publish([quote(1, 1 if base is None else base.sequence + 1)])
        world.sleep(1)
    assert client.sequences() == [(1, sequence) for sequence in range(1, 5)]


def test_positions_are_judged_at_the_moment_of_joining() -> None:
    world = World(Delivery(history_depth=3))
    world.hub.publish([quote(1, sequence) for sequence in range(1, 8)])
    world.hub.publish([quote(2, 1)])
    client = FakeClient()
    joined = world.hub.join(client, [1, 2], positions={1: Position(7, 5)})
    assert [msgspec.json.decode(body)["symbolId"] for body in joined.snapshot] == [2]
    assert [msgspec.json.decode(body)["sequence"] for body in joined.replay] == [6, 7]
    world.hub.publish([quote(1, 8)])
    world.turn()
    assert client.sequences() == [(1, 8)]


def test_who_had_to_wait_for_others_writes_for_as_long() -> None:
    written = []
    for waited in (0.0, 0.020):
        world = World()
        clients = [world.client(1, i) for i in range(2, 202)]
        for client in clients:

            def slow_write(data: bytes, client: FakeClient = client, world: World = world) -> None:
                client.take(data)
                world.now += 0.0001

            client.write = slow_write
        world.hub.publish([quote(1, 1)])
        world.now += waited
        world.turn()
        written.append(sum(len(client.writes) for client in clients))
    on_time, late = written
    assert on_time < 20
    assert 150 < late < 200  # 19 of the 20 ms: a millisecond late is what timers are
