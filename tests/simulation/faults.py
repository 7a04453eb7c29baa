"""What can go wrong, and what Questrade is like: the vocabulary of timetables."""

from dataclasses import dataclass, field
from enum import StrEnum

PERSONS = ("alice", "bob", "carol")


class Kind(StrEnum):
    """Faults. Those of the first block can spend a refresh token without anybody getting the new pair."""

    TOKEN_LOST = "token_lost"  # spent, and the answer never came
    TOKEN_GARBLED = "token_garbled"  # spent, and the answer is cut short
    TOKEN_524 = "token_524"  # spent behind a proxy that gave up
    REVOKED = "revoked"  # a person's grant ends; the operator makes a new one
    CHILD_KILLED = "child_killed"  # gateway and exchange die together, at a point of the exchange
    # the login server
    LOGIN_ERROR = "login_error"
    LOGIN_BUSY = "login_busy"
    LOGIN_PAGE = "login_page"
    LOGIN_DOWN = "login_down"
    LOGIN_BROKEN = "login_broken"  # the connection breaks before the token is taken
    LOGIN_HANG = "login_hang"  # never answers, never takes the token
    LOGIN_SLOW = "login_slow"
    # REST
    REST_ERROR = "rest_error"
    REST_PAGE = "rest_page"
    REST_DOWN = "rest_down"
    REST_HANG = "rest_hang"
    REST_SLOW = "rest_slow"
    REST_GARBAGE = "rest_garbage"
    REST_FORBIDDEN = "rest_forbidden"
    REST_SECOND = "rest_second"  # 429 of the second, with plenty left of the hour
    REST_HOUR = "rest_hour"  # 429 of the hour
    # access tokens
    ACCESS_KILLED = "access_killed"  # somebody else's refresh ended it
    SHORT_LIVES = "short_lives"  # somebody else goes on doing so
    # streams
    DROP = "drop"
    KILLS = "kills"  # one login's stream is ended again and again, in many ways
    KILLS_ROUND = "kills_round"  # another login's each time
    KILLS_MANY = "kills_many"  # all but one login's at once, another one spared each time
    EVICTED = "evicted"
    REFUSED = "refused"
    UPGRADE_HANG = "upgrade_hang"
    AUTH_HANG = "auth_hang"
    AUTH_REFUSED = "auth_refused"
    AUTH_CLOSED = "auth_closed"
    SILENT = "silent"  # the socket stays open and says nothing
    DEAD_SOCKET = "dead_socket"  # half open: it will never say anything again
    MUTE_SYMBOL = "mute_symbol"
    STUCK_SYMBOL = "stuck_symbol"  # mute until it is asked for again
    GARBAGE = "garbage"
    LAG = "lag"
    PORT_CHANGE = "port_change"
    HOST_CHANGE = "host_change"
    HOST_GONE = "host_gone"
    PORT_DEAD = "port_dead"  # streams end and cannot be had; calls go on
    # limits, people, the market
    HOUR_SPENT = "hour_spent"  # somebody else spent nearly all of the hour's calls
    OPT_OUT = "opt_out"  # a person's login may carry no stream
    HALT = "halt"  # a symbol is halted
    # everything at once
    OUTAGE = "outage"
    BLACK_HOLE = "black_hole"  # no answers, no refusals
    # this machine
    CRASH = "crash"  # the gateway dies; its exchange goes on
    RESTART = "restart"
    PAUSE = "pause"
    CLOCK_STEP = "clock_step"
    DISK_FULL = "disk_full"
    VAULT_LOCKED = "vault_locked"  # the vault can be neither read nor written


HAZARDS = frozenset({Kind.TOKEN_LOST, Kind.TOKEN_GARBLED, Kind.TOKEN_524, Kind.REVOKED, Kind.CHILD_KILLED})
"""After these a person may need a new token, made by hand. After all others nobody ever does."""

MOMENTARY = frozenset(
    {
        Kind.DROP,
        Kind.EVICTED,
        Kind.DEAD_SOCKET,
        Kind.STUCK_SYMBOL,
        Kind.PORT_CHANGE,
        Kind.HOST_CHANGE,
        Kind.HOST_GONE,
        Kind.ACCESS_KILLED,
        Kind.CLOCK_STEP,
    }
)


KILLING = frozenset({Kind.DROP, Kind.EVICTED, Kind.KILLS, Kind.KILLS_ROUND, Kind.KILLS_MANY})
"""These end streams and spoil nothing: whoever comes back at once is served."""


class Point(StrEnum):
    """Where an exchange can die."""

    LOCKED = "locked"
    JOURNALLED = "journalled"  # written down, not sent
    SENT = "sent"
    SPENT = "spent"
    ANSWERED = "answered"  # the new pair has come and is not on the disk
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Times are virtual seconds; `person` None means everybody; `amount` depends on the kind."""

    kind: Kind
    at: float
    until: float
    person: str | None = None
    amount: float = 0.0
    point: Point | None = None

    def __str__(self) -> str:
        whom = self.person or "everybody"
        point = f" {self.point}" if self.point else ""
        return f"{self.at:8.2f} - {self.until:8.2f} s  {self.kind} {whom} {self.amount:.2f}{point}"

    def concerns(self, person: str | None) -> bool:
        """Whether it is this person's."""
        return self.person is None or self.person == person


@dataclass(frozen=True, slots=True)
class Nature:
    """What is not known of Questrade, or differs from day to day; each seed has one."""

    persons: tuple[str, ...]
    symbols: int
    wanted: int  # at most, of `symbols`
    least_wanted: int = 1
    symbols_per_stream: int = 500
    second_get: str = "replace"
    get_shows_new: bool = True  # a second request makes the stream send the new symbols at once
    refresh_ends_stream_s: float = 0.0  # negative: it goes on
    expiry_ends_stream: bool = True
    expires_in: int = 1800
    api_server: str = "https://api{:02d}.iq.questrade.com/"
    evict_code: int = 0  # 0: no status
    latency_s: float = 0.04
    jitter_s: float = 0.02
    pace_s: float = 2.5
    tick_s: float = 1.0
    flicker: float = 0.0  # the part of a symbol's changes that are of its bid alone, to and fro between two
    doubles: bool = False  # A/B
    clock_ahead_s: float = 0.0
    opening_s: float = 36_600.0  # of the day, in Toronto
    wants_change: bool = True
    acts_every_s: float = 30.0  # clients ask something at most this seldom
    linger_s: float = 30.0
    shuffles: bool = False


@dataclass(frozen=True, slots=True)
class Timetable:
    """What one seed runs."""

    seed: int
    nature: Nature
    faults: tuple[Fault, ...] = field(default=())
    lasts_s: float = 0.0  # at least

    @property
    def last_end(self) -> float:
        """When the last fault is over."""
        return max((fault.until for fault in self.faults), default=10.0)

    def __str__(self) -> str:
        rows = "\n".join(f"  {fault}" for fault in self.faults)
        return f"seed {self.seed}\n  {self.nature}\n{rows}"
