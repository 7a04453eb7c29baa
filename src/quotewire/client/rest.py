"""The gateway's HTTP paths, as far as a client needs them (PROTOCOL.md section 2, requirement R15)."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote as quoted
from urllib.parse import urlsplit

import httpx
import msgspec

from quotewire.client.errors import GatewayUnreachableError
from quotewire.client.state import ClientMetrics
from quotewire.errors import ClientError, ConfigurationError, RateLimitedError, UnauthorizedError
from quotewire.market.quote import Quote
from quotewire.market.symbol import Symbol

T = TypeVar("T")

REQUEST_TIMEOUT_S = 10.0
MAX_SYMBOLS_PER_REQUEST = 1000


class Person(msgspec.Struct, rename="camel", frozen=True):
    """One of the gateway's persons; `is_active` when its login works now."""

    person_name: str
    is_active: bool = False


class _Token(msgspec.Struct, rename="camel", frozen=True):
    access_token: str


class _Success(msgspec.Struct):
    data: object


class _Failure(msgspec.Struct, rename="camel", frozen=True):
    error: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """Everything derived from one base URL (R14)."""

    base: str
    websocket: str
    loopback: bool


def address(url: str) -> Address:
    """Derive the addresses. Raises ConfigurationError when `url` is no http or https URL."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        _ = parts.port  # raises ValueError when it is no port
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError(f"{url!r} is not a gateway's address; it looks like http://127.0.0.1:4005")
    base = url.rstrip("/")
    return Address(base, f"ws{base[4:]}/ws", _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Rest:
    """Calls to one gateway. Each raises GatewayUnreachableError, UnauthorizedError, RateLimitedError or ClientError."""

    def __init__(self, where: Address, headers: dict[str, str]) -> None:
        """`headers` go with every request. Proxies of the environment are not used towards this machine itself."""
        self._where = where
        self._http = httpx.AsyncClient(
            base_url=where.base, headers=headers, timeout=REQUEST_TIMEOUT_S, trust_env=not where.loopback
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def persons(self) -> list[Person]:
        """All persons of the gateway."""
        return _of(list[Person], await self._call("GET", "/api-auth/persons"))

    async def token(self, person: str, *, refresh: bool) -> str:
        """A new token that opens the quote stream; with `refresh` the gateway sees to the person's own login, too."""
        path = f"/api-auth/auth/access-token/{quoted(person, safe='')}" + ("?refresh=true" if refresh else "")
        return _of(_Token, await self._call("GET", path)).access_token

    async def search(self, prefix: str) -> list[Symbol]:
        """Symbols whose name begins with `prefix`."""
        path = f"/api-market/symbols/search?prefix={quoted(prefix, safe='')}"
        return _of(list[Symbol], await self._call("GET", path))

    async def lookup(self, names: Sequence[str]) -> dict[str, Symbol]:
        """The record of each of these symbols, by the name asked for; those the gateway cannot find are missing."""
        found: dict[str, Symbol] = {}
        for start in range(0, len(names), MAX_SYMBOLS_PER_REQUEST):
            body = {"symbols": names[start : start + MAX_SYMBOLS_PER_REQUEST]}
            found |= _of(dict[str, Symbol], await self._call("POST", "/api-market/symbols/lookup", body))
        return found

    async def quotes(self, names: Sequence[str]) -> list[Quote]:
        """The quotes of these symbols as they stand; those the gateway cannot serve are missing."""
        found: list[Quote] = []
        for start in range(0, len(names), MAX_SYMBOLS_PER_REQUEST):
            body = {"symbols": names[start : start + MAX_SYMBOLS_PER_REQUEST]}
            found += _of(list[Quote], await self._call("POST", "/api-market/quotes/batch", body))
        return found

    async def report(self, metrics: ClientMetrics, path: str) -> None:
        """Hand in a client's metrics."""
        await self._call("POST", path, metrics)

    async def _call(self, method: str, path: str, body: object = None) -> bytes:
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            response = await self._http.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise GatewayUnreachableError(f"cannot reach the gateway at {self._where.base}: {reason(error)}") from error
        if not response.is_success:
            raise _refusal(response, self._where.base)
        return response.content


def _of(shape: type[T], content: bytes) -> T:
    """The `data` of an answer."""
    try:
        return msgspec.convert(msgspec.json.decode(content, type=_Success).data, shape)
    except msgspec.DecodeError as error:
        raise GatewayUnreachableError(f"what answers there is no quotewire gateway: {error}") from error


def _refusal(response: httpx.Response, base: str) -> Exception:
    try:
        failure = msgspec.json.decode(response.content, type=_Failure)
    except msgspec.DecodeError:
        failure = _Failure()
    told = failure.error or f"HTTP {response.status_code} at {response.url.path}"
    if response.status_code in (401, 403):
        return UnauthorizedError(f"the gateway at {base} refuses this client: {told}")
    if response.status_code == 429:
        return RateLimitedError(told, retry_after_s=retry_after(response.headers.get("Retry-After")) or 1.0)
    if response.status_code >= 500 or not failure.error:
        return GatewayUnreachableError(f"the gateway at {base} cannot serve: {told}")
    return ClientError(told)


def retry_after(text: str | None) -> float | None:
    """The seconds of a `Retry-After` header; None when it has none (dates are not used by the gateway)."""
    return float(text) if text and text.isdecimal() else None


def reason(error: BaseException) -> str:
    """What went wrong on the road, in a few words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return os.strerror(cause.errno).lower()
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (TimeoutError, httpx.TimeoutException)):
        return "no answer in time"
    return str(error) or type(error).__name__
