"""What a variable is, and how kinds of values are read; a reader raises ValueError or KeyError for what it refuses."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TAKEN_PATHS = (
    "/admin/",
    "/api-auth/",
    "/api-market/",
    "/api/upstream/",
    "/assets/",
    "/docs/",
    "/health/",
    "/metrics/",
    "/openapi.json/",
    "/ready/",
    "/redoc/",
    "/static-offline-docs/",
    "/ws/",
)
PERSON_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
HOST_PATTERN = re.compile(r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\]")


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its name, the field it fills, how it is read, and what it accepts in words."""

    name: str
    field: str
    parse: Callable[[str], Any]
    accepts: str
    default: str | None
    purpose: str
    development: str | None = None  # the default in development, where it differs
    secret: bool = False


def integer(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers of that range."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    """A reader of one of these words, in any case."""

    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def boolean(text: str) -> bool:
    """Read true or false."""
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]


def switch(text: str) -> bool:
    """Read on or off."""
    return {"on": True, "off": False}[text.lower()]


def items(text: str) -> tuple[str, ...]:
    """Read what stands between commas."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def url(text: str) -> str:
    """Read an https URL, or an http one of this machine."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError
    _ = parts.port  # raises ValueError when it is no port
    return text.rstrip("/")


def public_url(text: str) -> str:
    """Read an http or https URL without a path."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ValueError
    if parts.query or parts.fragment or "@" in text:
        raise ValueError
    _ = parts.port
    return text.rstrip("/")


def origins(text: str) -> tuple[str, ...]:
    """Read origins of web pages, or the star."""
    origins = items(text)
    if any(o != "*" and not re.fullmatch(r"https?://[^/\s]+", o) for o in origins):
        raise ValueError
    return origins


def hosts(text: str) -> tuple[str, ...]:
    """Read host names and patterns of them."""
    hosts = items(text)
    if not hosts or any(not HOST_PATTERN.fullmatch(host) for host in hosts):
        raise ValueError
    return tuple(host.lower() for host in hosts)


def networks(text: str) -> tuple[Network, ...]:
    """Read addresses and networks."""
    return tuple(ipaddress.ip_network(item, strict=False) for item in items(text))


def path(text: str) -> str:
    """Read a path that serves nothing else."""
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) or f"{text}/".startswith(TAKEN_PATHS):
        raise ValueError
    return text


def directory(text: str) -> Path:
    """Read a directory."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # a `~` that stands for nobody's home
        raise ValueError from None


def text(text: str) -> str:
    """Read any text that is not blank."""
    if not text.strip():
        raise ValueError
    return text


def secret(text: str) -> str:
    """Read a secret that can stand in a header and is not guessed by trying."""
    if not re.fullmatch(r"[\x21-\x7e]{16,512}", text):
        raise ValueError
    return text


def persons(text: str) -> dict[str, str]:
    """Read name=token pairs."""
    persons: dict[str, str] = {}
    for item in items(text):
        name, sign, token = item.partition("=")
        if not sign or not PERSON_NAME.fullmatch(name.strip()) or not token.strip() or name.strip() in persons:
            raise ValueError
        persons[name.strip()] = token.strip()
    return persons


def names(text: str) -> frozenset[str]:
    """Read persons' names."""
    names = items(text)
    if any(not PERSON_NAME.fullmatch(name) for name in names):
        raise ValueError
    return frozenset(names)


def is_loopback(host: str) -> bool:
    """True for `localhost` and addresses of the loopback range."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


MILLISECONDS = "whole milliseconds, {} to {}"
DAY_MS = 86_400_000


def milliseconds(low: int, high: int) -> tuple[Callable[[str], int], str]:
    """A reader of durations of that range, and what it accepts in words."""
    return integer(low, high), MILLISECONDS.format(low, high)
