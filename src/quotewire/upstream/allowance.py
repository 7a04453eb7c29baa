"""What may be asked in one person's name now: their rate budget, and a breaker for each endpoint. Pure.

`now` is monotonic seconds. Whoever is granted a call must report how it ended.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    UpstreamRefusedError,
)
from quotewire.questrade.requests import Endpoint
from quotewire.resilience.breaker import Allow, Asked, Breaker, Changed, Circuit, Failed, Nudged, Succeeded
from quotewire.resilience.budget import Budget, BudgetView, Category, Priority

OUT_OF_SCOPE: Final = 403
PROBE: Final = Endpoint.TIME
"""Has no breaker: it is what finds out whether the others may be tried again."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Make the call. `changed` is what that changes of the endpoint's breaker."""

    changed: tuple[Changed, ...] = ()


@dataclass(frozen=True, slots=True)
class Wait:
    """The budget is used up for this long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The endpoint keeps failing for this person; not before so many seconds."""

    seconds: float


Answer = Grant | Wait | Closed


@dataclass(slots=True)
class Allowance:
    """One person's."""

    budget: Budget = field(default_factory=Budget)
    breakers: dict[Endpoint, Breaker] = field(default_factory=dict)

    def ask(self, endpoint: Endpoint, category: Category, priority: Priority, now: float) -> Answer:
        """Whether a call may be made."""
        wait = self.budget.take(category, priority, now)
        if wait > 0:
            return Wait(wait)
        if endpoint is PROBE:
            return Grant()
        effects = self._breaker(endpoint).step(Asked(), now)
        if not any(isinstance(effect, Allow) for effect in effects):
            return Closed(1.0)
        return Grant(tuple(effect for effect in effects if isinstance(effect, Changed)))

    def is_ready(self, endpoint: Endpoint) -> bool:
        """Whether nothing speaks against this endpoint; asks nothing."""
        breaker = self.breakers.get(endpoint)
        return breaker is None or breaker.state is Circuit.CLOSED

    def succeeded(self, endpoint: Endpoint, now: float) -> list[Changed]:
        """A granted call was answered; what changed by that."""
        return self._step(endpoint, Succeeded(), now)

    def failed(self, endpoint: Endpoint, category: Category, error: QuotewireError, now: float) -> list[Changed]:
        """A granted call failed; what changed by that.

        A refused token, a rate limit and a definite refusal show that the endpoint works, so they open no breaker. A
        refusal of the person (scope, user agent) does: others may fare better.
        """
        if isinstance(error, RateLimitedError):
            left, reset = (0, error.retry_after_s) if error.hourly else (None, None)
            self.budget.limited(category, now=now, remaining=left, reset_in_s=reset)
        works = isinstance(error, (RateLimitedError, AccessTokenError)) or (
            isinstance(error, UpstreamRefusedError) and error.status != OUT_OF_SCOPE
        )
        return self._step(endpoint, Succeeded() if works else Failed(), now)

    def nudge(self, now: float) -> None:
        """Questrade can be reached again: no breaker waits out its pause."""
        for breaker in self.breakers.values():
            breaker.step(Nudged(), now)

    def observe(self, category: Category, remaining: int, reset_in_s: float, now: float) -> None:
        """The hourly counter of an answer."""
        self.budget.observe(category, remaining=remaining, reset_in_s=min(max(reset_in_s, 0.0), 3600.0), now=now)

    def report(self, now: float) -> dict[str, Any]:
        """For operators."""
        return {
            "budgets": {category.value: _camel(self.budget.view(category, now)) for category in Category},
            "breakers": {endpoint.value: breaker.state.value for endpoint, breaker in self.breakers.items()},
        }

    def _breaker(self, endpoint: Endpoint) -> Breaker:
        return self.breakers.setdefault(endpoint, Breaker())

    def _step(self, endpoint: Endpoint, event: Succeeded | Failed, now: float) -> list[Changed]:
        if endpoint is PROBE:
            return []
        return [effect for effect in self._breaker(endpoint).step(event, now) if isinstance(effect, Changed)]


def _camel(view: BudgetView) -> dict[str, int | float]:
    """The fields as they are written everywhere else in the report."""
    return {
        "usedSecond": view.used_second,
        "perSecond": view.per_second,
        "usedHour": view.used_hour,
        "leftHour": view.left_hour,
        "perHour": view.per_hour,
        "blockedForS": view.blocked_for_s,
    }
