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


def direct(transport: asyncio.Transport) -> socket.socket | None:
    """The transport's socket, to be written to past it while it holds nothing back; None where that cannot be.

    A third of what a small write costs is the transport's. It pauses its protocol from the first byte it holds back, so
    that one who is not paused may write here. Not a copy: the transport closes the socket, and whoever has this must
    `detach` it in `connection_lost`, which comes before that.
    """
    known = transport.get_extra_info("socket")
    if known is None or transport.get_extra_info("sslcontext") is not None or known.fileno() < 0:
        return None
    transport.set_write_buffer_limits(high=0)
    return socket.socket(known.family, known.type, known.proto, fileno=known.fileno())


def hand(transport: asyncio.Transport, data: bytes) -> None:
    """Write by the transport, which sees to all of it."""
    transport.write(data)


def discard(sink: object, data: bytes) -> None:
    """Write nothing: the connection is over."""
