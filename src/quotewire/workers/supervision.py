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
Rule = Callable[[Process, Event, Context], Result]


def step(process: Process, event: Event, *, now: float, policy: Policy, chance: Chance) -> Result:
    """What becomes of the process, and what to do. Raises IllegalEventError."""
    rule = TRANSITIONS.get((process.phase, type(event)))
    if rule is None:
        raise IllegalEventError(machine="process", state=process.phase.value, event=type(event).__name__)
    return rule(process, event, Context(now, policy, chance))


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
    (Phase.WAITING, Start): _spawn,
    (Phase.WAITING, Stop): _done,
    (Phase.WAITING, Tick): _stay,
    (Phase.STARTING, Ready): _run,
    (Phase.STARTING, Exited): _failed_to_start,
    (Phase.STARTING, Silent): _stay,  # it has its own deadline
    (Phase.STARTING, Replace): _stay,  # it is the other already
    (Phase.STARTING, Stop): _end,
    (Phase.STARTING, Tick): _kill_if_due,
    (Phase.RUNNING, Exited): _ended_by_itself,
    (Phase.RUNNING, Silent): _kill,
    (Phase.RUNNING, Replace): _make_room,
    (Phase.RUNNING, Stop): _end,
    (Phase.RUNNING, Tick): _stay,
    (Phase.RESTING, Replace): _stay,
    (Phase.RESTING, Stop): _done,
    (Phase.RESTING, Tick): _restart_if_due,
    (Phase.REPLACING, Ready): _stay,  # said before it heard
    (Phase.REPLACING, Exited): _next,
    (Phase.REPLACING, Silent): _stay,
    (Phase.REPLACING, Replace): _hurry,
    (Phase.REPLACING, Stop): _end,
    (Phase.REPLACING, Tick): _kill_if_due,
    (Phase.ENDING, Ready): _stay,
    (Phase.ENDING, Exited): _done,
    (Phase.ENDING, Silent): _stay,
    (Phase.ENDING, Replace): _stay,
    (Phase.ENDING, Stop): _hurry,
    (Phase.ENDING, Tick): _kill_if_due,
    (Phase.ENDED, Replace): _stay,
    (Phase.ENDED, Stop): _stay,
    (Phase.ENDED, Tick): _stay,
}
