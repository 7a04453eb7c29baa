import httpx
import pytest

from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade.refusals import RateHeaders, rate_headers, refusal

NOW = 1_700_000_000.0


def refused(status: int, body: bytes = b"", **headers: str) -> QuotewireError:
    return refusal(status, httpx.Headers({k.replace("_", "-"): v for k, v in headers.items()}), body, NOW)


def test_429_with_calls_left_is_the_second_and_reset_is_not_waited_for() -> None:
    error = refused(429, X_RateLimit_Remaining="14000", X_RateLimit_Reset=str(NOW + 3000))

    assert isinstance(error, RateLimitedError)
    assert (error.retry_after_s, error.hourly) == (1.0, False)


def test_429_with_nothing_left_is_the_hour() -> None:
    error = refused(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(NOW + 1200))

    assert isinstance(error, RateLimitedError)
    assert (error.retry_after_s, error.hourly) == (1200.0, True)


def test_the_hour_is_never_longer_than_one() -> None:
    error = refused(429, X_RateLimit_Remaining="0", X_RateLimit_Reset=str(NOW + 1e9))

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 3600


def test_code_1006_is_a_rate_limit_whatever_the_status() -> None:
    assert isinstance(refused(400, b'{"code":1006,"message":"?"}'), RateLimitedError)


def test_retry_after_is_obeyed_when_given() -> None:
    error = refused(429, Retry_After="7")

    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 7


@pytest.mark.parametrize(("status", "body"), [(401, b""), (400, b'{"code":1017,"message":"Access token is invalid"}')])
def test_a_refused_access_token(status: int, body: bytes) -> None:
    assert isinstance(refused(status, body), AccessTokenError)


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (524, b"error code: 524"), (400, b'{"code":1011,"message":"x"}'), (404, b"<html>maintenance</html>")],
)
def test_an_ill_back_end_is_unavailable(status: int, body: bytes) -> None:
    assert isinstance(refused(status, body), UpstreamUnavailableError)


def test_a_definite_refusal_keeps_questrades_number() -> None:
    error = refused(404, b'{"code":1019,"message":"Symbol not found"}')

    assert isinstance(error, UpstreamRefusedError)
    assert (error.status, error.upstream_code) == (404, 1019)


def test_a_missing_scope_names_the_box_to_tick() -> None:
    assert "App Hub" in str(refused(403, b'{"code":1016,"message":"Request is out of allowed OAuth scopes"}'))


def test_rate_headers_are_read_or_absent() -> None:
    assert rate_headers(httpx.Headers({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "9"})) == RateHeaders(5, 9.0)
    assert rate_headers(httpx.Headers({"X-RateLimit-Remaining": "many", "X-RateLimit-Reset": "9"})) is None
    assert rate_headers(httpx.Headers()) is None


def test_the_reset_is_read_against_the_answers_own_date() -> None:
    told = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1772550060", "Date": "Tue, 03 Mar 2026 15:00:00 GMT"}
    counter = rate_headers(httpx.Headers(told))

    assert counter is not None
    assert counter.reset_in_s(now=0.0) == 60.0
    error = refusal(429, httpx.Headers(told), b"", 0.0)
    assert isinstance(error, RateLimitedError)
    assert error.retry_after_s == 60.0
    assert RateHeaders(0, 100.0).reset_in_s(now=90.0) == 10.0
    broken = rate_headers(httpx.Headers({**told, "Date": "yesterday"}))
    assert broken is not None
    assert broken.told_at is None
