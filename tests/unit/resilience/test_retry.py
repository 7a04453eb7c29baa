"""Every error has an answer, and the answers agree with the tree."""

import pytest

from quotewire import errors
from quotewire.errors import (
    AccessTokenError,
    ConfigurationError,
    IllegalEventError,
    InvalidMessageError,
    QuotewireError,
    RateLimitedError,
    StorageError,
    TokenSpentError,
    UntrustedHostError,
    UpstreamError,
    UpstreamRefusedError,
    UpstreamUnavailableError,
)
from quotewire.resilience.retry import Action, Verdict, classify


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (AccessTokenError("x"), Verdict(Action.REFRESH_TOKEN, None, "access_token")),
        (TokenSpentError("x"), Verdict(Action.NEXT_PERSON, None, "token_spent")),
        (UntrustedHostError("x"), Verdict(Action.NEXT_PERSON, None, "untrusted_host")),
        (RateLimitedError("x", retry_after_s=2.5), Verdict(Action.WAIT, 2.5, "rate_limited")),
        (RateLimitedError("x", retry_after_s=0.0), Verdict(Action.WAIT, 1.0, "rate_limited")),
        (RateLimitedError("x", retry_after_s=900, hourly=True), Verdict(Action.NEXT_PERSON, 900, "rate_limited")),
        (UpstreamUnavailableError("x"), Verdict(Action.WAIT, None, "upstream_unavailable")),
        (UpstreamError("x"), Verdict(Action.WAIT, None, "upstream")),
        (UpstreamRefusedError("x", status=404, upstream_code=1019), Verdict(Action.GIVE_UP, None, "upstream_refused")),
        (
            UpstreamRefusedError("x", status=403, upstream_code=1016),
            Verdict(Action.NEXT_PERSON, None, "upstream_refused"),
        ),
        (StorageError("x"), Verdict(Action.GIVE_UP, None, "storage")),
        (ConfigurationError("x"), Verdict(Action.GIVE_UP, None, "configuration")),
        (InvalidMessageError("x"), Verdict(Action.GIVE_UP, None, "invalid_message")),
        (IllegalEventError(machine="m", state="s", event="e"), Verdict(Action.GIVE_UP, None, "illegal_event")),
        (TimeoutError(), Verdict(Action.WAIT, None, "TimeoutError")),
        (ConnectionResetError(), Verdict(Action.WAIT, None, "ConnectionResetError")),
        (OSError("no route"), Verdict(Action.WAIT, None, "OSError")),
        (ValueError("a defect"), Verdict(Action.GIVE_UP, None, "ValueError")),
        (KeyboardInterrupt(), Verdict(Action.GIVE_UP, None, "KeyboardInterrupt")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_classify(error: BaseException, verdict: Verdict) -> None:
    assert classify(error) == verdict


def test_a_new_error_is_treated_as_its_parent() -> None:
    class MaintenanceError(UpstreamUnavailableError):
        pass

    assert classify(MaintenanceError("x")).action is Action.WAIT


def test_what_is_waited_for_is_what_the_tree_calls_retryable() -> None:
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, QuotewireError)]
    plain = [each for each in tree if each.__init__ is QuotewireError.__init__]

    assert len(plain) >= 10
    for each in plain:
        tried_again = classify(each("x")).action in (Action.WAIT, Action.REFRESH_TOKEN)
        assert tried_again is each.retryable, each
