"""What every long-lived connection does with its socket."""

import asyncio
import contextlib
import socket

MAX_UNSENT_BYTES = 128 * 1024
"""What the kernel may hold unsent of one connection: there quotes grow old where no newer one can take their place."""


def bound_unsent(transport: asyncio.Transport) -> None:
    """Have the kernel hold no more than that."""
    option, sock = getattr(socket, "TCP_NOTSENT_LOWAT", None), transport.get_extra_info("socket")
    if option is not None and sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # the peer may be gone already
            sock.setsockopt(socket.IPPROTO_TCP, option, MAX_UNSENT_BYTES)


def discard(data: bytes) -> None:
    """Write nothing: the connection is over."""
