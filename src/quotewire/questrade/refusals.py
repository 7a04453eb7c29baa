"""What a REST answer that is not 200 means: the error to raise. Pure.

A 429 comes from the per-second limit or from the hourly cap. The headers show the hourly counter alone, so
`X-RateLimit-Remaining` above zero means the per-second limit, and `X-RateLimit-Reset`, up to an hour ahead, must not be
waited for. The text of a 429 is not known; the code is 1006.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.questrade.wire import ErrorBody, decode_error

PER_SECOND_WAIT_S: Final = 1.0
LONGEST_HOURLY_WAIT_S: Final = 3600.0
INVALID_TOKEN: Final = 1017
RATE_LIMIT: Final = 1006
BACK_END: Final = frozenset({1007, 1008, 1009, 1010, 1011, 1021})
"""Codes of Questrade's back end being ill, whatever the HTTP status."""


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The hourly counter of the answer's bucket: calls left, and when it starts anew (epoch seconds).

    `told_at` is the answer's own `Date`, None without one: the clock that `reset` is read against, whatever ours says.
    """

    remaining: int
    reset: float
    told_at: float | None = None

    def reset_in_s(self, now: float) -> float:
        """Seconds until the counter starts anew; `now` (epoch seconds) where the answer has no date."""
        return self.reset - (now if self.told_at is None else self.told_at)


def rate_headers(headers: Mapping[str, str]) -> RateHeaders | None:
    """Read `X-RateLimit-*`; None when they are absent or unreadable. `headers` must ignore case."""
    try:
        remaining, reset = int(headers["X-RateLimit-Remaining"]), float(headers["X-RateLimit-Reset"])
    except (KeyError, ValueError):
        return None
    return RateHeaders(remaining, reset, _told_at(headers))


def _told_at(headers: Mapping[str, str]) -> float | None:
    try:
        return parsedate_to_datetime(headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return None


def refusal(status: int, headers: Mapping[str, str], body: bytes, now: float) -> QuotewireError:
    """The error an answer stands for; `now` is epoch seconds. Only for answers that are not a success."""
    error = decode_error(body)
    number = error.number if error else 0
    if status == 429 or number == RATE_LIMIT:
        return _rate_limited(headers, now)
    if status == 401 or number == INVALID_TOKEN:
        return AccessTokenError(f"Questrade refused the access token ({_shown(status, error)})")
    if status >= 500 or number in BACK_END or _is_page(headers, body):
        return UpstreamUnavailableError(f"Questrade could not answer ({_shown(status, error)})")
    hint = {403: _forbidden(number)}.get(status, "")
    return UpstreamRefusedError(
        f"Questrade refused the request ({_shown(status, error)}){hint}", status=status, upstream_code=number
    )


def _rate_limited(headers: Mapping[str, str], now: float) -> RateLimitedError:
    seen = rate_headers(headers)
    if seen is not None and seen.remaining <= 0:
        wait = min(max(seen.reset_in_s(now), PER_SECOND_WAIT_S), LONGEST_HOURLY_WAIT_S)
        return RateLimitedError("Questrade's hourly limit is used up", retry_after_s=wait, hourly=True)
    wait = PER_SECOND_WAIT_S
    given = headers.get("Retry-After", "")
    if given.isdigit():
        wait = min(max(float(given), wait), LONGEST_HOURLY_WAIT_S)
    return RateLimitedError("Questrade's per-second limit was hit", retry_after_s=wait)


def _forbidden(number: int) -> str:
    if number == 1016:
        return ": the login lacks a scope; tick 'Retrieve delayed and real-time market data' in Questrade's App Hub"
    return ": Questrade may have refused the User-Agent or this address"


def _is_page(headers: Mapping[str, str], body: bytes) -> bool:
    return headers.get("Content-Type", "").startswith("text/html") or body.lstrip()[:1] == b"<"


def _shown(status: int, error: ErrorBody | None) -> str:
    if error is None:
        return f"HTTP {status}"
    return f"HTTP {status}, code {error.number}: {error.message[:200]}"
