import httpx
import pytest

from quotewire.questrade import login
from quotewire.questrade.tokens import Declined, Granted, Lost, Outcome, Refused, Unsent

NOW = 1_700_000_000.0
GOOD = (
    b'{"access_token":"a","api_server":"https:\\/\\/api03.iq.questrade.com\\/",'
    b'"expires_in":1800,"refresh_token":"r","token_type":"Bearer"}'
)


def judged(status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> Outcome:
    return login.judge(status, httpx.Headers(headers or {}), body, NOW)


def test_the_captured_success_body_is_a_grant() -> None:
    outcome = judged(200, GOOD)

    assert isinstance(outcome, Granted)
    assert outcome.at == NOW
    assert outcome.grant.api_server == "https://api03.iq.questrade.com/"
    assert outcome.grant.expires_in == 1800


def test_bad_request_is_final() -> None:
    assert isinstance(judged(400, b"Bad Request"), Refused)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (503, b"<html>We're making some changes</html>"),
        (200, b"<!doctype html>We're making some changes"),
        (400, b"<html>400 Bad Request</html>"),
        (403, b"Forbidden"),
        (429, b""),
        (302, b""),
    ],
)
def test_an_answer_that_did_not_take_the_token(status: int, body: bytes) -> None:
    assert isinstance(judged(status, body), Declined)


def test_a_rate_limit_says_how_long_to_wait() -> None:
    outcome = judged(429, headers={"Retry-After": "9"})

    assert isinstance(outcome, Declined)
    assert outcome.retry_after_s == 9


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (524, b"error code: 524"),
        (504, b""),
        (200, b'{"access_token":"a"'),
        (200, b"{}"),
        (200, GOOD.replace(b'"r"', b'""')),
    ],
)
def test_an_answer_that_leaves_doubt(status: int, body: bytes) -> None:
    assert isinstance(judged(status, body), Lost)


class Wire:
    """Stands in for the network: answers, or fails, and remembers what was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> None:
        self.sent: list[httpx.Request] = []
        self.answer = answer

        def make(url: str, *, read_s: float) -> httpx.AsyncClient:
            return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))

        monkeypatch.setattr(login, "make_client", make)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def test_the_token_travels_in_the_body_of_a_post(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire(monkeypatch, httpx.Response(200, content=GOOD))

    outcome = await login.redeem("https://login.questrade.com", "a+b/c=", answer_s=1)

    assert isinstance(outcome, Granted)
    (request,) = wire.sent
    assert (request.method, str(request.url)) == ("POST", "https://login.questrade.com/oauth2/token")
    assert request.content == b"grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D"


@pytest.mark.parametrize("error", [httpx.ConnectError("x"), httpx.ConnectTimeout("x")])
async def test_without_a_connection_nothing_was_sent(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    Wire(monkeypatch, error)

    assert isinstance(await login.redeem("https://login.questrade.com", "r", answer_s=1), Unsent)


@pytest.mark.parametrize("error", [httpx.ReadTimeout("x"), httpx.ReadError("x"), httpx.RemoteProtocolError("x")])
async def test_a_broken_exchange_is_never_repeated(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    wire = Wire(monkeypatch, error)

    assert isinstance(await login.redeem("https://login.questrade.com", "r", answer_s=1), Lost)
    assert len(wire.sent) == 1


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [
        (httpx.Response(400, text="Bad Request"), True),
        (httpx.Response(400, text="<html>"), False),
        (httpx.Response(500), False),
        (httpx.Response(200, text="<html>"), False),
        (httpx.ReadTimeout("x"), False),
    ],
)
async def test_the_probe_carries_no_token(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, healthy: bool
) -> None:
    wire = Wire(monkeypatch, answer)

    assert await login.probe("https://login.questrade.com", answer_s=1) is healthy
    assert b"refresh_token=" not in wire.sent[0].content
