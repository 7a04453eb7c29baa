"""Messages to what goes on the socket, and back."""

import msgspec
import pytest

from quotewire.client.encoding import ENCODINGS, UNREADABLE, Encoding, PartialQuotes
from quotewire.wire import messages as wire
from tests.wire_samples import quote

PING = wire.Ping(request_id="p", timestamp=5)


@pytest.fixture(params=sorted(ENCODINGS))
def encoding(request: pytest.FixtureRequest) -> Encoding:
    return ENCODINGS[request.param]


def pack(encoding: Encoding, message: object) -> bytes:
    return msgspec.json.encode(message) if encoding.name == "json" else msgspec.msgpack.encode(message)


def test_json_is_text_and_messagepack_is_bytes() -> None:
    assert ENCODINGS["json"].write(PING) == '{"type":"ping","requestId":"p","timestamp":5}'
    packed = ENCODINGS["msgpack"].write(PING)
    assert isinstance(packed, bytes)
    assert msgspec.msgpack.decode(packed) == {"type": "ping", "requestId": "p", "timestamp": 5}


def test_quotes_are_read_whole_or_in_parts(encoding: Encoding) -> None:
    message = wire.Quotes(quotes=[quote(1)], skipped=3)
    assert encoding.whole(pack(encoding, message)) == message
    read = encoding.partial(pack(encoding, message))
    assert isinstance(read, PartialQuotes)
    assert (read.quotes[0].symbol_id, read.quotes[0].delta, read.skipped) == (1, False, 3)


def test_every_other_message_is_read_alike(encoding: Encoding) -> None:
    message = wire.Reconnect(after_ms=1, deadline_ms=2, reason="x")
    assert encoding.whole(pack(encoding, message)) == encoding.partial(pack(encoding, message)) == message


def test_what_is_new_is_told_from_what_is_wrong(encoding: Encoding) -> None:
    assert encoding.of_unknown_type(pack(encoding, {"type": "telepathy"}))
    for wrong in ({"type": "quotes", "quotes": 5}, {"type": 5}, [1], {}):
        assert not encoding.of_unknown_type(pack(encoding, wrong))
        with pytest.raises(UNREADABLE):
            encoding.whole(pack(encoding, wrong))
    assert not encoding.of_unknown_type(b"\xc1")
