"""The native dialect as MessagePack says what it says as JSON, and takes what it takes."""

from typing import Any

import msgspec
import pytest

from quotewire.wire import messages as m
from quotewire.wire.capabilities import Capability
from quotewire.wire.codec import EncodedQuote, Form, encode_quote, message_frame, quotes_frame
from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Add, AskPong, Authenticate, Nothing, Problem, Remove, Resolution
from quotewire.wire.dialect import Facts
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.options import Cause, Gap
from tests.wire_samples import quote, upstream

JSON, MSGPACK = NativeDialect(), MsgpackDialect()
FACTS = Facts(
    connection_id="ws-1",
    version="0.1.0",
    server_time=5,
    ping_interval_ms=1,
    pong_timeout_ms=2,
    max_message_bytes=3,
    max_symbols=4,
    upstream=upstream(),
)
GAP = Gap("A", 1, 7, 3, 9, None, 1_764_000_000_000, Cause.HISTORY)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "hello", "token": "t", "capabilities": ["gap", "x"], "connectionId": "c", "requestId": "h"},
        {"type": "subscribe", "symbols": ["A"], "ids": [3], "resume": [[3, 1, 2]], "delta": True, "timestamp": 1.5},
        {"type": "unsubscribe", "symbols": ["A"], "ids": [3]},
        {"type": "ping", "timestamp": 1764000030000, "requestId": "p"},
        {"type": "pong"},
        {"type": "shout", "requestId": "r"},
        {"type": "subscribe", "ids": ["8049"], "requestId": "r"},
        {"type": "ping", "requestId": "r" * 129},
        {},
    ],
)
def test_both_encodings_read_the_same(message: dict[str, Any]) -> None:
    text, data = msgspec.json.encode(message).decode(), msgspec.msgpack.encode(message)
    assert MSGPACK.read(data) == JSON.read(text)
    assert MSGPACK.first(data) == JSON.first(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc0", b"\x93\x01\x02\x03", b"\x81\xa4type", b"\xc1", b'{"type":"ping"}', b"\x81\x01\x02", b"\xff" * 50],
)
def test_what_is_not_a_map_with_text_keys(data: bytes) -> None:
    for problem in (MSGPACK.read(data), MSGPACK.first(data)):
        assert isinstance(problem, Problem)
        assert problem.code == ErrorCode.INVALID_MSGPACK


def test_an_extension_type_is_a_wrong_value() -> None:
    problem = MSGPACK.read(msgspec.msgpack.encode({"type": "ping", "timestamp": msgspec.msgpack.Ext(5, b"x")}))
    assert isinstance(problem, Problem)
    assert problem.code == ErrorCode.INVALID_MESSAGE


@pytest.mark.parametrize(
    "phrase",
    [
        lambda d: d.welcome(FACTS, "h", 17, frozenset({Capability.GAP, Capability.DELTA})),
        lambda d: d.acknowledge(Add(("A",), (), "r", 1), [Resolution("A", symbol="A", symbol_id=1)]),
        lambda d: d.acknowledge(Add((), (1,), "r"), [Resolution(i, symbol_id=i) for i in range(1, 70_000)]),
        lambda d: d.acknowledge(Remove(("A",), (), "r", 1), []),
        lambda d: d.gap([GAP], "r"),
        lambda d: d.snapshot([encode_quote(quote(i), d.form) for i in range(1, 4)], "r"),
        lambda d: d.snapshot([encode_quote(quote(i), d.form) for i in range(1, 70_000)], None),
        lambda d: d.snapshot([], None),
        lambda d: d.pong(5, None, 9),
        lambda d: d.status(upstream()),
        lambda d: d.reconnect(500, 30_000, "draining"),
        lambda d: d.error(Problem(ErrorCode.RATE_LIMITED, "slow down", "r")),
    ],
)
def test_both_encodings_say_the_same(phrase: Any) -> None:
    assert msgspec.msgpack.decode(phrase(MSGPACK)) == msgspec.json.decode(phrase(JSON))


def test_what_is_said_decodes_as_the_message_it_is() -> None:
    told = msgspec.msgpack.decode(MSGPACK.gap([GAP], None), type=m.ServerMessage)
    assert told == m.Gaps(gaps=[GAP])
    moved = msgspec.msgpack.decode(MSGPACK.reconnect(500, 30_000, "draining"), type=m.ServerMessage)
    assert moved == m.Reconnect(after_ms=500, deadline_ms=30_000, reason="draining")


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300, 65_536])
def test_quotes_in_one_message_however_many(count: int) -> None:
    bodies = [encode_quote(quote(1), Form.MSGPACK)] * count
    frame = quotes_frame(Form.MSGPACK, bodies, skipped=3, lag_ms=70_000)
    assert frame[0] == 0x82
    payload = frame[{True: 2, False: 4}[len(frame) < 128] if len(frame) < 65_540 else 10 :]
    told = msgspec.msgpack.decode(payload, type=m.Quotes)
    assert (len(told.quotes), told.skipped, told.lag_ms) == (count, 3, 70_000)


def test_a_selection_and_a_delta_are_the_same_in_both() -> None:
    before, after = quote(1, bid_price=1.0, ask_price=2.0), quote(1, 2, bid_price=None, ask_price=2.0, vwap=3.0)
    update = EncodedQuote(after)
    for fields in (None, ("bidPrice", "VWAP"), ()):
        packed, text = update.body(Form.MSGPACK, fields), update.body(Form.NATIVE, fields)
        assert msgspec.msgpack.decode(packed) == msgspec.json.decode(text)
        changed = msgspec.json.decode(update.delta(Form.NATIVE, before, fields))
        assert msgspec.msgpack.decode(update.delta(Form.MSGPACK, before, fields)) == changed
    assert msgspec.json.decode(update.delta(Form.NATIVE, before, ("bidPrice", "VWAP"))) == {
        "symbolId": 1,
        "epoch": 7,
        "sequence": 2,
        "delta": True,
        "bidPrice": None,
        "VWAP": 3.0,
    }


def test_messages_are_framed_as_their_form_has_it() -> None:
    assert message_frame(Form.MSGPACK, b"x")[0] == 0x82
    assert message_frame(Form.NATIVE, b"x")[0] == message_frame(Form.PLAIN, b"x")[0] == 0x81


def test_kinds_of_commands() -> None:
    assert isinstance(MSGPACK.read(msgspec.msgpack.encode({"type": "pong"})), Nothing)
    assert isinstance(MSGPACK.read(msgspec.msgpack.encode({"type": "ping"})), AskPong)
    assert isinstance(MSGPACK.read(msgspec.msgpack.encode({"type": "hello", "token": "t"})), Authenticate)
