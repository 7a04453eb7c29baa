"""How a node stands with the owner, as a table. Pure.

`step` takes what happened and says what to do; the subscriber does it. `Silent` comes from counting the node's own
ticks, not from a clock, so that a node that stood still itself does not take that for the owner's silence.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from quotewire.errors import IllegalEventError


class Link(Enum):
    """Where the node is."""

    AWAY = "away"  # no connection; being tried
    GREETING = "greeting"  # connected, not yet welcomed
    CATCHING_UP = "catching-up"  # what came before is coming
    LIVE = "live"  # has what every other node has


class Event(Enum):
    """What happened."""

    OPENED = "opened"
    WELCOMED = "welcomed"
    CAUGHT_UP = "caught-up"
    SILENT = "silent"  # nothing came for too long
    GONE = "gone"


class Effect(Enum):
    """What to do."""

    GREET = "greet"
    TAKE_OVER = "take-over"  # key, epoch, state and logins of the welcome
    READY = "ready"
    FENCE = "fence"  # tell clients that nothing comes any more and that the count is over
    HANG_UP = "hang-up"


@dataclass(frozen=True, slots=True)
class Rule:
    """Where an event leads and what it asks for."""

    target: Link
    effects: tuple[Effect, ...] = ()


TRANSITIONS: Final[dict[tuple[Link, Event], Rule]] = {
    (Link.AWAY, Event.OPENED): Rule(Link.GREETING, (Effect.GREET,)),
    (Link.GREETING, Event.WELCOMED): Rule(Link.CATCHING_UP, (Effect.TAKE_OVER,)),
    (Link.GREETING, Event.SILENT): Rule(Link.GREETING, (Effect.HANG_UP,)),
    (Link.GREETING, Event.GONE): Rule(Link.AWAY),
    (Link.CATCHING_UP, Event.CAUGHT_UP): Rule(Link.LIVE, (Effect.READY,)),
    (Link.CATCHING_UP, Event.SILENT): Rule(Link.CATCHING_UP, (Effect.HANG_UP,)),
    (Link.CATCHING_UP, Event.GONE): Rule(Link.AWAY, (Effect.FENCE,)),
    (Link.LIVE, Event.SILENT): Rule(Link.LIVE, (Effect.HANG_UP,)),
    (Link.LIVE, Event.GONE): Rule(Link.AWAY, (Effect.FENCE,)),
}


def step(link: Link, event: Event) -> Rule:
    """The rule for an event. Raises IllegalEventError for one that cannot come in this state."""
    rule = TRANSITIONS.get((link, event))
    if rule is None:
        raise IllegalEventError(machine="bus link", state=link.value, event=event.value)
    return rule
