"""One line to the gateway: its connection machine, and what belongs to the connection it makes. Pure.

A client has one; for a moment two, while it moves to another connection.
"""

from quotewire.client.deltas import Bases
from quotewire.resilience.backoff import Chance
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import Fallback, LifecycleConfig, Link

ANYONE = "anyone"
"""The one person of the machine: the gateway's token opens the same stream whoever it was made for."""

HOPELESS = frozenset({Link.IDLE, Link.OFFLINE, Link.FAILED, Link.REFRESHING})
STRIDE = 1_000_000_000


class Line:
    """A connection machine with the ping under way, the alarm it asked for, and the bases of its deltas."""

    __slots__ = ("bases", "first", "lifecycle", "ping", "tick_at")

    def __init__(self, config: LifecycleConfig, chance: Chance, first: int) -> None:
        """`first`: its sockets are numbered from there on, at most `STRIDE` of them."""
        self.first = first
        self.lifecycle = Lifecycle(config, persons=(ANYONE,), chance=chance, serial=first)
        self.bases = Bases()
        self.ping: tuple[int, float] | None = None
        self.tick_at: float | None = None

    @property
    def socket(self) -> int | None:
        """The number of its socket."""
        return self.lifecycle.socket

    @property
    def link(self) -> Link:
        """Where its connection stands."""
        return self.lifecycle.snapshot().link

    @property
    def hopeless(self) -> bool:
        """Whether it will not have a connection soon, or needs what only the line in use may ask for."""
        seen = self.lifecycle.snapshot()
        return seen.link in HOPELESS or seen.fallback is not Fallback.OFF

    def owns(self, socket: int) -> bool:
        """Whether that number is of one of its sockets, past ones included."""
        return self.first < socket <= self.first + STRIDE

    def welcomed(self) -> None:
        """A new connection: nothing was sent on it yet."""
        self.bases = Bases()
