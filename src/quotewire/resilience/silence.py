"""When a live connection has been silent too long (R6): mute, then zombie. Pure.

The limits come from the settings and from the host, which knows whether the market is closed or quiet (R56). Each
reconnect that brought no data doubles them, so that even a wrong guess about the market never leads to a loop.
"""

from quotewire.resilience.lifecycle_types import LifecycleConfig, Timer


class Silence:
    """The silence clock of one machine."""

    def __init__(self, config: LifecycleConfig) -> None:
        self._cap = config.silence_cap_s
        self._limits = {Timer.MUTE: config.mute_after_s, Timer.ZOMBIE: config.zombie_after_s}
        self._since = 0.0
        self._fruitless = 0

    def heard(self, now: float) -> None:
        """Data came."""
        self._since = now
        self._fruitless = 0

    def restart(self, now: float) -> dict[Timer, float]:
        """Count from now on; when each limit is due."""
        self._since = now
        return {timer: due for timer in self._limits if (due := self.due(timer)) is not None}

    def due(self, timer: Timer) -> float | None:
        """When this limit is reached if nothing more comes; None when silence is normal."""
        limit = self._limits[timer]
        if limit is None:
            return None
        return self._since + max(limit, min(self._cap, limit * 2.0**self._fruitless))

    def gave_up(self) -> None:
        """The connection is replaced because of its silence."""
        self._fruitless += 1

    def forgive(self) -> None:
        """Forget fruitless reconnects."""
        self._fruitless = 0

    def change(self, mute_after_s: float | None, zombie_after_s: float | None, now: float) -> dict[Timer, float] | None:
        """Take over new limits; when each is due, at the earliest now, or None when nothing changed.

        Silence that was normal until now starts to count now; silence that was not goes on counting, so that limits
        changed again and again never hide it.
        """
        limits = {Timer.MUTE: mute_after_s, Timer.ZOMBIE: zombie_after_s}
        if limits == self._limits:
            return None
        if None in self._limits.values():
            self._since = now
        self._limits = limits
        return {timer: max(now, due) for timer in limits if (due := self.due(timer)) is not None}
