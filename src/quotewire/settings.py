"""Every setting, from the environment alone, as one frozen value built once.

`VARIABLES` is the single list: the parser, `docs/settings.md` and the error messages all read it. Unknown and malformed
variables stop the start with a sentence that names the variable and what it accepts.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from quotewire.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TAKEN_PATHS = (
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
class Settings:
    """What `serve` runs on. Durations are in milliseconds where the name ends in `_ms`. Secrets stay out of `repr`."""

    environment: str
    host: str
    port: int
    public_url: str | None
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    ping_interval_ms: int
    pong_timeout_ms: int
    upgrade_timeout_ms: int
    auth_timeout_ms: int
    connection_timeout_ms: int
    slow_consumer_timeout_ms: int
    max_message_bytes: int
    max_symbols_per_client: int
    max_connections_per_ip: int
    health_check_interval_ms: int
    enable_metrics: bool
    metrics_endpoint: str
    log_level: str
    token_ttl_ms: int
    login_url: str
    api_hosts: tuple[str, ...]
    data_dir: Path
    vault_key: str | None = field(repr=False)
    persons: Mapping[str, str] = field(repr=False)
    no_stream: frozenset[str]
    symbols_per_stream: int
    linger_ms: int
    poll_interval_ms: int
    ab: bool

    @property
    def production(self) -> bool:
        """True in the production environment."""
        return self.environment == "production"


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


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return parse


def _choice(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in allowed:
            raise ValueError
        return text.lower()

    return parse


def _boolean(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]


def _switch(text: str) -> bool:
    return {"on": True, "off": False}[text.lower()]


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in text:
        raise ValueError
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError
    _ = parts.port  # raises ValueError when it is no port
    return text.rstrip("/")


def _public_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise ValueError
    if parts.query or parts.fragment or "@" in text:
        raise ValueError
    _ = parts.port
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    origins = _items(text)
    if any(o != "*" and not re.fullmatch(r"https?://[^/\s]+", o) for o in origins):
        raise ValueError
    return origins


def _hosts(text: str) -> tuple[str, ...]:
    hosts = _items(text)
    if not hosts or any(not HOST_PATTERN.fullmatch(host) for host in hosts):
        raise ValueError
    return tuple(host.lower() for host in hosts)


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(item, strict=False) for item in _items(text))


def _path(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+", text) or f"{text}/".startswith(TAKEN_PATHS):
        raise ValueError
    return text


def _directory(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:  # a `~` that stands for nobody's home
        raise ValueError from None


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _persons(text: str) -> dict[str, str]:
    persons: dict[str, str] = {}
    for item in _items(text):
        name, sign, token = item.partition("=")
        if not sign or not PERSON_NAME.fullmatch(name.strip()) or not token.strip() or name.strip() in persons:
            raise ValueError
        persons[name.strip()] = token.strip()
    return persons


def _names(text: str) -> frozenset[str]:
    names = _items(text)
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


def _milliseconds(low: int, high: int) -> tuple[Callable[[str], int], str]:
    return _integer(low, high), MILLISECONDS.format(low, high)


VARIABLES: tuple[Variable, ...] = (
    Variable(
        "QUOTEWIRE_ENV",
        "environment",
        _choice("production", "development"),
        "production or development",
        "production",
        "Picks the defaults below. `NODE_ENV` is read where this is unset.",
    ),
    Variable("QUOTEWIRE_HOST", "host", _text, "an address or host name to listen on", "127.0.0.1", "Where to listen."),
    Variable(
        "PORT",
        "port",
        _integer(0, 65535),
        "a port number, 0 to 65535 (0: any free one)",
        "4005",
        "One port for everything.",
    ),
    Variable(
        "QUOTEWIRE_PUBLIC_URL",
        "public_url",
        _public_url,
        "an http or https URL without a path",
        None,
        "How browsers reach this gateway, where a proxy stands before it. Unset: taken from each request.",
    ),
    Variable(
        "CORS_ORIGIN",
        "cors_origins",
        _origins,
        "origins such as https://app.example.com, separated by commas, or *",
        "",
        "Web pages of other origins that may call the REST paths.",
        development="*",
    ),
    Variable(
        "QUOTEWIRE_TRUSTED_PROXIES",
        "trusted_proxies",
        _networks,
        "addresses or networks such as 10.0.0.0/8, separated by commas",
        "",
        "Proxies whose X-Forwarded-* headers are believed.",
    ),
    Variable(
        "WS_PING_INTERVAL", "ping_interval_ms", *_milliseconds(100, DAY_MS), "30000", "Between pings to each client."
    ),
    Variable(
        "WS_PONG_TIMEOUT",
        "pong_timeout_ms",
        *_milliseconds(100, DAY_MS),
        "5000",
        "A ping must be answered within this.",
    ),
    Variable(
        "WS_UPGRADE_TIMEOUT",
        "upgrade_timeout_ms",
        *_milliseconds(100, DAY_MS),
        "5000",
        "A new connection must have sent a whole HTTP request head within this.",
    ),
    Variable(
        "WS_AUTH_TIMEOUT",
        "auth_timeout_ms",
        *_milliseconds(100, DAY_MS),
        "10000",
        "A client must authenticate within this.",
    ),
    Variable(
        "WS_CONNECTION_TIMEOUT",
        "connection_timeout_ms",
        *_milliseconds(1000, DAY_MS),
        "300000",
        "A connection that says nothing at all, not even a pong, is closed after this.",
    ),
    Variable(
        "WS_SLOW_CONSUMER_TIMEOUT",
        "slow_consumer_timeout_ms",
        *_milliseconds(100, DAY_MS),
        "30000",
        "A connection that takes no data at all is closed after this.",
    ),
    Variable(
        "WS_MAX_MESSAGE_BYTES",
        "max_message_bytes",
        _integer(1024, 16_777_216),
        "bytes, 1024 to 16777216",
        "262144",
        "The longest message a client may send.",
    ),
    Variable(
        "MAX_SYMBOLS_PER_CLIENT",
        "max_symbols_per_client",
        _integer(1, 100_000),
        "a number, 1 to 100000",
        "5000",
        "Symbols one connection may want.",
    ),
    Variable(
        "MAX_CONNECTIONS_PER_IP",
        "max_connections_per_ip",
        _integer(1, 1_000_000),
        "a number, 1 to 1000000",
        "5",
        "WebSockets open at once from one address.",
    ),
    Variable(
        "HEALTH_CHECK_INTERVAL",
        "health_check_interval_ms",
        *_milliseconds(100, DAY_MS),
        "10000",
        "Between the gateway's checks of itself and of its connections.",
    ),
    Variable(
        "ENABLE_METRICS", "enable_metrics", _boolean, "true or false", "true", "Serve `/metrics` and the metrics paths."
    ),
    Variable(
        "METRICS_ENDPOINT",
        "metrics_endpoint",
        _path,
        "a path such as /api/metrics that serves nothing else",
        "/api/metrics",
        "Where clients report theirs.",
    ),
    Variable(
        "LOG_LEVEL",
        "log_level",
        _choice("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "info",
        "The least severe line that is logged.",
    ),
    Variable(
        "QUOTEWIRE_TOKEN_TTL",
        "token_ttl_ms",
        *_milliseconds(1000, DAY_MS),
        "1800000",
        "Life of the tokens this gateway gives its own clients.",
    ),
    Variable(
        "QUOTEWIRE_LOGIN_URL",
        "login_url",
        _url,
        "an https URL (http only for loopback)",
        "https://login.questrade.com",
        "Questrade's login host. The practice one is https://practicelogin.questrade.com.",
    ),
    Variable(
        "QUOTEWIRE_API_HOSTS",
        "api_hosts",
        _hosts,
        "host names, `*.` allowed in front, separated by commas",
        "*.iq.questrade.com",
        "API hosts a token may be sent to; plain http only where the host is loopback.",
    ),
    Variable(
        "QUOTEWIRE_DATA_DIR",
        "data_dir",
        _directory,
        "a directory that can be written",
        "~/.local/share/quotewire",
        "Where tokens (encrypted), symbols and keys are kept.",
    ),
    Variable(
        "QUOTEWIRE_VAULT_KEY",
        "vault_key",
        _text,
        "any passphrase",
        None,
        "Seals the tokens at rest. Unset: a key file of mode 0600 is made in the data directory.",
        secret=True,
    ),
    Variable(
        "QUOTEWIRE_PERSONS",
        "persons",
        _persons,
        "name=refresh-token pairs, separated by commas",
        "",
        "First refresh tokens; used only for a person of whom the vault holds none.",
        secret=True,
    ),
    Variable(
        "QUOTEWIRE_NO_STREAM",
        "no_stream",
        _names,
        "persons' names, separated by commas",
        "",
        "Persons whose login carries no stream, because a stream freezes the quotes of their other platforms. They"
        " serve look-ups and polls. What `quotewire persons stream NAME on|off` said of a person goes before this.",
    ),
    Variable(
        "QUOTEWIRE_SYMBOLS_PER_STREAM",
        "symbols_per_stream",
        _integer(1, 10_000),
        "a number, 1 to 10000",
        "400",
        "The most symbols one person's stream carries. Questrade documents no limit; a list it refuses is halved.",
    ),
    Variable(
        "QUOTEWIRE_LINGER",
        "linger_ms",
        *_milliseconds(0, DAY_MS),
        "30000",
        "A symbol nobody wants any more is carried on for this long, in case somebody comes back.",
    ),
    Variable(
        "QUOTEWIRE_POLL_INTERVAL",
        "poll_interval_ms",
        *_milliseconds(1000, 60_000),
        "5000",
        "Between two polls of a symbol that no stream carries; longer where the rate budget asks for it.",
    ),
    Variable(
        "QUOTEWIRE_AB",
        "ab",
        _switch,
        "on or off",
        "off",
        "Carry each symbol on two persons' streams; what comes first counts. Needs two persons who can stream.",
    ),
)
"""Every variable `serve` reads, in the order of the documentation."""

READ_ELSEWHERE = frozenset({"QUOTEWIRE_URL", "QUOTEWIRE_FIXTURES"})
"""Names that are ours but belong to clients and tests."""

# Kubernetes gives each pod such variables for every Service named "quotewire" or "quotewire-…"; they are not settings.
SERVICE_LINK = re.compile(r"QUOTEWIRE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)")
SERVICE_LINK_PORT = re.compile(r"QUOTEWIRE_(\w+_)?PORT")
SERVICE_LINK_URL = re.compile(r"(tcp|udp|sctp)://.*")


def load(environ: Mapping[str, str]) -> Settings:
    """Build the settings from `environ`. An empty variable counts as unset.

    Raises ConfigurationError with one line for each variable that is unknown or malformed.
    """
    problems = [*_unknown(environ)]
    development = (environ.get("QUOTEWIRE_ENV") or environ.get("NODE_ENV") or "").lower() == "development"
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        name, given = _given(variable, environ)
        default = variable.development if development and variable.development is not None else variable.default
        text = given or default
        try:
            values[variable.field] = None if text is None else variable.parse(text)
        except (ValueError, KeyError):
            problems.append(f"{name}: {_shown(variable, text or '')} is not valid; it accepts {variable.accepts}")
    problems += _contradictions(values)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(**values)


def _given(variable: Variable, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """The name that sets `variable` here, and its value."""
    if variable.name == "QUOTEWIRE_ENV" and not environ.get("QUOTEWIRE_ENV") and environ.get("NODE_ENV"):
        return "NODE_ENV", environ["NODE_ENV"]
    return variable.name, environ.get(variable.name)


def _shown(variable: Variable, text: str) -> str:
    # A URL may carry a password before its @.
    return "the value given (kept out of this message)" if variable.secret or "@" in text else repr(text)


def _contradictions(values: Mapping[str, Any]) -> list[str]:
    """What is wrong with settings that are each valid alone."""
    ping, silence = values.get("ping_interval_ms"), values.get("connection_timeout_ms")
    if ping is None or silence is None or ping < silence:
        return []
    told = "clients that only listen speak once a ping, and would all be closed"
    return [f"WS_PING_INTERVAL: {ping} must be less than WS_CONNECTION_TIMEOUT, which is {silence}: {told}"]


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = [variable.name for variable in VARIABLES]
    problems: list[str] = []
    for name, value in environ.items():
        if name in known or name in READ_ELSEWHERE or _is_service_link(name, value):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.88 if len(name) >= 8 else 1.0)
        if near or name.startswith(("QUOTEWIRE_", "WS_")):
            hint = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            meant = f"; did you mean {hint[0]}?" if hint else "; docs/settings.md lists all"
            problems.append(f"{name}: there is no such variable{meant}")
    return sorted(problems)


def _is_service_link(name: str, value: str) -> bool:
    if SERVICE_LINK.fullmatch(name):
        return True
    return bool(SERVICE_LINK_PORT.fullmatch(name) and SERVICE_LINK_URL.fullmatch(value))
