"""How this project's HTTP clients are made: named, bounded, without redirects or silent repeats."""

from typing import Final
from urllib.parse import urlsplit

import httpx

from quotewire.settings import is_loopback
from quotewire.version import VERSION

USER_AGENT: Final = f"quotewire/{VERSION}"
"""A real name: Questrade refuses the default one of Python's library with 403 or 400."""

CONNECT_S: Final = 5.0
READ_S: Final = 10.0
MAX_BODY_BYTES: Final = 32 * 1024 * 1024


def make_client(url: str, *, read_s: float = READ_S) -> httpx.AsyncClient:
    """A client for the host of `url`. Proxies of the environment are used, except towards loopback."""
    return httpx.AsyncClient(
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        timeout=httpx.Timeout(read_s, connect=CONNECT_S, pool=CONNECT_S),
        follow_redirects=False,
        trust_env=not is_loopback(urlsplit(url).hostname or ""),
        http2=False,
    )
