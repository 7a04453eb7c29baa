"""This machine's clocks, one that cannot be set back, and Questrade's, measured by `GET /v1/time`.

Markets open and close by Questrade's clock. A simulator may stand at ten in the morning of a trading day while it is
night here; judged by the clock it tells, everything is coherent.
"""

from datetime import datetime
from typing import Final

from quotewire.errors import UpstreamUnavailableError
from quotewire.upstream.tape import Moment
from quotewire.upstream.world import REAL, World

STEP_S: Final = 1.0  # smaller differences of the two clocks are the wall clock being slewed


class SteadyClock:
    """Epoch seconds that only pass: the wall clock as of the start, going on with the monotonic clock.

    A wall clock that jumps ahead may mean that the machine slept, so that time did pass. One that is set back cannot
    mean anything of the sort: that is not followed.
    """

    def __init__(self, world: World = REAL) -> None:
        self.jumps = 0
        self._world = world
        self._ahead_s = world.wall() - world.monotonic()

    def now(self) -> float:
        """Epoch seconds; never less than before."""
        return self.at(self._world.monotonic(), self._world.wall())

    def at(self, monotonic: float, wall: float) -> float:
        """The same for what the other two clocks show at this moment."""
        ahead_s = wall - monotonic
        if ahead_s > self._ahead_s + STEP_S:
            self._ahead_s = ahead_s
            self.jumps += 1
        return monotonic + self._ahead_s


class MarketClock:
    """The clocks together. `offset_s` is how far Questrade's is ahead of the steady one, in seconds."""

    def __init__(self, world: World = REAL, steady: SteadyClock | None = None) -> None:
        self._world = world
        self._steady = steady or SteadyClock(world)
        self.offset_s = 0.0
        self.is_measured = False

    def now(self) -> Moment:
        """The present on all three clocks."""
        monotonic, wall = self._world.monotonic(), self._world.wall()
        return Moment(monotonic, int(wall * 1000), self._steady.at(monotonic, wall) + self.offset_s)

    @property
    def jumps(self) -> int:
        """How often this machine's clock jumped ahead; what was measured before is in doubt then."""
        return self._steady.jumps

    def theirs(self) -> float:
        """Questrade's clock, epoch seconds."""
        return self._steady.now() + self.offset_s

    def measure(self, told: str, took_s: float) -> None:
        """Questrade told its time (ISO 8601) in an answer that took `took_s`. Raises UpstreamUnavailableError."""
        try:
            theirs = datetime.fromisoformat(told)
            self.offset_s = theirs.timestamp() - (self._steady.now() - took_s / 2)
        except (ValueError, OverflowError, OSError) as error:
            raise UpstreamUnavailableError(f"Questrade told a time that cannot be read: {told[:40]!r}") from error
        self.is_measured = True
