"""One WebSocket at the level of its connection: how it ends, and frames that are no ordinary messages."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from quotewire.simulator.ports import reset_on_close

QUIET: Final = logging.getLogger("quotewire.simulator.websockets")
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False


@dataclass(frozen=True, slots=True)
class Ending:
    """Why and how a socket ends. `style`: code, no_status or abort; `error` is sent as a text frame before."""

    reason: str
    style: str = "no_status"
    code: int = 1000
    text: str = ""
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class Extra:
    """A frame that is no batch of changes. `how`: text, binary or raw (bytes put on the wire as they are)."""

    data: bytes
    how: str = "text"


def tracked(opened: set[ServerConnection]) -> type[ServerConnection]:
    """A connection class that keeps itself in a set from the first byte to the last."""

    class Tracked(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            opened.add(self)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            opened.discard(self)

    return Tracked


async def send_extra(connection: ServerConnection, extra: Extra) -> None:
    """Send one extra frame."""
    if extra.how == "raw":
        connection.transport.write(extra.data)
    else:
        await connection.send(extra.data, text=extra.how == "text")


async def finish(connection: ServerConnection, ending: Ending, deadline_s: float) -> None:
    """End a socket as told; when the peer does not answer in time, or in any case in the end, its connection is cut."""
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        async with asyncio.timeout(deadline_s):
            if ending.error is not None:
                await connection.send(ending.error, text=True)
            if ending.style == "code":
                await connection.close(ending.code, ending.text)
            elif ending.style == "no_status":
                async with connection.send_context():
                    connection.protocol.send_close()
    abort(connection)


def abort(connection: ServerConnection) -> None:
    """Reset a socket's connection."""
    reset_on_close(connection.transport)
    connection.transport.abort()
