"""What the connection machine tells its host to do, in the order given. The host decides nothing itself."""

from typing import TypeAlias

from quotewire.resilience.lifecycle_types import Reason, State, SymbolKey, Value


class Prepare(Value, frozen=True, tag="prepare"):
    """Get what opening needs (token, port) for this person.

    Answer `Prepared`, `AuthFailed`, `RefreshFailed`, `RateLimited` or `Closed`.
    """

    socket: int
    person: str


class Open(Value, frozen=True, tag="open"):
    """Open the socket: TCP, TLS, upgrade; answer `Opened` or `Closed`."""

    socket: int
    person: str


class SendToken(Value, frozen=True, tag="send_token"):
    """Send the first message, which carries the token; answer `Authenticated`, `AuthFailed` or `Closed`."""

    socket: int


class Subscribe(Value, frozen=True, tag="subscribe"):
    """Make the socket carry exactly these symbols; with `repeat`, ask again although nothing changed."""

    socket: int
    symbols: tuple[SymbolKey, ...]
    repeat: bool = False


class Ping(Value, frozen=True, tag="ping"):
    """Send a ping that carries this timestamp; answer `Pong` with it."""

    socket: int
    timestamp: float


class Close(Value, frozen=True, tag="close"):
    """Close the socket, or give up preparing or opening it. Nothing about it is of interest any more."""

    socket: int
    code: int
    reason: Reason


class RefreshToken(Value, frozen=True, tag="refresh_token"):
    """Make sure this person has a token newer than the refused one; a newer one at hand is answer enough.

    Answer `TokenRefreshed`, `RefreshFailed` or `RateLimited`.
    """

    person: str


class TryNextPerson(Value, frozen=True, tag="try_next_person"):
    """From here on this person is the current one."""

    person: str


class StartPolling(Value, frozen=True, tag="start_polling"):
    """Poll quotes over HTTP; answer each poll with `PollSucceeded` or `PollFailed`."""

    interval_s: float


class StopPolling(Value, frozen=True, tag="stop_polling"):
    """Stop polling."""


class ScheduleTick(Value, frozen=True, tag="schedule_tick"):
    """Send `Tick` at this time, instead of any time asked for before; null: at no time."""

    at: float | None


class Report(Value, frozen=True, tag="report"):
    """Something an operator or user may want to know. `state` is the state after it."""

    state: State
    reason: Reason


Effect: TypeAlias = (
    Prepare
    | Open
    | SendToken
    | Subscribe
    | Ping
    | Close
    | RefreshToken
    | TryNextPerson
    | StartPolling
    | StopPolling
    | ScheduleTick
    | Report
)
