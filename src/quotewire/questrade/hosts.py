"""Where a token may be sent. Pure.

`api_server` comes in three shapes (`https://h`, `https://h/`, `https://h/v1`) and its host changes from refresh to
refresh. It is somebody else's text: before an access token goes there, the host must be one the operator allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn
from urllib.parse import urlsplit

from quotewire.errors import UntrustedHostError
from quotewire.settings import is_loopback


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A checked API server. `origin` is `scheme://host[:port]` without a slash at the end."""

    origin: str
    host: str
    secure: bool

    @property
    def api_url(self) -> str:
        """What request paths are appended to."""
        return f"{self.origin}/v1/"

    def stream_url(self, port: int) -> str:
        """Where the stream socket of `port` is."""
        return f"{'wss' if self.secure else 'ws'}://{self.host}:{port}/"


def check(api_server: str, allowed: Sequence[str]) -> ApiServer:
    """Normalise and check an `api_server`.

    `allowed` are host names, `*.` in front standing for one or more labels. Accepted are https on the default port to
    an allowed host, and http or https on any port to an allowed loopback host. Raises UntrustedHostError otherwise.
    """
    return _checked(api_server, tuple(allowed))


@lru_cache(maxsize=64)
def _checked(api_server: str, allowed: tuple[str, ...]) -> ApiServer:
    """Remembered, because it is asked before every call and is the same from one refresh to the next."""
    try:
        parts = urlsplit(api_server.strip())
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        _refuse(api_server, "it is not a URL")
    if parts.scheme not in ("http", "https") or not host:
        _refuse(api_server, "it is not an http or https URL")
    if parts.username is not None or parts.password is not None:
        _refuse(api_server, "it carries a user name")
    if parts.path.strip("/") not in ("", "v1") or parts.query or parts.fragment:
        _refuse(api_server, "it has a path of its own")
    loopback = is_loopback(host)
    if parts.scheme == "http" and not loopback:
        _refuse(api_server, "it is not https")
    if port not in (None, 443) and not loopback:
        _refuse(api_server, "it has a port of its own")
    if not any(matches(host, pattern) for pattern in allowed):
        _refuse(api_server, f"the host is not among QUOTEWIRE_API_HOSTS ({', '.join(allowed)})")
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or (port == 443 and parts.scheme == "https") else f":{port}"
    return ApiServer(f"{parts.scheme}://{shown}{suffix}", shown, parts.scheme == "https")


def matches(host: str, pattern: str) -> bool:
    """Whether a lower-case host fits a pattern of QUOTEWIRE_API_HOSTS."""
    pattern = pattern.lower().strip("[]")
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _refuse(api_server: str, why: str) -> NoReturn:
    shown = api_server if len(api_server) <= 100 and "@" not in api_server else "(not shown)"
    raise UntrustedHostError(f"Questrade's api_server {shown!r} is refused: {why}; no token was sent there")
