"""How clients are told to reach this gateway: the setting, else the request, else a refusal."""

import pytest
from starlette.requests import Request

from quotewire.edge.answers import Refused
from quotewire.edge.routes_auth import public_endpoint
from tests.unit.edge.conftest import MakeServices


def request(host: str | None, peer: str = "203.0.113.9", scheme: str = "http", **headers: str) -> Request:
    named = {**({} if host is None else {"host": host}), **{k.replace("_", "-"): v for k, v in headers.items()}}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in named.items()]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": raw, "scheme": scheme}
    return Request({**scope, "client": (peer, 1), "server": ("127.0.0.1", 4005)})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:4005", ("http://127.0.0.1", 4005)),
        ("localhost:4100", ("http://localhost", 4100)),
        ("q.example.com", ("http://q.example.com", 80)),
        ("[::1]:4005", ("http://[::1]", 4005)),
        ("user@q.example.com:1", ("http://q.example.com", 1)),
        ("q.example.com/../x:5", ("http://q.example.com", 80)),
    ],
)
def test_from_the_host_header(make_services: MakeServices, host: str, expected: tuple[str, int]) -> None:
    assert public_endpoint(request(host), make_services()) == expected


@pytest.mark.parametrize("host", ["", None, "[::1", ":4005", "a:b", "a:99999", "[x]:1"])
def test_a_host_header_that_names_none_is_a_400(make_services: MakeServices, host: str | None) -> None:
    if host is None:
        bare = request("x")
        bare.scope["headers"] = []
    with pytest.raises(Refused) as caught:
        public_endpoint(bare if host is None else request(host), make_services())
    assert (caught.value.status, caught.value.code) == (400, "bad_request")


FORWARDED = {"x_forwarded_proto": "https, http", "x_forwarded_host": "q.example.com"}


def test_a_trusted_proxy_is_believed(make_services: MakeServices) -> None:
    services = make_services(QUOTEWIRE_TRUSTED_PROXIES="10.0.0.0/8")
    asked = request("gateway:4005", peer="10.0.0.1", **FORWARDED)
    assert public_endpoint(asked, services) == ("https://q.example.com", 443)
    assert public_endpoint(request("gateway:4005", peer="10.0.0.1"), services) == ("http://gateway", 4005)


def test_nobody_else_is(make_services: MakeServices) -> None:
    services = make_services(QUOTEWIRE_TRUSTED_PROXIES="10.0.0.0/8")
    assert public_endpoint(request("gateway:4005", **FORWARDED), services) == ("http://gateway", 4005)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://q.example.com", ("https://q.example.com", 443)),
        ("http://q.example.com:8080", ("http://q.example.com", 8080)),
        ("https://[2001:db8::1]", ("https://[2001:db8::1]", 443)),
    ],
)
def test_the_setting_wins_over_all(make_services: MakeServices, url: str, expected: tuple[str, int]) -> None:
    services = make_services(QUOTEWIRE_PUBLIC_URL=url, QUOTEWIRE_TRUSTED_PROXIES="0.0.0.0/0")
    assert public_endpoint(request("evil.example", **FORWARDED), services) == expected


def test_a_scheme_that_is_none_of_ours_is_a_400(make_services: MakeServices) -> None:
    services = make_services(QUOTEWIRE_TRUSTED_PROXIES="10.0.0.0/8")
    with pytest.raises(Refused):
        public_endpoint(request("q", peer="10.0.0.1", x_forwarded_proto="javascript"), services)
