"""The drain's rules: who leaves when, what hastens it, and that it always ends."""

import pytest

from quotewire.edge.drain import (
    ANSWER_S,
    PATIENCE_S,
    TRANSITIONS,
    Asked,
    CloseAll,
    CloseDue,
    Cut,
    Drain,
    Event,
    GiveTurns,
    Hastened,
    Looked,
    Phase,
    Plan,
    ShutTheDoor,
    turns,
)
from quotewire.errors import IllegalEventError

PLAN = Plan(spread_s=10.0, deadline_s=15.0)


def test_clients_leave_in_turns_and_those_left_are_closed_and_then_cut() -> None:
    drain = Drain(PLAN)
    assert drain.step(Looked(3), 0.0) == []
    assert drain.step(Asked(3), 100.0) == [ShutTheDoor(), GiveTurns(10.0, PATIENCE_S)]
    assert drain.step(Looked(3), 100.1) == [CloseDue()]
    assert drain.step(Asked(3), 105.0) == []
    assert drain.phase == "leaving"
    assert drain.step(Looked(2), 110.0 + PATIENCE_S) == [CloseAll()]
    assert drain.phase == "closing"
    assert drain.step(Looked(1), 110.5 + PATIENCE_S) == []
    assert drain.step(Looked(1), 110.0 + PATIENCE_S + ANSWER_S) == [Cut()]
    assert drain.phase == "gone"


def test_it_is_over_when_the_last_client_left() -> None:
    drain = Drain(PLAN)
    drain.step(Asked(1), 0.0)
    assert drain.step(Looked(0), 3.0) == []
    assert drain.phase is Phase.GONE


@pytest.mark.parametrize("event", [Asked(0), Hastened(0)])
def test_without_clients_it_is_over_at_once(event: Event) -> None:
    drain = Drain(PLAN)
    assert drain.step(event, 0.0) == [ShutTheDoor()]
    assert drain.phase is Phase.GONE


def test_it_can_be_hastened_at_any_time() -> None:
    drain = Drain(PLAN)
    assert drain.step(Hastened(2), 0.0) == [ShutTheDoor(), CloseAll()]
    assert drain.phase is Phase.CLOSING
    assert drain.step(Hastened(2), 0.1) == []

    drain = Drain(PLAN)
    drain.step(Asked(2), 0.0)
    assert drain.step(Hastened(2), 1.0) == [CloseAll()]
    assert drain.step(Looked(0), 1.1) == []
    for event in (Asked(0), Hastened(0), Looked(0)):
        assert drain.step(event, 9.0) == []
    assert drain.phase is Phase.GONE


@pytest.mark.parametrize(
    ("plan", "turns_s", "patience_s"),
    [
        (Plan(10.0, 15.0), 10.0, PATIENCE_S),
        (Plan(10.0, 12.0), 10.0, 1.0),
        (Plan(10.0, 5.0), 4.0, 0.0),
        (Plan(0.0, 0.0), 0.0, 0.0),
        (Plan(0.0, 5.0), 0.0, PATIENCE_S),
    ],
)
def test_the_deadline_comes_before_the_spread(plan: Plan, turns_s: float, patience_s: float) -> None:
    assert (plan.turns_s, plan.patience_s) == (turns_s, patience_s)
    assert turns_s + patience_s + ANSWER_S <= max(plan.deadline_s, ANSWER_S)


def test_turns_are_even() -> None:
    assert turns(4, 10.0) == [2.5, 5.0, 7.5, 10.0]
    assert turns(0, 10.0) == []


def test_every_pair_is_in_the_table_and_another_is_illegal() -> None:
    assert set(TRANSITIONS) == {(phase, event) for phase in Phase for event in (Asked, Hastened, Looked)}

    class Unknown(Looked):
        pass

    with pytest.raises(IllegalEventError, match=r"drain.*serving.*Unknown"):
        Drain(PLAN).step(Unknown(0), 0.0)
