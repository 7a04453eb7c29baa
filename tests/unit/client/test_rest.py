"""One base URL gives every address; what answers wrongly is an error that says so."""

import httpx
import msgspec
import pytest

from quotewire.client.errors import GatewayUnreachableError
from quotewire.client.rest import Rest, address, reason, retry_after
from quotewire.errors import ClientError, ConfigurationError, QuotewireError, RateLimitedError, UnauthorizedError


@pytest.mark.parametrize(
    ("url", "base", "websocket", "loopback"),
    [
        ("http://127.0.0.1:4005", "http://127.0.0.1:4005", "ws://127.0.0.1:4005/ws", True),
        ("http://localhost:4005/", "http://localhost:4005", "ws://localhost:4005/ws", True),
        ("https://quotes.example.com", "https://quotes.example.com", "wss://quotes.example.com/ws", False),
        ("https://example.com/a/b/", "https://example.com/a/b", "wss://example.com/a/b/ws", False),
        ("http://[::1]:80", "http://[::1]:80", "ws://[::1]:80/ws", True),
    ],
)
def test_addresses(url: str, base: str, websocket: str, loopback: bool) -> None:
    where = address(url)
    assert (where.base, where.websocket, where.loopback) == (base, websocket, loopback)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:4005", "ftp://x", "http://", "http://x:99999", "http://x?y=1", "http://[x"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a gateway's address"):
        address(url)


def rest_answering(response: httpx.Response) -> Rest:
    rest = Rest(address("http://gateway.test"), {"X-Connection-ID": "ws-1-a"})
    rest._http = httpx.AsyncClient(
        base_url="http://gateway.test", transport=httpx.MockTransport(lambda request: response)
    )
    return rest


def failure(status: int, text: str = "because", **headers: str) -> httpx.Response:
    body = {"success": False, "error": text, "code": "x", "requestId": "r"}
    return httpx.Response(status, json=body, headers=headers)


@pytest.mark.parametrize(
    ("response", "error", "told"),
    [
        (failure(401), UnauthorizedError, "refuses this client: because"),
        (failure(404, "no login is held for bob"), ClientError, "no login is held for bob"),
        (failure(429, **{"Retry-After": "7"}), RateLimitedError, "because"),
        (failure(503), GatewayUnreachableError, "cannot serve: because"),
        (httpx.Response(404, text="<html>"), GatewayUnreachableError, "HTTP 404 at /api-auth/persons"),
        (httpx.Response(200, text="<html>"), GatewayUnreachableError, "no quotewire gateway"),
        (httpx.Response(200, json={"data": {"a": 1}}), GatewayUnreachableError, "no quotewire gateway"),
        (httpx.Response(200, json=[1]), GatewayUnreachableError, "no quotewire gateway"),
    ],
)
async def test_refusals(response: httpx.Response, error: type[QuotewireError], told: str) -> None:
    rest = rest_answering(response)
    with pytest.raises(error, match=told):
        await rest.persons()
    await rest.aclose()


async def test_many_symbols_are_asked_for_in_several_requests() -> None:
    bodies: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(msgspec.json.decode(request.content)["symbols"])
        return httpx.Response(200, json={"success": True, "data": []})

    rest = Rest(address("http://gateway.test"), {})
    await rest.aclose()
    rest._http = httpx.AsyncClient(base_url="http://gateway.test", transport=httpx.MockTransport(answer))
    assert await rest.quotes([f"S{n}" for n in range(2500)]) == []
    assert [len(body) for body in bodies] == [1000, 1000, 500]
    await rest.aclose()


def test_a_rate_limit_says_how_long_to_wait() -> None:
    assert retry_after("7") == 7.0
    assert retry_after(None) is None
    assert retry_after("Wed, 21 Oct 2026 07:28:00 GMT") is None


def test_reasons_are_short() -> None:
    refused = ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)")
    outer = httpx.ConnectError("All connection attempts failed")
    outer.__cause__ = refused
    assert reason(outer) == "connection refused"
    assert reason(TimeoutError()) == "no answer in time"
    assert reason(ValueError("odd")) == "odd"
    assert reason(ValueError()) == "ValueError"
