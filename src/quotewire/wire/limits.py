"""The limits of one connection, shared by all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Durations in seconds. `wall_ms` turns a monotonic `now` into milliseconds since 1970.

    `commands_per_s`: messages a second a client may send in the long run, `command_burst` of them at once; 0: no limit.
    `symbols_per_s` and `symbol_burst`: likewise, symbols that its commands name.
    """

    upgrade_timeout_s: float
    auth_timeout_s: float
    ping_interval_s: float
    pong_timeout_s: float
    idle_timeout_s: float
    slow_timeout_s: float
    max_symbols: int
    wall_ms: Callable[[float], int]
    max_pending_commands: int = 64
    commands_per_s: float = 0.0
    command_burst: int = 1
    symbols_per_s: float = 0.0
    symbol_burst: int = 1
    max_errors: int = 20
    error_window_s: float = 60.0


class Quota(Protocol):
    """What a connection shares with others: of its address, of its key."""

    def command(self, now: float, symbols: int = 0) -> str | None:
        """Take one message from it that names so many symbols; a sentence when there is not so much left."""

    def lacks(self, now: float, symbols: int) -> str | None:
        """Why a message that names so many symbols would be refused; nothing is taken."""

    def claim(self, symbols: int) -> str | None:
        """Have room for so many symbols in all; a sentence when there is none. Fewer than before are always granted."""


class _Unshared:
    """A quota that is never used up."""

    def command(self, now: float, symbols: int = 0) -> str | None:
        return None

    def lacks(self, now: float, symbols: int) -> str | None:
        return None

    def claim(self, symbols: int) -> str | None:
        return None


UNSHARED: Quota = _Unshared()
"""For a connection that shares nothing."""
