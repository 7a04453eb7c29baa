"""The port: bound for one process, or shared with others."""

import errno
import socket

from quotewire.errors import ConfigurationError

BACKLOG = 2048


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Listen on `host:port`; `shared` with others of this user that say so, too: each gets some of the connections.

    Raises ConfigurationError, naming both, when that cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        why = error.strerror or str(error)
        setting = "PORT" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "QUOTEWIRE_HOST"
        raise ConfigurationError(f"cannot listen on {host}:{port}: {why}; choose another with {setting}") from None
    listener.setblocking(False)
    return listener
