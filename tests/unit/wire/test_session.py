"""The server's side of one client: every row of its table, deadlines in virtual time, and the order of commands."""

import pytest

from quotewire.wire.codes import CLOSES, CloseCode, ErrorCode
from quotewire.wire.commands import Authenticate, Resolution
from quotewire.wire.session import End, Join, Leave, Phase, Resolve, Verify
from tests.server_sessions import (
    FACTS,
    HELLO,
    PLAIN,
    START,
    begin,
    found,
    join,
    kinds,
    live,
    streaming,
    subscribe,
    told,
    unavailable,
    unknown,
)

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
