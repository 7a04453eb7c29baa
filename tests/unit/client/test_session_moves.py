"""The client's side of the protocol: moving to another connection, gaps, deltas and encodings."""

from typing import Any

import msgspec

from quotewire.client.entries import Reader
from quotewire.client.session import SendMessage, Wake
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_types import Reason, State
from quotewire.wire import messages as wire
from quotewire.wire.options import Cause, Gap, Options
from tests.client_peer import Peer, acknowledge, quote, welcome

# --- moving to another connection ---


def reading(peer: Peer) -> Reader:
    """One reader of AAPL, at sequence 4."""
    peer.live()
    reader = peer.join("AAPL")
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[quote(4)]))
    return reader


def sequences(reader: Reader) -> list[int]:
    taken = []
    while (item := reader.mailbox.get()) is not None:
        assert isinstance(item, Quote)
        taken.append(item.sequence)
    return taken


def moving(peer: Peer) -> tuple[int, int]:
    """The gateway asks to move, and a second connection has been opened: the numbers of both sockets."""
    first = peer.session.socket
    assert first is not None
    peer.hear(wire.Reconnect(after_ms=2000, deadline_ms=30_000, reason="draining"))
    assert [effect.at for effect in peer.of(do.ScheduleTick)] == [peer.now + 2.0]
    peer.now += 2.0
    peer.step(on.Tick())
    (prepare,) = peer.of(do.Prepare)
    peer.step(on.Prepared(prepare.socket))
    peer.step(on.Opened(prepare.socket))
    assert len(peer.sent("hello")) == 1
    return first, prepare.socket


def test_asked_to_move_it_opens_a_second_connection_and_closes_the_first_once_all_stands(peer: Peer) -> None:
    reader = reading(peer)
    first, second = moving(peer)
    assert peer.session.state(peer.now).state is State.CONNECTED
    peer.hear(welcome(), second)
    (command,) = peer.sent("subscribe")
    assert command["resume"] == [[8049, 1, 4]]
    peer.hear(wire.Quotes(quotes=[quote(5)]), first)
    granted = wire.SymbolResult(ok=True, symbol="AAPL", symbol_id=8049)
    peer.hear(wire.Subscribed(request_id=command["requestId"], results=[granted]), second)
    assert peer.of(do.Close) == []
    peer.hear(wire.Snapshot(request_id=command["requestId"], quotes=[]), second)
    assert peer.of(do.Close) == []
    peer.hear(wire.Quotes(quotes=[quote(5), quote(6)]), second)
    (close,) = peer.of(do.Close)
    assert (close.socket, close.code, peer.session.socket) == (first, 1000, second)
    peer.hear(wire.Quotes(quotes=[quote(7)]), first)
    assert peer.effects == []
    peer.hear(wire.Quotes(quotes=[quote(7)]), second)
    assert sequences(reader) == [4, 5, 6, 7]
    peer.step(on.Closed(first, 1000))
    assert peer.effects == []
    assert peer.session.state(peer.now).state is State.CONNECTED


def anew(sequence: int, price: float, freshness: Freshness = Freshness.LIVE) -> Quote:
    """A quote as another gateway counts it; here the one in use counts it twenty further."""
    return msgspec.structs.replace(quote(sequence, freshness), epoch=9, bid_price=price)


def counted(sequence: int, price: float) -> Quote:
    return msgspec.structs.replace(quote(sequence), bid_price=price)


def taken(reader: Reader) -> list[object]:
    items: list[object] = []
    while (item := reader.mailbox.get()) is not None:
        items.append((item.epoch, item.sequence, item.bid_price) if isinstance(item, Quote) else item)
    return items


def crossing(peer: Peer) -> tuple[Reader, int, int, str]:
    """A move to a gateway that counts anew, at the point where it tells so."""
    reader = reading(peer)
    first, second = moving(peer)
    peer.hear(welcome(), second)
    (command,) = peer.sent("subscribe")
    granted = wire.SymbolResult(ok=True, symbol="AAPL", symbol_id=8049)
    peer.hear(wire.Subscribed(request_id=command["requestId"], results=[granted]), second)
    peer.hear(wire.Gaps(gaps=[Gap("AAPL", 8049, 9, 1, 0, None, None, Cause.EPOCH)]), second)
    taken(reader)
    return reader, first, second, command["requestId"]


def test_a_gateway_that_is_behind_repeats_nothing(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    for sequence in (5, 6, 7):
        peer.hear(wire.Quotes(quotes=[counted(sequence, sequence / 10)]), first)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[anew(1, 0.6)]), second)
    assert [close.socket for close in peer.of(do.Close)] == [first]
    peer.hear(wire.Quotes(quotes=[anew(2, 0.7)]))
    peer.hear(wire.Quotes(quotes=[anew(3, 0.8)]))
    assert taken(reader) == [(1, 5, 0.5), (1, 6, 0.6), (1, 7, 0.7), (9, 3, 0.8)]


def test_a_gateway_that_is_ahead_waits_for_the_one_that_is_left(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[anew(1, 0.6)]), second)
    peer.hear(wire.Quotes(quotes=[anew(2, 0.7)]), second)
    assert peer.of(do.Close) == []
    peer.hear(wire.Quotes(quotes=[counted(5, 0.5)]), first)
    peer.hear(wire.Quotes(quotes=[counted(6, 0.6)]), first)
    assert [close.socket for close in peer.of(do.Close)] == [first]
    assert taken(reader) == [(1, 5, 0.5), (1, 6, 0.6), (9, 2, 0.7)]


def test_a_gateway_that_is_cold_is_waited_for(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[]), second)
    peer.hear(wire.Quotes(quotes=[counted(5, 0.5)]), first)
    assert peer.of(do.Close) == []
    peer.hear(wire.Quotes(quotes=[anew(1, 0.5)]), second)
    assert [close.socket for close in peer.of(do.Close)] == [first]
    peer.hear(wire.Quotes(quotes=[anew(2, 0.6)]))
    assert taken(reader) == [(1, 5, 0.5), (9, 2, 0.6)]
    latest = peer.session.subscriptions.latest(8049)
    assert latest == anew(2, 0.6)


def test_a_gateway_whose_own_road_does_not_stand_is_waited_for(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    fetched = msgspec.structs.replace(anew(1, 0.5), source=Source.POLL, freshness=Freshness.RECOVERING)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[fetched]), second)
    for sequence in (5, 6, 7):
        peer.hear(wire.Quotes(quotes=[counted(sequence, sequence / 10)]), first)
    assert peer.of(do.Close) == []
    peer.hear(wire.Quotes(quotes=[anew(2, 0.7)]), second)
    assert [close.socket for close in peer.of(do.Close)] == [first]
    peer.hear(wire.Quotes(quotes=[anew(3, 0.8)]))
    assert taken(reader) == [(1, 5, 0.5), (1, 6, 0.6), (1, 7, 0.7), (9, 3, 0.8)]


def test_a_move_given_up_half_way_goes_back_to_the_first_count(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    other = msgspec.structs.replace(quote(1), symbol_id=7, symbol="X")
    peer.session._splice.first([other])  # type: ignore[union-attr]
    assert peer.session._move is not None
    peer.session._move.granted.add(7)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[anew(1, 0.5)]), second)
    peer.hear(wire.Quotes(quotes=[counted(5, 0.5)]), first)
    peer.hear(wire.Quotes(quotes=[anew(2, 0.6)]), second)
    assert peer.of(do.Close) == []
    peer.step(on.Closed(second, 4503))
    assert peer.session.socket == first
    peer.hear(wire.Quotes(quotes=[counted(6, 0.6), counted(7, 0.7)]), first)
    assert taken(reader) == [(1, 5, 0.5), (9, 2, 0.6), (1, 6, 0.6), (1, 7, 0.7)]


def test_what_cannot_be_joined_is_told_as_a_gap_just_before_the_first_is_closed(peer: Peer) -> None:
    reader, first, second, request_id = crossing(peer)
    peer.hear(wire.Snapshot(request_id=request_id, quotes=[anew(1, 0.9)]), second)
    peer.now += 27.7
    peer.step(on.Tick())
    assert peer.of(do.Close) == []
    peer.now += 0.2
    peer.step(on.Tick())
    assert [close.socket for close in peer.of(do.Close)] == [first]
    assert taken(reader) == [Gap("AAPL", 8049, 9, 1, 0, None, None, Cause.EPOCH), (9, 1, 0.9)]


def test_a_count_with_a_lower_number_is_followed_once_it_is_told(peer: Peer) -> None:
    reader = reading(peer)
    peer.hear(wire.Gaps(gaps=[Gap("AAPL", 8049, 0, 1, 1, None, None, Cause.EPOCH)]))
    peer.hear(wire.Quotes(quotes=[msgspec.structs.replace(quote(2), epoch=0), quote(5)]))
    assert [item for item in taken(reader) if not isinstance(item, Gap)] == [(1, 4, None), (0, 2, None), (1, 5, None)]


def test_the_first_connection_closed_early_leaves_the_second_in_its_place(peer: Peer) -> None:
    reader = reading(peer)
    first, second = moving(peer)
    peer.hear(welcome(), second)
    peer.step(on.Closed(first, 1001))
    assert peer.session.socket == second
    assert [message["resume"] for message in peer.sent("subscribe")] == [[[8049, 1, 4]]]
    assert peer.session.state(peer.now).state is State.CONNECTED
    peer.hear(wire.Quotes(quotes=[quote(5)]))
    assert sequences(reader) == [4, 5]


def test_the_first_connection_closed_before_the_second_stands_goes_the_usual_way(peer: Peer) -> None:
    reading(peer)
    first, second = moving(peer)
    peer.step(on.Closed(first, 1001))
    assert [close.socket for close in peer.of(do.Close)] == [second]
    assert peer.session.state(peer.now).reason is Reason.CLOSED_BY_PEER
    for late in (on.Authenticated(second), on.Closed(second, 1006)):
        peer.step(late)
    peer.now += 5.0
    peer.live()
    assert [message["resume"] for message in peer.sent("subscribe")] == [[[8049, 1, 4]]]


def test_a_second_connection_that_is_refused_is_given_up_and_the_first_serves_on(peer: Peer) -> None:
    reader = reading(peer)
    first, second = moving(peer)
    peer.step(on.Closed(second, 4001))
    assert peer.of(do.RefreshToken) == []
    assert peer.session.socket == first
    peer.hear(wire.Quotes(quotes=[quote(5)]), first)
    assert sequences(reader) == [4, 5]


def test_a_client_that_reads_nothing_moves_as_soon_as_it_is_welcome(peer: Peer) -> None:
    peer.live()
    first, second = moving(peer)
    peer.hear(welcome(), second)
    assert [close.socket for close in peer.of(do.Close)] == [first]
    assert peer.session.socket == second


def test_the_end_closes_both_connections(peer: Peer) -> None:
    reading(peer)
    first, second = moving(peer)
    peer.step(on.DisconnectRequested())
    assert sorted(close.socket for close in peer.of(do.Close)) == sorted([first, second])


# --- gaps, deltas, encodings ---


def test_a_gap_comes_between_the_quotes_around_it_and_is_counted(peer: Peer) -> None:
    reader = reading(peer)
    hole = Gap("AAPL", 8049, 1, 5, 7, None, None, Cause.SLOW)
    peer.hear(wire.Gaps(gaps=[hole]))
    assert peer.of(Wake) == [Wake((reader,))]
    peer.hear(wire.Quotes(quotes=[quote(8)], skipped=3, lag_ms=40))
    assert [reader.mailbox.get() for _ in range(3)] == [quote(4), hole, quote(8)]
    metrics = peer.session.metrics([reader], 0, peer.now)
    assert (metrics.gaps_received, metrics.quotes_skipped, metrics.lag) == (1, 3, 40)


def delta(sequence: int, **changes: Any) -> bytes:
    told = {"symbolId": 8049, "epoch": 1, "sequence": sequence, "delta": True, **changes}
    return msgspec.json.encode({"type": "quotes", "quotes": [told]})


def test_deltas_become_whole_quotes(peer: Peer) -> None:
    peer.live()
    reader = Reader(["AAPL"], 8, Options(delta=True))
    peer.effects = peer.session.join(reader, peer.now)
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[msgspec.structs.replace(quote(4), bid_price=1.0, ask_price=2.0)]))
    peer.hear(delta(5, bidPrice=1.5))
    peer.hear(delta(6, askPrice=None, freshness="stale"))
    peer.hear(wire.Quotes(quotes=[quote(7)]))
    peer.hear(delta(8, VWAP=3.0))
    taken = [reader.mailbox.get() for _ in range(5)]
    assert taken == [
        msgspec.structs.replace(quote(4), bid_price=1.0, ask_price=2.0),
        msgspec.structs.replace(quote(5), bid_price=1.5, ask_price=2.0),
        msgspec.structs.replace(quote(6), bid_price=1.5, freshness=Freshness.STALE),
        quote(7),
        msgspec.structs.replace(quote(8), vwap=3.0),
    ]


def test_a_delta_of_another_connection_is_no_base(peer: Peer) -> None:
    peer.live()
    reader = Reader(["AAPL"], 8, Options(delta=True))
    peer.effects = peer.session.join(reader, peer.now)
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[quote(4)]))
    peer.step(on.Closed(peer.session.socket or 0, 1006))
    peer.now += 5.0
    peer.live()
    acknowledge(peer)
    peer.hear(delta(5, bidPrice=1.5))
    assert [message["resume"] for message in peer.sent("subscribe")] == [[[8049, 1, 4]]]
    assert sequences(reader) == [4]


def test_msgpack_is_the_same_conversation_in_bytes() -> None:
    peer = Peer("msgpack")
    peer.step(on.ConnectRequested())
    peer.session.credentials("alice", "t")
    peer.step(on.Prepared(1))
    peer.step(on.Opened(1))
    (hello,) = peer.of(SendMessage)
    assert isinstance(hello.data, bytes)
    assert msgspec.msgpack.decode(hello.data)["type"] == "hello"
    peer.effects = peer.session.received(1, msgspec.msgpack.encode(welcome()), peer.now)
    reader = peer.join("AAPL")
    (command,) = peer.of(SendMessage)
    peer.session.received(1, msgspec.msgpack.encode({"type": "new in 2031"}), peer.now)
    assert peer.session.counters.messages_unreadable == 0
    granted = wire.SymbolResult(ok=True, symbol="AAPL", symbol_id=8049)
    peer.session.received(
        1, msgspec.msgpack.encode(wire.Subscribed(request_id=command.request_id, results=[granted])), 0
    )
    peer.session.received(1, msgspec.msgpack.encode(wire.Quotes(quotes=[quote(4)])), peer.now)
    assert sequences(reader) == [4]
    peer.session.received(1, b'{"type":"pong"}', peer.now)
    assert peer.session.counters.messages_unreadable == 1
