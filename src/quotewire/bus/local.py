"""The wire between the processes of one machine: frames over a Unix socket in a directory of our own."""

import asyncio
import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from quotewire.bus.envelope import Splitter
from quotewire.errors import BusError, ConfigurationError, IllegalEventError

SOCKET: Final = "bus"
LONGEST_PATH: Final = 107  # bytes, of the address of a Unix socket on Linux
HIGH_BYTES: Final = 1024 * 1024
"""What may wait unsent for one process before it counts as lagging."""

MOST_BYTES: Final = 16 * HIGH_BYTES
"""Answers that a process does not read are cut off here, and the process with them."""


def socket_path(directory: Path) -> Path:
    """Where the owner listens. Raises ConfigurationError when the system has no room for so long an address."""
    path = directory / SOCKET
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ConfigurationError(f"{path} is too long for the address of a Unix socket; set TMPDIR to a shorter one")
    return path


def check_private(directory: Path) -> None:
    """Make sure that nobody else can enter. Raises ConfigurationError."""
    found = directory.stat()
    if found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise ConfigurationError(f"{directory} is open to others; the gateway's processes speak in one that is not")


class Wire(asyncio.Protocol):
    """One connection of the bus, either end. Says what came, when it takes data again, and that it is gone."""

    def __init__(
        self,
        on_body: Callable[["Wire", bytes], None],
        on_open: Callable[["Wire"], None],
        on_writable: Callable[["Wire"], None],
        on_gone: Callable[["Wire", BusError | None], None],
    ) -> None:
        self._on_body = on_body
        self._on_open = on_open
        self._on_writable = on_writable
        self._on_gone = on_gone
        self._splitter = Splitter()
        self._garbage: BusError | None = None
        self._transport: asyncio.Transport | None = None
        self.blocked = False

    @property
    def open(self) -> bool:
        """Whether anything can be sent."""
        return self._transport is not None and not self._transport.is_closing()

    def send(self, framed: bytes) -> None:
        """Send a frame; into the void when the connection is gone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self.blocked and transport.get_write_buffer_size() > MOST_BYTES:
            transport.abort()
            return
        transport.write(framed)

    def close(self) -> None:
        """End the connection when what was sent is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open. Only processes of our own user are spoken with."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=HIGH_BYTES)
        if _peer_uid(self._transport) not in (None, os.getuid()):
            self._transport.abort()
            return
        self._on_open(self)

    def data_received(self, data: bytes) -> None:
        """Hand on what is whole; a peer that speaks garbage is hung up on."""
        try:
            for body in self._splitter.feed(data):
                if not self.open:
                    return
                self._on_body(self, body)
        except (BusError, IllegalEventError) as error:
            self._garbage = BusError(str(error))
            self.abort()

    def pause_writing(self) -> None:
        """The peer does not keep up."""
        self.blocked = True

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.blocked = False
        self._on_writable(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._transport = None
        self._on_gone(self, self._garbage)


def _peer_uid(transport: asyncio.Transport) -> int | None:
    """Whose process is at the other end; None where the system does not tell."""
    sock, option = transport.get_extra_info("socket"), getattr(socket, "SO_PEERCRED", None)
    if sock is None or option is None:
        return None
    packed = sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    return int(struct.unpack("3i", packed)[1])
