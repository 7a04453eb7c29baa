"""Smoothed latency and what it says of a connection (R18). Pure."""

from quotewire.resilience.lifecycle_types import LifecycleConfig, Quality


class Latency:
    """An exponentially weighted mean of round trips, in milliseconds; None until the first one."""

    def __init__(self, config: LifecycleConfig) -> None:
        self._config = config
        self.ms: float | None = None

    def observe(self, round_trip_ms: float) -> None:
        """Take one round trip into the mean."""
        weight = self._config.latency_weight
        self.ms = round_trip_ms if self.ms is None else self.ms + weight * (round_trip_ms - self.ms)

    def forget(self) -> None:
        """Start over, for a new connection."""
        self.ms = None

    @property
    def quality(self) -> Quality:
        """Good until measured; a mean exactly on a limit still has the better name."""
        if self.ms is None or self.ms <= self._config.latency_fair_ms:
            return Quality.GOOD
        return Quality.FAIR if self.ms <= self._config.latency_poor_ms else Quality.POOR
