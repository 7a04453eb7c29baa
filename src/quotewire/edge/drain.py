"""How a gateway leaves without losing anybody (R66), as a state machine. Pure; `now` is in seconds, monotonic.

| phase | what holds |
|---|---|
| SERVING | clients come and go |
| LEAVING | nobody is let in, `/ready` says 503, and each client leaves when its turn comes; all are served until then |
| CLOSING | every connection that is left has been sent its close frame |
| GONE | no connection is left, or those that are have not answered in time |

The upstream goes on until GONE, so that whoever is still here has live quotes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from quotewire.errors import IllegalEventError

PATIENCE_S = 4.0
"""How long a client that was told to move may take, once its turn came: the next gateway may have to open a stream."""

MARGIN_S = 5.0
"""What leaving may take beyond the turns, where nothing else is set."""

ANSWER_S = 1.0
"""How long a peer may take to answer a close frame."""


class Phase(StrEnum):
    """The states."""

    SERVING = "serving"
    LEAVING = "leaving"
    CLOSING = "closing"
    GONE = "gone"


# --- events ---


@dataclass(frozen=True, slots=True)
class Asked:
    """The gateway is to go."""

    clients: int


@dataclass(frozen=True, slots=True)
class Hastened:
    """It is to go at once."""

    clients: int


@dataclass(frozen=True, slots=True)
class Looked:
    """Time passed, and so many clients are here."""

    clients: int


Event = Asked | Hastened | Looked


# --- effects ---


@dataclass(frozen=True, slots=True)
class ShutTheDoor:
    """Let nobody in any more, and be unready."""


@dataclass(frozen=True, slots=True)
class GiveTurns:
    """Give every client a turn to leave within `spread_s`; who was told has `patience_s` more to do it."""

    spread_s: float
    patience_s: float


@dataclass(frozen=True, slots=True)
class CloseDue:
    """Close those whose time is up."""


@dataclass(frozen=True, slots=True)
class CloseAll:
    """Close all that are left."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut off all that are left."""


Effect = ShutTheDoor | GiveTurns | CloseDue | CloseAll | Cut


@dataclass(frozen=True, slots=True)
class Plan:
    """How long it may take: turns are spread over `spread_s`, and all is over `deadline_s` after it was asked."""

    spread_s: float
    deadline_s: float

    @property
    def patience_s(self) -> float:
        """What is left of the deadline for those that were told to move, once the last turn came."""
        return max(0.0, min(PATIENCE_S, self.deadline_s - ANSWER_S - self.turns_s))

    @property
    def turns_s(self) -> float:
        """Over how long turns are spread: never so long that there is no time to close."""
        return max(0.0, min(self.spread_s, self.deadline_s - ANSWER_S))


class Drain:
    """One gateway's leaving."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._until = 0.0  # when this phase ends by itself
        self.phase = Phase.SERVING

    def step(self, event: Event, now: float) -> list[Effect]:
        """Take what happened; what to do comes out, in order. Raises IllegalEventError for a pair not in the table."""
        rule = TRANSITIONS.get((self.phase, type(event)))
        if rule is None:
            raise IllegalEventError(machine="drain", state=self.phase.value, event=type(event).__name__)
        after, effects = rule.act(self, event, now)
        assert after in rule.targets, (self.phase, event, after)
        self.phase = after
        return effects

    def _leave(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        if not event.clients:
            return Phase.GONE, [ShutTheDoor()]
        plan = self._plan
        self._until = now + plan.turns_s + plan.patience_s
        return Phase.LEAVING, [ShutTheDoor(), GiveTurns(plan.turns_s, plan.patience_s)]

    def _leave_at_once(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        after, effects = self._close(event, now)
        return after, [ShutTheDoor(), *effects]

    def _close(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        if not event.clients:
            return Phase.GONE, []
        self._until = now + ANSWER_S
        return Phase.CLOSING, [CloseAll()]

    def _watch_turns(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        if not event.clients or now >= self._until:
            return self._close(event, now)
        return Phase.LEAVING, [CloseDue()]

    def _watch_answers(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        if not event.clients:
            return Phase.GONE, []
        return (Phase.GONE, [Cut()]) if now >= self._until else (Phase.CLOSING, [])

    def _stay(self, event: Event, now: float) -> tuple[Phase, list[Effect]]:
        return self.phase, []


class Rule(NamedTuple):
    """Where an event may lead, and what is done."""

    targets: frozenset[Phase]
    act: Callable[[Drain, Event, float], tuple[Phase, list[Effect]]]


def _rule(act: Callable[[Drain, Event, float], tuple[Phase, list[Effect]]], *targets: Phase) -> Rule:
    return Rule(frozenset(targets), act)


TRANSITIONS: Final[dict[tuple[Phase, type[Event]], Rule]] = {
    (Phase.SERVING, Asked): _rule(Drain._leave, Phase.LEAVING, Phase.GONE),
    (Phase.SERVING, Hastened): _rule(Drain._leave_at_once, Phase.CLOSING, Phase.GONE),
    (Phase.SERVING, Looked): _rule(Drain._stay, Phase.SERVING),
    (Phase.LEAVING, Asked): _rule(Drain._stay, Phase.LEAVING),
    (Phase.LEAVING, Hastened): _rule(Drain._close, Phase.CLOSING, Phase.GONE),
    (Phase.LEAVING, Looked): _rule(Drain._watch_turns, Phase.LEAVING, Phase.CLOSING, Phase.GONE),
    (Phase.CLOSING, Asked): _rule(Drain._stay, Phase.CLOSING),
    (Phase.CLOSING, Hastened): _rule(Drain._stay, Phase.CLOSING),
    (Phase.CLOSING, Looked): _rule(Drain._watch_answers, Phase.CLOSING, Phase.GONE),
    (Phase.GONE, Asked): _rule(Drain._stay, Phase.GONE),
    (Phase.GONE, Hastened): _rule(Drain._stay, Phase.GONE),
    (Phase.GONE, Looked): _rule(Drain._stay, Phase.GONE),
}


def turns(clients: int, spread_s: float) -> list[float]:
    """In how many seconds each of so many clients leaves: one after the other, evenly over the time."""
    return [spread_s * (number + 1) / clients for number in range(clients)]
