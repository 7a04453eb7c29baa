"""The door: what is plain is read as the HTTP parser reads it, and whatever is not goes there as it came."""

import asyncio
import json
from typing import Any, cast

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from quotewire.edge.door import MAX_PLAIN_BYTES, door_to, plain_opening
from quotewire.edge.http import HttpProtocol
from quotewire.edge.services import Services
from quotewire.edge.websocket import Connection
from quotewire.wire.frames import PING, PONG
from quotewire.wire.handshake import Opening
from tests.unit.edge.conftest import MakeServices
from tests.wire_samples import masked

LINES = (
    "Host: q.example:4005",
    "Upgrade: WebSocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
)


def head(*more: str, line: str = "GET /ws HTTP/1.1", lines: tuple[str, ...] = LINES) -> bytes:
    return "\r\n".join((line, *lines, *more, "", "")).encode("latin-1")


class FakeTransport(asyncio.Transport):
    """Takes everything, and keeps it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("203.0.113.9", 50000)})
        self.written = b""
        self.closed = self.eof = False
        self.protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Socket:
    """One socket at the door."""

    def __init__(self, services: Services) -> None:
        async def nobody(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("no request is served here")

        door = door_to(services.gate)
        config = Config(nobody, http=cast(Any, door), ws="none", lifespan="off", log_config=None)
        config.load()
        state = ServerState()
        self.connections: set[Any] = state.connections
        self.door = door(config, state, {}, asyncio.get_running_loop())
        self.transport = FakeTransport()
        self.door.connection_made(self.transport)

    def protocol(self) -> asyncio.Protocol:
        return cast(asyncio.Protocol, self.transport.protocol or self.door)

    def receive(self, data: bytes) -> None:
        self.protocol().data_received(data)

    def end(self) -> None:
        protocol = self.protocol()
        protocol.connection_lost(None)
        if isinstance(protocol, HttpProtocol):
            protocol._disarm()


def opening(data: bytes) -> Opening | None:
    read = plain_opening(data)
    return None if read is None else read[0]


def test_a_plain_request_is_read_whole() -> None:
    data = head("X-Padded:\t a b", "Cookie: a", "cookie:b", line="GET /ws?a=%20b&c HTTP/1.1")
    read = plain_opening(data + b"rest")
    assert read is not None
    told, length = read
    assert (told.method, told.http_version, told.path, told.query) == ("GET", "1.1", "/ws", "a=%20b&c")
    assert told.headers["cookie"] == "a, b"
    assert told.headers["x-padded"] == "a b"
    assert told.headers["sec-websocket-version"] == "13"
    assert length == len(data)


@pytest.mark.parametrize(
    "data",
    [
        head()[:-1],
        head()[:-2],
        b"\r\n" + head(),
        head(line="POST /ws HTTP/1.1"),
        head(line="GET /ws HTTP/1.0"),
        head(line="GET /elsewhere HTTP/1.1"),
        head(line="GET /ws#a HTTP/1.1"),
        head(line="GET  /ws HTTP/1.1"),
        head("Content-Length: 0"),
        head("Transfer-Encoding: chunked"),
        head("Expect: 100-continue"),
        head("X: a", " folded"),
        head("X : a"),
        head("X: a "),
        head("X: \xe9"),
        head("X: a\x00b"),
        head("X:"),
        head("X: a\rb"),
        head(lines=LINES[:1] + LINES[2:]),
        head(lines=LINES[:2] + LINES[3:]),
        head("X: " + "a" * MAX_PLAIN_BYTES),
        head().replace(b"\r\n", b"\n"),
        b"GET /ws HTTP/1.1\r\n\r\n",
        b"",
    ],
)
def test_what_is_not_plain_is_not_read(data: bytes) -> None:
    assert plain_opening(data) is None


@pytest.fixture
def services(make_services: MakeServices) -> Services:
    return make_services()


async def test_a_plain_request_becomes_a_websocket_and_what_follows_it_is_the_websockets(services: Services) -> None:
    socket = Socket(services)
    assert socket.connections == {socket.door}
    socket.receive(head("X-Connection-ID: ws-1-a") + masked(PING, b"abc"))
    answer, _, rest = socket.transport.written.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer
    assert b"X-Connection-ID: ws-1-a" in answer
    assert rest == bytes((0x80 | PONG, 3)) + b"abc"
    connection = socket.protocol()
    assert isinstance(connection, Connection)
    assert connection.address == "203.0.113.9"
    assert socket.connections == set()
    socket.end()
    assert services.gate.limiter.seats == 0


async def test_the_door_reads_what_the_parser_reads(services: Services) -> None:
    data = head("X-A:  b", "X-A: c", "x-b:d", line="GET /?x=1&y=%41 HTTP/1.1")
    socket = Socket(services)
    http = type(socket.door).http
    parser = http(*socket.door._arguments, _loop=asyncio.get_running_loop())
    seen: list[Opening] = []
    parser._upgrade = lambda rest: seen.append(parser._opening())  # type: ignore[method-assign, arg-type]
    parser.connection_made(FakeTransport())
    parser.data_received(data)
    parser._disarm()
    assert [opening(data)] == seen
    socket.end()


async def test_a_request_in_pieces_goes_to_the_parser(services: Services) -> None:
    socket = Socket(services)
    data = head()
    socket.receive(data[:10])
    assert isinstance(socket.protocol(), HttpProtocol)
    assert socket.connections == {socket.protocol()}
    socket.receive(data[10:])
    assert socket.transport.written.startswith(b"HTTP/1.1 101 ")
    assert isinstance(socket.protocol(), Connection)
    socket.end()


async def test_a_plain_request_that_is_refused_is_told_why(services: Services) -> None:
    services.gate.close_all()
    socket = Socket(services)
    socket.receive(head("X-Request-ID: r-1"))
    answer, _, body = socket.transport.written.partition(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"X-Request-ID: r-1" in answer
    assert json.loads(body)["code"] == "stopping"
    assert services.gate.refused == {"503": 1}
    socket.end()


async def test_a_socket_that_says_nothing_is_told_so_in_time(make_services: MakeServices) -> None:
    services = make_services(WS_UPGRADE_TIMEOUT="100")
    socket = Socket(services)
    async with asyncio.timeout(5):
        while not socket.transport.eof:
            await asyncio.sleep(0.005)
    assert socket.transport.written.startswith(b"HTTP/1.1 408 ")
    assert services.gate.refused == {"408": 1}
    socket.end()


async def test_a_request_that_comes_slowly_has_no_more_time_than_silence_has(make_services: MakeServices) -> None:
    services = make_services(WS_UPGRADE_TIMEOUT="5000")
    socket = Socket(services)
    socket.door._opened_at -= 4.0
    before = asyncio.get_running_loop().time()
    socket.receive(b"GET /ws HT")
    protocol = socket.protocol()
    assert isinstance(protocol, HttpProtocol)
    assert protocol._deadline is not None
    assert protocol._deadline.when() - before == pytest.approx(1.0, abs=0.5)
    socket.end()


async def test_a_socket_that_goes_before_it_says_anything_leaves_nothing(services: Services) -> None:
    socket = Socket(services)
    socket.door.connection_lost(None)
    assert socket.connections == set()
    socket.door.data_received(head())
    assert socket.transport.written == b""


async def test_a_server_that_stops_closes_who_said_nothing(services: Services) -> None:
    socket = Socket(services)
    closed = []
    for act in (socket.door.release, socket.door.shutdown):
        act()
        closed.append(socket.transport.closed)
    assert closed == [False, True]
    socket.end()
