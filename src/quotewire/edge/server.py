"""The one port: uvicorn with our HTTP protocol, run inside a loop that somebody else owns."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from quotewire.edge.door import door_to
from quotewire.edge.gate import Gate
from quotewire.edge.http import HttpProtocol

START_DEADLINE_S = 10.0
SHUTDOWN_MARGIN_S = 1.0
"""What uvicorn needs on top of its own time limit to stop."""


class _Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to the application and says when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.ready.set()

    def release(self) -> None:
        """Close the HTTP connections that are idle, and the others once they are answered: who comes again comes anew.

        One that is kept alive would lead back here, past any load balancer and any other gateway on this port.
        """
        for connection in tuple(self.server_state.connections):
            if isinstance(connection, HttpProtocol):
                connection.release()

    def stop_listening(self) -> None:
        """Leave new connections to whoever else listens on the port; those that are open stay."""
        for server in self.servers:
            server.close()


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, gate: Gate, listener: socket.socket, *, grace_s: float) -> AsyncIterator[None]:
    """Serve on `listener` while the block runs; then close every connection, within about `grace_s` seconds."""
    graceful_s = max(1, int(grace_s))
    config = uvicorn.Config(
        app,
        http=door_to(gate),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # our own settings say whose X-Forwarded-* are believed (R25)
        timeout_keep_alive=75,  # longer than the 60 s idle limit of the usual load balancers (R25)
        timeout_graceful_shutdown=graceful_s,
    )
    server = _Server(config)
    gate.drain.on_shut.append(server.release)
    if gate.settings.reuse_port:
        gate.drain.on_shut.append(server.stop_listening)
    failed: Exception | None = None
    async with asyncio.TaskGroup() as tasks:
        http = tasks.create_task(server.serve(sockets=[listener]), name="http server")
        sweep = tasks.create_task(gate.sweep(), name="connection sweep")
        drain = tasks.create_task(gate.drain.run(), name="drain")
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                await server.ready.wait()
            yield
        except Exception as error:  # noqa: BLE001  raised again below, as itself and not in the group's wrapping
            failed = error
        finally:
            gate.close_all()
            server.should_exit = True
            # Clients have that long to answer their close frame; those that do not are cut by their own deadline.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await gate.empty.wait()
            sweep.cancel()
            drain.cancel()
            # To its own end, even when we are cancelled: a server cut off in its shutdown leaves sockets to the loop,
            # which would wait for them for ever when it closes.
            await asyncio.wait([http], timeout=graceful_s + SHUTDOWN_MARGIN_S)
    if failed is not None:
        raise failed
