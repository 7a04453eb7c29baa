"""The words of the connection machine: its states, reasons, settings and what can be seen of it.

Times are seconds of one monotonic clock, durations are seconds.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from quotewire.resilience.backoff import Backoff

SymbolKey: TypeAlias = str | int
"""A symbol's name or its Questrade id; the machine only counts and compares them."""


class State(StrEnum):
    """What the user of a connection sees (R7). Derived from `Link` and `Fallback`, never stored."""

    DISCONNECTED = "disconnected"  # not wanted, or the network is gone
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"  # no socket, quotes come by polling; the socket is still tried
    ERROR = "error"  # nothing comes: a person must act, or polls fail too


class Link(StrEnum):
    """The first region of the machine: the socket."""

    __hash__ = str.__hash__  # an enum's own is Python code, and the machine's table is looked into for every message

    IDLE = "idle"  # not wanted
    PREPARING = "preparing"  # the host gets what opening needs: a token, a port
    OPENING = "opening"  # TCP, TLS, HTTP upgrade
    AUTHENTICATING = "authenticating"  # the token was sent
    LIVE = "live"
    REFRESHING = "refreshing"  # the token was refused; a new one is being made
    WAITING = "waiting"  # until the next attempt is due
    OFFLINE = "offline"  # this machine has no network
    FAILED = "failed"  # trying again would not help


class Fallback(StrEnum):
    """The second region: what replaces the socket once attempts are exhausted (R16)."""

    OFF = "off"
    POLLING = "polling"
    BARREN = "barren"  # polling is switched off, or it fails as well


class Quality(StrEnum):
    """How good the connection is, by its smoothed latency (R18). Without a connection it is poor."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"


class Reason(StrEnum):
    """Why something changed (R58). Stable: used in logs, metric labels and by clients."""

    NONE = "none"
    CONNECT_REQUESTED = "connect_requested"
    DISCONNECT_REQUESTED = "disconnect_requested"
    PREPARED = "prepared"
    OPENED = "opened"
    AUTHENTICATED = "authenticated"
    BACKOFF_OVER = "backoff_over"
    PREPARE_TIMEOUT = "prepare_timeout"
    UPGRADE_TIMEOUT = "upgrade_timeout"
    AUTH_TIMEOUT = "auth_timeout"
    CONNECTION_LOST = "connection_lost"  # no close frame: 1005, 1006
    CLOSED_BY_PEER = "closed_by_peer"
    CLOSED_FOR_GOOD = "closed_for_good"  # a code that says: do not come back
    TOKEN_REFUSED = "token_refused"  # noqa: S105
    TOKEN_REFRESHED = "token_refreshed"  # noqa: S105
    REFRESH_REQUESTED = "refresh_requested"
    REFRESH_FAILED = "refresh_failed"
    REFRESH_TIMEOUT = "refresh_timeout"
    ALL_TOKENS_REFUSED = "all_tokens_refused"
    NO_PERSONS = "no_persons"
    RATE_LIMITED = "rate_limited"
    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    MUTE = "mute"
    DATA_RESUMED = "data_resumed"
    ZOMBIE = "zombie"
    PONG_TIMEOUT = "pong_timeout"
    LATENCY_POOR = "latency_poor"
    LATENCY_RECOVERED = "latency_recovered"
    NETWORK_LOST = "network_lost"
    NETWORK_REGAINED = "network_regained"
    WOKE = "woke"
    NUDGED = "nudged"
    POLL_FAILED = "poll_failed"
    POLL_RECOVERED = "poll_recovered"


class Timer(StrEnum):
    """What a due `Tick` is about."""

    STEP = "step"  # prepare, upgrade, authentication or refresh took too long, or a wait is over
    PING = "ping"
    PONG = "pong"
    WAKE_PONG = "wake_pong"  # the pong that proves a socket survived a sleep
    MUTE = "mute"
    ZOMBIE = "zombie"


class Value(msgspec.Struct, frozen=True, rename="camel", tag_field="type"):
    """Common form of events and effects: frozen, and with one JSON form (`type` in snake case, keys in camel case).

    `spec/vectors` is written in that form, so that machines in other languages are held to the same scenarios.
    """


TOKEN_CLOSES: Final = frozenset({4001, 1017})
"""Codes that mean the token was refused. 1017 is Questrade's error number, used as a code by its clients."""

TOKEN_TROUBLE: Final = frozenset({Reason.TOKEN_REFUSED, Reason.REFRESH_FAILED, Reason.REFRESH_TIMEOUT})
"""Reasons of a wait that a new token makes pointless."""

LOST_CLOSES: Final = frozenset({1005, 1006})
"""Codes no peer sends: the connection ended without a close frame."""

FINAL_CLOSES: Final = frozenset({1000, 1002, 1003, 1007, 1009, *range(4500, 5000)})
"""Codes of quotewire's protocol that say: do not come back."""


@dataclass(frozen=True, slots=True)
class LifecycleConfig:
    """Settings of one machine, in seconds; the defaults are those of R1-R9, R16 and R18."""

    backoff: Backoff = field(default_factory=Backoff)
    max_attempts: int = 5  # 10 in production
    prepare_timeout_s: float = 20.0
    upgrade_timeout_s: float = 5.0
    auth_timeout_s: float = 10.0
    refresh_timeout_s: float = 30.0
    refresh_cooldown_s: float = 60.0  # between two refreshes of one person
    refreshed_delay_s: float = 1.0  # from a refreshed token to the next attempt
    rate_step_s: float = 2.0
    rate_cap_s: float = 10.0
    ping_interval_s: float | None = 30.0  # None: the other side answers no pings
    pong_timeout_s: float = 5.0
    health_check_s: float = 60.0  # how often a connection found mute is examined again
    mute_after_s: float | None = 30.0
    zombie_after_s: float | None = 300.0
    silence_cap_s: float = 3600.0  # the zombie limit doubles after each fruitless reconnect, up to this
    stable_after_s: float = 30.0  # a connection that lived this long ends a row of failures
    woke_after_s: float = 10.0  # a tick this late on a live connection means this machine slept
    nudge_spacing_s: float = 5.0
    polling: bool = True
    poll_interval_s: float = 30.0
    poll_failures: int = 3  # in a row, until the fallback counts as barren
    probe_interval_s: float = 60.0  # between attempts while degraded
    latency_weight: float = 0.2
    latency_fair_ms: float = 500.0
    latency_poor_ms: float = 2000.0
    final_closes: frozenset[int] = field(default=FINAL_CLOSES, repr=False)  # empty: the peer's codes mean nothing


class Snapshot(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The machine as it stands (R7). Times are those given to `step`."""

    state: State
    link: Link
    fallback: Fallback
    reason: Reason
    person: str | None
    attempt: int
    symbol_count: int
    last_update: float | None
    latency_ms: float | None
    quality: Quality
    next_attempt_at: float | None


PUBLIC_STATES: Final[dict[Link, State]] = {
    Link.IDLE: State.DISCONNECTED,
    Link.OFFLINE: State.DISCONNECTED,
    Link.LIVE: State.CONNECTED,
    Link.FAILED: State.ERROR,
}
"""The state that a link alone decides; of the other links the fallback decides."""

FALLBACK_STATES: Final[dict[Fallback, State]] = {
    Fallback.OFF: State.CONNECTING,
    Fallback.POLLING: State.DEGRADED,
    Fallback.BARREN: State.ERROR,
}

STEP_TIMEOUTS: Final[dict[Link, Reason]] = {
    Link.PREPARING: Reason.PREPARE_TIMEOUT,
    Link.OPENING: Reason.UPGRADE_TIMEOUT,
    Link.AUTHENTICATING: Reason.AUTH_TIMEOUT,
}
"""What it is called when a link lasts too long."""
