"""A subscription of many symbols: one answer, then part by part, with everything else at its place in between."""

import pytest

from quotewire.wire import session as module
from quotewire.wire.commands import Add, Resolution
from quotewire.wire.native import NativeDialect
from quotewire.wire.options import Position
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import Join, Leave, Phase, Resolve, Send, ServerSession, Wait
from tests.server_sessions import MSGPACK, NATIVE, PLAIN, START, found, kinds, live, streaming, subscribe, told


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "JOINED_AT_ONCE", 2)


def joining(*ids: int) -> ServerSession:
    session = live()
    session.text(subscribe(*ids), START)
    assert kinds(session.resolved(found(*ids), START)) == ["Send", "Wait"]
    assert session.joining
    return session


def rest(session: ServerSession) -> list[Join]:
    """Go on to the end; the parts."""
    parts: list[Join] = []
    while session.joining:
        effects = session.go_on(START)
        parts += [effect for effect in effects if isinstance(effect, Join)]
        if session.joining:
            assert isinstance(effects[-1], Wait)
    return parts


def test_few_symbols_are_joined_with_the_answer() -> None:
    session = live()
    session.text(subscribe(1, 2), START)
    effects = session.resolved(found(1, 2), START)
    assert kinds(effects) == ["Send", "Join"]
    assert effects[1] == Join((1, 2), "s")
    assert not session.joining


def test_many_are_answered_at_once_and_joined_in_parts() -> None:
    session = joining(5, 4, 3, 2, 1)
    assert session.wanted == {1, 2, 3, 4, 5}
    assert [(part.ids, part.more) for part in rest(session)] == [((5, 4), True), ((3, 2), True), ((1,), False)]
    assert session.go_on(START) == []


def test_options_and_positions_go_with_every_part() -> None:
    session = live()
    session.text('{"type":"subscribe","ids":[1,2,3],"resume":[[4,7,1]],"delta":true}', START)
    session.resolved(found(1, 2, 3, 4), START)
    parts = rest(session)
    assert [part.options.delta for part in parts] == [True, True]
    assert parts[1].positions == {4: Position(7, 1)}


def test_commands_wait_until_the_last_part_and_pings_do_not() -> None:
    session = joining(1, 2, 3)
    assert session.text('{"type":"unsubscribe","ids":[3,1],"requestId":"u"}', START) == []
    assert session.text(subscribe(4, request_id="later"), START) == []
    assert told(session.text('{"type":"ping"}', START))[0]["type"] == "pong"
    assert session.wanted == {1, 2, 3}
    assert kinds(session.go_on(START)) == ["Join", "Wait"]
    assert kinds(session.go_on(START)) == ["Join", "Wait"]
    leave, answer, resolve = session.go_on(START)
    assert isinstance(leave, Leave)
    assert set(leave.ids) == {1, 3}
    assert told([answer])[0]["requestId"] == "u"
    assert resolve == Resolve((), (4,))
    assert session.wanted == {2}


def test_nothing_is_joined_for_one_who_is_gone_in_the_middle() -> None:
    session = joining(1, 2, 3)
    session.go_on(START)
    session.gone()
    assert session.phase is Phase.CLOSED
    assert session.go_on(START) == []


def test_a_set_that_replaces_another_leaves_first_and_joins_in_parts() -> None:
    session = live(PLAIN)
    session.text('{"mode":"streaming","ids":[1,2]}', START)
    session.resolved(found(1, 2), START)
    session.text('{"mode":"streaming","ids":[2,3,4,5]}', START)
    effects = session.resolved(found(2, 3, 4, 5), START)
    assert kinds(effects) == ["Leave", "Send", "Wait"]
    assert [part.ids for part in rest(session)] == [(3, 4), (5,)]


@pytest.mark.parametrize("dialect", [NATIVE, PLAIN])
def test_a_long_answer_is_phrased_in_parts_and_told_whole_before_anything_is_joined(
    dialect: NativeDialect | PlainDialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PHRASED_AT_ONCE", 2)
    session, whole = live(dialect), found(1, 2, 3, 4, 5)
    session.text((subscribe if dialect is NATIVE else streaming)(1, 2, 3, 4, 5), START)
    assert kinds(session.resolved(whole, START)) == ["Wait"]
    assert session.wanted == {1, 2, 3, 4, 5}
    assert [kinds(session.go_on(START)) for _ in range(3)] == [["Wait"]] * 3
    told_whole = session.go_on(START)
    assert kinds(told_whole) == ["Send", "Wait", "Wait"]
    assert told_whole[0] == Send(dialect.acknowledge(Add((), (1, 2, 3, 4, 5), "s"), whole))
    assert [part.ids for part in rest(session)] == [(1, 2), (3, 4), (5,)]


@pytest.mark.parametrize("by_name", [False, True])
def test_many_are_taken_away_at_once_and_told_so_in_one_answer(by_name: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    session = joining(1, 2, 3, 4, 5)
    rest(session)
    monkeypatch.setattr(module, "PHRASED_AT_ONCE", 2)
    if by_name:
        session.text('{"type":"unsubscribe","symbols":["S1","S2","S3"],"requestId":"u"}', START)
        named = [Resolution(f"S{i}", symbol=f"S{i}", symbol_id=i) for i in (1, 2, 3)]
        leave, wait = session.resolved(named, START)
    else:
        leave, wait = session.text('{"type":"unsubscribe","ids":[1,2,3],"requestId":"u"}', START)
    assert isinstance(leave, Leave)
    assert (set(leave.ids), wait) == ({1, 2, 3}, Wait())
    assert session.text(subscribe(1, request_id="later"), START) == []  # all is answered in order
    effects = [effect for _ in range(3) for effect in session.go_on(START)]
    (answer,) = told(effects)
    assert (answer["type"], answer["requestId"], len(answer["results"])) == ("unsubscribed", "u", 3)
    assert session.go_on(START) == [Resolve((), (1,))]
    assert session.wanted == {4, 5}


def test_what_was_not_found_takes_no_part() -> None:
    session = live()
    session.text(subscribe(1, 2, 3), START)
    effects = session.resolved([*found(1), Resolution(2, code=None, symbol_id=2), *found(1)], START)
    assert kinds(effects) == ["Send", "Join"]


def test_a_part_of_a_snapshot_says_that_another_follows() -> None:
    assert b'"more":true' in NATIVE.snapshot([b"{}"], "s", more=True)
    assert b"more" not in NATIVE.snapshot([b"{}"], "s")
    assert PLAIN.snapshot([b"{}"], None, more=True) == b'{"quotes":[{}]}'
    assert b"\xa4more\xc3" in MSGPACK.snapshot([], "s", more=True)


def test_ids_taken_away_are_answered_each() -> None:
    session = joining(1, 2, 3)
    rest(session)
    effects = session.text('{"type":"unsubscribe","ids":[3,9,3],"requestId":"u","timestamp":5}', START)
    assert kinds(effects) == ["Leave", "Send"]
    assert isinstance(effects[1], Send)
    assert told(effects) == [
        {
            "type": "unsubscribed",
            "requestId": "u",
            "timestamp": 5,
            "results": [{"ok": True, "symbolId": 3}, {"ok": True, "symbolId": 9}, {"ok": True, "symbolId": 3}],
        }
    ]
