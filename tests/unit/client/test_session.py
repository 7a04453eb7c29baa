"""The client's side of the protocol, driven by hand: what is sent, what is believed, what is told."""

import msgspec
import pytest

from quotewire.client.session import SendMessage, Wake
from quotewire.market.quote import Freshness
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_types import Reason, State
from quotewire.wire import messages as wire
from quotewire.wire.codes import ErrorCode
from tests.client_peer import OFFSET, UPSTREAM, Peer, acknowledge, quote, welcome


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
