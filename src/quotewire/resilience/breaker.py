"""A circuit breaker: stop asking what keeps failing, and find out gently when it works again (R29). Pure.

One breaker stands for one person and endpoint. `now` is monotonic seconds. `Nudged`, evidence that the other side is
back, ends the pause of an open breaker and changes nothing else.

| state | asked | succeeded | failed |
|---|---|---|---|
| CLOSED | allow | forget failures | count; the `threshold`-th within `window_s` opens |
| OPEN | refuse; once the pause is over allow one probe and go HALF_OPEN | ignore: asked before | ignore |
| HALF_OPEN | refuse until the probe succeeded or is lost, then allow one | close after `successes` | open for longer |
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias


class Circuit(StrEnum):
    """The states."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class BreakerReason(StrEnum):
    """Why a breaker changed (R58)."""

    TOO_MANY_FAILURES = "too_many_failures"
    PAUSE_OVER = "pause_over"
    PROBE_FAILED = "probe_failed"
    PROBES_SUCCEEDED = "probes_succeeded"


@dataclass(frozen=True, slots=True)
class Asked:
    """Someone wants to make a call."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """An allowed call succeeded. A definite refusal (unknown symbol) is a success: the other side works."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An allowed call failed."""


@dataclass(frozen=True, slots=True)
class Nudged:
    """The other side, which could not be reached, can be reached again."""


Event: TypeAlias = Asked | Succeeded | Failed | Nudged


@dataclass(frozen=True, slots=True)
class Allow:
    """Make the call, then report it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not; asking again before `retry_after_s` is pointless."""

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Changed:
    """The breaker changed its state."""

    before: Circuit
    after: Circuit
    reason: BreakerReason


Effect: TypeAlias = Allow | Refuse | Changed


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """Settings, in seconds."""

    threshold: int = 5
    window_s: float = 60.0
    pause_s: float = 5.0
    pause_cap_s: float = 120.0
    successes: int = 2
    probe_timeout_s: float = 30.0


class Breaker:
    """One circuit breaker."""

    def __init__(self, config: BreakerConfig = BreakerConfig()) -> None:
        self._config = config
        self._state = Circuit.CLOSED
        self._failures: deque[float] = deque(maxlen=config.threshold)
        self._pause_s = config.pause_s
        self._until = 0.0  # OPEN: end of the pause; HALF_OPEN: when the probe counts as lost
        self._successes = 0
        self._effects: list[Effect] = []

    def __repr__(self) -> str:
        return f"<Breaker {self._state}>"

    @property
    def state(self) -> Circuit:
        """As of the last step: an open breaker becomes half-open when asked, not by the passing of time."""
        return self._state

    def step(self, event: Event, now: float) -> list[Effect]:
        """Take one event; what to do about it. Every pair is legal: results come when they come."""
        self._effects = []
        TRANSITIONS[self._state, type(event)](self, now)
        return self._effects

    def allows(self, now: float) -> bool:
        """Ask; whether the call may be made. Whoever is allowed must report success or failure."""
        return any(isinstance(effect, Allow) for effect in self.step(Asked(), now))

    def _enter(self, state: Circuit, reason: BreakerReason) -> None:
        self._effects.append(Changed(self._state, state, reason))
        self._state = state

    def _ignore(self, now: float) -> None:
        """A result of a call allowed before the breaker opened, or news that changes nothing."""

    def _end_pause(self, now: float) -> None:
        self._until = min(self._until, now)

    def _allow(self, now: float) -> None:
        self._effects.append(Allow())

    def _forget_failures(self, now: float) -> None:
        self._failures.clear()

    def _count_failure(self, now: float) -> None:
        self._failures.append(now)
        if len(self._failures) == self._config.threshold and now - self._failures[0] <= self._config.window_s:
            self._pause_s = self._config.pause_s
            self._open(BreakerReason.TOO_MANY_FAILURES, now)

    def _open(self, reason: BreakerReason, now: float) -> None:
        self._until = now + self._pause_s
        self._enter(Circuit.OPEN, reason)

    def _maybe_probe(self, now: float) -> None:
        if now < self._until:
            self._effects.append(Refuse(self._until - now))
            return
        self._successes = 0
        self._enter(Circuit.HALF_OPEN, BreakerReason.PAUSE_OVER)
        self._probe(now)

    def _probe(self, now: float) -> None:
        self._until = now + self._config.probe_timeout_s
        self._effects.append(Allow())

    def _maybe_probe_again(self, now: float) -> None:
        if now < self._until:
            self._effects.append(Refuse(self._until - now))
        else:
            self._probe(now)

    def _probe_succeeded(self, now: float) -> None:
        self._successes += 1
        self._until = now  # the next probe may go
        if self._successes >= self._config.successes:
            self._failures.clear()
            self._enter(Circuit.CLOSED, BreakerReason.PROBES_SUCCEEDED)

    def _probe_failed(self, now: float) -> None:
        self._pause_s = min(self._config.pause_cap_s, self._pause_s * 2)
        self._open(BreakerReason.PROBE_FAILED, now)


TRANSITIONS: Final[dict[tuple[Circuit, type[Any]], Callable[[Breaker, float], None]]] = {
    (Circuit.CLOSED, Asked): Breaker._allow,
    (Circuit.CLOSED, Succeeded): Breaker._forget_failures,
    (Circuit.CLOSED, Failed): Breaker._count_failure,
    (Circuit.CLOSED, Nudged): Breaker._ignore,
    (Circuit.OPEN, Asked): Breaker._maybe_probe,
    (Circuit.OPEN, Succeeded): Breaker._ignore,
    (Circuit.OPEN, Failed): Breaker._ignore,
    (Circuit.OPEN, Nudged): Breaker._end_pause,
    (Circuit.HALF_OPEN, Asked): Breaker._maybe_probe_again,
    (Circuit.HALF_OPEN, Succeeded): Breaker._probe_succeeded,
    (Circuit.HALF_OPEN, Failed): Breaker._probe_failed,
    (Circuit.HALF_OPEN, Nudged): Breaker._ignore,
}
