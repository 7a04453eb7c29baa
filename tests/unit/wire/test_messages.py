"""Messages as types: what is asked of a client's, what may be left out, and that newer peers are understood."""

import msgspec
import pytest

from quotewire.wire import messages as m
from quotewire.wire.codes import ErrorCode
from tests.wire_samples import quote, upstream

decode = msgspec.json.Decoder(m.ClientMessage).decode


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type":"hello","token":"t"}', m.Hello(token="t")),
        ('{"type":"subscribe"}', m.Subscribe()),
        ('{"type":"subscribe","symbols":["A"],"ids":[1]}', m.Subscribe(symbols=["A"], ids=[1])),
        ('{"type":"unsubscribe","ids":[1],"requestId":"r"}', m.Unsubscribe(ids=[1], request_id="r")),
        ('{"type":"ping","timestamp":1.5}', m.Ping(timestamp=1.5)),
        ('{"type":"pong"}', m.ClientPong()),
        ('{"type":"ping","isNew":{"a":[1]}}', m.Ping()),
        ('{"requestId":"r","type":"ping"}', m.Ping(request_id="r")),
    ],
)
def test_what_a_client_may_say(text: str, message: object) -> None:
    assert decode(text) == message


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"hello"}',
        '{"type":"hello","token":""}',
        '{"type":"hello","token":5}',
        f'{{"type":"hello","token":"{"t" * 4097}"}}',
        '{"type":"subscribe","symbols":"AAPL"}',
        '{"type":"subscribe","symbols":[""]}',
        f'{{"type":"subscribe","symbols":["{"A" * 65}"]}}',
        '{"type":"subscribe","symbols":[null]}',
        '{"type":"subscribe","ids":[0]}',
        '{"type":"subscribe","ids":[-1]}',
        '{"type":"subscribe","ids":[1.5]}',
        '{"type":"subscribe","ids":["1"]}',
        '{"type":"subscribe","ids":[true]}',
        f'{{"type":"subscribe","ids":[{2**53}]}}',
        f'{{"type":"ping","requestId":"{"r" * 129}"}}',
        '{"type":"ping","requestId":5}',
        '{"type":"ping","timestamp":[1]}',
        '{"type":"nothing"}',
        '{"type":5}',
        "{}",
        "[]",
        "5",
    ],
)
def test_what_a_client_may_not_say(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(text)


@pytest.mark.parametrize(
    "message",
    [
        m.Welcome(
            protocol=1,
            connection_id="ws-1",
            version="0",
            server_time=1,
            ping_interval_ms=1,
            pong_timeout_ms=1,
            max_message_bytes=1,
            max_symbols=1,
            upstream=upstream(),
        ),
        m.Subscribed(results=[m.SymbolResult(ok=True, symbol="A", symbol_id=1)], request_id="r", timestamp=5),
        m.Unsubscribed(results=[m.SymbolResult(ok=False, symbol_id=1, code=ErrorCode.UNKNOWN_SYMBOL, reason="x")]),
        m.Snapshot(quotes=[quote(1)]),
        m.Quotes(quotes=[quote(1), quote(1, 2)], skipped=3),
        m.Status(upstream=upstream("degraded")),
        m.Pong(server_time=5, timestamp=4),
        m.Error(code=ErrorCode.TOO_MANY_COMMANDS, message="m", retryable=True),
    ],
)
def test_what_the_gateway_says_survives_the_wire(message: m.ServerMessage) -> None:
    encoded = msgspec.json.encode(message)
    assert msgspec.json.decode(encoded, type=m.ServerMessage) == message
    newer = encoded[:-1] + b',"aKeyOfTheFuture":{"x":[1,2]}}'
    assert msgspec.json.decode(newer, type=m.ServerMessage) == message


def test_keys_that_equal_their_default_are_left_out() -> None:
    assert msgspec.json.encode(m.Quotes(quotes=[])) == b'{"type":"quotes","quotes":[]}'
    assert msgspec.json.encode(m.SymbolResult(ok=True)) == b'{"ok":true}'


def test_messages_are_frozen() -> None:
    with pytest.raises(AttributeError):
        m.Ping().timestamp = 5  # type: ignore[misc]
