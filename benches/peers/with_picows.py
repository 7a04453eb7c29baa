"""picows, a WebSocket library in Cython: each client's `send` of the same bytes, on uvloop."""

import asyncio
import sys

import uvloop
from feed import follow
from picows import WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

clients: set[WSTransport] = set()


class Client(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        clients.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        clients.discard(transport)


def factory(request: WSUpgradeRequest) -> WSListener:
    return Client()


def publish(payload: bytes) -> None:
    for transport in clients:
        transport.send(WSMsgType.TEXT, payload)


async def main() -> None:
    server = await ws_create_server(factory, "127.0.0.1", 0, backlog=4096)
    await follow(int(sys.argv[1]), publish)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


uvloop.run(main())
