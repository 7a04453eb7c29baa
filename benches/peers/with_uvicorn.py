"""uvicorn with websockets, the usual server of FastAPI and Starlette: a bare ASGI application, on uvloop."""

import asyncio
import socket
import sys
from typing import Any

import uvicorn
import uvloop
from feed import follow

clients: set[Any] = set()
waiting: asyncio.Queue[bytes] = asyncio.Queue()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    clients.add(send)
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        clients.discard(send)


async def pump() -> None:
    while True:
        message = {"type": "websocket.send", "text": (await waiting.get()).decode()}
        for send in tuple(clients):
            await send(message)


async def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    config = uvicorn.Config(
        app, ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=None, lifespan="off",
        log_level="error", access_log=False, backlog=4096,
    )  # fmt: skip
    server = uvicorn.Server(config)
    pumping = asyncio.create_task(pump())
    await follow(int(sys.argv[1]), waiting.put_nowait)
    print(listener.getsockname()[1], flush=True)
    await server.serve(sockets=[listener])
    pumping.cancel()


uvloop.run(main())
