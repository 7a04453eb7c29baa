"""How long to wait before the next attempt: exponential, capped, jittered (R1). Pure: chance comes in as a callable."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Chance = Callable[[], float]
"""A source of uniform numbers in [0, 1), such as `random.Random(seed).random`."""


class Jitter(StrEnum):
    """How a delay is spread, so that many clients do not come back in step."""

    OFF = "off"  # exactly the delay: for tests
    EQUAL = "equal"  # between half the delay and the delay
    FULL = "full"  # between nothing and the delay


@dataclass(frozen=True, slots=True)
class Backoff:
    """5, 10, 20, 40, 80, 120, 120 … seconds by default. Raises ValueError for values that cannot back off."""

    base_s: float = 5.0
    factor: float = 2.0
    cap_s: float = 120.0
    jitter: Jitter = Jitter.EQUAL

    def __post_init__(self) -> None:
        if not (0 < self.base_s <= self.cap_s and self.factor >= 1):
            raise ValueError(f"{self} cannot back off; it needs 0 < base_s <= cap_s and factor >= 1")

    def ceiling(self, attempt: int) -> float:
        """The delay in seconds before attempt number `attempt` (from 1), without jitter."""
        if attempt < 1:
            raise ValueError(f"attempts count from 1, not {attempt}")
        try:
            return min(self.cap_s, self.base_s * self.factor ** (attempt - 1))
        except OverflowError:
            return self.cap_s

    def delay(self, attempt: int, chance: Chance) -> float:
        """The delay in seconds before attempt number `attempt` (from 1), jittered by one draw of `chance`."""
        return spread(self.ceiling(attempt), self.jitter, chance)


def spread(delay_s: float, jitter: Jitter, chance: Chance) -> float:
    """`delay_s` jittered; never longer than it was. `chance` is drawn from only when there is jitter."""
    if jitter is Jitter.OFF:
        return delay_s
    kept = delay_s / 2 if jitter is Jitter.EQUAL else 0.0
    return kept + (delay_s - kept) * chance()
