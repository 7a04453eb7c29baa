"""Rate limits as documented and measured: two categories, a per-second and an hourly bucket each. Pure.

`/symbols*` counts as account data (measured in 2026, against the documentation). The headers show the hourly bucket.
What refused calls cost, and where an hour begins, is unverified: here they cost nothing, and the hour begins with the
first call in it.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

EVERYONE: Final = "everyone"  # who pays when all share one budget
HOUR_S: Final = 3600.0


class Category(StrEnum):
    """Which budget a call draws on."""

    ACCOUNT = "account"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class Allowance:
    """Calls per second and per hour."""

    per_second: int
    per_hour: int


ALLOWANCES: Final = {Category.ACCOUNT: Allowance(30, 30_000), Category.MARKET: Allowance(20, 15_000)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the call may pass, and what the headers say: calls left this hour, and when it ends (Unix seconds)."""

    allowed: bool
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """The two headers of limited answers."""
        return {"X-RateLimit-Remaining": str(self.remaining), "X-RateLimit-Reset": str(self.reset)}


@dataclass(slots=True)
class _Bucket:
    recent: deque[float] = field(default_factory=deque)
    hour_ends: float = 0.0
    used: int = 0


class Limiter:
    """The buckets of everyone."""

    def __init__(self) -> None:
        self._buckets: dict[tuple[str, Category], _Bucket] = {}

    def call(self, who: str, category: Category, now: float) -> Verdict:
        """Count a call at `now` (epoch seconds) and say whether it may pass."""
        allowance = ALLOWANCES[category]
        bucket = self._bucket(who, category, now)
        while bucket.recent and bucket.recent[0] <= now - 1.0:
            bucket.recent.popleft()
        allowed = len(bucket.recent) < allowance.per_second and bucket.used < allowance.per_hour
        if allowed:
            bucket.recent.append(now)
            bucket.used += 1
        return self.state(who, category, now, allowed)

    def state(self, who: str, category: Category, now: float, allowed: bool = True) -> Verdict:
        """The headers' numbers without counting a call."""
        bucket = self._bucket(who, category, now)
        return Verdict(allowed, ALLOWANCES[category].per_hour - bucket.used, int(bucket.hour_ends))

    def spend_hour(self, who: str, category: Category, now: float, left: int = 0) -> None:
        """Use up the hourly bucket, all but `left` calls."""
        self._bucket(who, category, now).used = ALLOWANCES[category].per_hour - left

    def clear(self) -> None:
        """Everyone starts afresh."""
        self._buckets.clear()

    def _bucket(self, who: str, category: Category, now: float) -> _Bucket:
        bucket = self._buckets.setdefault((who, category), _Bucket())
        if now >= bucket.hour_ends:
            bucket.hour_ends, bucket.used = now + HOUR_S, 0
        return bucket
