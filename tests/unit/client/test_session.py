"""The client's side of the protocol, driven by hand: what is sent, what is believed, what is told."""

from itertools import count
from typing import Any, TypeVar

import msgspec
import pytest

from quotewire.client.entries import Reader
from quotewire.client.session import SendMessage, Session, Wake
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle_types import LifecycleConfig, Reason, State
from quotewire.wire import messages as wire
from quotewire.wire.capabilities import Capability
from quotewire.wire.codes import ErrorCode
from quotewire.wire.options import Cause, Gap, Options

E = TypeVar("E")

CONFIG = LifecycleConfig(backoff=Backoff(jitter=Jitter.OFF), max_attempts=2)
OFFSET = 1_764_000_000.0
UPSTREAM = wire.UpstreamState(state="connected", reason="authenticated", since=0)


class Peer:
    """A session, the gateway's answers to it, and a clock."""

    def __init__(self, encoding: str = "json") -> None:
        numbers = count(1)
        self.now = 100.0
        self.session = Session(
            CONFIG,
            lambda: 0.0,
            lambda prefix: f"{prefix}-{next(numbers)}",
            connection_id="ws-1-a",
            version="0.1.0",
            epoch_offset_s=OFFSET,
            now=self.now,
            encoding=encoding,
        )
        self.effects: list[Any] = []

    def step(self, event: on.Event) -> None:
        self.effects = self.session.step(event, self.now)

    def hear(self, message: wire.Message | bytes, socket: int | None = None) -> None:
        text = message if isinstance(message, bytes) else msgspec.json.encode(message)
        number = self.session.socket if socket is None else socket
        assert number is not None
        self.effects = self.session.received(number, text, self.now)

    def join(self, *names: str | int) -> Reader:
        reader = Reader(names, 8)
        self.effects = self.session.join(reader, self.now)
        return reader

    def of(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def sent(self, kind: str) -> list[dict[str, Any]]:
        texts = [msgspec.json.decode(effect.data) for effect in self.of(SendMessage)]
        return [message for message in texts if message["type"] == kind]

    def authenticating(self) -> "Peer":
        if self.session.socket is None:
            self.step(on.ConnectRequested() if self.session.counters.connections_attempted == 0 else on.Tick())
        number = self.session.socket
        assert number is not None
        self.session.credentials("alice", "secret-token")
        self.step(on.Prepared(number))
        self.step(on.Opened(number))
        return self

    def live(self) -> "Peer":
        self.authenticating()
        self.hear(welcome())
        return self


def welcome() -> wire.Welcome:
    return wire.Welcome(
        protocol=1,
        connection_id="ws-1-a",
        version="0.1.0",
        server_time=0,
        ping_interval_ms=30_000,
        pong_timeout_ms=5_000,
        max_message_bytes=262_144,
        max_symbols=5_000,
        upstream=UPSTREAM,
        capabilities=sorted(Capability),
    )


def quote(sequence: int, freshness: Freshness = Freshness.LIVE) -> Quote:
    return Quote(
        symbol="AAPL",
        symbol_id=8049,
        epoch=1,
        sequence=sequence,
        freshness=freshness,
        source=Source.STREAM,
        delayed=False,
        received_at=0,
    )


def acknowledge(peer: Peer) -> None:
    (command,) = peer.sent("subscribe")
    granted = wire.SymbolResult(ok=True, symbol="AAPL", symbol_id=8049)
    peer.hear(wire.Subscribed(request_id=command["requestId"], results=[granted]))


@pytest.fixture
def peer() -> Peer:
    return Peer()


def test_hello_is_the_first_message_and_carries_who_is_calling(peer: Peer) -> None:
    (hello,) = peer.authenticating().sent("hello")
    assert hello == {
        "type": "hello",
        "requestId": "hello-1",
        "token": "secret-token",
        "connectionId": "ws-1-a",
        "clientVersion": "0.1.0",
        "capabilities": ["delta", "fields", "gap", "maxRate", "mode", "reconnect", "resume"],
    }
    assert peer.session.state(peer.now).state is State.CONNECTING


def test_the_token_is_in_no_repr(peer: Peer) -> None:
    peer.authenticating()
    assert "secret-token" not in repr(peer.session) + repr(peer.session.state(peer.now))


def test_welcome_connects_and_subscribes_what_was_wanted_before(peer: Peer) -> None:
    peer.join("AAPL")
    peer.live()
    state = peer.session.state(peer.now)
    assert (state.state, state.person, state.symbol_count, state.upstream) == (State.CONNECTED, "alice", 1, UPSTREAM)
    assert [message["symbols"] for message in peer.sent("subscribe")] == [["AAPL"]]


def test_quotes_wake_their_readers(peer: Peer) -> None:
    peer.live()
    reader = peer.join("AAPL")
    acknowledge(peer)
    assert peer.of(Wake) == [Wake((reader,))]
    peer.hear(wire.Snapshot(quotes=[quote(4)]))
    peer.hear(wire.Quotes(quotes=[quote(4), quote(5)], skipped=3))
    assert peer.of(Wake) == [Wake((reader,))]
    assert [reader.mailbox.get(), reader.mailbox.get(), reader.mailbox.get()] == [quote(4), quote(5), None]
    assert peer.session.metrics([reader], 2, peer.now).quotes_skipped == 5
    assert peer.session.state(peer.now).last_update == round((OFFSET + peer.now) * 1000)


def test_what_comes_on_a_socket_given_up_is_ignored(peer: Peer) -> None:
    peer.live()
    old = peer.session.socket
    peer.step(on.Closed(old or 0, 1006))
    assert peer.session.received(old or 0, msgspec.json.encode(welcome()), peer.now) == []
    assert peer.session.state(peer.now).state is State.CONNECTING


def test_unknown_types_are_ignored_and_rubbish_is_counted(peer: Peer) -> None:
    peer.live()
    peer.hear(b'{"type":"weather","sky":"blue"}')
    assert peer.session.counters.messages_unreadable == 0
    for rubbish in (b"{", b"[]", b'{"type":"quotes","quotes":7}', b"\xff", b"[" * 100_000):
        peer.hear(rubbish)
        assert peer.effects == []
    assert peer.session.counters.messages_unreadable == 5
    assert peer.session.state(peer.now).state is State.CONNECTED


def test_unknown_keys_are_ignored(peer: Peer) -> None:
    peer.live()
    peer.hear(b'{"type":"status","upstream":{"state":"degraded","reason":"x","since":1,"new":2},"more":[]}')
    upstream = peer.session.state(peer.now).upstream
    assert upstream is not None
    assert upstream.state == "degraded"


def test_pings_carry_a_timestamp_and_measure_the_latency(peer: Peer) -> None:
    peer.live()
    peer.now += 30.0
    peer.step(on.Tick())
    (ping,) = peer.sent("ping")
    assert ping["timestamp"] == round((OFFSET + peer.now) * 1000)
    peer.now += 0.25
    peer.hear(wire.Pong(timestamp=1, server_time=0))
    assert peer.session.state(peer.now).latency_ms is None
    peer.hear(wire.Pong(timestamp=ping["timestamp"], server_time=0))
    assert peer.session.state(peer.now).latency_ms == pytest.approx(250.0)


def test_an_unanswered_ping_ends_the_connection(peer: Peer) -> None:
    peer.live()
    peer.now += 30.0
    peer.step(on.Tick())
    peer.now += 5.0
    peer.step(on.Tick())
    assert [(effect.code, effect.reason) for effect in peer.of(do.Close)] == [(1000, Reason.PONG_TIMEOUT)]


def test_a_reconnect_subscribes_again_and_goes_on(peer: Peer) -> None:
    peer.live()
    reader = peer.join("AAPL")
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[quote(4)]))
    peer.step(on.Closed(peer.session.socket or 0, 1006))
    assert peer.session.state(peer.now).reason is Reason.CONNECTION_LOST
    assert peer.session.state(peer.now).upstream is None
    peer.now += 5.0
    peer.live()
    assert [message["resume"] for message in peer.sent("subscribe")] == [[[8049, 1, 4]]]
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[quote(4)]))
    peer.hear(wire.Quotes(quotes=[quote(5)]))
    assert [reader.mailbox.get(), reader.mailbox.get(), reader.mailbox.get()] == [quote(4), quote(5), None]
    metrics = peer.session.metrics([reader], 0, peer.now)
    assert (metrics.connections_attempted, metrics.connections_succeeded, metrics.connections_failed) == (2, 2, 0)
    assert metrics.reconnection_count == 1


def test_silence_is_abnormal_only_while_a_symbol_is_called_live(peer: Peer) -> None:
    peer.live()
    peer.join("AAPL")
    acknowledge(peer)
    peer.hear(wire.Snapshot(quotes=[quote(4, Freshness.CLOSED)]))
    for _ in range(40):  # ten minutes of pings and pongs, and not a quote
        peer.now += 15.0
        peer.step(on.Tick())
        for ping in peer.sent("ping"):
            peer.hear(wire.Pong(timestamp=ping["timestamp"], server_time=0))
        assert peer.sent("subscribe") == []
    peer.hear(wire.Quotes(quotes=[quote(5)]))
    assert peer.session.state(peer.now).state is State.CONNECTED
    repeated = []
    for _ in range(3):
        peer.now += 15.0
        peer.step(on.Tick())
        repeated += peer.sent("subscribe")
        for ping in peer.sent("ping"):
            peer.hear(wire.Pong(timestamp=ping["timestamp"], server_time=0))
    assert [message["resume"] for message in repeated] == [[[8049, 1, 5]]]


def test_4001_asks_for_a_new_token_and_a_code_above_4500_ends_it(peer: Peer) -> None:
    peer.live()
    peer.step(on.Closed(peer.session.socket or 0, 4001))
    (refresh,) = peer.of(do.RefreshToken)
    peer.session.credentials("alice", "newer")
    peer.step(on.TokenRefreshed(refresh.person))
    assert peer.session.metrics([], 0, peer.now).token_refresh_count == 1
    peer.now += 1.0
    peer.live()
    peer.step(on.Closed(peer.session.socket or 0, 4502))
    assert peer.session.failed
    assert peer.session.state(peer.now).state is State.ERROR


def test_attempts_exhausted_lead_to_polling_and_polled_quotes_count(peer: Peer) -> None:
    reader = peer.join("AAPL")
    peer.step(on.ConnectRequested(("AAPL",)))
    polling: list[do.StartPolling] = []
    for _ in range(3):
        peer.step(on.Closed(peer.session.socket or 0, 1006))
        polling += peer.of(do.StartPolling)
        peer.now += 120.0
        peer.step(on.Tick())
    assert len(polling) == 1
    assert peer.session.state(peer.now).state is State.DEGRADED
    peer.effects = peer.session.polled([quote(9)], peer.now)
    assert peer.of(Wake) == [Wake((reader,))]
    assert peer.of(do.Prepare) == []
    peer.step(on.PollFailed())
    latest = peer.session.subscriptions.latest("AAPL")
    assert latest is not None
    assert latest.freshness is Freshness.STALE
    peer.step(on.Closed(peer.session.socket or 0, 1006))
    peer.now += 10.0
    peer.effects = peer.session.polled([quote(10)], peer.now)
    assert len(peer.of(do.Prepare)) == 1  # it answers again: no waiting out a back-off


def test_an_error_is_told_and_refuses_the_command_it_answers(peer: Peer) -> None:
    peer.live()
    reader = peer.join("AAPL")
    (command,) = peer.sent("subscribe")
    told = wire.Error(request_id=command["requestId"], code=ErrorCode.TOO_MANY_SYMBOLS, message="too many symbols")
    peer.hear(told)
    assert reader.hopeless
    assert peer.session.state(peer.now).detail == "too many symbols"


def test_one_alarm_clock_serves_both_machines(peer: Peer) -> None:
    peer.live()
    peer.join("AAPL")
    assert [effect.at for effect in peer.of(do.ScheduleTick)] == []  # the ping is due before the answer would be late
    (command,) = peer.sent("subscribe")
    late = wire.SymbolResult(ok=False, symbol="AAPL", code=ErrorCode.UPSTREAM_UNAVAILABLE, retryable=True)
    peer.hear(wire.Subscribed(request_id=command["requestId"], results=[late]))
    assert [effect.at for effect in peer.of(do.ScheduleTick)] == [peer.now + 5.0]
    peer.now += 5.0
    peer.step(on.Tick())
    assert [message["symbols"] for message in peer.sent("subscribe")] == [["AAPL"]]


def test_what_is_logged_of_a_message_has_its_request_id_and_not_its_text(peer: Peer) -> None:
    (effect,) = peer.authenticating().of(SendMessage)
    assert (effect.command, effect.request_id) == ("hello", "hello-1")
    assert "secret-token" not in repr(effect)


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
