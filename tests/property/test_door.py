"""The short way in decides as the long one: whatever it reads, the HTTP parser reads the same."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from uvicorn import Config
from uvicorn.server import ServerState

from quotewire.edge.door import plain_opening
from quotewire.edge.http import HttpProtocol
from quotewire.wire.handshake import Opening, Refusal


class Parsed(HttpProtocol):
    """The long way, up to where it would ask the gate."""

    opening: Opening | None = None
    rest: bytes | None = None
    refusal: Refusal | None = None

    def _upgrade(self, rest: bytes) -> None:
        self._disarm()
        self.opening, self.rest = self._opening(), rest

    def _refuse(self, refusal: Refusal) -> None:
        self._disarm()
        self.refusal = refusal


class Nowhere(asyncio.Transport):
    """Takes nothing."""

    def is_closing(self) -> bool:
        return False


async def _nobody(scope: Any, receive: Any, send: Any) -> None:
    """Serves no request: only upgrades are tried."""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def long_way(loop: asyncio.AbstractEventLoop, data: bytes) -> Parsed:
    config = Config(_nobody, http=cast(Any, Parsed), ws="none", lifespan="off", log_config=None)
    config.load()
    protocol = Parsed(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    gate = SimpleNamespace(limits=SimpleNamespace(upgrade_timeout_s=60.0), refused=Counter(), draining=False)
    protocol.gate = cast(Any, gate)
    protocol.connection_made(Nowhere())
    protocol.data_received(data)
    protocol._disarm()
    return protocol


OURS = ["Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Protocol", "X-Forwarded-For", "Origin"]
OTHERS = ["host", "Cookie", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Expect", "Trailer", "Te", "X"]
SAID = ["Upgrade", "upgrade", "websocket", "WebSocket", "h2c", "close", "0", "chunked", "13", "a, b", "1.2.3.4", ""]
WILD = st.text(st.characters(max_codepoint=255), max_size=12)
NAMES = st.sampled_from([*OURS, *OTHERS])
VALUES = st.sampled_from(SAID) | st.text('ab ~!"\t:,', max_size=8)
PADDING = st.sampled_from(["", " ", "\t", "  \t "])
LINES = st.one_of(
    st.tuples(NAMES, PADDING, VALUES).map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}"),
    st.tuples(st.sampled_from(["X", "X-Forwarded-For", "Cookie"]), VALUES).map(lambda parts: f"{parts[0]}: {parts[1]}"),
    st.tuples(NAMES | WILD, VALUES | WILD, PADDING).map(lambda parts: f"{parts[0]}:{parts[1]}{parts[2]}"),
)
PLAIN_TARGETS = ["/ws", "/", "/ws?a=1", "/?", "/ws?", "/ws?a=%20&b"]
TARGETS = st.one_of(
    st.sampled_from(PLAIN_TARGETS),
    st.sampled_from([*PLAIN_TARGETS, "/x", "//ws", "http://h/ws", "*", "/ws#a"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=10).map(lambda text: f"/ws?{text}"),
)
NEEDED = ["Host: h", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Mostly good requests for a WebSocket, with this and that in them, and bytes after them."""
    lines = list(NEEDED)
    for line in draw(st.lists(LINES, max_size=3)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    if draw(st.integers(0, 9)) == 0:
        lines.pop(draw(st.integers(0, len(lines) - 1)))
    version = draw(st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "http/1.1"]))
    text = "\r\n".join([f"GET {draw(TARGETS)} {version}", *lines, "", ""])
    return text.encode("latin-1") + draw(st.binary(max_size=8))


@settings(deadline=None, max_examples=400)
@given(data=heads())
def test_what_the_door_reads_the_parser_reads_the_same(loop: asyncio.AbstractEventLoop, data: bytes) -> None:
    read = plain_opening(data)
    if read is None:
        return
    opening, length = read
    parsed = long_way(loop, data)
    assert parsed.refusal is None
    assert parsed.opening == opening
    assert parsed.rest == data[length:]


def test_what_is_tried_is_plain_often_enough(loop: asyncio.AbstractEventLoop) -> None:
    """The door must read the requests clients send; else the test above would prove nothing."""
    data = "\r\n".join(["GET /ws?a=1 HTTP/1.1", *NEEDED, "Cookie: a=b", "Cookie: c=d", "", ""]).encode() + b"rest"
    assert plain_opening(data) is not None
    assert long_way(loop, data).rest == b"rest"
