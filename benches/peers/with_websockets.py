"""websockets: its `broadcast()`, the fan-out its documentation advises, on uvloop."""

import asyncio
import sys

import uvloop
from feed import follow
from websockets.asyncio.server import ServerConnection, broadcast, serve

clients: set[ServerConnection] = set()


async def client(connection: ServerConnection) -> None:
    clients.add(connection)
    try:
        await connection.wait_closed()
    finally:
        clients.discard(connection)


async def main() -> None:
    async with serve(client, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096) as server:
        await follow(int(sys.argv[1]), lambda payload: broadcast(clients, payload.decode()))
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()


uvloop.run(main())
