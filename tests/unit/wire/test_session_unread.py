"""What is over a rate is refused before it is read, as far as its length tells; the answer is the same."""

import dataclasses
import json

import msgspec
import pytest

from quotewire.wire.codes import CloseCode
from quotewire.wire.commands import Command
from quotewire.wire.dialect import Dialect
from quotewire.wire.limits import UNSHARED, Quota, SessionLimits
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.plain import PlainDialect
from quotewire.wire.session import End, ServerSession, Verify
from tests.server_sessions import FACTS, HELLO, LIMITS, MSGPACK, NATIVE, PLAIN, START, found, kinds, told

WIDE = dataclasses.replace(LIMITS, max_symbols=1000)
SLOW = dataclasses.replace(WIDE, symbols_per_s=100.0, symbol_burst=1000)
MANY = range(1, 1001)


class Counting(NativeDialect):
    """Counts what it reads whole."""

    def __init__(self) -> None:
        self.read_whole = 0

    def read(self, data: str | bytes) -> Command:
        self.read_whole += 1
        return super().read(data)


def command(ids: range, request_id: str = "s", kind: str = "subscribe") -> str:
    return json.dumps({"type": kind, "requestId": request_id, "timestamp": 7, "ids": list(ids)})


def opened(dialect: Dialect, limits: SessionLimits = WIDE, quota: Quota = UNSHARED) -> ServerSession:
    session = ServerSession(dialect, limits, now=START, first_ping_in_s=20.0, quota=quota)
    (verify,) = session.text(HELLO, START)
    assert isinstance(verify, Verify)
    session.authenticated(verify.request, FACTS)
    return session


def spent(dialect: Dialect) -> ServerSession:
    """A client that has named all it may at once, and then once more."""
    session = opened(dialect, SLOW)
    session.text(command(MANY), START)
    session.resolved(found(*MANY), START)
    while session.joining:
        session.go_on(START)
    (refused,) = told(session.text(command(MANY), START))
    assert refused["code"] == "rate_limited"
    return session


def test_what_named_too_much_is_not_read_again_until_there_is_as_much() -> None:
    dialect = Counting()
    session = spent(dialect)
    before = dialect.read_whole
    for at in range(1, 10):
        (refused,) = told(session.text(command(MANY, f"r{at}"), START + at))
        assert (refused["code"], refused["requestId"], refused["timestamp"]) == ("rate_limited", f"r{at}", 7)
        assert refused["message"] == "a connection may name 100 symbols a second, 1000 at once"
    assert dialect.read_whole == before
    assert kinds(session.text(command(MANY, kind="unsubscribe"), START + 10)) == ["Leave", "Wait"]
    assert dialect.read_whole == before + 1


def test_what_is_shorter_is_read() -> None:
    session = spent(NATIVE)
    assert told(session.text('{"type":"ping"}', START))[0]["type"] == "pong"
    assert kinds(session.text(command(range(1, 301), kind="unsubscribe"), START + 3)) == ["Leave", "Send"]


def test_those_refused_unread_count_towards_the_end() -> None:
    session = spent(NATIVE)
    for _ in range(18):
        assert kinds(session.text(command(MANY), START)) == ["Send"]
    effects = session.text(command(MANY), START)
    assert isinstance(effects[-1], End)
    assert effects[-1].code == CloseCode.LIMIT_REACHED


def test_a_long_message_beyond_the_messages_of_a_second_is_not_read() -> None:
    dialect = Counting()
    session = opened(dialect, dataclasses.replace(LIMITS, commands_per_s=10.0, command_burst=1))
    session.text('{"type":"ping"}', START)
    before = dialect.read_whole
    (refused,) = told(session.text(command(MANY, "r"), START))
    assert (refused["code"], refused["requestId"]) == ("rate_limited", "r")
    assert dialect.read_whole == before


class Lacking:
    """A quota with nothing left for whoever names symbols."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    def command(self, now: float, symbols: int = 0) -> str | None:
        self.asked.append(("command", symbols))
        return "this key may name 3 symbols a second" if symbols > 3 else None

    def lacks(self, now: float, symbols: int) -> str | None:
        self.asked.append(("lacks", symbols))
        return "this key may name 3 symbols a second" if symbols > 3 else None

    def claim(self, symbols: int) -> str | None:
        return None


def test_what_is_shared_is_asked_beforehand_too() -> None:
    quota = Lacking()
    session = opened(NATIVE, quota=quota)
    for _ in range(2):
        (refused,) = told(session.text(command(MANY), START))
        assert (refused["code"], refused["message"]) == ("rate_limited", "this key may name 3 symbols a second")
    assert quota.asked == [("lacks", 0), ("command", 1000), ("lacks", 1000)]


@pytest.mark.parametrize("dialect", [NATIVE, PLAIN])
@pytest.mark.parametrize(
    ("text", "request_id", "timestamp"),
    [
        ('{"requestId":"r","timestamp":1.5,"ids":[1,"x"]}', "r", 1.5),
        ('{"requestId":7,"timestamp":[1]}', None, None),
        ('{"requestId":"' + "r" * 129 + '","timestamp":true}', None, None),
        ("nonsense", None, None),
        ('{"requestId":"\ud800"}', None, None),
        ("[" * 100_000, None, None),
    ],
)
def test_the_head_of_a_message(
    dialect: NativeDialect | PlainDialect, text: str, request_id: str | None, timestamp: float | None
) -> None:
    head = dialect.head(text)
    assert (head.request_id, head.timestamp) == (request_id, timestamp)


def test_the_head_of_a_binary_message() -> None:
    assert isinstance(MSGPACK, MsgpackDialect)
    head = MSGPACK.head(msgspec.msgpack.encode({"requestId": "r", "timestamp": "t", "ids": [1, 2]}))
    assert (head.request_id, head.timestamp) == ("r", "t")
    assert MSGPACK.head(b"\xc1").request_id is None
