"""Errors of the tree across the bus: what the upstream raised in the owner is raised on the node that asked. Pure."""

from quotewire.bus.envelope import Failure
from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    TokenSpentError,
    UntrustedHostError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)

PLAIN: dict[str, type[UpstreamError]] = {
    kind.code: kind
    for kind in (UpstreamError, TokenSpentError, AccessTokenError, UntrustedHostError, UpstreamUnavailableError)
}


def failure(error: QuotewireError) -> Failure:
    """What of an error crosses the bus."""
    details: dict[str, float] = {}
    if isinstance(error, RateLimitedError):
        details = {"retry_after_s": error.retry_after_s, "hourly": float(error.hourly)}
    elif isinstance(error, UpstreamRefusedError):
        details = {"status": error.status, "upstream_code": error.upstream_code}
    return Failure(error.code, str(error), details)


def raised(told: Failure) -> UpstreamError:
    """The error to raise on the node. One it does not know is the upstream's too: the node itself did nothing wrong."""
    details = told.details
    if told.code == RateLimitedError.code:
        wait_s, hourly = details.get("retry_after_s", 1.0), bool(details.get("hourly", 0.0))
        return RateLimitedError(told.message, retry_after_s=wait_s, hourly=hourly)
    if told.code == UpstreamRefusedError.code:
        status, number = int(details.get("status", 400)), int(details.get("upstream_code", 0))
        return UpstreamRefusedError(told.message, status=status, upstream_code=number)
    return PLAIN.get(told.code, UpstreamUnavailableError)(told.message)
