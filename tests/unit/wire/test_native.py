"""The native dialect: every message read, every answer phrased, every mistake named."""

from typing import Any

import msgspec
import pytest

from quotewire.wire import messages as m
from quotewire.wire.codec import encode_quote
from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Add, AskPong, Authenticate, Nothing, Problem, Remove, Resolution
from quotewire.wire.dialect import Facts
from quotewire.wire.native import KNOWN_TYPES, NativeDialect
from tests.wire_samples import quote, upstream

dialect = NativeDialect()
said = msgspec.json.Decoder(m.ServerMessage).decode


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"type":"subscribe","symbols":["A","B"],"ids":[3]}', Add(("A", "B"), (3,))),
        ('{"type":"subscribe","requestId":"r","timestamp":5}', Add((), (), "r", 5)),
        ('{"type":"unsubscribe","symbols":["A"],"ids":[3],"requestId":"r"}', Remove(("A",), (3,), "r")),
        ('{"type":"ping","timestamp":1764000030000,"requestId":"p"}', AskPong("p", 1764000030000)),
        ('{"type":"pong"}', Nothing()),
        (
            '{"type":"hello","token":"t","connectionId":"c","clientVersion":"v","requestId":"h","timestamp":1}',
            Authenticate("t", "c", "v", "h", 1),
        ),
    ],
)
def test_reads(text: str, command: object) -> None:
    assert dialect.read(text) == command


def test_a_token_stays_out_of_repr() -> None:
    assert "s3cr3t" not in repr(dialect.read('{"type":"hello","token":"s3cr3t"}'))


def problem(text: str, *, first: bool = False) -> Problem:
    read = dialect.first(text) if first else dialect.read(text)
    assert isinstance(read, Problem)
    return read


@pytest.mark.parametrize(
    "text", ["", "nonsense", "[1]", "5", "null", '"text"', "{", '{"type":"ping"', '{"a":1}x', "NaN"]
)
def test_what_is_not_a_json_object(text: str) -> None:
    assert problem(text).code == ErrorCode.INVALID_JSON
    assert problem(text, first=True).code == ErrorCode.INVALID_JSON


@pytest.mark.parametrize("text", ["{}", '{"type":"shout"}', '{"type":5}', '{"type":null}', '{"type":["ping"]}'])
def test_an_unknown_type_is_told_what_is_known(text: str) -> None:
    told = problem(
        text[:-1] + (',"requestId":"r","timestamp":9}' if len(text) > 2 else '"requestId":"r","timestamp":9}')
    )
    assert (told.code, told.request_id, told.timestamp) == (ErrorCode.UNKNOWN_TYPE, "r", 9)
    assert all(known in told.message for known in KNOWN_TYPES)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"type":"subscribe","symbols":5,"requestId":"r"}', "$.symbols"),
        ('{"type":"subscribe","symbols":["A",5],"requestId":"r"}', "$.symbols[1]"),
        ('{"type":"subscribe","ids":["8049"],"requestId":"r"}', "$.ids[0]"),
        ('{"type":"subscribe","ids":[0],"requestId":"r"}', "$.ids[0]"),
        ('{"type":"hello","requestId":"r"}', "token"),
        ('{"type":"ping","timestamp":{},"requestId":"r"}', "$.timestamp"),
    ],
)
def test_a_wrong_field_is_named(text: str, field: str) -> None:
    told = problem(text)
    assert (told.code, told.request_id) == (ErrorCode.INVALID_MESSAGE, "r")
    assert field in told.message


def test_what_does_not_fit_is_not_echoed() -> None:
    assert problem(f'{{"type":"ping","requestId":"{"r" * 129}"}}').request_id is None
    assert problem('{"type":"ping","requestId":{"a":1}}').request_id is None
    assert problem('{"type":"ping","requestId":5,"timestamp":true}').timestamp is None


def test_only_hello_may_come_first() -> None:
    assert isinstance(dialect.first('{"type":"hello","token":"t"}'), Authenticate)
    for text in (
        '{"type":"ping","requestId":"r"}',
        '{"type":"subscribe","requestId":"r"}',
        '{"type":"x","requestId":"r"}',
    ):
        told = problem(text, first=True)
        assert (told.code, told.request_id) == (ErrorCode.NOT_AUTHENTICATED, "r")
    assert problem('{"type":"pong"}', first=True).code == ErrorCode.NOT_AUTHENTICATED


def test_a_hello_that_does_not_fit_says_why() -> None:
    told = problem('{"type":"hello","token":5}', first=True)
    assert told.code == ErrorCode.NOT_AUTHENTICATED
    assert "$.token" in told.message


@pytest.mark.parametrize("protocol", [0, 2, -1, 10**30])
def test_another_protocol_version(protocol: int) -> None:
    told = problem(f'{{"type":"hello","token":"t","protocol":{protocol},"requestId":"r"}}', first=True)
    assert (told.code, told.request_id) == (ErrorCode.UNSUPPORTED_PROTOCOL, "r")


def test_welcome_tells_the_facts_and_echoes() -> None:
    facts = Facts(
        connection_id="ws-1",
        version="0.1.0",
        server_time=5,
        ping_interval_ms=1,
        pong_timeout_ms=2,
        max_message_bytes=3,
        max_symbols=4,
        upstream=upstream(),
    )
    told = said(dialect.welcome(facts, "h1", 17))
    assert isinstance(told, m.Welcome)
    assert (told.protocol, told.connection_id, told.request_id, told.timestamp) == (1, "ws-1", "h1", 17)
    assert (told.ping_interval_ms, told.pong_timeout_ms, told.max_message_bytes, told.max_symbols) == (1, 2, 3, 4)
    assert told.upstream == upstream()


def test_acknowledgements_echo_and_are_of_the_commands_kind() -> None:
    found = [
        Resolution("A", symbol="A", symbol_id=1),
        Resolution(7, symbol_id=7),
        Resolution('"', code=ErrorCode.UNKNOWN_SYMBOL, reason="unknown"),
        Resolution(9, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason="down", retryable=True),
    ]
    results = [
        m.SymbolResult(ok=True, symbol="A", symbol_id=1),
        m.SymbolResult(ok=True, symbol_id=7),
        m.SymbolResult(ok=False, symbol='"', code=ErrorCode.UNKNOWN_SYMBOL, reason="unknown"),
        m.SymbolResult(ok=False, symbol_id=9, code=ErrorCode.UPSTREAM_UNAVAILABLE, reason="down", retryable=True),
    ]
    for _ in range(2):  # made, and remembered
        assert said(dialect.acknowledge(Add(("A",), (), 'r"', "t\\"), found)) == m.Subscribed(
            results=results, request_id='r"', timestamp="t\\"
        )
        assert said(dialect.acknowledge(Remove(("A",), ()), found)) == m.Unsubscribed(results=results)
    assert said(dialect.acknowledge(Add((), (), "r", 1.5), [])) == m.Subscribed(
        results=[], request_id="r", timestamp=1.5
    )


@pytest.mark.parametrize("request_id", [None, "r", 'a"b\\c'])
def test_a_snapshot_is_sent_even_when_it_is_empty(request_id: str | None) -> None:
    assert said(dialect.snapshot([], request_id)) == m.Snapshot(quotes=[], request_id=request_id)
    quotes = [quote(1), quote(2)]
    told = said(dialect.snapshot([encode_quote(q) for q in quotes], request_id))
    assert told == m.Snapshot(quotes=quotes, request_id=request_id)


@pytest.mark.parametrize("timestamp", [None, 0, 1764000030000, 1.5, 10**25, -3])
def test_a_pong_carries_the_timestamp_as_it_came(timestamp: Any) -> None:
    told = msgspec.json.decode(dialect.pong(timestamp, "p", 99))
    assert told["serverTime"] == 99
    assert told.get("timestamp") == timestamp


def test_status_and_error() -> None:
    assert said(dialect.status(upstream("error"))) == m.Status(upstream=upstream("error"))
    told = said(dialect.error(Problem(ErrorCode.TOO_MANY_COMMANDS, "wait", "r", 4)))
    assert told == m.Error(
        code=ErrorCode.TOO_MANY_COMMANDS, message="wait", retryable=True, request_id="r", timestamp=4
    )
    assert b"retryable" not in dialect.error(Problem(ErrorCode.INVALID_JSON, "no"))
