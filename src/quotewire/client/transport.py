"""One WebSocket: opened, read, written, closed. It decides nothing."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from quotewire.client.rest import Address, reason, retry_after
from quotewire.wire.messages import SUBPROTOCOL_JSON

ABNORMAL = 1006
CLOSE_TIMEOUT_S = 0.5
SEND_TIMEOUT_S = 10.0
MAX_UNSENT = 1024
"""Messages that wait for the socket. When full, the connection counts as lost: it has taken nothing for long."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024  # a snapshot of thousands of symbols

_frames = logging.getLogger("quotewire.client.frames")
_frames.setLevel(logging.WARNING)  # its debug lines hold whole messages, and the first one holds the token


@dataclass(frozen=True, slots=True)
class Ended:
    """How a socket ended: the close code (1006 without a close frame), a sentence, and what an HTTP refusal said."""

    code: int
    detail: str
    status: int | None = None
    retry_after_s: float | None = None


class Socket:
    """One connection. `run` lives as long as it does."""

    def __init__(
        self, where: Address, headers: dict[str, str], open_timeout_s: float, subprotocol: str = SUBPROTOCOL_JSON
    ) -> None:
        self._where = where
        self._subprotocol = subprotocol
        self._headers = headers
        self._open_timeout_s = open_timeout_s
        self._unsent: asyncio.Queue[str | bytes] = asyncio.Queue(MAX_UNSENT)
        self._connection: ClientConnection | None = None

    @property
    def unsent(self) -> int:
        """Gauge of the send queue."""
        return self._unsent.qsize()

    def send(self, data: str | bytes) -> None:
        """Queue a message, text or binary. When too many wait, the connection is given up."""
        try:
            self._unsent.put_nowait(data)
        except asyncio.QueueFull:
            if self._connection is not None:
                self._connection.transport.abort()

    async def run(self, opened: Callable[[], None], received: Callable[[bytes], None]) -> Ended:
        """Open, then read until the end. Cancelling it aborts the connection."""
        try:
            self._connection = await self._open()
        except InvalidStatus as error:
            status = error.response.status_code
            told = f"{self._where.websocket} answered HTTP {status} instead of opening a WebSocket"
            return Ended(ABNORMAL, told, status, retry_after(error.response.headers.get("Retry-After")))
        except (OSError, InvalidHandshake, EOFError) as error:
            return Ended(ABNORMAL, f"cannot connect to {self._where.websocket}: {reason(error)}")
        try:
            opened()
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(self._connection))
                try:
                    return await self._read(self._connection, received)
                finally:
                    writer.cancel()
        finally:
            self._connection.transport.abort()

    async def close(self, code: int, why: str) -> None:
        """Close with a handshake, within `CLOSE_TIMEOUT_S`; harmless at any time."""
        if self._connection is not None:
            await self._connection.close(code, why)

    async def _open(self) -> ClientConnection:
        return await connect(
            self._where.websocket,
            subprotocols=[Subprotocol(self._subprotocol)],
            additional_headers=self._headers,
            compression=None,
            proxy=None if self._where.loopback else True,
            open_timeout=self._open_timeout_s,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            logger=_frames,
        )

    async def _read(self, connection: ClientConnection, received: Callable[[bytes], None]) -> Ended:
        try:
            while True:
                received(await connection.recv(decode=False))
        except ConnectionClosed as closed:
            frame = closed.rcvd
            if frame is None:
                return Ended(ABNORMAL, f"the connection to {self._where.websocket} was lost")
            return Ended(int(frame.code), f"the gateway closed the connection: {frame.reason or frame.code}")

    async def _write(self, connection: ClientConnection) -> None:
        try:
            while True:
                data = await self._unsent.get()
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await connection.send(data)
        except ConnectionClosed:
            return
        except TimeoutError:
            connection.transport.abort()
