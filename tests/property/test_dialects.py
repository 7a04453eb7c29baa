"""Anything into any dialect: a command, never an exception, and whatever it echoes can be sent."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quotewire.wire.commands import Add, AskPong, Authenticate, Nothing, Problem, Remove, Replace
from quotewire.wire.dialect import Dialect
from quotewire.wire.native import KNOWN_TYPES, MsgpackDialect, NativeDialect
from quotewire.wire.options import ALWAYS, QUOTE_FIELDS, Mode
from quotewire.wire.plain import PlainDialect

DIALECTS = (NativeDialect(), PlainDialect())
KINDS = (Add, AskPong, Authenticate, Nothing, Problem, Remove, Replace)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([10**30, 2**53, 2**64, -1, "AAPL"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
wordings = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KNOWN_TYPES) | anything,
        "mode": st.sampled_from(["streaming", *Mode]) | anything,
        "ids": st.lists(st.integers(-1, 2**54), max_size=4) | anything,
        "symbols": st.lists(st.text(max_size=70), max_size=4) | anything,
        "token": st.text(max_size=20) | anything,
        "protocol": st.integers(0, 3) | anything,
        "requestId": st.text(max_size=140) | anything,
        "timestamp": st.integers() | st.floats() | anything,
        "capabilities": st.lists(st.text(max_size=9), max_size=3) | anything,
        "fields": st.lists(st.sampled_from(sorted(QUOTE_FIELDS)) | st.text(max_size=9), max_size=4) | anything,
        "maxRate": st.floats() | st.integers() | anything,
        "delta": st.booleans() | anything,
        "resume": st.lists(st.lists(st.integers(-1, 2**54), min_size=2, max_size=4), max_size=3) | anything,
        "connectionId": st.text(max_size=10) | anything,
        "another": anything,
    },
)
odd = (
    "[" * 100_000,
    '{"a":' * 100_000,
    '{"type":' + "[" * 900 + "]" * 900 + "}",
    '{"type":"ping","timestamp":' + "9" * 4000 + "}",
    '{"type":"ping","timestamp":' + "9" * 5000 + "}",
    '{"type":' + "9" * 5000 + "}",
    '{"type":"ping","timestamp":1e400}',
    '{"type":"ping","timestamp":-0.0}',
    '{"type":"ping","timestamp":NaN}',
    '{"type":"ping","requestId":"\\ud800"}',
    '{"type":"ping","requestId":"\ud800"}',
    "\ud800",
    "\ufeff{}",
    '{"type":"ping"}\x00',
    '{"type":"ping","type":"hello"}',
    '{"type":"subscribe","ids":[' + "1," * 9999 + "1]}",
)


def judge(dialect: Dialect, data: str | bytes) -> None:
    decode = msgspec.msgpack.decode if dialect.binary else msgspec.json.decode
    for read in (dialect.first, dialect.read):
        command = read(data)
        assert isinstance(command, KINDS)
        if isinstance(command, Problem):
            assert len(command.message) <= 600
            decode(dialect.error(command))
        elif isinstance(command, AskPong):
            answer = decode(dialect.pong(command.timestamp, command.request_id, 1))
            assert repr(answer.get("timestamp")) == repr(command.timestamp)
        elif isinstance(command, Add | Remove | Replace):
            answer = decode(dialect.acknowledge(command, []))
            assert answer.get("requestId") == command.request_id
            assert all(0 < i < 2**53 for i in command.ids)
    assert isinstance(dialect.first(data), Authenticate | Problem)
    if isinstance(command, Add):
        judge_wishes(command)


def judge_wishes(command: Add) -> None:
    options = command.options
    assert options.max_rate == 0 or 0.01 <= options.max_rate <= 1000
    assert options.fields is None or not set(options.fields) - (set(QUOTE_FIELDS) - set(ALWAYS))
    assert len(set(command.ids)) >= len(command.positions)
    assert command.positions.keys() <= set(command.ids)
    assert all(epoch >= 0 and sequence >= 0 for epoch, sequence in command.positions.values())


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.form.name)
@given(text=st.text() | st.text(alphabet='{}[]":,\\truefalsn0123456789.eE+-'))
def test_any_text(dialect: Dialect, text: str) -> None:
    judge(dialect, text)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.form.name)
@pytest.mark.parametrize("text", odd, ids=range(len(odd)))
def test_odd_texts(dialect: Dialect, text: str) -> None:
    judge(dialect, text)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.form.name)
@given(value=wordings | anything, ascii_only=st.booleans())
@example(value={"type": "ping", "timestamp": 10**30}, ascii_only=True)
def test_any_json(dialect: Dialect, value: Any, ascii_only: bool) -> None:
    judge(dialect, json.dumps(value, ensure_ascii=ascii_only))


def packable(value: Any) -> bool:
    try:
        msgspec.msgpack.encode(value)
    except (OverflowError, UnicodeEncodeError):
        return False
    return True


@given(value=(wordings | anything).filter(packable))
def test_any_msgpack(value: Any) -> None:
    judge(MsgpackDialect(), msgspec.msgpack.encode(value))


@given(data=st.binary(max_size=200))
@example(data=b"\x91" * 100_000)
@example(data=b"\x81\xa4type" + b"\x91" * 900 + b"\xc0")
@example(data=b"\x82\xa4type\xa4ping\xa9timestamp\xd6\xff\x00\x00\x00\x00")
@example(data=b"\x82\xa4type\xa4ping\xa9timestamp\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00")
@example(data=b"\x82\xa4type\xa4ping\xa9requestId\xa2\xff\xfe")
@example(data=b"\xdf\xff\xff\xff\xff")
@example(data=b"\x81\xa4type\xdd\xff\xff\xff\xff")
def test_any_bytes_as_msgpack(data: bytes) -> None:
    judge(MsgpackDialect(), data)
