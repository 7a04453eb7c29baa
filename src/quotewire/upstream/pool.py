"""Who may carry symbols, and what the whole upstream amounts to. Pure.

A person is *fit* while their stream works or nothing speaks against it; one failure makes them unfit, so that their
symbols move to others at once, and they are fit again when their stream works or a while has passed.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from quotewire.resilience.lifecycle_types import State

REST_S: Final = 10.0
"""How long a person whose stream failed is left out while others are fit; doubled with each failure in a row."""
LONGEST_REST_S: Final = 120.0


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
    """How a person's stream has fared. `rest_until` is monotonic seconds."""

    failures: int = 0
    rest_until: float = 0.0

    def failed(self, now: float, held_until: float = 0.0) -> None:
        """The stream was lost or could not be had; before `held_until` it is not to be tried again."""
        self.failures += 1
        self.rest_until = max(now + min(REST_S * 2.0 ** (self.failures - 1), LONGEST_REST_S), held_until)

    def worked(self) -> None:
        """Data came over the stream."""
        self.failures, self.rest_until = 0, 0.0

    def is_resting(self, now: float) -> bool:
        """Whether the person is left out for now."""
        return now < self.rest_until


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the whole upstream (R7) with a stable reason, and the person who stands for it."""

    state: State
    reason: str
    person: str | None


def verdict(
    standings: Sequence[Standing], wanted: Set[int], carried: Set[int], polled: Mapping[int, float], *, reached: bool
) -> Verdict:
    """What the upstream amounts to.

    `carried` are the symbols some live stream carries, `polled` those that polls bring instead, `reached` whether
    Questrade has answered any call yet.
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
    if missing & polled.keys():
        return Verdict(State.DEGRADED, "polling", able)
    if live is not None:
        return Verdict(State.CONNECTED, "streaming", live)
    return Verdict(State.CONNECTING, "no_stream" if able else "logging_in", able or alive[0].person)
