"""One run for all that want the same: joined once, late ones get the rest, who blocks leaves on the spot."""

from quotewire.hub.lane import Lane, Tally, write_to
from quotewire.wire.codec import Form
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options
from tests.hub_clients import FakeClient, messages


def lane(form: Form = Form.NATIVE, *, latest: bool = False) -> Lane:
    options = Options(mode=Mode.LATEST) if latest else DEFAULT_OPTIONS
    made = Lane((form, True, ((options, (1, 2)),)))
    if latest:
        made.filled()
    return made


def members(lane: Lane, count: int) -> list[FakeClient]:
    clients = [FakeClient() for _ in range(count)]
    for client in clients:
        lane.enter(client)
    return clients


def test_all_members_are_written_the_same_object() -> None:
    shared, tally = lane(), Tally()
    one, two = members(shared, 2)
    for frame in (b"a", b"b"):
        shared.append(frame)
    shared.flush(tally)
    assert one.writes == two.writes == [b"ab"]
    assert one.writes[0] is two.writes[0]
    assert (tally.frames, tally.bytes) == (4, 4)
    assert not shared.pending
    shared.flush(tally)
    assert len(one.writes) == 1


def test_late_ones_get_the_rest_and_share_that_too() -> None:
    shared, tally = lane(), Tally()
    (early,) = members(shared, 1)
    shared.append(b"a")
    late = members(shared, 2)
    shared.append(b"b")
    (latest,) = members(shared, 1)
    assert shared.owed(late[0], {}) == [b"b"]
    shared.flush(tally)
    assert (early.writes, late[0].writes, latest.writes) == ([b"ab"], [b"b"], [])
    assert late[0].writes[0] is late[1].writes[0]
    assert tally.frames == 4
    shared.append(b"c")
    shared.flush(tally)
    assert early.writes[-1] is latest.writes[-1]


def test_slots_hold_the_newest_and_tell_what_was_replaced() -> None:
    shared, tally = lane(latest=True), Tally()
    (client,) = members(shared, 1)
    slots = shared.filled()
    slots[1] = b"old"
    slots[2], slots[1] = b"x", b"new"
    shared.empty_slots(tally, {1: 1, 9: 5})
    shared.flush(tally)
    (data,) = client.writes
    assert data.endswith(b"newx")
    assert messages(data[: -len(b"newx")])[0]["skipped"] == 1
    assert tally.skipped == 1
    assert not shared.pending


def test_one_that_blocks_in_the_middle_leaves_and_the_others_are_served() -> None:
    shared, tally = lane(), Tally()
    clients = members(shared, 3)
    for client in clients:

        def take(data: bytes, client: FakeClient = client) -> None:
            client.take(data)
            shared.leave(client)

        client.write = take
    shared.append(b"a")
    shared.flush(tally)
    assert [client.writes for client in clients] == [[b"a"]] * 3
    assert not shared.members


def test_what_a_socket_does_not_take_is_seen_to() -> None:
    shared, tally = lane(), Tally()
    full, half, whole = members(shared, 3)

    def refuse(data: bytes) -> int:
        raise BlockingIOError

    full.write, half.write, whole.write = refuse, lambda data: 1, len
    shared.append(b"abc")
    shared.flush(tally)
    write_to(full, b"def")
    write_to(half, b"def")
    write_to(whole, b"def")
    assert [client.rests for client in (full, half, whole)] == [[b"abc", b"def"], [b"bc", b"ef"], []]
    assert full.failures == []


def test_one_whose_write_fails_leaves_the_others_theirs() -> None:
    for late in (False, True):
        shared, tally = lane(), Tally()
        one, two = members(shared, 2)

        def fail(data: bytes) -> None:
            raise RuntimeError("a defect")

        one.write = fail
        shared.append(b"a")
        if late:
            members(shared, 1)
        shared.flush(tally)
        assert one.failures == ["flush"]
        assert two.writes == [b"a"]


def test_a_member_rewired_is_written_to_the_new_way_and_the_others_as_before() -> None:
    for count in (1, 2):
        shared, tally = lane(), Tally()
        clients = members(shared, count)
        shared.append(b"a")
        shared.flush(tally)
        kept: list[bytes] = []
        clients[0].write = kept.append
        shared.rewire()
        shared.append(b"b")
        shared.flush(tally)
        assert clients[0].writes == [b"a"]
        assert kept == [b"b"]
        assert [client.writes for client in clients[1:]] == [[b"a", b"b"]] * (count - 1)


def test_the_only_member_may_fail_take_a_part_or_leave() -> None:
    shared, tally = lane(), Tally()
    (only,) = members(shared, 1)

    def fail(data: bytes) -> None:
        raise RuntimeError("a defect")

    def leave(data: bytes) -> None:
        only.take(data)
        shared.leave(only)

    for write in (lambda data: 1, fail, leave):
        only.write = write
        shared.rewire()
        shared.append(b"abc")
        assert shared.flush(tally) == 1
    assert (only.rests, only.failures, only.writes) == ([b"bc"], ["flush"], [b"abc"])
    assert not shared.members
    assert (tally.frames, tally.bytes) == (3, 9)


def test_members_written_to_in_different_ways_are_all_served_whatever_one_does() -> None:
    shared, tally = lane(), Tally()
    clients = members(shared, 5)
    kept: list[bytes] = []

    def refuse(sink: object, data: bytes) -> int:
        raise BlockingIOError

    clients[1].send, clients[1].sink = list.append, kept
    clients[2].send = refuse
    shared.rewire()
    shared.append(b"abc")
    assert shared.flush(tally) == 5
    assert kept == [b"abc"]
    assert clients[2].rests == [b"abc"]
    assert [client.writes for client in clients[::3] + clients[4:]] == [[b"abc"]] * 3
