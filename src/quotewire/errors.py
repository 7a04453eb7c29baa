"""Every error of quotewire, as one tree.

QuotewireError
├── ConfigurationError      the operator's: a setting is missing or malformed; starting again will not help
├── ClientError             a client's: its message or token is at fault
│   ├── InvalidMessageError     the message cannot be understood
│   └── UnauthorizedError       the client's token is missing, wrong or expired
├── UpstreamError           Questrade's, or the road to it
│   ├── TokenSpentError         the refresh token was refused: a person must make a new one
│   ├── AccessTokenError        the access token was refused (1017 / 401): refresh, then try again
│   ├── RateLimitedError        429: wait `retry_after_s`
│   ├── UntrustedHostError      Questrade named an API host that is not allowed: nothing was sent there
│   ├── UpstreamUnavailableError no answer, a broken answer, or a 5xx
│   └── UpstreamRefusedError    a definite refusal with Questrade's own code (unknown symbol, bad argument, scope)
├── StorageError            this machine's: the data directory cannot be read or written
├── BusError                this program's: its own processes do not understand or reach each other
└── IllegalEventError       this program's: a state machine was given an event its state does not allow

Each carries `code` (stable, for machines), `fault` (whose it is) and `retryable` (what next).
"""

from enum import StrEnum
from typing import ClassVar


class Fault(StrEnum):
    """Who has to act for the error to go away."""

    OPERATOR = "operator"
    CLIENT = "client"
    UPSTREAM = "upstream"
    LOCAL = "local"


class QuotewireError(Exception):
    """The root. `str()` is a sentence that says what happened and what to do."""

    code: ClassVar[str] = "internal_error"
    fault: ClassVar[Fault] = Fault.LOCAL
    retryable: ClassVar[bool] = False


class ConfigurationError(QuotewireError):
    """A setting is missing, unknown or malformed; the message names it and what it accepts."""

    code = "configuration"
    fault = Fault.OPERATOR


class ClientError(QuotewireError):
    """What a client sent cannot be served."""

    code = "bad_request"
    fault = Fault.CLIENT


class InvalidMessageError(ClientError):
    """The message is not JSON, not of a known type, or of the wrong shape."""

    code = "invalid_message"


class UnauthorizedError(ClientError):
    """The client's token is missing, wrong or expired; a new one is needed."""

    code = "unauthorized"


class UpstreamError(QuotewireError):
    """Questrade, or the road to it, is at fault."""

    code = "upstream"
    fault = Fault.UPSTREAM
    retryable = True


class TokenSpentError(UpstreamError):
    """Questrade answered 400 to a refresh token: used, expired and revoked look the same.

    Final for that token. The person makes a new one in Questrade's App Hub, the operator stores it.
    """

    code = "token_spent"
    fault = Fault.OPERATOR
    retryable = False


class AccessTokenError(UpstreamError):
    """Questrade answered 401 or error 1017: the access token expired or was replaced."""

    code = "access_token"


class RateLimitedError(UpstreamError):
    """Questrade answered 429.

    `retry_after_s` is how long to wait; `hourly` tells the hourly cap from the per-second limit.
    """

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: float, hourly: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.hourly = hourly


class UntrustedHostError(UpstreamError):
    """The `api_server` of a token answer is not an allowed host; the token was not sent to it."""

    code = "untrusted_host"
    fault = Fault.OPERATOR
    retryable = False


class UpstreamUnavailableError(UpstreamError):
    """No answer in time, an answer that cannot be read, a maintenance page, or a 5xx."""

    code = "upstream_unavailable"


class UpstreamRefusedError(UpstreamError):
    """Questrade refused the request for a definite reason.

    `status` is the HTTP status, `upstream_code` Questrade's own number (0 when it gave none).
    """

    code = "upstream_refused"
    retryable = False

    def __init__(self, message: str, *, status: int, upstream_code: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.upstream_code = upstream_code


class StorageError(QuotewireError):
    """The data directory or the database in it cannot be read or written."""

    code = "storage"
    fault = Fault.LOCAL


class BusError(QuotewireError):
    """What another process of the gateway said cannot be understood, or it cannot be reached: that process ends."""

    code = "bus"
    fault = Fault.LOCAL


class IllegalEventError(QuotewireError):
    """A state machine was given an event that its state does not allow: a defect of the caller, never of the peer."""

    code = "illegal_event"
    fault = Fault.LOCAL

    def __init__(self, *, machine: str, state: str, event: str) -> None:
        super().__init__(f"the {machine} machine in state {state} does not allow the event {event}; this is a defect")
        self.machine = machine
        self.state = state
        self.event = event
