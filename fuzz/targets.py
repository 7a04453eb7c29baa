"""What is fuzzed, and what must hold: each target takes any bytes, and raises AssertionError when the invariant breaks.

The first byte of an input says how the rest is cut into pieces, so that a fuzzer learns that too.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from fuzz.peer import Edge, Wire
from quotewire.errors import UpstreamUnavailableError
from quotewire.questrade import wire as questrade
from quotewire.wire.frames import BINARY, CLOSE, PING, PONG, TEXT, CloseFrame, FrameReader, Violation
from tests.wire_samples import masked, quote

LIMIT = 4096
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    b"GET %s HTTP/1.1\r\nHost: q\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY
)


@cache
def edge() -> Edge:
    """The one edge of this process; each input is a connection of its own."""
    return Edge()


def cut(data: bytes, how: int) -> Iterator[bytes]:
    """Cut `data` into pieces: whole for 0, else of `how` bytes."""
    step = how or len(data) or 1
    for start in range(0, len(data), step):
        yield data[start : start + step]


def frames(data: bytes) -> None:
    """The reader gives the same events however the bytes are cut, at most one end, and nothing over the limit."""
    how, stream = (data[0], data[1:]) if data else (0, b"")
    at_once = FrameReader(LIMIT).feed(stream)
    reader = FrameReader(LIMIT)
    assert [event for piece in cut(stream, how) for event in reader.feed(piece)] == at_once, (
        "cutting changes the events"
    )
    ends = [event for event in at_once if isinstance(event, Violation | CloseFrame)]
    assert ends == at_once[-1:] or not ends, "something follows the end"


def upgrade(data: bytes) -> None:
    """A socket's whole life: HTTP answers, or an upgrade and then frames of ours."""
    how, stream = (data[0], data[1:]) if data else (0, b"")
    at = edge()
    wire = at.connect()
    answered = at.talk(wire, cut(stream, how and how * 4))
    at.hang_up(wire)
    _judge_http(answered)
    _judge_end(at)


def messages(data: bytes) -> None:
    """An authenticated client says anything. Messages are separated by a zero byte; between them quotes come."""
    how, stream = (data[0], data[1:]) if data else (0, b"")
    at = edge()
    wire = at.connect()
    _open(at, wire, how % 3)
    start = len(wire.written)
    for number, message in enumerate(stream.split(b"\x00")[:20]):
        at.talk(wire, [masked(BINARY if how & 4 else TEXT, message[: LIMIT + 1])])
        at.hub.publish([quote(symbol_id, number + 1) for symbol_id in (1, 2, 3)])
    at.turn()
    answered = bytes(wire.written[start:])
    at.hang_up(wire)
    at.hub.forget((1, 2, 3))
    _judge_frames(answered, binary=how % 3 == 2)
    _judge_end(at)


def upstream(data: bytes) -> None:
    """Whatever Questrade, or what stands between, sends: a value or the one error each reader documents."""
    frame = questrade.decode_frame(data)
    assert type(frame).__module__ == questrade.__name__
    for read in (questrade.decode_quotes, questrade.decode_port):
        with contextlib.suppress(UpstreamUnavailableError):
            read(data)
    questrade.decode_error(data)


def _open(at: Edge, wire: Wire, kind: int) -> None:
    """Upgrade and authenticate: native JSON, plain, MessagePack."""
    token = at.tokens.mint("alice")[0]
    name = (b"quotewire.v1.json", b"", b"quotewire.v1.msgpack")[kind]
    offered = b"\r\nSec-WebSocket-Protocol: " + name if name else b""
    head = UPGRADE % (b"/" if kind == 1 else b"/ws") + offered + b"\r\n\r\n"
    hello = {"type": "hello", "token": token, "capabilities": ["gap", "reconnect", "delta"]}
    said = {0: json.dumps(hello).encode(), 1: token.encode(), 2: msgspec.msgpack.encode(hello)}[kind]
    answered = at.talk(wire, [head, masked(BINARY if kind == 2 else TEXT, said)])
    assert answered.startswith(b"HTTP/1.1 101 "), answered[:200]


def _judge_http(answered: bytes) -> None:
    """Answers, one after another; after a 101 frames."""
    while answered:
        assert answered.startswith(b"HTTP/1.1 "), answered[:80]
        head, separator, rest = answered.partition(b"\r\n\r\n")
        assert separator, "an answer without an end of its head"
        status = int(head[9:12])
        if status == 101:
            _judge_frames(rest, binary=b"msgpack" in head)
            return
        assert 200 <= status < 600
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" in fields:
            length = int(fields[b"content-length"])
            # The answer to HEAD has the length and not the body.
            answered = rest if rest.startswith(b"HTTP/1.1 ") else rest[length:]
        else:
            return  # chunked: its end is the server's library's business


def _judge_frames(stream: bytes, *, binary: bool) -> None:
    """Whole unmasked frames: messages that can be read, and at the end at most one close with a code of ours."""
    position, closed = 0, False
    while position < len(stream):
        assert not closed, "a frame after the close"
        opcode, length, header = stream[position] & 0x0F, stream[position + 1], 2
        assert stream[position] & 0xF0 == 0x80, "a fragment or a reserved bit"
        if length >= 126:
            size = 2 if length == 126 else 8
            length, header = int.from_bytes(stream[position + 2 : position + 2 + size], "big"), 2 + size
        payload = stream[position + header : position + header + length]
        assert len(payload) == length, "a frame cut off"
        if opcode in (TEXT, BINARY):
            assert (opcode == BINARY) == binary
            said = msgspec.msgpack.decode(payload) if binary else json.loads(payload)
            assert isinstance(said, dict)
        elif opcode == CLOSE:
            closed = True
            # The peer's own code comes back to it, whatever it was.
            assert not payload or 1000 <= int.from_bytes(payload[:2], "big") < 5000
        else:
            assert opcode in (PING, PONG)
        position += header + length


def _judge_end(at: Edge) -> None:
    """The product complained of nothing, and nothing of the connection is left."""
    told, at.complaints.told = at.complaints.told, []
    assert not told, told[0]
    left = at.left_behind()
    assert not left, left


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frames": frames,
    "upgrade": upgrade,
    "messages": messages,
    "upstream": upstream,
}


def _said(*messages: object) -> bytes:
    return b"\x00".join(json.dumps(message).encode() for message in messages)


SEEDS: dict[str, list[bytes]] = {
    "frames": [
        b"\x00" + masked(TEXT, "grüß".encode()),
        b"\x01" + masked(TEXT, b"a", fin=False) + masked(PING, b"p") + masked(0, b"b") + masked(CLOSE, b"\x03\xe8bye"),
        b"\x03" + masked(BINARY, bytes(200)) + masked(TEXT, b"\xf4\x90\x80\x80"),
    ],
    "upgrade": [
        b"\x00GET /health HTTP/1.1\r\nHost: q\r\n\r\n",
        b"\x02POST /api-market/quotes/batch HTTP/1.1\r\nHost: q\r\nContent-Length: 2\r\n\r\n{}",
        b"\x05"
        + UPGRADE % b"/ws"
        + b"\r\nSec-WebSocket-Protocol: quotewire.v1.msgpack\r\n\r\n"
        + masked(BINARY, b"\x80"),
        b"\x00" + UPGRADE % b"/" + b"\r\nX-Connection-ID: ws-1-a\r\n\r\n" + masked(TEXT, b"token"),
    ],
    "messages": [
        b"\x00" + _said({"type": "subscribe", "symbols": ["S1"], "ids": [2], "requestId": "a"}, {"type": "ping"}),
        b"\x00" + _said({"type": "subscribe", "ids": [1], "mode": "every", "delta": True, "resume": [[2, 7, 1]]}),
        b"\x00"
        + _said({"type": "subscribe", "ids": [3], "fields": ["bidPrice"], "maxRate": 2}, {"type": "unsubscribe"}),
        b"\x01" + _said({"mode": "streaming", "ids": [1, 2]}, {"mode": "streaming", "ids": []}),
        b"\x06" + msgspec.msgpack.encode({"type": "subscribe", "ids": [1], "delta": True}),
    ],
    "upstream": [
        b'{"quotes":[{"symbolId":1,"symbol":"A","bidPrice":1.5,"isHalted":false,"delay":0}]}',
        b'{"success":true}',
        b'{"code":1017,"message":"Access token is invalid"}',
        b'{"streamPort":23450}',
    ],
}
"""Where a fuzzer begins."""

FOUND: dict[str, list[bytes]] = {name: [] for name in TARGETS}
"""Inputs that once broke the invariant."""
