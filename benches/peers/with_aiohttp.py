"""aiohttp: one task for each message that sends it to every client, on uvloop."""

import asyncio
import sys

import uvloop
from aiohttp import web
from feed import follow

clients: set[web.WebSocketResponse] = set()


async def client(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, autoping=True, heartbeat=None)
    await socket.prepare(request)
    clients.add(socket)
    try:
        async for _ in socket:
            pass
    finally:
        clients.discard(socket)
    return socket


async def pump(waiting: asyncio.Queue[bytes]) -> None:
    while True:
        text = (await waiting.get()).decode()
        for socket in tuple(clients):
            await socket.send_str(text)


async def main() -> None:
    app = web.Application()
    app.router.add_get("/ws", client)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    await follow(int(sys.argv[1]), waiting.put_nowait)
    print(runner.addresses[0][1], flush=True)
    await pump(waiting)


uvloop.run(main())
