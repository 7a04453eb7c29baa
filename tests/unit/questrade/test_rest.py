import asyncio
from collections.abc import Callable

import httpx
import pytest

from quotewire.errors import AccessTokenError, UpstreamError, UpstreamUnavailableError
from quotewire.questrade import hosts, requests, rest
from quotewire.questrade.refusals import RateHeaders
from quotewire.questrade.rest import Access, ApiUnreachableError, RestClient

ACCESS = Access("alice", hosts.check("https://api03.iq.questrade.com/v1", ["*.iq.questrade.com"]), "secret-token")
TIME = b'{"time":"2026-03-03T16:48:34.140000-05:00"}'

Handler = Callable[[httpx.Request], httpx.Response]


def client(monkeypatch: pytest.MonkeyPatch, handler: Handler) -> tuple[RestClient, list[httpx.Request]]:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return handler(request)

    monkeypatch.setattr(rest, "make_client", lambda url, **_: httpx.AsyncClient(transport=httpx.MockTransport(handle)))
    return RestClient(), seen


async def test_a_call_goes_below_v1_with_the_token_in_a_header(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"X-RateLimit-Remaining": "14999", "X-RateLimit-Reset": "1700000000"}
    client_, seen = client(monkeypatch, lambda request: httpx.Response(200, content=TIME, headers=headers))

    answer = await client_.send(ACCESS, requests.time())
    await client_.close()

    assert answer.value.time.startswith("2026-03-03")
    assert answer.rate == RateHeaders(14999, 1700000000.0)
    assert str(seen[0].url) == "https://api03.iq.questrade.com/v1/time"
    assert seen[0].headers["Authorization"] == "Bearer secret-token"


def _raise(error: Exception) -> Handler:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (lambda request: httpx.Response(401), AccessTokenError),
        (lambda request: httpx.Response(200, content=b"{"), UpstreamUnavailableError),
        (lambda request: httpx.Response(302, headers={"Location": "https://example.com"}), UpstreamError),
        (_raise(httpx.ReadTimeout("x")), UpstreamUnavailableError),
        (_raise(httpx.RemoteProtocolError("x")), UpstreamUnavailableError),
        (_raise(httpx.ConnectError("x")), ApiUnreachableError),
    ],
)
async def test_every_failure_is_one_of_our_errors(
    monkeypatch: pytest.MonkeyPatch, handler: Handler, expected: type[UpstreamError]
) -> None:
    client_, seen = client(monkeypatch, handler)

    with pytest.raises(expected) as caught:
        await client_.send(ACCESS, requests.time())
    await client_.close()

    assert len(seen) == 1, "nothing is repeated and no redirect is followed"
    assert "secret-token" not in str(caught.value)


async def test_an_answer_that_drips_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drip(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError("never")

    monkeypatch.setattr(rest, "CALL_S", 0.01)
    monkeypatch.setattr(rest, "make_client", lambda url, **_: httpx.AsyncClient(transport=httpx.MockTransport(drip)))
    client_ = RestClient()

    with pytest.raises(UpstreamUnavailableError, match="TimeoutError"):
        await client_.send(ACCESS, requests.time())
    await client_.close()


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "MAX_BODY_BYTES", 10)
    client_, _ = client(monkeypatch, lambda request: httpx.Response(200, content=TIME))

    with pytest.raises(UpstreamUnavailableError, match="longer"):
        await client_.send(ACCESS, requests.time())
    await client_.close()


def test_an_access_shows_no_token() -> None:
    assert "secret-token" not in repr(ACCESS)
