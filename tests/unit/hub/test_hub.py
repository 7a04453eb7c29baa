"""The hub with clients that only remember: snapshot then live, one flush a turn, nothing left behind."""

from collections.abc import Callable

import msgspec

from quotewire.hub.hub import Hub
from quotewire.hub.outbox import Outbox
from quotewire.wire.codec import Form
from quotewire.wire.messages import UpstreamState
from tests.wire_samples import quote, upstream


class FakeClient:
    """A connection that takes everything, unless `blocked`."""

    def __init__(self, form: Form = Form.NATIVE) -> None:
        self.form = form
        self.outbox = Outbox()
        self.blocked = False
        self.flushes = 0
        self.frames: list[bytes] = []
        self.states: list[UpstreamState] = []

    def flush(self) -> None:
        self.flushes += 1
        if self.blocked:
            self.outbox.conflate()
        else:
            self.frames += self.outbox.take()[0]

    def tell_upstream(self, state: UpstreamState) -> None:
        self.states.append(state)

    def sequences(self) -> list[tuple[int, int]]:
        return [position for framed in self.frames for position in positions(framed)]


def positions(framed: bytes) -> list[tuple[int, int]]:
    start = 2 if framed[1] < 126 else 4
    return [(q["symbolId"], q["sequence"]) for q in msgspec.json.decode(framed[start:])["quotes"]]


class Turns:
    """A loop that runs what was scheduled when told to."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def schedule(self, callback: Callable[[], None]) -> None:
        self.waiting.append(callback)

    def turn(self) -> int:
        run, self.waiting = self.waiting, []
        for callback in run:
            callback()
        return len(run)


def make() -> tuple[Hub, Turns, list[frozenset[int]]]:
    turns, wanted = Turns(), list[frozenset[int]]()
    return Hub(schedule=turns.schedule, on_wanted=wanted.append), turns, wanted


def test_a_client_gets_the_updates_of_its_symbols_and_no_others() -> None:
    hub, turns, _ = make()
    alice, bob = FakeClient(), FakeClient(Form.PLAIN)
    for client, ids in ((alice, [1, 2]), (bob, [2])):
        hub.attach(client)
        hub.join(client, ids)
    hub.publish([quote(1, 1), quote(2, 1), quote(3, 1), quote(2, 2)])
    turns.turn()
    assert alice.sequences() == [(1, 1), (2, 1), (2, 2)]
    assert bob.sequences() == [(2, 1), (2, 2)]
    assert b'"type"' in alice.frames[0]
    assert b'"type"' not in bob.frames[0]


def test_all_updates_of_a_turn_are_one_flush() -> None:
    hub, turns, _ = make()
    client = FakeClient()
    hub.join(client, [1])
    hub.publish([quote(1, 1)])
    hub.publish([quote(1, 2), quote(1, 3)])
    assert turns.turn() == 1
    assert client.flushes == 1
    assert turns.turn() == 0
    hub.publish([quote(1, 4)])
    assert turns.turn() == 1


def test_clients_of_one_form_share_the_bytes() -> None:
    hub, turns, _ = make()
    clients = [FakeClient() for _ in range(3)]
    for client in clients:
        hub.join(client, [1])
    hub.publish([quote(1)])
    turns.turn()
    assert clients[0].frames[0] is clients[1].frames[0] is clients[2].frames[0]


def test_a_snapshot_holds_what_is_known_in_the_order_asked() -> None:
    hub, _, _ = make()
    hub.publish([quote(1, 5), quote(2, 9), quote(1, 6)])
    known = [msgspec.json.decode(encoded) for encoded in hub.join(FakeClient(), [2, 7, 1])]
    assert [(q["symbolId"], q["sequence"]) for q in known] == [(2, 9), (1, 6)]


def test_a_snapshot_takes_the_place_of_what_was_owed_of_its_symbols() -> None:
    hub, turns, _ = make()
    client = FakeClient()
    hub.join(client, [1, 2])
    client.blocked = True
    client.outbox.conflate()
    hub.publish([quote(1, 1), quote(2, 1)])
    hub.join(client, [1])
    client.blocked = False
    turns.turn()
    assert client.sequences() == [(2, 1)]


def test_wanted_is_told_when_it_changes_and_only_then() -> None:
    hub, _, wanted = make()
    alice, bob = FakeClient(), FakeClient()
    hub.join(alice, [1, 2])
    hub.join(bob, [2])
    hub.leave(alice, (2,))
    hub.leave(bob, (2,))
    hub.detach(alice, {1})
    hub.detach(bob, set())
    assert wanted == [{1, 2}, {1}, set()]


def test_a_client_that_left_gets_nothing_more() -> None:
    hub, turns, _ = make()
    client = FakeClient()
    hub.attach(client)
    hub.join(client, [1])
    hub.publish([quote(1, 1)])
    hub.detach(client, {1})
    turns.turn()
    hub.publish([quote(1, 2)])
    turns.turn()
    assert client.flushes == 0
    assert hub.stats() == {
        "clients": 0,
        "symbols_wanted": 0,
        "symbols_known": 1,
        "updates": 2,
        "deliveries": 1,
        "clients_waiting": 0,
    }


def test_detaching_in_the_middle_of_a_turn_leaves_the_others_their_flush() -> None:
    hub, turns, _ = make()
    alice, bob = FakeClient(), FakeClient()
    hub.join(alice, [1])
    hub.join(bob, [1])
    hub.publish([quote(1, 1)])
    hub.detach(alice, {1})
    hub.publish([quote(1, 2)])
    turns.turn()
    assert bob.sequences() == [(1, 1), (1, 2)]


def test_the_upstreams_state_goes_to_every_client_attached() -> None:
    hub, _, _ = make()
    alice, bob = FakeClient(), FakeClient()
    hub.attach(alice)
    hub.attach(bob)
    hub.detach(bob, ())
    hub.tell_upstream(upstream("degraded"))
    assert alice.states == [upstream("degraded")]
    assert bob.states == []
    assert hub.clients == {alice}


def test_what_is_forgotten_is_in_no_snapshot() -> None:
    hub, _, _ = make()
    hub.publish([quote(1), quote(2)])
    hub.forget([1, 99])
    assert hub.latest(1) is None
    assert hub.latest(2) == quote(2)
    assert len(hub.join(FakeClient(), [1, 2])) == 1


def test_stats_count_clients_whose_socket_takes_no_more() -> None:
    hub, turns, _ = make()
    client = FakeClient()
    hub.attach(client)
    hub.join(client, [1])
    client.blocked = True
    hub.publish([quote(1)])
    turns.turn()
    assert hub.stats()["clients_waiting"] == 1
