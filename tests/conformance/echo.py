"""The product's own edge as an echo server: its HTTP upgrade, frame reader and connection, with an echo for a session.

Only what a message means is replaced. What is left is what a conformance suite can judge.
"""

import contextlib
from collections.abc import AsyncIterator
from unittest import mock

from quotewire.edge import http, websocket
from quotewire.testing import running_gateway
from quotewire.wire.frames import BINARY, TEXT, BinaryMessage, FrameEvent, TextMessage, frame

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
FOREVER_MS = "300000"
"""Longer than the suite runs: nobody authenticates to an echo."""


class EchoConnection(websocket.Connection):
    """A connection that sends each message back as it came."""

    __slots__ = ()

    def _frame(self, event: FrameEvent, now: float) -> None:
        match event:
            case TextMessage(text):
                self._write([frame(TEXT, text.encode())])
            case BinaryMessage(data):
                self._write([frame(BINARY, data)])
            case _:
                super()._frame(event, now)

    def _say(self, payload: bytes, said: list[bytes]) -> None:
        """An echo has no words of its own, such as those before a close."""


@contextlib.asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """Run the edge as an echo server while the block runs; gives its WebSocket URL."""
    with (
        mock.patch.object(http, "Connection", EchoConnection),
        mock.patch.object(websocket, "MAX_BACKLOG_BYTES", 4 * MAX_MESSAGE_BYTES),
    ):
        async with running_gateway(
            WS_MAX_MESSAGE_BYTES=str(MAX_MESSAGE_BYTES),
            WS_AUTH_TIMEOUT=FOREVER_MS,
            WS_PING_INTERVAL=FOREVER_MS,
            WS_CONNECTION_TIMEOUT="600000",
            MAX_CONNECTIONS_PER_IP="1000",
            WS_FAULT_RATE_PER_IP="10000",  # most cases are faults
        ) as running:
            yield running.url.replace("http", "ws", 1) + "/ws"
