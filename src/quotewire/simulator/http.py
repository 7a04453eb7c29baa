"""One HTTP port: uvicorn's protocol on a listener of ours, so that it can go down, come back and cut connections."""

import asyncio
import contextlib
import socket
from typing import Any, Final

from starlette.requests import Request
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from quotewire.simulator.ports import bind, hold, reset_on_close

CUT: Final = "quotewire.cut"  # the key in an ASGI scope's extensions under which a connection can be cut
CUT_DEADLINE_S: Final = 5.0
RESET: Final = "reset"


class CuttableProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, whose requests can end their connection without an answer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False

    def on_message_begin(self) -> None:
        """A request begins: its scope learns how to cut the connection."""
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"cut": self.cut}}

    def cut(self, style: str = RESET) -> None:
        """End the connection at once, by reset or by an ordinary close."""
        if style == RESET:
            reset_on_close(self.transport)
        self.transport.abort()


class HttpPort:
    """An HTTP listener with its connections."""

    def __init__(self, name: str, app: ASGIApp, host: str, port: int) -> None:
        self.name = name
        self.port = port
        self._host = host
        self._config = Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
        )
        self._config.load()
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None

    async def start(self) -> None:
        """Listen; with port 0 a free port is chosen and kept. Raises PortError when it is taken."""
        if self._server is not None:
            return
        bound, self._held = self._held or bind(self.name, self._host, self.port), None
        self.port = bound.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=bound)

    async def down(self, style: str = RESET) -> None:
        """Stop listening and cut every connection; `start` brings the same port back."""
        if self._server is None:
            return
        self._close(style)
        self._held = await hold(self._host, self.port)

    async def stop(self) -> None:
        """Close for good; requests in progress are cancelled."""
        self._close("close")
        if self._held is not None:
            self._held.close()
            self._held = None
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CUT_DEADLINE_S):
                await asyncio.gather(*tasks, return_exceptions=True)

    def _close(self, style: str) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._state.connections):
            if isinstance(connection, CuttableProtocol):
                connection.cut(style)

    def _protocol(self) -> CuttableProtocol:
        return CuttableProtocol(config=self._config, server_state=self._state, app_state={})


async def cut(request: Request, style: str = RESET) -> None:
    """End a request's connection without an answer, and wait until that is done."""
    request.scope["extensions"][CUT]["cut"](style)
    await gone(request, CUT_DEADLINE_S)


async def gone(request: Request, deadline_s: float) -> bool:
    """Wait until the client has gone; False when it has not after the deadline."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    return True
    return False
