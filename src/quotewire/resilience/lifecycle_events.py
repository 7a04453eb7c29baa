"""What a host tells the connection machine. `socket` is the number of the `Prepare` an event belongs to."""

from typing import TypeAlias

from quotewire.resilience.lifecycle_types import SymbolKey, Value


class ConnectRequested(Value, frozen=True, tag="connect_requested"):
    """The user wants these symbols. While connected or connecting it only changes the symbols (R8)."""

    symbols: tuple[SymbolKey, ...] = ()


class DisconnectRequested(Value, frozen=True, tag="disconnect_requested"):
    """The user wants no connection: everything stops."""


class SymbolsChanged(Value, frozen=True, tag="symbols_changed"):
    """The full new set of symbols."""

    symbols: tuple[SymbolKey, ...]


class PersonsChanged(Value, frozen=True, tag="persons_changed"):
    """The full new list of persons, in the order to try them."""

    persons: tuple[str, ...]


class RefreshRequested(Value, frozen=True, tag="refresh_requested"):
    """Force a token refresh and a reconnect."""


class Prepared(Value, frozen=True, tag="prepared"):
    """`Prepare` is done."""

    socket: int


class Opened(Value, frozen=True, tag="opened"):
    """The HTTP upgrade is done."""

    socket: int


class Authenticated(Value, frozen=True, tag="authenticated"):
    """The other side accepted the token."""

    socket: int


class Message(Value, frozen=True, tag="message"):
    """Data came (not a pong, not an acknowledgement)."""

    socket: int


class Pong(Value, frozen=True, tag="pong"):
    """The answer to the `Ping` with this timestamp."""

    socket: int
    timestamp: float


class Closed(Value, frozen=True, tag="closed"):
    """The socket ended, or could not be prepared or opened (then `code` is 1006).

    `retry_after_s` is when the other side asked to come back, if it did.
    """

    socket: int
    code: int
    retry_after_s: float | None = None


class AuthFailed(Value, frozen=True, tag="auth_failed"):
    """The token was refused: HTTP 401, error 1017, or a refusal on the socket."""

    socket: int


class TokenRefreshed(Value, frozen=True, tag="token_refreshed"):
    """A new token of this person is at hand, asked for or not."""

    person: str


class RefreshFailed(Value, frozen=True, tag="refresh_failed"):
    """No new token. `final`: this person's refresh token is spent; someone must store a new one."""

    person: str
    final: bool = False


class RateLimited(Value, frozen=True, tag="rate_limited"):
    """429 while preparing, opening or refreshing for this person."""

    person: str
    retry_after_s: float | None = None


class Tick(Value, frozen=True, tag="tick"):
    """The time of the last `ScheduleTick` has come. Early or extra ticks are harmless."""


class NetworkLost(Value, frozen=True, tag="network_lost"):
    """The operating system or browser says there is no network."""


class NetworkRegained(Value, frozen=True, tag="network_regained"):
    """The network is back."""


class ClockJumped(Value, frozen=True, tag="clock_jumped"):
    """This machine slept `by_s` seconds that the monotonic clock did not count (0: it counted them)."""

    by_s: float = 0.0


class Nudged(Value, frozen=True, tag="nudged"):
    """Evidence that the other side can be reached now; a waiting machine need not wait out its back-off."""


class SilenceRule(Value, frozen=True, tag="silence_rule"):
    """How long silence is abnormal from now on; null: silence is normal (closed or quiet market)."""

    mute_after_s: float | None
    zombie_after_s: float | None


class PollSucceeded(Value, frozen=True, tag="poll_succeeded"):
    """A fallback poll brought quotes."""


class PollFailed(Value, frozen=True, tag="poll_failed"):
    """A fallback poll brought nothing."""


Event: TypeAlias = (
    ConnectRequested
    | DisconnectRequested
    | SymbolsChanged
    | PersonsChanged
    | RefreshRequested
    | Prepared
    | Opened
    | Authenticated
    | Message
    | Pong
    | Closed
    | AuthFailed
    | TokenRefreshed
    | RefreshFailed
    | RateLimited
    | Tick
    | NetworkLost
    | NetworkRegained
    | ClockJumped
    | Nudged
    | SilenceRule
    | PollSucceeded
    | PollFailed
)
