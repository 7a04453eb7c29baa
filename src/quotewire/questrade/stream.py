"""One quote socket: open, authenticate, read. No reconnecting here, and nothing but the token is ever sent.

The token is the first text frame, bare. What a quote stream carries is set by the REST request that named its port, so
no JSON goes out: the socket is closed by Questrade when it gets any. Whether it answers pings is not known, so none
are sent; the operating system's keep-alive tells a dead peer from a silent one.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI, ProxyError
from websockets.frames import DATA_OPCODES
from websockets.frames import Frame as Piece
from websockets.protocol import Event
from websockets.typing import BytesLike

from quotewire.errors import AccessTokenError, UpstreamUnavailableError
from quotewire.questrade.http import USER_AGENT
from quotewire.questrade.refusals import INVALID_TOKEN
from quotewire.questrade.wire import Accepted, FailureFrame, Frame, decode_frame
from quotewire.settings import is_loopback

UPGRADE_S: Final = 5.0
AUTH_S: Final = 10.0
CLOSE_S: Final = 1.0
MAX_FRAME_BYTES: Final = 8 * 1024 * 1024
NO_CLOSE_FRAME: Final = 1006

# The library logs every frame at debug level, the one with the token too.
_silent: Final = logging.getLogger("quotewire.questrade.stream.frames")
_silent.setLevel(logging.WARNING)


class StreamClosed(Exception):
    """The socket ended. `code` is its close code, 1006 when none came."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the stream was closed (code {code}{': ' + reason if reason else ''})")
        self.code = code


class Connection(ClientConnection):
    """The library's connection, which hands on messages in the moment they come once somebody listens.

    Its own way, a queue and a task that is woken for each, costs two turns of the event loop: as long as everything
    else takes that is due in them. All rules of the protocol stay the library's.
    """

    _take: Callable[[BytesLike], bool]
    _over: asyncio.Future[None] | None = None  # done as soon as nobody listens any more
    _parts = b""  # of a message whose end has not come

    async def listen(self, take: Callable[[BytesLike], bool]) -> None:
        """Give each message to `take`, until it says that this is enough. Raises ConnectionClosed, or what `take` does.

        Once the task that listens is cancelled, nothing more is given: `_over` is cancelled with it, at once.
        """
        while len(self.recv_messages.frames):  # came before anybody listened
            if take(await self.recv(decode=False)):
                return
        if self.recv_messages.closed:
            await self.recv()  # raises
        self._take, self._over = take, self.loop.create_future()
        await self._over

    def process_event(self, event: Event) -> None:
        """A frame came, or the answer to the handshake."""
        over = self._over
        if over is None or over.done() or not isinstance(event, Piece) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif not event.fin or self._parts:
            self._parts += event.data
            if event.fin:
                message, self._parts = self._parts, b""
                self._hand_on(message, over)
        else:
            self._hand_on(event.data, over)

    def _hand_on(self, message: BytesLike, over: asyncio.Future[None]) -> None:
        try:
            is_enough = self._take(message)
        except Exception as error:  # noqa: BLE001  the listener's own, raised in his task
            if not over.done():
                over.set_exception(error)
        else:
            if is_enough and not over.done():
                over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        super().connection_lost(exc)
        if self._over is not None and not self._over.done():
            self._over.set_exception(self.protocol.close_exc)


class QuoteSocket:
    """One socket to a streaming port. Used by one task at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str, *, timeout_s: float = UPGRADE_S) -> "QuoteSocket":
        """TCP, TLS and the HTTP upgrade. Raises UpstreamUnavailableError."""
        loopback = is_loopback(urlsplit(url).hostname or "")
        try:
            connection = await connect(
                url,
                open_timeout=timeout_s,
                close_timeout=CLOSE_S,
                ping_interval=None,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                user_agent_header=USER_AGENT,
                proxy=None if loopback else True,
                logger=_silent,
                create_connection=Connection,
            )
        except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ProxyError, EOFError) as error:
            raise UpstreamUnavailableError(f"the stream socket did not open ({type(error).__name__})") from error
        assert isinstance(connection, Connection)
        _keep_alive(connection)
        return cls(connection)

    async def authenticate(self, token: str, *, timeout_s: float = AUTH_S) -> None:
        """Send the token and wait for `{"success": true}`.

        Raises AccessTokenError when it is refused, UpstreamUnavailableError for anything else.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._connection.send(token)
                frame = decode_frame(await self._connection.recv(decode=False))
        except TimeoutError as error:
            raise UpstreamUnavailableError("the stream did not answer the token in time") from error
        except ConnectionClosed as error:
            raise UpstreamUnavailableError(f"the stream was closed at the token (code {_code(error)})") from error
        match frame:
            case Accepted():
                return
            case FailureFrame(code=code, message=message) if code != INVALID_TOKEN and code != 0:
                raise UpstreamUnavailableError(f"the stream answered the token with error {code}: {message[:200]}")
            case FailureFrame():
                raise AccessTokenError("the stream refused the access token (1017)")
        raise UpstreamUnavailableError("the stream answered the token with something else than success")

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        """Give every frame to `take`, decoded, in the moment it comes, until `take` says that this is enough.

        Once the task that listens is cancelled, nothing more is given. Raises StreamClosed when the socket ends.
        """
        try:
            await self._connection.listen(lambda message: take(decode_frame(message)))
        except ConnectionClosed as error:
            raise StreamClosed(_code(error), _reason(error)) from error

    async def close(self) -> None:
        """Close; harmless a second time, and bounded."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_S * 2):
                await self._connection.close()


def _keep_alive(connection: ClientConnection) -> None:
    raw = connection.transport.get_extra_info("socket")
    if raw is None:
        return
    with contextlib.suppress(OSError, AttributeError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _code(error: ConnectionClosed) -> int:
    return error.rcvd.code if error.rcvd is not None else NO_CLOSE_FRAME


def _reason(error: ConnectionClosed) -> str:
    return error.rcvd.reason if error.rcvd is not None else ""
