"""Writing past the transport: only where it is a plain socket, and in order with what the transport holds back."""

import asyncio
import socket

from quotewire.edge.sockets import bound_unsent, direct
from tests.unit.edge.test_websocket import FakeTransport


class Peer(asyncio.Protocol):
    """Our end of a connection, that writes to its socket itself while it may."""

    def __init__(self) -> None:
        self.paused = 0
        self.lost = asyncio.Event()
        self.resumed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        bound_unsent(transport)
        self.socket = direct(transport)

    def pause_writing(self) -> None:
        self.paused += 1
        self.resumed.clear()

    def resume_writing(self) -> None:
        self.resumed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.socket is not None:
            self.socket.detach()
        self.lost.set()

    def write(self, data: bytes) -> bool:
        """Write as the hub does; False once the socket takes no more."""
        assert self.socket is not None
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent != len(data):
            self.transport.write(data[sent:])
        return not self.paused


async def test_what_the_socket_does_not_take_the_transport_sends_in_order() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_connection(Peer, sock=ours)
    written = bytearray()
    data = bytes(range(256)) * 64
    while peer.write(data):
        written += data
    written += data
    received = bytearray()
    async with asyncio.timeout(10):
        while len(received) < len(written):
            received += await loop.sock_recv(theirs, 65536)
        await peer.resumed.wait()
    assert received == written
    assert peer.paused == 1
    peer.write(b"end")
    assert await loop.sock_recv(theirs, 10) == b"end"
    transport.close()
    await peer.lost.wait()
    theirs.close()
    assert ours.fileno() == -1


async def test_without_a_socket_of_its_own_there_is_none() -> None:
    assert direct(FakeTransport()) is None
