"""How many calls one person may still make (R52). Pure; `now` is monotonic seconds.

Questrade counts per second and per hour, apart for account and market calls; its headers show the hourly counter only,
a per-second breach shows as a bare 429 (Questrade's rate limiting page; measurements of 2026). So:

- Both limits are held in every window of that length, not on average. A token bucket would let twice its size through
  in its worst second; here the grants of the last second and hour are counted.
- The header lowers what is left of the hour until its reset; it never raises it above the limit.
- A 429 with calls left is the per-second limit: a second's pause and half the pace, growing back. Sleeping until the
  hourly reset would be an outage of our own making. A 429 with nothing left is the hourly cap: pause until its reset.
- Streams may use all of it, look-ups and polls leave a reserve. Once little is left of the hour, they are spread over
  the rest of it.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

SECOND_S: Final = 1.1  # a second, and some: calls sent evenly arrive bunched
HOUR_S: Final = 3600.0
ROUNDING_S: Final = 0.001  # added to each wait, so that nobody comes back a rounding error too early
SLOT_S: Final = 30.0  # the hour is counted in slots; each is kept until its last possible call is an hour old


class Category(StrEnum):
    """Questrade's two buckets. `/symbols*` counts as ACCOUNT (measured), whatever the documentation says."""

    MARKET = "market"
    ACCOUNT = "account"


class Priority(StrEnum):
    """Who gives way to whom, highest first."""

    STREAM = "stream"
    LOOKUP = "lookup"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class Limit:
    """One category's limits."""

    per_second: int
    per_hour: int


LIMITS: Final[Mapping[Category, Limit]] = {
    Category.MARKET: Limit(per_second=20, per_hour=15_000),
    Category.ACCOUNT: Limit(per_second=30, per_hour=30_000),
}
SHARES: Final[Mapping[Priority, float]] = {Priority.STREAM: 1.0, Priority.LOOKUP: 0.85, Priority.POLL: 0.6}
"""The part of each limit that a priority may fill."""


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Settings; durations in seconds."""

    second_pause_s: float = 1.0
    regrow_s: float = 5.0  # after a per-second 429 the pace regains one call per second in this time
    hourly_pause_s: float = 60.0  # after an hourly 429 that does not say when the hour ends
    spread_below: float = 0.2  # of the hourly limit left: from here on spread it
    exhausted_share: float = 0.95  # of the hourly limit used: a 429 without headers is then the hourly cap


class BudgetView(NamedTuple):
    """One category as it stands, for operators. `blocked_for_s`: until then not even a stream is granted a call."""

    used_second: int
    per_second: int
    used_hour: int
    left_hour: int
    per_hour: int
    blocked_for_s: float


class LimitHit(NamedTuple):
    """What a 429 was about, and how long to wait."""

    hourly: bool
    retry_after_s: float


class Budget:
    """One person's budget over all categories. Shared by everything that calls in that person's name."""

    def __init__(
        self,
        limits: Mapping[Category, Limit] = LIMITS,
        config: BudgetConfig = BudgetConfig(),
    ) -> None:
        self._meters = {category: _Meter(limit, config) for category, limit in limits.items()}

    def take(self, category: Category, priority: Priority, now: float) -> float:
        """Ask for one call: 0.0 grants and counts it; otherwise the seconds after which asking again makes sense."""
        return self._meters[category].take(priority, now)

    def observe(self, category: Category, *, remaining: int, reset_in_s: float, now: float) -> None:
        """Take in the headers of an answer: calls left of the hour, and seconds until it starts over."""
        self._meters[category].observe(remaining, reset_in_s, now)

    def limited(
        self, category: Category, *, now: float, remaining: int | None = None, reset_in_s: float | None = None
    ) -> LimitHit:
        """Take in a 429, with its headers if it had any; which limit it was, and how long the category is blocked."""
        return self._meters[category].limited(remaining, reset_in_s, now)

    def paused_s(self, category: Category, now: float) -> float:
        """For how long a 429 forbids calls that were granted before it came and have not left yet."""
        return self._meters[category].paused_s(now)

    def view(self, category: Category, now: float) -> BudgetView:
        """The category as it stands."""
        return self._meters[category].view(now)


class _Meter:
    """One category of one person."""

    def __init__(self, limit: Limit, config: BudgetConfig) -> None:
        self._limit = limit
        self._config = config
        self._recent: deque[float] = deque()  # grants of the last second
        self._slots: deque[list[float]] = deque()  # [start, grants] of the last hour
        self._used_hour = 0
        self._header_left: int | None = None
        self._header_until = 0.0
        self._pace = float(limit.per_second)  # calls per second; halved by a per-second 429
        self._paced_at = 0.0
        self._blocked_until = float("-inf")
        self._last_yielding = float("-inf")  # last grant to a priority that is spread

    def take(self, priority: Priority, now: float) -> float:
        self._forget(now)
        share = SHARES[priority]
        wait = max(
            self._blocked_until - now,
            self._wait_second(share, now),
            self._wait_hour(share, now),
            0.0 if priority is Priority.STREAM else self._wait_spread(now),
        )
        if wait > 0:
            return wait + ROUNDING_S
        self._grant(priority, now)
        return 0.0

    def observe(self, remaining: int, reset_in_s: float, now: float) -> None:
        self._forget(now)
        left = max(0, remaining)
        # Answers overtake each other: within one hour the counter only falls.
        same_hour = self._header_left is not None and abs(now + reset_in_s - self._header_until) < SLOT_S
        self._header_left = min(left, self._header_left) if same_hour and self._header_left is not None else left
        self._header_until = now + max(0.0, reset_in_s)

    def limited(self, remaining: int | None, reset_in_s: float | None, now: float) -> LimitHit:
        if remaining is not None and reset_in_s is not None:
            self.observe(remaining, reset_in_s, now)
        self._forget(now)
        exhausted = self._used_hour >= self._config.exhausted_share * self._limit.per_hour
        hourly = remaining <= 0 if remaining is not None else exhausted
        if hourly:
            wait = self._config.hourly_pause_s if reset_in_s is None else max(self._config.second_pause_s, reset_in_s)
        else:
            wait = self._config.second_pause_s
            self._pace, self._paced_at = max(1.0, self._pace_at(now) / 2), now
        self._blocked_until = max(self._blocked_until, now + wait)
        return LimitHit(hourly, wait)

    def paused_s(self, now: float) -> float:
        wait = self._blocked_until - now
        return wait + ROUNDING_S if wait > 0 else 0.0

    def view(self, now: float) -> BudgetView:
        self._forget(now)
        return BudgetView(
            used_second=len(self._recent),
            per_second=int(self._pace_at(now)),
            used_hour=self._used_hour,
            left_hour=self._left_hour(),
            per_hour=self._limit.per_hour,
            blocked_for_s=max(0.0, self._blocked_until - now, self._wait_hour(SHARES[Priority.STREAM], now)),
        )

    def _grant(self, priority: Priority, now: float) -> None:
        self._recent.append(now)
        if not self._slots or now >= self._slots[-1][0] + SLOT_S:
            self._slots.append([now, 0])
        self._slots[-1][1] += 1
        self._used_hour += 1
        if self._header_left is not None:
            self._header_left = max(0, self._header_left - 1)
        if priority is not Priority.STREAM:
            self._last_yielding = now

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0] + SECOND_S <= now:
            self._recent.popleft()
        while self._slots and self._slots[0][0] + SLOT_S + HOUR_S <= now:
            self._used_hour -= int(self._slots.popleft()[1])
        if self._header_left is not None and now >= self._header_until:
            self._header_left = None

    def _pace_at(self, now: float) -> float:
        return min(float(self._limit.per_second), self._pace + (now - self._paced_at) / self._config.regrow_s)

    def _wait_second(self, share: float, now: float) -> float:
        allowed = max(1, int(self._pace_at(now) * share))
        if len(self._recent) < allowed:
            return 0.0
        return self._recent[len(self._recent) - allowed] + SECOND_S - now

    def _left_hour(self) -> int:
        own = self._limit.per_hour - self._used_hour
        return own if self._header_left is None else min(own, self._header_left)

    def _wait_hour(self, share: float, now: float) -> float:
        reserve = int(self._limit.per_hour * (1 - share))
        if self._left_hour() > reserve:
            return 0.0
        waits = [self._wait_own_hour(reserve, now)]
        if self._header_left is not None and self._header_left <= reserve:
            waits.append(self._header_until - now)
        return max(waits)

    def _wait_own_hour(self, reserve: int, now: float) -> float:
        """Until enough of our own grants are an hour old."""
        excess = self._used_hour + reserve + 1 - self._limit.per_hour
        for start, grants in self._slots:
            if excess <= 0:
                break
            excess -= int(grants)
            if excess <= 0:
                return start + SLOT_S + HOUR_S - now
        return 0.0

    def _wait_spread(self, now: float) -> float:
        """Until a spread call is due, when little is left of the hour."""
        left = self._left_hour()
        if left >= self._config.spread_below * self._limit.per_hour:
            return 0.0
        rest_s = HOUR_S if self._header_left is None else self._header_until - now
        return self._last_yielding + rest_s / max(1, left) - now
