"""When a process is started, stopped and started again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.errors import IllegalEventError
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.workers.supervision import (
    TRANSITIONS,
    Effect,
    Event,
    Exited,
    GiveUp,
    Kill,
    Phase,
    Policy,
    Process,
    Ready,
    Replace,
    Silent,
    Spawn,
    Start,
    Stop,
    Terminate,
    Tick,
    step,
)

POLICY = Policy(start_s=10.0, end_s=20.0, kill_again_s=5.0, steady_s=30.0, backoff=Backoff(1.0, 2.0, 8.0, Jitter.OFF))


class Walk:
    """A process, and what the rules asked for."""

    def __init__(self) -> None:
        self.process = Process()
        self.effects: list[Effect] = []

    def on(self, event: Event, now: float = 0.0) -> "Walk":
        self.process, effects = step(self.process, event, now=now, policy=POLICY, chance=lambda: 0.5)
        self.effects += effects
        return self

    @property
    def phase(self) -> Phase:
        return self.process.phase


def running(at: float = 0.0) -> Walk:
    walk = Walk().on(Start(), at).on(Ready(), at)
    walk.effects.clear()
    return walk


def test_a_start() -> None:
    walk = Walk().on(Start()).on(Ready(), 3.0)
    assert (walk.phase, walk.effects) == (Phase.RUNNING, [Spawn()])


@pytest.mark.parametrize("code", [1, 2])
def test_a_first_start_that_fails_is_not_tried_again(code: int) -> None:
    walk = Walk().on(Start()).on(Exited(code))
    assert (walk.phase, walk.effects) == (Phase.ENDED, [Spawn(), GiveUp(code)])


def test_one_that_is_killed_before_it_was_ready_is_tried_again() -> None:
    walk = Walk().on(Start()).on(Exited(-9))
    assert walk.phase is Phase.RESTING


def test_one_that_ran_before_is_tried_again_even_then() -> None:
    walk = running().on(Exited(-9), 40.0).on(Tick(), 41.0).on(Exited(2), 42.0)
    assert walk.phase is Phase.RESTING


def test_the_pause_grows_while_it_keeps_ending_young_and_is_capped() -> None:
    walk, now, pauses = running(), 0.0, []
    for _ in range(5):
        walk.on(Exited(1), now)
        assert walk.process.due is not None
        pauses.append(walk.process.due - now)
        now = walk.process.due
        walk.on(Tick(), now - 0.001)
        assert walk.phase is Phase.RESTING
        walk.on(Tick(), now).on(Ready(), now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]


def test_one_that_ran_long_enough_has_a_short_pause_again() -> None:
    walk = running().on(Exited(1), 1.0).on(Tick(), 2.0).on(Exited(1), 2.0).on(Tick(), 4.0).on(Ready(), 5.0)
    assert walk.process.failures == 2
    walk.on(Exited(-9), 35.0)
    assert (walk.process.failures, walk.process.due) == (1, 36.0)


def test_one_that_was_asked_to_make_room_by_somebody_else_is_replaced_at_once() -> None:
    walk = running().on(Exited(0), 1.0)
    assert (walk.phase, walk.effects, walk.process.failures) == (Phase.STARTING, [Spawn()], 0)


def test_one_that_does_not_start_in_time_is_killed_again_and_again() -> None:
    walk = Walk().on(Start()).on(Tick(), 9.9)
    assert walk.effects == [Spawn()]
    walk.on(Tick(), 10.0).on(Tick(), 14.0).on(Tick(), 15.0)
    assert walk.effects == [Spawn(), Kill(), Kill()]
    assert walk.on(Exited(-9), 16.0).phase is Phase.RESTING


def test_one_that_is_silent_is_killed_and_comes_back() -> None:
    walk = running().on(Silent(), 5.0)
    assert walk.effects == [Kill()]
    assert walk.on(Exited(-9), 5.0).phase is Phase.RESTING


def test_replacing_waits_for_the_end_and_kills_what_does_not_end() -> None:
    walk = running().on(Replace(), 1.0)
    assert (walk.phase, walk.effects) == (Phase.REPLACING, [Terminate()])
    walk.on(Tick(), 21.0)
    assert walk.effects == [Terminate(), Kill()]
    walk.on(Exited(-9), 22.0)
    assert (walk.phase, walk.effects[-1]) == (Phase.STARTING, Spawn())


def test_stopping_is_final() -> None:
    walk = running().on(Stop(), 1.0).on(Stop(), 2.0).on(Exited(0), 3.0).on(Tick(), 99.0)
    assert (walk.phase, walk.effects) == (Phase.ENDED, [Terminate(), Terminate()])


@pytest.mark.parametrize("before", [[], [Start(), Ready(), Exited(1)]], ids=["waiting", "resting"])
def test_what_is_not_there_is_stopped_by_leaving_it(before: list[Event]) -> None:
    walk = Walk()
    for event in before:
        walk.on(event)
    walk.effects.clear()
    assert (walk.on(Stop()).phase, walk.effects) == (Phase.ENDED, [])


def test_one_that_fails_while_it_is_stopped_does_not_come_back() -> None:
    walk = Walk().on(Start()).on(Stop()).on(Exited(2))
    assert (walk.phase, walk.effects) == (Phase.ENDED, [Spawn(), Terminate()])


def test_an_illegal_pair_names_machine_state_and_event() -> None:
    with pytest.raises(IllegalEventError, match=r"process machine in state waiting .* Ready"):
        Walk().on(Ready())


LIVES = {Phase.STARTING, Phase.RUNNING, Phase.REPLACING, Phase.ENDING}


@given(st.lists(st.tuples(st.sampled_from([Start, Ready, Exited, Silent, Replace, Stop, Tick]), st.floats(0, 40))))
def test_there_is_never_more_than_one_and_none_after_the_end(steps: list[tuple[type[Event], float]]) -> None:
    walk, now, alive = Walk(), 0.0, 0
    for kind, passed in steps:
        now += passed
        event: Event = Exited(1) if kind is Exited else kind()  # type: ignore[call-arg]
        if (walk.phase, kind) not in TRANSITIONS:
            continue
        stopped = walk.phase in (Phase.ENDING, Phase.ENDED)
        walk.effects.clear()
        walk.on(event, now)
        alive += walk.effects.count(Spawn()) - (kind is Exited)
        assert alive == (walk.phase in LIVES)
        assert not (stopped and Spawn() in walk.effects)
        assert walk.effects.count(Terminate()) == 0 or alive == 1
