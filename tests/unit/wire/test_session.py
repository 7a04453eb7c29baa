"""The server's side of one client: every row of its table, deadlines in virtual time, and the order of commands."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from quotewire.wire.capabilities import Capability
from quotewire.wire.codes import CLOSES, CloseCode, ErrorCode
from quotewire.wire.commands import Authenticate, Resolution
from quotewire.wire.dialect import Dialect, Facts
from quotewire.wire.limits import SessionLimits
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.options import Cause, Gap, Options, Position
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import Effect, End, Join, Leave, Phase, Resolve, Send, SendPing, ServerSession, Verify
from tests.wire_samples import upstream

NATIVE, MSGPACK, PLAIN = NativeDialect(), MsgpackDialect(), PlainDialect()
LIMITS = SessionLimits(
    upgrade_timeout_s=5,
    auth_timeout_s=10,
    ping_interval_s=30,
    pong_timeout_s=5,
    idle_timeout_s=300,
    slow_timeout_s=30,
    max_symbols=5,
    wall_ms=lambda now: int(now * 1000) + 1_000_000,
)
FACTS = Facts(
    connection_id="ws-1",
    version="0",
    server_time=5,
    ping_interval_ms=1,
    pong_timeout_ms=2,
    max_message_bytes=3,
    max_symbols=5,
    upstream=upstream(),
)
START = 1000.0
HELLO = '{"type":"hello","token":"good","requestId":"h"}'


def begin(dialect: Dialect = NATIVE, limits: SessionLimits = LIMITS) -> ServerSession:
    return ServerSession(dialect, limits, now=START, first_ping_in_s=20.0)


def live(dialect: Dialect = NATIVE, limits: SessionLimits = LIMITS) -> ServerSession:
    session = begin(dialect, limits)
    (verify,) = session.text(HELLO if dialect is NATIVE else "good", START)
    assert isinstance(verify, Verify)
    session.authenticated(verify.request, FACTS)
    assert session.phase is Phase.LIVE
    return session


def told(effects: Sequence[Effect]) -> list[dict[str, Any]]:
    return [msgspec.json.decode(effect.payload) for effect in effects if isinstance(effect, Send)]


def kinds(effects: Sequence[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def found(*ids: int) -> list[Resolution]:
    return [Resolution(i, symbol=f"S{i}", symbol_id=i) for i in ids]


def unknown(asked: str | int) -> Resolution:
    return Resolution(asked, code=ErrorCode.UNKNOWN_SYMBOL, reason="unknown")


def unavailable(asked: str | int) -> Resolution:
    return Resolution(asked, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason="down", retryable=True)


def subscribe(*ids: int, request_id: str = "s") -> str:
    return msgspec.json.encode({"type": "subscribe", "ids": ids, "requestId": request_id}).decode()


def streaming(*ids: int, request_id: str = "s") -> str:
    return msgspec.json.encode({"mode": "streaming", "ids": ids, "requestId": request_id}).decode()


def join(session: ServerSession, *ids: int, now: float = START) -> None:
    session.text(subscribe(*ids), now)
    session.resolved(found(*ids), now)


# --- AUTHENTICATING ---


def test_hello_asks_for_a_verdict() -> None:
    session = begin()
    (verify,) = session.text(HELLO, START)
    assert verify == Verify(Authenticate("good", request_id="h"))
    assert session.phase is Phase.VERIFYING


def test_a_plain_token_asks_for_a_verdict() -> None:
    session = begin(PLAIN)
    assert session.text("good", START) == [Verify(Authenticate("good"))]


@pytest.mark.parametrize(
    ("text", "code", "close"),
    [
        ("nonsense", ErrorCode.INVALID_JSON, CloseCode.INVALID_JSON),
        ('{"type":"ping"}', ErrorCode.NOT_AUTHENTICATED, CloseCode.NOT_AUTHENTICATED),
        ('{"type":"what"}', ErrorCode.NOT_AUTHENTICATED, CloseCode.NOT_AUTHENTICATED),
        ('{"type":"hello"}', ErrorCode.NOT_AUTHENTICATED, CloseCode.NOT_AUTHENTICATED),
        ('{"type":"hello","token":"t","protocol":2}', ErrorCode.UNSUPPORTED_PROTOCOL, CloseCode.UNSUPPORTED_PROTOCOL),
    ],
)
def test_anything_else_first_is_told_and_closed(text: str, code: ErrorCode, close: CloseCode) -> None:
    session = begin()
    effects = session.text(text, START)
    assert kinds(effects) == ["Send", "End"]
    assert told(effects)[0]["code"] == code
    assert effects[-1] == End(close, CLOSES[close].reason)
    assert session.phase is Phase.CLOSED


def test_an_empty_plain_token_is_unauthorized() -> None:
    session = begin(PLAIN)
    effects = session.text(" ", START)
    assert told(effects)[0]["code"] == "unauthorized"
    assert effects[-1] == End(CloseCode.TOKEN_REFUSED, CLOSES[CloseCode.TOKEN_REFUSED].reason)


def test_silence_until_the_deadline_is_told_and_closed() -> None:
    session = begin()
    assert session.tick(START + 9.99) == []
    effects = session.tick(START + 10)
    assert told(effects)[0]["code"] == "auth_timeout"
    assert isinstance(effects[-1], End)
    assert effects[-1].code == CloseCode.AUTH_TIMEOUT
    assert session.tick(START + 11) == []


def test_frames_that_are_no_token_do_not_put_the_deadline_off() -> None:
    session = begin()
    session.heard(START + 9)
    session.pong(START + 9)
    assert kinds(session.tick(START + 10)) == ["Send", "End"]


# --- VERIFYING ---


def test_a_good_token_is_welcomed_with_its_request_id() -> None:
    session = begin()
    (verify,) = session.text(HELLO, START)
    assert isinstance(verify, Verify)
    (answer,) = told(session.authenticated(verify.request, FACTS))
    assert (answer["type"], answer["requestId"], answer["connectionId"]) == ("welcome", "h", "ws-1")


def test_a_bad_token_is_told_why_and_closed() -> None:
    session = begin()
    (verify,) = session.text(HELLO, START)
    assert isinstance(verify, Verify)
    effects = session.refused(verify.request, "expired", START)
    assert told(effects) == [
        {"type": "error", "requestId": "h", "code": "unauthorized", "message": "expired", "retryable": True}
    ]
    assert isinstance(effects[-1], End)
    assert effects[-1].code == CloseCode.TOKEN_REFUSED


def test_a_verdict_that_never_comes_runs_into_the_deadline() -> None:
    session = begin()
    session.text(HELLO, START)
    assert session.text(HELLO, START + 1) == []
    assert kinds(session.tick(START + 10)) == ["Send", "End"]


def test_a_verdict_after_the_end_does_nothing() -> None:
    session = begin()
    (verify,) = session.text(HELLO, START)
    assert isinstance(verify, Verify)
    session.tick(START + 10)
    assert session.authenticated(verify.request, FACTS) == []
    assert session.refused(verify.request, "no", START) == []
    assert session.phase is Phase.CLOSED


# --- LIVE: commands ---


def test_subscribe_is_looked_up_acknowledged_and_joined_in_this_order() -> None:
    session = live()
    text = '{"type":"subscribe","symbols":["A","NOPE"],"ids":[3],"requestId":"s1","timestamp":7}'
    assert session.text(text, START) == [Resolve(("A", "NOPE"), (3,))]
    effects = session.resolved([Resolution("A", symbol="A", symbol_id=1), unknown("NOPE"), *found(3)], START)
    assert kinds(effects) == ["Send", "Join"]
    (answer,) = told(effects)
    assert (answer["type"], answer["requestId"], answer["timestamp"]) == ("subscribed", "s1", 7)
    assert answer["results"] == [
        {"ok": True, "symbol": "A", "symbolId": 1},
        {"ok": False, "symbol": "NOPE", "code": "unknown_symbol", "reason": "unknown"},
        {"ok": True, "symbol": "S3", "symbolId": 3},
    ]
    assert effects[-1] == Join((1, 3), "s1")
    assert session.wanted == {1, 3}


def test_an_id_that_is_not_found_is_named_by_its_id() -> None:
    session = live()
    session.text(subscribe(9), START)
    (answer,) = told(session.resolved([unavailable(9)], START))
    assert answer["results"] == [
        {"ok": False, "symbolId": 9, "code": "upstream_unavailable", "reason": "down", "retryable": True}
    ]
    assert session.wanted == set()


def test_a_symbol_wanted_already_is_acknowledged_and_joined_again() -> None:
    session = live()
    join(session, 1)
    session.text(subscribe(1, 2), START)
    assert session.resolved(found(1, 2), START)[-1] == Join((1, 2), "s")


def test_one_symbol_named_twice_is_joined_once_and_answered_twice() -> None:
    session = live()
    session.text('{"type":"subscribe","symbols":["S1"],"ids":[1]}', START)
    effects = session.resolved([Resolution("S1", symbol="S1", symbol_id=1), *found(1)], START)
    assert len(told(effects)[0]["results"]) == 2
    assert effects[-1] == Join((1,), None)


def test_a_subscribe_of_nothing_is_answered_at_once_with_an_empty_snapshot() -> None:
    effects = live().text('{"type":"subscribe","requestId":"s"}', START)
    assert told(effects)[0]["results"] == []
    assert effects[-1] == Join((), "s")


def test_unsubscribe_leaves_before_it_is_acknowledged_and_needs_no_look_up_of_ids() -> None:
    session = live()
    join(session, 1, 2)
    effects = session.text('{"type":"unsubscribe","ids":[1,4],"requestId":"u"}', START)
    assert kinds(effects) == ["Leave", "Send"]
    assert effects[0] == Leave((1,))
    assert told(effects)[0]["results"] == [{"ok": True, "symbolId": 1}, {"ok": True, "symbolId": 4}]
    assert session.wanted == {2}


def test_unsubscribe_by_a_name_nobody_knows_is_done() -> None:
    session = live()
    assert session.text('{"type":"unsubscribe","symbols":["NOPE"]}', START) == [Resolve(("NOPE",), ())]
    effects = session.resolved([unknown("NOPE")], START)
    assert told(effects)[0]["results"] == [{"ok": True, "symbol": "NOPE"}]


def test_replace_lets_go_tells_and_joins_only_what_is_new() -> None:
    session = live(PLAIN)
    session.text(streaming(1, 2), START)
    assert session.resolved(found(1, 2), START)[-1] == Join((1, 2), "s")
    session.text(streaming(2, 3), START)
    effects = session.resolved(found(2, 3), START)
    assert kinds(effects) == ["Leave", "Send", "Join"]
    assert (effects[0], effects[-1]) == (Leave((1,)), Join((3,), "s"))
    assert session.wanted == {2, 3}


def test_replace_by_the_same_set_joins_nothing() -> None:
    session = live(PLAIN)
    session.text(streaming(1), START)
    session.resolved(found(1), START)
    session.text(streaming(1), START)
    assert kinds(session.resolved(found(1), START)) == ["Send"]


def test_replace_by_nothing_stops_all_quotes_without_a_look_up() -> None:
    session = live(PLAIN)
    session.text(streaming(1, 2), START)
    session.resolved(found(1, 2), START)
    effects = session.text(streaming(), START)
    assert kinds(effects) == ["Leave", "Send"]
    assert session.wanted == set()


def test_a_look_up_that_fails_for_now_takes_nothing_away_that_flows() -> None:
    session = live(PLAIN)
    session.text(streaming(1, 2), START)
    session.resolved(found(1, 2), START)
    session.text(streaming(1, 2, 3), START)
    effects = session.resolved([unavailable(1), unknown(2), unavailable(3)], START)
    assert session.wanted == {1}
    assert effects[0] == Leave((2,))
    assert [result["ok"] for result in told(effects)[0]["results"]] == [True, False, False]


# --- LIVE: order and bounds ---


def test_commands_are_answered_in_their_order_whatever_waits() -> None:
    session = live()
    session.text(subscribe(1, request_id="a"), START)
    assert session.text('{"type":"unsubscribe","ids":[1],"requestId":"b"}', START) == []
    assert session.text(subscribe(request_id="c"), START) == []
    assert session.text(subscribe(2, request_id="d"), START) == []
    effects = session.resolved(found(1), START)
    assert [answer["requestId"] for answer in told(effects)] == ["a", "b", "c"]
    assert effects[-1] == Resolve((), (2,))
    assert [answer["requestId"] for answer in told(session.resolved(found(2), START))] == ["d"]
    assert session.wanted == {2}


def test_ping_is_answered_at_once_whatever_waits() -> None:
    session = live()
    session.text(subscribe(1), START)
    (answer,) = told(session.text('{"type":"ping","timestamp":5,"requestId":"p"}', START + 2))
    assert answer == {"type": "pong", "requestId": "p", "timestamp": 5, "serverTime": 2_002_000}


def test_sixty_four_commands_may_wait_and_no_more() -> None:
    session = live()
    session.text(subscribe(1, request_id="first"), START)
    for i in range(64):
        assert session.text(subscribe(request_id=str(i)), START) == []
    (refused,) = told(session.text(subscribe(request_id="one too many"), START))
    assert (refused["code"], refused["requestId"], refused["retryable"]) == ("too_many_commands", "one too many", True)
    answers = told(session.resolved(found(1), START))
    assert [answer["requestId"] for answer in answers] == ["first", *map(str, range(64))]


def test_more_symbols_than_allowed_add_none() -> None:
    session = live()
    join(session, 1, 2, 3)
    session.text(subscribe(3, 4, 5), START)
    session.resolved(found(3, 4, 5), START)
    assert session.wanted == {1, 2, 3, 4, 5}
    session.text(subscribe(6, request_id="over"), START)
    (refused,) = told(session.resolved(found(6), START))
    assert (refused["code"], refused["requestId"]) == ("too_many_symbols", "over")
    assert session.wanted == {1, 2, 3, 4, 5}


def test_a_command_that_alone_names_too_many_is_not_looked_up() -> None:
    session = live()
    (refused,) = told(session.text(subscribe(1, 2, 3, 4, 5, 6), START))
    assert refused["code"] == "too_many_symbols"


def test_a_command_refused_in_the_queue_does_not_hold_up_the_next() -> None:
    session = live()
    session.text(subscribe(1, request_id="a"), START)
    session.text(subscribe(1, 2, 3, 4, 5, 6, request_id="b"), START)
    session.text(subscribe(2, request_id="c"), START)
    effects = session.resolved(found(1), START)
    assert [(a["requestId"], a["type"]) for a in told(effects)] == [("a", "subscribed"), ("b", "error")]
    assert effects[-1] == Resolve((), (2,))


def test_replace_by_as_many_as_allowed_is_allowed() -> None:
    session = live(PLAIN)
    for ids in ((1, 2, 3, 4, 5), (6, 7, 8, 9, 10)):
        session.text(streaming(*ids), START)
        session.resolved(found(*ids), START)
        assert session.wanted == set(ids)


# --- LIVE: errors ---


def test_a_second_hello() -> None:
    session = live()
    (answer,) = told(session.text(HELLO, START))
    assert (answer["code"], answer["requestId"]) == ("already_authenticated", "h")
    assert session.phase is Phase.LIVE


@pytest.mark.parametrize("code", [ErrorCode.BINARY_NOT_SUPPORTED, ErrorCode.MESSAGE_TOO_BIG, ErrorCode.INVALID_UTF8])
@pytest.mark.parametrize("dialect", [NATIVE, PLAIN])
def test_broken_limits_are_told_in_the_dialect_and_closed(code: ErrorCode, dialect: Dialect) -> None:
    session = live(dialect)
    effects = session.broken(code, "why", START)
    assert told(effects)[0]["code"] == code
    assert kinds(effects) == ["Send", "End"]
    assert session.broken(code, "again", START) == []


def test_a_protocol_violation_is_told_by_the_close_alone() -> None:
    assert live().broken(CloseCode.PROTOCOL_ERROR, "unmasked", START) == [End(CloseCode.PROTOCOL_ERROR, "unmasked")]


def test_invalid_json_closes() -> None:
    effects = live().text("nonsense", START)
    assert kinds(effects) == ["Send", "End"]
    assert effects[-1] == End(CloseCode.INVALID_JSON, CLOSES[CloseCode.INVALID_JSON].reason)


def test_the_twentieth_error_within_a_minute_closes() -> None:
    session = live()
    for i in range(19):
        assert kinds(session.text('{"type":"x"}', START + i)) == ["Send"]
    effects = session.text('{"type":"x"}', START + 60)
    assert [answer["code"] for answer in told(effects)] == ["unknown_type", "too_many_errors"]
    assert isinstance(effects[-1], End)
    assert effects[-1].code == CloseCode.TOO_MANY_ERRORS


def test_errors_spread_over_more_than_a_minute_do_not_close() -> None:
    session = live()
    for i in range(100):
        assert kinds(session.text('{"type":"x"}', START + i * 3.2)) == ["Send"]
    assert session.phase is Phase.LIVE


# --- LIVE: time ---


def test_pings_go_out_each_interval_after_the_first() -> None:
    session = live()
    assert session.tick(START + 19.9) == []
    assert session.tick(START + 20) == [SendPing()]
    session.pong(START + 20.1)
    assert session.tick(START + 49.9) == []
    assert session.tick(START + 50) == [SendPing()]


def test_a_ping_that_goes_unanswered_ends_it() -> None:
    session = live()
    session.tick(START + 20)
    session.text('{"type":"ping"}', START + 24)  # speaking is not answering
    assert session.tick(START + 24.9) == []
    assert session.tick(START + 25) == [End(CloseCode.PONG_TIMEOUT, CLOSES[CloseCode.PONG_TIMEOUT].reason, False)]
    assert session.phase is Phase.CLOSED


def test_a_pong_in_time_is_enough() -> None:
    session = live()
    session.tick(START + 20)
    session.pong(START + 24.9)
    assert session.tick(START + 25) == []


def test_while_nothing_can_be_written_no_ping_is_sent_and_none_is_overdue() -> None:
    session = live()
    session.tick(START + 20)
    assert session.tick(START + 40, writable=False) == []
    assert session.tick(START + 55, writable=False) == []
    assert session.tick(START + 56) == [SendPing()]
    assert session.tick(START + 59.9) == []
    assert kinds(session.tick(START + 60)) == ["End"]


def test_a_client_that_says_nothing_at_all_is_idle() -> None:
    session = live(limits=dataclasses.replace(LIMITS, pong_timeout_s=1000.0))
    for second in range(20, 300, 5):
        assert "End" not in kinds(session.tick(START + second))
    assert session.tick(START + 300) == [End(CloseCode.IDLE_TIMEOUT, CLOSES[CloseCode.IDLE_TIMEOUT].reason, False)]


def test_anything_heard_puts_the_idle_limit_off() -> None:
    session = live(limits=dataclasses.replace(LIMITS, pong_timeout_s=1000.0))
    session.heard(START + 299)
    assert "End" not in kinds(session.tick(START + 598))
    assert kinds(session.tick(START + 599)) == ["End"]


# --- CLOSED ---


def test_whatever_comes_after_the_end_is_ignored() -> None:
    session = live()
    session.text(subscribe(1), START)
    session.gone()
    assert session.resolved(found(1), START) == []
    assert session.text(subscribe(2), START) == []
    assert session.text("nonsense", START) == []
    assert session.broken(ErrorCode.BINARY_NOT_SUPPORTED, "x", START) == []
    assert session.broken(CloseCode.GOING_AWAY, "x", START) == []
    assert session.tick(START + 10_000) == []
    session.heard(START)
    session.pong(START)
    assert session.phase is Phase.CLOSED
    assert session.wanted == set()


def test_going_away_leaves_the_error_window_alone() -> None:
    session = live()
    for _ in range(19):
        session.text('{"type":"x"}', START)
    assert session.broken(CloseCode.GOING_AWAY, "bye", 0.0) == [End(CloseCode.GOING_AWAY, "bye")]


def test_commands_waiting_when_the_end_comes_are_not_started() -> None:
    session = live()
    session.text(subscribe(1), START)
    session.text(subscribe(2), START)
    session.text("nonsense", START)
    assert session.resolved(found(1), START) == []


# --- what was agreed, and what is told unasked ---


def agreeing(*capabilities: str) -> ServerSession:
    session = begin()
    hello = {"type": "hello", "token": "good", "capabilities": capabilities}
    (verify,) = session.text(msgspec.json.encode(hello).decode(), START)
    assert isinstance(verify, Verify)
    (answer,) = told(session.authenticated(verify.request, FACTS))
    assert answer.get("capabilities", []) == sorted(session.agreed)
    return session


HOLE = Gap("S1", 1, 7, 3, 9, None, None, Cause.SLOW)


def test_the_welcome_answers_with_what_of_the_offer_is_known() -> None:
    assert agreeing("reconnect", "gap", "teleport").agreed == {Capability.GAP, Capability.RECONNECT}
    assert agreeing().agreed == frozenset()
    assert live().agreed == frozenset()


def test_a_gap_is_told_to_those_who_agreed_alone() -> None:
    (answer,) = told(agreeing("gap").gaps([HOLE], "s"))
    assert answer == {
        "type": "gap",
        "requestId": "s",
        "gaps": [msgspec.to_builtins(HOLE)],
    }
    assert agreeing("reconnect").gaps([HOLE]) == []
    assert agreeing("gap").gaps([]) == []
    assert live(PLAIN).gaps([HOLE]) == []


def test_reconnect_is_told_to_those_who_agreed_alone() -> None:
    (answer,) = told(agreeing("reconnect").reconnect(500, 30_000, "draining"))
    assert answer == {"type": "reconnect", "afterMs": 500, "deadlineMs": 30_000, "reason": "draining"}
    assert agreeing("gap").reconnect(500, 30_000, "draining") == []


def test_nothing_is_told_unasked_before_or_after() -> None:
    before, after = begin(), agreeing("gap", "reconnect")
    after.gone()
    for session in (before, after):
        assert session.upstream(upstream()) == []
        assert session.gaps([HOLE]) == []
        assert session.reconnect(1, 2, "x") == []
    (answer,) = told(live().upstream(upstream("error")))
    assert (answer["type"], answer["upstream"]["state"]) == ("status", "error")
    assert live(PLAIN).upstream(upstream("error")) == []


# --- wishes and positions ---


def test_wishes_and_positions_come_through_to_the_join() -> None:
    session = live()
    text = '{"type":"subscribe","symbols":["S1","S2"],"resume":[[3,7,4],[1,7,9]],"maxRate":5,"requestId":"s"}'
    assert session.text(text, START) == [Resolve(("S1", "S2"), (3, 1))]
    by_name = [Resolution("S1", symbol="S1", symbol_id=1), unknown("S2")]
    effects = session.resolved([*by_name, *found(3), unknown(1)], START)
    options = Options(max_rate=5.0)
    assert effects[-1] == Join((1, 3), "s", options, {1: Position(7, 9), 3: Position(7, 4)})
    assert [result["ok"] for result in told(effects)[0]["results"]] == [True, False, True, False]


def test_a_position_of_a_symbol_that_is_refused_goes_nowhere() -> None:
    session = live()
    session.text('{"type":"subscribe","resume":[[3,7,4]]}', START)
    assert session.resolved([unknown(3)], START)[-1] == Join((), None)


def test_a_bad_wish_is_told_and_the_session_lives_on() -> None:
    session = live()
    (answer,) = told(session.text('{"type":"subscribe","ids":[1],"mode":"x","requestId":"s"}', START))
    assert (answer["code"], answer["requestId"]) == ("invalid_message", "s")
    assert session.phase is Phase.LIVE
    assert session.wanted == set()


# --- text and binary ---


def test_each_dialect_takes_its_own_kind_of_message_alone() -> None:
    session = begin(MSGPACK)
    (verify,) = session.binary(msgspec.msgpack.encode({"type": "hello", "token": "good"}), START)
    assert isinstance(verify, Verify)
    (welcome,) = session.authenticated(verify.request, FACTS)
    assert isinstance(welcome, Send)
    assert msgspec.msgpack.decode(welcome.payload)["type"] == "welcome"
    said, end = session.text(HELLO, START)
    assert isinstance(said, Send)
    assert msgspec.msgpack.decode(said.payload)["code"] == "text_not_supported"
    assert end == End(CloseCode.UNSUPPORTED_DATA, CLOSES[CloseCode.UNSUPPORTED_DATA].reason)
    assert session.text(HELLO, START) == []


@pytest.mark.parametrize("dialect", [NATIVE, PLAIN])
def test_binary_where_text_is_spoken(dialect: Dialect) -> None:
    effects = live(dialect).binary(b"x", START)
    assert told(effects)[0]["code"] == "binary_not_supported"
    assert effects[-1] == End(CloseCode.UNSUPPORTED_DATA, CLOSES[CloseCode.UNSUPPORTED_DATA].reason)


# --- how much ---


def test_messages_beyond_the_rate_are_not_served_and_twenty_of_them_end_it() -> None:
    session = live(limits=dataclasses.replace(LIMITS, commands_per_s=10.0, command_burst=3))
    for _ in range(3):
        assert told(session.text('{"type":"ping"}', START))[0]["type"] == "pong"
    (refused,) = told(session.text('{"type":"ping","requestId":"p"}', START))
    assert (refused["code"], refused["requestId"], refused["retryable"]) == ("rate_limited", "p", True)
    assert told(session.text('{"type":"ping"}', START + 0.11))[0]["type"] == "pong"
    for _ in range(18):
        assert kinds(session.text('{"type":"ping"}', START + 0.11)) == ["Send"]
    effects = session.text('{"type":"ping"}', START + 0.11)
    assert effects[-1] == End(CloseCode.LIMIT_REACHED, CLOSES[CloseCode.LIMIT_REACHED].reason)


class Full:
    """A quota that others have used up."""

    def command(self, now: float) -> str | None:
        return "this key may send 5 messages a second" if now > START else None

    def claim(self, symbols: int) -> str | None:
        return "this key may want 2 symbols" if symbols > 2 else None


def test_what_is_shared_with_others_limits_too() -> None:
    session = ServerSession(NATIVE, LIMITS, now=START, first_ping_in_s=20.0, quota=Full())
    (verify,) = session.text(HELLO, START)
    assert isinstance(verify, Verify)
    session.authenticated(verify.request, FACTS)
    join(session, 1, 2)
    session.text(subscribe(3), START)
    (refused,) = told(session.resolved(found(3), START))
    assert refused["code"] == "too_many_symbols"
    assert refused["message"].startswith("this key may want 2 symbols")
    assert session.wanted == {1, 2}
    (beyond,) = told(session.text('{"type":"ping"}', START + 1))
    assert (beyond["code"], beyond["message"]) == ("rate_limited", "this key may send 5 messages a second")
