"""The feed as the Python peers take it: messages with their length and topic in front, over one TCP connection."""

import asyncio
import struct
from collections.abc import Callable

HEAD = struct.Struct("<II")


class Feed(asyncio.Protocol):
    """Hands each whole message to `publish`."""

    def __init__(self, publish: Callable[[bytes], None]) -> None:
        self._publish = publish
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.write(b"RAW\n")  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= HEAD.size:
            length, _ = HEAD.unpack_from(self._buffer, at)
            end = at + HEAD.size + length
            if end > len(self._buffer):
                break
            self._publish(self._buffer[at + HEAD.size : end])
            at = end
        self._buffer = self._buffer[at:]


async def follow(port: int, publish: Callable[[bytes], None]) -> asyncio.BaseTransport:
    """Connect to the feed."""
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: Feed(publish), "127.0.0.1", port)
    return transport
