"""One question, one answer: an exception came, what now? Pure; a table over the tree in `quotewire.errors`.

The nearest ancestor in `TABLE` decides: a new error without a row of its own is treated as its parent is.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

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

OUT_OF_SCOPE: Final = 1016  # "Request is out of allowed OAuth scopes": this person's token lacks market data
SHORTEST_LIMIT_S: Final = 1.0  # the per-second limit is over after a second


class Action(StrEnum):
    """What to do about a failure."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - then try again, once
    WAIT = "wait"  # and try again: `wait_s`, or back off where that is None
    NEXT_PERSON = "next_person"  # this person cannot serve now (for `wait_s`, if given); another may
    GIVE_UP = "give_up"  # trying again cannot help


class Verdict(NamedTuple):
    """The answer, with the stable code of the error for logs and metrics."""

    action: Action
    wait_s: float | None
    reason: str


def classify(error: BaseException) -> Verdict:
    """What to do after `error`. Never raises; what is not known is given up, so that defects are seen."""
    for ancestor in type(error).__mro__:
        decide = TABLE.get(ancestor)
        if decide is not None:
            action, wait_s = decide(error)
            return Verdict(action, wait_s, _reason(error))
    return Verdict(Action.GIVE_UP, None, _reason(error))


Decision = tuple[Action, float | None]


def _always(action: Action) -> Callable[[Any], Decision]:
    return lambda _: (action, None)


def _rate_limited(error: RateLimitedError) -> Decision:
    """A second is worth waiting; an hour is not, while other persons have budget."""
    if error.hourly:
        return Action.NEXT_PERSON, error.retry_after_s
    return Action.WAIT, max(SHORTEST_LIMIT_S, error.retry_after_s)


def _refused(error: UpstreamRefusedError) -> Decision:
    """A wrong argument stays wrong whoever asks; a missing scope is a matter of one person's token."""
    return (Action.NEXT_PERSON if error.upstream_code == OUT_OF_SCOPE else Action.GIVE_UP), None


TABLE: Final[dict[type[BaseException], Callable[[Any], Decision]]] = {
    AccessTokenError: _always(Action.REFRESH_TOKEN),
    TokenSpentError: _always(Action.NEXT_PERSON),
    UntrustedHostError: _always(Action.NEXT_PERSON),
    RateLimitedError: _rate_limited,
    UpstreamUnavailableError: _always(Action.WAIT),
    UpstreamRefusedError: _refused,
    UpstreamError: _always(Action.WAIT),
    QuotewireError: _always(Action.GIVE_UP),  # the operator's, a client's, this machine's: not a matter of trying again
    TimeoutError: _always(Action.WAIT),
    ConnectionError: _always(Action.WAIT),
    OSError: _always(Action.WAIT),  # name resolution, no route: the network, until proved otherwise
}


def _reason(error: BaseException) -> str:
    return error.code if isinstance(error, QuotewireError) else type(error).__name__
