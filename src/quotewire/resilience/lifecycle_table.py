"""The transitions of the connection machine as data: what each event does in each link, and where it may lead.

`action` names a method of `Lifecycle` (without its underscore); `targets` are the links it may lead to besides staying.
A pair that is missing is illegal: no correct host can produce it. Diagrams and other languages read this table.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_types import Link, Timer

IDLE, PREPARING, OPENING, AUTHENTICATING = Link.IDLE, Link.PREPARING, Link.OPENING, Link.AUTHENTICATING
LIVE, REFRESHING, WAITING, OFFLINE, FAILED = Link.LIVE, Link.REFRESHING, Link.WAITING, Link.OFFLINE, Link.FAILED

EVERY: Final = tuple(Link)
DIALLING: Final = (PREPARING, OPENING, AUTHENTICATING)
SOCKETED: Final = (*DIALLING, LIVE)
BUSY: Final = (*SOCKETED, REFRESHING, WAITING)


class Rule(NamedTuple):
    """What a pair does, and the links it may lead to."""

    action: str
    targets: frozenset[Link]


def _rules(
    links: Iterable[Link], event: type[on.Event], action: str, *targets: Link
) -> dict[tuple[Link, type[on.Event]], Rule]:
    return {(link, event): Rule(action, frozenset(targets)) for link in links}


def _due(links: Iterable[Link], timer: Timer, action: str, *targets: Link) -> dict[tuple[Link, Timer], Rule]:
    return {(link, timer): Rule(action, frozenset(targets)) for link in links}


TRANSITIONS: Final[dict[tuple[Link, type[on.Event]], Rule]] = {
    # wishes
    **_rules((IDLE, FAILED), on.ConnectRequested, "connect", PREPARING, FAILED),
    **_rules((*BUSY, OFFLINE), on.ConnectRequested, "change_symbols"),
    **_rules((*BUSY, OFFLINE, FAILED), on.DisconnectRequested, "disconnect", IDLE),
    **_rules((IDLE,), on.DisconnectRequested, "ignore"),
    **_rules(EVERY, on.SymbolsChanged, "change_symbols"),
    **_rules(EVERY, on.PersonsChanged, "change_persons", PREPARING, FAILED),
    **_rules((*SOCKETED, WAITING, FAILED), on.RefreshRequested, "force_refresh", REFRESHING),
    **_rules((IDLE, OFFLINE, REFRESHING), on.RefreshRequested, "ignore"),
    # the way up
    **_rules((PREPARING,), on.Prepared, "prepared", OPENING),
    **_rules((OPENING,), on.Opened, "opened", AUTHENTICATING),
    **_rules((AUTHENTICATING,), on.Authenticated, "authenticated", LIVE),
    # while live; a peer that speaks before it accepted the token is not the host's fault
    **_rules((LIVE,), on.Message, "message"),
    **_rules((LIVE,), on.Pong, "pong"),
    **_rules((AUTHENTICATING,), on.Message, "ignore"),
    **_rules((AUTHENTICATING,), on.Pong, "ignore"),
    # the way down
    **_rules(SOCKETED, on.Closed, "closed", WAITING, REFRESHING, PREPARING, FAILED),
    **_rules(SOCKETED, on.AuthFailed, "auth_failed", WAITING, REFRESHING, PREPARING, FAILED),
    **_rules((*DIALLING, REFRESHING), on.RateLimited, "rate_limited", WAITING),
    **_rules((IDLE, LIVE, WAITING, OFFLINE, FAILED), on.RateLimited, "ignore"),
    # tokens come and go in any state
    **_rules(EVERY, on.TokenRefreshed, "token_refreshed", WAITING),
    **_rules(EVERY, on.RefreshFailed, "refresh_failed", PREPARING, WAITING, FAILED),
    # the world around
    **_rules(BUSY, on.NetworkLost, "network_lost", OFFLINE),
    **_rules((IDLE, OFFLINE, FAILED), on.NetworkLost, "ignore"),
    **_rules((LIVE, WAITING, OFFLINE), on.NetworkRegained, "network_regained", PREPARING, WAITING, FAILED),
    **_rules((IDLE, *DIALLING, REFRESHING, FAILED), on.NetworkRegained, "ignore"),
    **_rules((*SOCKETED, WAITING, OFFLINE), on.ClockJumped, "woke", PREPARING, WAITING, FAILED),
    **_rules((IDLE, REFRESHING, FAILED), on.ClockJumped, "ignore"),
    **_rules((WAITING, OFFLINE), on.Nudged, "nudge", PREPARING, WAITING, FAILED),
    **_rules((IDLE, *SOCKETED, REFRESHING, FAILED), on.Nudged, "ignore"),
    **_rules(EVERY, on.SilenceRule, "silence_rule"),
    **_rules(EVERY, on.PollSucceeded, "poll_succeeded"),
    **_rules(EVERY, on.PollFailed, "poll_failed"),
    # what a tick leads to is a matter of TIMEOUTS, or of having slept
    **_rules(EVERY, on.Tick, "tick", *EVERY),
}

TIMEOUTS: Final[dict[tuple[Link, Timer], Rule]] = {
    **_due(DIALLING, Timer.STEP, "step_late", WAITING),
    **_due((REFRESHING,), Timer.STEP, "refresh_late", PREPARING, WAITING, FAILED),
    **_due((WAITING, OFFLINE), Timer.STEP, "wait_over", PREPARING, FAILED),
    **_due((LIVE,), Timer.PING, "ping_due"),
    **_due((LIVE,), Timer.PONG, "pong_missed", WAITING),
    **_due((LIVE,), Timer.WAKE_PONG, "wake_pong_missed", PREPARING, FAILED),
    **_due((LIVE,), Timer.MUTE, "mute_due"),
    **_due((LIVE,), Timer.ZOMBIE, "zombie_due", PREPARING, FAILED),
}
