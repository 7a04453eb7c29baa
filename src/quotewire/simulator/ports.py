"""Listening sockets that can stop listening and keep their port, so that an outage ends on the port it began on."""

import asyncio
import contextlib
import os
import socket
import struct
from typing import Final

from quotewire.errors import Fault, QuotewireError

FREE_DEADLINE_S: Final = 2.0


class PortError(QuotewireError):
    """A port cannot be listened on; the message names it."""

    code = "port"
    fault = Fault.OPERATOR


def bind(name: str, host: str, port: int) -> socket.socket:
    """A bound socket; 0 is any free port. Raises PortError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind((host, port))
        bound.listen(socket.SOMAXCONN)
    except OSError as error:
        bound.close()
        text = os.strerror(error.errno) if error.errno else str(error)
        raise PortError(
            f"the simulator's {name} port {port} on {host} cannot be opened ({text}): choose another"
        ) from error
    return bound


async def hold(host: str, port: int) -> socket.socket | None:
    """Take a port that has just been given up, without listening: connections to it are refused until it listens again.

    None when somebody else was faster.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FREE_DEADLINE_S):
            while True:
                held = socket.socket(family, socket.SOCK_STREAM)
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.setblocking(False)
                try:
                    held.bind((host, port))
                except OSError:
                    held.close()
                    await asyncio.sleep(0.005)
                else:
                    return held
    return None


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Make the coming close of a connection a reset."""
    connected = transport.get_extra_info("socket")
    if connected is None or connected.fileno() < 0:
        return
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(connected.fileno())) as twin:
        twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
