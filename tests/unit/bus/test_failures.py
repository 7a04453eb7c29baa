"""An error of the tree crosses the bus and is the same error on the other side."""

import pytest

from quotewire.bus.envelope import Failure
from quotewire.bus.failures import failure, raised
from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    StorageError,
    TokenSpentError,
    UntrustedHostError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)

ERRORS: list[QuotewireError] = [
    UpstreamError("a"),
    TokenSpentError("b"),
    AccessTokenError("c"),
    UntrustedHostError("d"),
    UpstreamUnavailableError("e"),
    RateLimitedError("f", retry_after_s=2.5, hourly=True),
    UpstreamRefusedError("g", status=404, upstream_code=1019),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda each: type(each).__name__)
def test_the_same_error_comes_out(error: QuotewireError) -> None:
    again = raised(failure(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize("told", [failure(StorageError("disk full")), Failure("internal_error", "it failed")])
def test_what_is_not_the_upstreams_is_unavailable_and_keeps_its_words(told: Failure) -> None:
    again = raised(told)
    assert type(again) is UpstreamUnavailableError
    assert str(again) == told.message
