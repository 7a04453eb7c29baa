"""The server's side of one client: errors, deadlines in virtual time, what is told unasked, wishes and rates."""

import dataclasses

import msgspec
import pytest

from quotewire.wire.capabilities import Capability
from quotewire.wire.codes import CLOSES, CloseCode, ErrorCode
from quotewire.wire.commands import Resolution
from quotewire.wire.dialect import Dialect
from quotewire.wire.options import Cause, Gap, Options, Position
from quotewire.wire.session import End, Join, Phase, Resolve, Send, SendPing, ServerSession, Verify
from tests.server_sessions import (
    FACTS,
    HELLO,
    LIMITS,
    MSGPACK,
    NATIVE,
    PLAIN,
    START,
    begin,
    found,
    join,
    kinds,
    live,
    subscribe,
    told,
    unknown,
)
from tests.wire_samples import upstream

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

    def command(self, now: float, symbols: int = 0) -> str | None:
        if symbols > 3:
            return "this key may name 3 symbols a second"
        return "this key may send 5 messages a second" if now > START else None

    def lacks(self, now: float, symbols: int) -> str | None:
        return None

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
    (many,) = told(session.text(subscribe(1, 2, 3, 4), START))
    assert (many["code"], many["message"]) == ("rate_limited", "this key may name 3 symbols a second")
    (beyond,) = told(session.text('{"type":"ping"}', START + 1))
    assert (beyond["code"], beyond["message"]) == ("rate_limited", "this key may send 5 messages a second")
