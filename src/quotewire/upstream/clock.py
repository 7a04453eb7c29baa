"""Three clocks in one: this machine's two, and Questrade's, measured by `GET /v1/time`.

Markets open and close by Questrade's clock. A simulator may stand at ten in the morning of a trading day while it is
night here; judged by the clock it tells, everything is coherent.
"""

from datetime import datetime

from quotewire.errors import UpstreamUnavailableError
from quotewire.market.calendar import TORONTO
from quotewire.upstream.tape import Moment
from quotewire.upstream.world import REAL, World


class MarketClock:
    """This machine's clocks and how far Questrade's is ahead of the wall clock, in seconds."""

    def __init__(self, world: World = REAL) -> None:
        self._world = world
        self.offset_s = 0.0
        self.is_measured = False

    def now(self) -> Moment:
        """The present on all three clocks."""
        wall = self._world.wall()
        return Moment(self._world.monotonic(), int(wall * 1000), datetime.fromtimestamp(wall + self.offset_s, TORONTO))

    def measure(self, told: str, took_s: float) -> None:
        """Questrade told its time (ISO 8601) in an answer that took `took_s`. Raises UpstreamUnavailableError."""
        try:
            theirs = datetime.fromisoformat(told)
            self.offset_s = theirs.timestamp() - (self._world.wall() - took_s / 2)
        except (ValueError, OverflowError, OSError) as error:
            raise UpstreamUnavailableError(f"Questrade told a time that cannot be read: {told[:40]!r}") from error
        self.is_measured = True
