"""The plain dialect: what front ends of this system have always said and expected."""

import msgspec
import pytest

from quotewire.wire.codec import encode_quote
from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import AskPong, Authenticate, Nothing, Problem, Replace, Resolution
from quotewire.wire.dialect import Facts
from quotewire.wire.plain import MAX_TOKEN_CHARACTERS, PlainDialect
from tests.wire_samples import quote, upstream

dialect = PlainDialect()
FACTS = Facts(
    connection_id="ws-1",
    version="0",
    server_time=5,
    ping_interval_ms=1,
    pong_timeout_ms=2,
    max_message_bytes=3,
    max_symbols=4,
    upstream=upstream(),
)


def problem(text: str) -> Problem:
    read = dialect.read(text)
    assert isinstance(read, Problem)
    return read


def test_the_first_message_is_the_token_itself() -> None:
    assert dialect.first("abc.def.ghi") == Authenticate("abc.def.ghi")
    assert dialect.first(" abc\n") == Authenticate("abc")


@pytest.mark.parametrize("text", ["", "  ", "x" * (MAX_TOKEN_CHARACTERS + 1)])
def test_what_cannot_be_a_token_is_refused_as_one(text: str) -> None:
    told = dialect.first(text)
    assert isinstance(told, Problem)
    assert told.code == ErrorCode.UNAUTHORIZED


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"mode":"streaming","ids":[1,2]}', Replace((1, 2))),
        ('{"mode":"streaming","ids":[]}', Replace(())),
        ('{"mode":"streaming","ids":[1],"requestId":"sub-1-a","timestamp":5}', Replace((1,), "sub-1-a", 5)),
        ('{"mode":"streaming","ids":[1],"type":"ping"}', Replace((1,))),
        ('{"type":"ping","timestamp":5}', AskPong(None, 5)),
        ('{"type":"pong","timestamp":5}', Nothing()),
    ],
)
def test_reads(text: str, command: object) -> None:
    assert dialect.read(text) == command


@pytest.mark.parametrize("text", ["", "token again", "[]", "null", "{", '{"mode":"streaming","ids":[1]'])
def test_what_is_not_a_json_object(text: str) -> None:
    assert problem(text).code == ErrorCode.INVALID_JSON


@pytest.mark.parametrize(
    "text",
    [
        '{"mode":"streaming"',
        '{"mode":"streaming","ids":5',
        '{"mode":"streaming","ids":["AAPL"]',
        '{"mode":"streaming","ids":[0]',
        '{"mode":"streaming","ids":[null]',
        '{"mode":5,"ids":[1]',
        '{"type":"ping","timestamp":[]',
    ],
)
def test_wrong_fields_are_named_and_the_request_id_is_kept(text: str) -> None:
    told = problem(text + ',"requestId":"r"}')
    assert (told.code, told.request_id) == (ErrorCode.INVALID_MESSAGE, "r")
    assert "ids" in told.message or "mode" in told.message or "timestamp" in told.message


@pytest.mark.parametrize("text", ["{}", '{"mode":"polling","ids":[1]}', '{"type":"subscribe"}', '{"ids":[1]}'])
def test_messages_it_does_not_know(text: str) -> None:
    assert problem(text).code == ErrorCode.UNKNOWN_TYPE


def test_answers() -> None:
    decode = msgspec.json.decode
    assert decode(dialect.welcome(FACTS, None, None)) == {"success": True, "connectionId": "ws-1"}
    told = decode(dialect.acknowledge(Replace((1,), "r", 5), [Resolution(1, symbol="A", symbol_id=1)]))
    assert told == {
        "type": "subscribed",
        "results": [{"ok": True, "symbol": "A", "symbolId": 1}],
        "requestId": "r",
        "timestamp": 5,
    }
    assert decode(dialect.pong(5, None, 9)) == {"type": "pong", "timestamp": 5, "serverTime": 9}
    assert decode(dialect.pong(5, "r", 9))["requestId"] == "r"
    assert dialect.status(upstream()) is None  # type: ignore[func-returns-value]


def test_an_answer_that_is_not_the_one_to_the_token_has_no_success() -> None:
    assert b"success" not in dialect.acknowledge(Replace((1,)), [])
    assert b"success" not in dialect.pong(1, None, 2)


def test_a_snapshot_is_ordinary_quotes_and_none_when_there_are_none() -> None:
    assert dialect.snapshot([], "r") is None
    told = dialect.snapshot([encode_quote(quote(1)), encode_quote(quote(2))], "r")
    assert told is not None
    assert [q["symbolId"] for q in msgspec.json.decode(told)["quotes"]] == [1, 2]
    assert set(msgspec.json.decode(told)) == {"quotes"}


def test_errors() -> None:
    told = msgspec.json.decode(dialect.error(Problem(ErrorCode.UNAUTHORIZED, "no", "r", 5)))
    assert told == {"success": False, "error": "no", "code": "unauthorized", "retryable": True, "requestId": "r"}
    assert "requestId" not in msgspec.json.decode(dialect.error(Problem(ErrorCode.INVALID_JSON, "no")))
