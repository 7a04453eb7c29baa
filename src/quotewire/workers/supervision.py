"""When a process of the gateway is started, stopped and started again: the rules, as a state machine. Pure.

One machine a process. `now` is monotonic seconds; what is to be done comes out as effects. A process that ended by
itself comes back after a pause that grows while it keeps ending young; one that was told to make room comes back at
once. Only a first start that fails is final: whoever started the gateway is there to hear why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from quotewire.errors import IllegalEventError
from quotewire.resilience.backoff import Backoff, Chance


class Phase(Enum):
    """Where a process stands."""

    WAITING = "waiting"  # not started yet
    STARTING = "starting"  # started, not ready
    RUNNING = "running"
    RESTING = "resting"  # it ended; started again when the pause is over
    REPLACING = "replacing"  # told to end, so that another takes its place
    ENDING = "ending"  # told to end for good
    ENDED = "ended"


# --- events ---


@dataclass(frozen=True, slots=True)
class Start:
    """The process is wanted."""


@dataclass(frozen=True, slots=True)
class Ready:
    """It says that it does its work."""


@dataclass(frozen=True, slots=True)
class Exited:
    """It is gone. `code` is its exit code, negative for the signal that ended it."""

    code: int


@dataclass(frozen=True, slots=True)
class Silent:
    """It has given no sign of life for too long."""


@dataclass(frozen=True, slots=True)
class Replace:
    """It is to make room for another."""


@dataclass(frozen=True, slots=True)
class Stop:
    """It is to end for good; said again, it is to hurry."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Event = Start | Ready | Exited | Silent | Replace | Stop | Tick


# --- effects ---


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the process."""


@dataclass(frozen=True, slots=True)
class Terminate:
    """Ask it to end, by SIGTERM."""


@dataclass(frozen=True, slots=True)
class Kill:
    """End it, by SIGKILL."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The gateway cannot run: end with this exit code."""

    code: int


Effect = Spawn | Terminate | Kill | GiveUp


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the rules are. Seconds."""

    start_s: float = 60.0
    end_s: float = 60.0
    kill_again_s: float = 5.0
    steady_s: float = 30.0
    """A process that ran for this long did not end young: its next pause is the shortest again."""

    backoff: Backoff = field(default_factory=lambda: Backoff(base_s=0.25, factor=2.0, cap_s=15.0))


@dataclass(frozen=True, slots=True)
class Process:
    """One process as the rules see it."""

    phase: Phase = Phase.WAITING
    failures: int = 0  # ends in a row, each young
    starts: int = 0
    ready_at: float | None = None  # of the first time it was ever ready
    since: float = 0.0  # when it was ready last
    due: float | None = None  # when something has to happen in this phase


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may look at besides the process."""

    now: float
    policy: Policy
    chance: Chance


Result = tuple[Process, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a process on an event, and where that may lead."""

    do: Callable[[Process, Event, Context], Result]
    targets: frozenset[Phase]


def step(process: Process, event: Event, *, now: float, policy: Policy, chance: Chance) -> Result:
    """What becomes of the process, and what to do. Raises IllegalEventError."""
    rule = TRANSITIONS.get((process.phase, type(event)))
    if rule is None:
        raise IllegalEventError(machine="process", state=process.phase.value, event=type(event).__name__)
    after, effects = rule.do(process, event, Context(now, policy, chance))
    assert after.phase in rule.targets, f"{process.phase} may not lead to {after.phase}"
    return after, effects


def _rule(do: Callable[[Process, Event, Context], Result], *targets: Phase) -> Rule:
    return Rule(do, frozenset(targets))


def _stay(process: Process, event: Event, at: Context) -> Result:
    return process, ()


def _spawn(process: Process, event: Event, at: Context) -> Result:
    due = at.now + at.policy.start_s
    return replace(process, phase=Phase.STARTING, starts=process.starts + 1, due=due), (Spawn(),)


def _run(process: Process, event: Event, at: Context) -> Result:
    first = at.now if process.ready_at is None else process.ready_at
    return replace(process, phase=Phase.RUNNING, ready_at=first, since=at.now, due=None), ()


def _rest(process: Process, at: Context, failures: int) -> Result:
    due = at.now + at.policy.backoff.delay(failures, at.chance)
    return replace(process, phase=Phase.RESTING, failures=failures, due=due), ()


def _failed_to_start(process: Process, event: Event, at: Context) -> Result:
    assert isinstance(event, Exited)
    if event.code > 0 and process.ready_at is None:
        return replace(process, phase=Phase.ENDED, due=None), (GiveUp(event.code),)
    return _rest(process, at, process.failures + 1)


def _ended_by_itself(process: Process, event: Event, at: Context) -> Result:
    assert isinstance(event, Exited)
    if event.code == 0:  # somebody asked it to make room, not through us
        return _spawn(replace(process, failures=0), event, at)
    young = at.now - process.since < at.policy.steady_s
    return _rest(process, at, process.failures + 1 if young else 1)


def _restart_if_due(process: Process, event: Event, at: Context) -> Result:
    assert process.due is not None
    return _spawn(process, event, at) if at.now >= process.due else (process, ())


def _kill(process: Process, event: Event, at: Context) -> Result:
    return process, (Kill(),)


def _kill_if_due(process: Process, event: Event, at: Context) -> Result:
    assert process.due is not None
    if at.now < process.due:
        return process, ()
    return replace(process, due=at.now + at.policy.kill_again_s), (Kill(),)


def _make_room(process: Process, event: Event, at: Context) -> Result:
    return replace(process, phase=Phase.REPLACING, due=at.now + at.policy.end_s), (Terminate(),)


def _next(process: Process, event: Event, at: Context) -> Result:
    return _spawn(replace(process, failures=0), event, at)


def _end(process: Process, event: Event, at: Context) -> Result:
    return replace(process, phase=Phase.ENDING, due=at.now + at.policy.end_s), (Terminate(),)


def _hurry(process: Process, event: Event, at: Context) -> Result:
    return process, (Terminate(),)


def _done(process: Process, event: Event, at: Context) -> Result:
    return replace(process, phase=Phase.ENDED, due=None), ()


TRANSITIONS: Final[dict[tuple[Phase, type[Event]], Rule]] = {
    (Phase.WAITING, Start): _rule(_spawn, Phase.STARTING),
    (Phase.WAITING, Stop): _rule(_done, Phase.ENDED),
    (Phase.WAITING, Tick): _rule(_stay, Phase.WAITING),
    (Phase.STARTING, Ready): _rule(_run, Phase.RUNNING),
    (Phase.STARTING, Exited): _rule(_failed_to_start, Phase.RESTING, Phase.ENDED),
    (Phase.STARTING, Silent): _rule(_stay, Phase.STARTING),  # it has its own deadline
    (Phase.STARTING, Replace): _rule(_stay, Phase.STARTING),  # it is the other already
    (Phase.STARTING, Stop): _rule(_end, Phase.ENDING),
    (Phase.STARTING, Tick): _rule(_kill_if_due, Phase.STARTING),
    (Phase.RUNNING, Exited): _rule(_ended_by_itself, Phase.RESTING, Phase.STARTING),
    (Phase.RUNNING, Silent): _rule(_kill, Phase.RUNNING),
    (Phase.RUNNING, Replace): _rule(_make_room, Phase.REPLACING),
    (Phase.RUNNING, Stop): _rule(_end, Phase.ENDING),
    (Phase.RUNNING, Tick): _rule(_stay, Phase.RUNNING),
    (Phase.RESTING, Replace): _rule(_stay, Phase.RESTING),
    (Phase.RESTING, Stop): _rule(_done, Phase.ENDED),
    (Phase.RESTING, Tick): _rule(_restart_if_due, Phase.RESTING, Phase.STARTING),
    (Phase.REPLACING, Ready): _rule(_stay, Phase.REPLACING),  # said before it heard
    (Phase.REPLACING, Exited): _rule(_next, Phase.STARTING),
    (Phase.REPLACING, Silent): _rule(_stay, Phase.REPLACING),
    (Phase.REPLACING, Replace): _rule(_hurry, Phase.REPLACING),
    (Phase.REPLACING, Stop): _rule(_end, Phase.ENDING),
    (Phase.REPLACING, Tick): _rule(_kill_if_due, Phase.REPLACING),
    (Phase.ENDING, Ready): _rule(_stay, Phase.ENDING),
    (Phase.ENDING, Exited): _rule(_done, Phase.ENDED),
    (Phase.ENDING, Silent): _rule(_stay, Phase.ENDING),
    (Phase.ENDING, Replace): _rule(_stay, Phase.ENDING),
    (Phase.ENDING, Stop): _rule(_hurry, Phase.ENDING),
    (Phase.ENDING, Tick): _rule(_kill_if_due, Phase.ENDING),
    (Phase.ENDED, Replace): _rule(_stay, Phase.ENDED),
    (Phase.ENDED, Stop): _rule(_stay, Phase.ENDED),
    (Phase.ENDED, Tick): _rule(_stay, Phase.ENDED),
}
