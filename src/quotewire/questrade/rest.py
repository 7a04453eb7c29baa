"""Sending REST requests to Questrade: one at a time, bounded, each failure told as one of our errors."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import httpx

from quotewire.errors import UpstreamUnavailableError
from quotewire.questrade.hosts import ApiServer
from quotewire.questrade.http import MAX_BODY_BYTES, READ_S, make_client
from quotewire.questrade.refusals import RateHeaders, rate_headers, refusal
from quotewire.questrade.requests import ApiRequest

T = TypeVar("T")

CALL_S: Final = 15.0
"""Deadline of one call, connecting included."""


@dataclass(frozen=True, slots=True)
class Access:
    """Whose call it is and where it goes. `server` has been checked before this was made."""

    person: str
    server: ApiServer
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """A decoded answer, the hourly counter that came with it, and how long it took in seconds."""

    value: T
    rate: RateHeaders | None
    took_s: float


class ApiUnreachableError(UpstreamUnavailableError):
    """No connection to the API host could be made at all."""


class RestClient:
    """Keeps connections to the API hosts. One for the whole gateway.

    `read_s` bounds each wait for part of an answer.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        read_s: float = READ_S,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._read_s = read_s
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def send(self, access: Access, request: ApiRequest[T]) -> Answer[T]:
        """Send one request.

        Raises AccessTokenError, RateLimitedError, UpstreamRefusedError or UpstreamUnavailableError.
        """
        started = self._monotonic()
        try:
            async with asyncio.timeout(CALL_S):
                answer = await self._request(access, request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise ApiUnreachableError(f"{request.endpoint}: {access.server.host} cannot be reached") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise UpstreamUnavailableError(f"{request.endpoint}: no whole answer ({type(error).__name__})") from error
        if not answer.is_success:
            raise refusal(answer.status_code, answer.headers, answer.content, self._wall())
        value = request.decode(answer.content)
        return Answer(value, rate_headers(answer.headers), self._monotonic() - started)

    async def close(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def _request(self, access: Access, request: ApiRequest[T]) -> httpx.Response:
        client = self._clients.get(access.server.origin)
        if client is None:
            client = self._clients[access.server.origin] = make_client(access.server.origin, read_s=self._read_s)
        built = client.build_request(
            request.method,
            access.server.api_url + request.path,
            params=dict(request.params),
            json=None if request.body is None else dict(request.body),
            headers={"Authorization": f"Bearer {access.token}"},
        )
        answer = await client.send(built, stream=True)
        try:
            return await _bounded(answer)
        finally:
            await answer.aclose()


async def _bounded(answer: httpx.Response) -> httpx.Response:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UpstreamUnavailableError(f"Questrade's answer is longer than {MAX_BODY_BYTES} bytes")
    return httpx.Response(answer.status_code, headers=_plain(answer.headers), content=bytes(body))


def _plain(headers: httpx.Headers) -> httpx.Headers:
    """The headers without those that tell of an encoding already undone."""
    return httpx.Headers([(k, v) for k, v in headers.multi_items() if k.lower() not in ENCODED])


ENCODED: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})
