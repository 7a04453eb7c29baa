"""One login's tokens as a state machine. Pure: every time is epoch seconds and comes in.

A refresh token can be used once. Using it makes a new pair and kills the old access token, so the exchange is written
down before it is sent and its result before it is used. What remains is the lost answer: the token was sent and nobody
knows whether it was spent. Then it may be sent once more: a grant heals it, a refusal is final.

==============  =====================================================================
state           meaning
==============  =====================================================================
FRESH           the access token can be used
EXPIRING        the access token is missing, expired or soon will be: refresh
REFRESHING      the refresh token was sent (or is about to be); the outcome is not known
SPENT_UNKNOWN   the answer was lost; one more try is allowed, or was made in vain
REVOKED         Questrade refused the refresh token: only a new one, made by hand, helps
==============  =====================================================================
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from quotewire.errors import IllegalEventError

MAX_DOUBTFUL_SENDS: Final = 2
"""How often one refresh token may be sent without an answer: once, and the one allowed retry."""


class TokenState(StrEnum):
    """See the table above."""

    FRESH = "fresh"
    EXPIRING = "expiring"
    REFRESHING = "refreshing"
    SPENT_UNKNOWN = "spent-unknown"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Token:
    """All that is known of one login. `doubtful_sends` counts sends of `refresh_token` whose answer is not known."""

    state: TokenState
    refresh_token: str = field(repr=False)
    access_token: str | None = field(default=None, repr=False)
    api_server: str | None = None
    obtained_at: float = 0.0
    expires_at: float = 0.0
    doubtful_sends: int = 0
    attempted_at: float = 0.0
    last_error: str = ""

    @property
    def life_s(self) -> float:
        """How long the access token lives from when it was obtained."""
        return max(self.expires_at - self.obtained_at, 0.0)

    @property
    def can_be_sent(self) -> bool:
        """Whether the refresh token may be sent now, once any exchange under way is over."""
        return self.state is not TokenState.REVOKED and self.doubtful_sends < MAX_DOUBTFUL_SENDS

    @property
    def is_dead(self) -> bool:
        """Whether only a new refresh token, made by hand, helps."""
        return self.state is TokenState.REVOKED or (
            self.state is TokenState.SPENT_UNKNOWN and self.doubtful_sends >= MAX_DOUBTFUL_SENDS
        )

    def usable(self, now: float) -> bool:
        """Whether the access token can be sent with a request now."""
        waiting = self.state not in (TokenState.REFRESHING, TokenState.REVOKED)
        return waiting and self.access_token is not None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Grant:
    """Questrade's answer to a refresh token that was taken. `expires_in` in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    api_server: str
    expires_in: float


@dataclass(frozen=True, slots=True)
class Aged:
    """It is time to refresh, or the access token was refused."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The refresh token is about to be sent."""

    at: float


@dataclass(frozen=True, slots=True)
class Granted:
    """A new pair came."""

    at: float
    grant: Grant


@dataclass(frozen=True, slots=True)
class Refused:
    """`Bad Request`: used, expired and revoked look the same."""

    reason: str


@dataclass(frozen=True, slots=True)
class Declined:
    """An answer came, and it was neither a grant nor a refusal of the token: 429, 5xx, a page. The token is unspent."""

    reason: str
    retry_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Lost:
    """The token was sent and no answer, or an unreadable one, came back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The token never left: no connection could be made."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """The operator stored a new refresh token."""

    refresh_token: str = field(repr=False)


Outcome = Granted | Refused | Declined | Lost | Unsent
Event = Aged | Sent | Outcome | Replaced

_S = TokenState
TRANSITIONS: Final[dict[tuple[TokenState, type[Event]], TokenState]] = {
    (_S.FRESH, Aged): _S.EXPIRING,
    (_S.FRESH, Sent): _S.REFRESHING,
    (_S.EXPIRING, Aged): _S.EXPIRING,
    (_S.EXPIRING, Sent): _S.REFRESHING,
    (_S.SPENT_UNKNOWN, Sent): _S.REFRESHING,
    (_S.REFRESHING, Granted): _S.FRESH,
    (_S.REFRESHING, Refused): _S.REVOKED,
    (_S.REFRESHING, Declined): _S.EXPIRING,
    (_S.REFRESHING, Unsent): _S.EXPIRING,
    (_S.REFRESHING, Lost): _S.SPENT_UNKNOWN,
    **{(state, Replaced): _S.EXPIRING for state in _S},
}
"""Where each event leads; Declined and Unsent lead to SPENT_UNKNOWN while an earlier answer is still missing."""


def step(token: Token, event: Event) -> Token:
    """The token after `event`. Raises IllegalEventError, naming machine, state and event."""
    target = TRANSITIONS.get((token.state, type(event)))
    if target is None or (isinstance(event, Sent) and not token.can_be_sent):
        raise IllegalEventError(machine="token", state=token.state, event=type(event).__name__)
    match event:
        case Replaced():
            return Token(target, event.refresh_token)
        case Aged():
            return replace(token, state=target, last_error=event.reason or token.last_error)
        case Sent():
            return replace(token, state=target, doubtful_sends=token.doubtful_sends + 1, attempted_at=event.at)
        case Granted():
            return granted(event)
        case Lost():
            return replace(token, state=target, last_error=event.reason)
        case Refused():
            return replace(token, state=target, access_token=None, last_error=_final(token, event.reason))
        case Declined() | Unsent():
            doubts = token.doubtful_sends - 1
            state = _S.SPENT_UNKNOWN if doubts else target
            return replace(token, state=state, doubtful_sends=doubts, last_error=event.reason)


def granted(event: Granted) -> Token:
    """The token of a new pair."""
    grant = event.grant
    return Token(
        TokenState.FRESH,
        grant.refresh_token,
        grant.access_token,
        grant.api_server,
        obtained_at=event.at,
        expires_at=event.at + max(grant.expires_in, 0.0),
        attempted_at=event.at,
    )


def _final(token: Token, reason: str) -> str:
    if token.doubtful_sends > 1:
        return f"{reason}; the answer to its first use was lost, so it was spent then"
    return reason


def advice(person: str, token: Token) -> str:
    """What the operator has to do about a dead token, as a sentence; empty while it lives."""
    if not token.is_dead:
        return ""
    what = "was refused" if token.state is TokenState.REVOKED else "was sent twice without an answer"
    return (
        f"the refresh token of {person} {what}: make a new token for {person} in Questrade's App Hub, "
        f"then run: quotewire persons add {person}"
    )


# --- when to refresh ---


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When to refresh, and how seldom at most. Seconds, except `at_share` of the access token's life."""

    at_share: float = 0.85
    longest_s: float = 86_400.0
    least_s: float = 5.0
    cool_down_s: float = 10.0
    longest_cool_down_s: float = 900.0
    forced_spacing_s: float = 60.0  # between two refreshes somebody asked for: each cuts that person's streams


DEFAULT_POLICY: Final = RefreshPolicy()


def due_at(token: Token, policy: RefreshPolicy = DEFAULT_POLICY) -> float:
    """When the token should be refreshed (epoch seconds); infinity when it is dead.

    `expires_in` is honoured whatever it is, but a login is refreshed daily at the latest, so that its refresh token,
    which lives three or seven days, never runs out.
    """
    if token.is_dead:
        return float("inf")
    if token.state is not TokenState.FRESH:
        return 0.0
    return token.obtained_at + min(max(token.life_s * policy.at_share, policy.least_s), policy.longest_s)


def cool_down_ends(token: Token, policy: RefreshPolicy = DEFAULT_POLICY, *, short_lives: int = 0) -> float:
    """Until when a refresh that nobody scheduled has to wait (epoch seconds).

    `short_lives` counts the tokens in a row that Questrade refused long before their end. Someone else is refreshing
    the same login then, and answering each refusal at once is how a refresh storm starts: the wait doubles.
    """
    if token.state is not TokenState.FRESH:
        return 0.0
    wait = min(policy.cool_down_s * 2.0 ** min(short_lives, 10), policy.longest_cool_down_s)
    return token.obtained_at + wait
