"""Who may carry symbols, and what the whole upstream amounts to. Pure.

A person is *fit* while their stream works or nothing speaks against it; one failure makes them unfit, so that their
symbols move to others at once, and they are fit again when their stream works or a while has passed. Whose stream was
merely dropped may be tried again at once where nobody else has room, a few times; whose stream could not be had rests.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from quotewire.resilience.lifecycle_types import State

REST_S: Final = 10.0
"""How long a person whose stream failed is left out while others are fit; doubled with each failure in a row."""
LONGEST_REST_S: Final = 120.0
TRIES: Final = 4
"""How often a dropped stream may be tried at once in a row, where nobody else has room for its symbols."""
TRY_AGAIN_S: Final = 6.0
"""How long until one such try more is allowed: fourteen in a minute at most, whoever drops the stream."""
MISSES: Final = 3
"""After so many such tries in a row that came to nothing, the stream counts as one that cannot be had."""
MISSED_S: Final = 0.9
"""Between two such tries, when the first came to nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One person as the pool sees them."""

    person: str
    is_dead: bool  # only the operator can help
    is_live: bool  # a stream of theirs is up
    has_access: bool  # calls can be made in their name
    error: str = ""


@dataclass(slots=True)
class Record:
    """How a person's stream has fared. `rest_until` is monotonic seconds.

    `was_dropped`: it worked, and nothing has shown since that it cannot be had. `is_trying`: it is being tried at once.
    """

    failures: int = 0
    rest_until: float = 0.0
    was_dropped: bool = False
    is_trying: bool = False
    misses: int = 0
    tries: float = TRIES
    counted_at: float = 0.0
    not_before: float = 0.0

    def failed(self, now: float, held_until: float = 0.0, *, was_dropped: bool = False) -> None:
        """The stream was lost or could not be had; before `held_until` it is not to be tried again."""
        self.failures += 1
        self.rest_until = max(now + min(REST_S * 2.0 ** (self.failures - 1), LONGEST_REST_S), held_until)
        self.misses = self.misses + 1 if self.is_trying and not was_dropped else 0
        if self.misses:
            self.not_before = now + MISSED_S
        self.was_dropped = was_dropped or 0 < self.misses < MISSES
        self.is_trying = False

    def worked(self) -> None:
        """Data came over the stream for a while."""
        self.failures, self.rest_until = 0, 0.0

    def healed(self) -> None:
        """The person has a new access token: what ended the stream of the old one need not end the next."""
        self.was_dropped, self.is_trying, self.misses = True, False, 0

    def is_resting(self, now: float) -> bool:
        """Whether the person is left out for now."""
        return now < self.rest_until

    def is_eager(self, now: float) -> bool:
        """Whether the stream is being tried at once, or may be."""
        return self.is_trying or (self.was_dropped and now >= self.not_before and self._tries(now) >= 1.0)

    def try_at_once(self, now: float) -> bool:
        """Whether to try it now, which counts; False while that is under way already, or not allowed."""
        if self.is_trying or not self.is_eager(now):
            return False
        self.tries, self.counted_at = self._tries(now) - 1.0, now
        self.is_trying = True
        return True

    def _tries(self, now: float) -> float:
        return min(self.tries + max(now - self.counted_at, 0.0) / TRY_AGAIN_S, float(TRIES))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the whole upstream (R7) with a stable reason, and the person who stands for it."""

    state: State
    reason: str
    person: str | None


def verdict(
    standings: Sequence[Standing],
    wanted: Set[int],
    carried: Set[int],
    polled: Mapping[int, float],
    *,
    reached: bool,
    overdue: Set[int] = frozenset(),
) -> Verdict:
    """What the upstream amounts to.

    `carried` are the symbols some live stream carries, `polled` those that polls bring instead, `overdue` those
    that no stream has carried for longer than a change of streams takes, `reached` whether Questrade has answered any
    call yet.
    """
    if not standings:
        return Verdict(State.ERROR, "no_persons", None)
    alive = [standing for standing in standings if not standing.is_dead]
    if not alive:
        return Verdict(State.ERROR, "all_tokens_refused", standings[0].person)
    live = next((standing.person for standing in alive if standing.is_live), None)
    able = live or next((standing.person for standing in alive if standing.has_access), None)
    if not wanted:
        if able is not None and reached:
            return Verdict(State.CONNECTED, "idle", able)
        return Verdict(State.CONNECTING, "logging_in", alive[0].person)
    missing = wanted - carried
    if not missing:
        return Verdict(State.CONNECTED, "streaming", live)
    if missing & polled.keys() or (live is not None and missing & overdue):
        return Verdict(State.DEGRADED, "polling", able)
    if live is not None:
        return Verdict(State.CONNECTED, "streaming", live)
    return Verdict(State.CONNECTING, "no_stream" if able else "logging_in", able or alive[0].person)
