import pytest

from quotewire.errors import UntrustedHostError
from quotewire.questrade import hosts

ALLOWED = ("*.iq.questrade.com",)


@pytest.mark.parametrize("shape", ["", "/", "/v1", "/v1/"])
def test_the_shapes_of_an_api_server_are_one(shape: str) -> None:
    server = hosts.check(f"https://api03.iq.questrade.com{shape}", ALLOWED)

    assert server.api_url == "https://api03.iq.questrade.com/v1/"
    assert server.stream_url(18104) == "wss://api03.iq.questrade.com:18104/"


@pytest.mark.parametrize("text", ["https://API03.iq.questrade.com:443/", " https://api03.iq.questrade.com. "])
def test_spelling_does_not_matter(text: str) -> None:
    assert hosts.check(text, ALLOWED).origin == "https://api03.iq.questrade.com"


def test_plain_http_is_for_loopback_with_any_port() -> None:
    server = hosts.check("http://127.0.0.1:4321/v1", ("127.0.0.1",))

    assert (server.api_url, server.stream_url(5)) == ("http://127.0.0.1:4321/v1/", "ws://127.0.0.1:5/")


def test_an_ipv6_host_keeps_its_brackets() -> None:
    server = hosts.check("http://[::1]:4321", ("[::1]",))

    assert (server.origin, server.stream_url(5)) == ("http://[::1]:4321", "ws://[::1]:5/")


@pytest.mark.parametrize(
    "text",
    [
        "http://api03.iq.questrade.com/",
        "https://api03.iq.questrade.com:8443/",
        "https://iq.questrade.com/",
        "https://api03.iq.questrade.com.example.net/",
        "https://evil-iq.questrade.com/",
        "https://user@api03.iq.questrade.com/",
        "https://api03.iq.questrade.com@example.net/",
        "https://api03.iq.questrade.com/v2",
        "https://api03.iq.questrade.com/v1?x=1",
        "https://api03.iq.questrade.com/#f",
        "https://127.0.0.1/",
        "http://localhost:80/",
        "https://[::1",
        "https://api03.iq.questrade.com:port/",
        "ftp://api03.iq.questrade.com/",
        "api03.iq.questrade.com",
        "",
    ],
)
def test_no_token_goes_anywhere_else(text: str) -> None:
    with pytest.raises(UntrustedHostError, match="no token was sent"):
        hosts.check(text, ALLOWED)


def test_a_pattern_without_a_star_is_one_host() -> None:
    assert hosts.matches("localhost", "localhost")
    assert not hosts.matches("a.localhost", "localhost")
