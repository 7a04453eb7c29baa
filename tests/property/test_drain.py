"""Whatever the order of signals and departures: the door is shut once, and all is over by the deadline."""

from hypothesis import given
from hypothesis import strategies as st

from quotewire.edge.drain import ANSWER_S, Asked, CloseAll, Drain, Event, Hastened, Looked, Phase, Plan, ShutTheDoor

SECONDS = st.floats(0, 60)
STEPS = st.lists(st.tuples(st.sampled_from(["asked", "hastened", "looked"]), st.floats(0, 5), st.integers(0, 3)))


@given(spread_s=SECONDS, deadline_s=SECONDS, clients=st.integers(0, 50), steps=STEPS)
def test_it_ends_in_time_and_goes_one_way(
    spread_s: float, deadline_s: float, clients: int, steps: list[tuple[str, float, int]]
) -> None:
    drain = Drain(Plan(spread_s, deadline_s))
    now, asked_at, effects = 0.0, None, []
    order = list(Phase)
    for name, wait, leave in steps:
        now += wait
        clients = max(0, clients - leave)
        events: dict[str, Event] = {"asked": Asked(clients), "hastened": Hastened(clients), "looked": Looked(clients)}
        before = drain.phase
        effects += drain.step(events[name], now)
        assert order.index(drain.phase) >= order.index(before)
        if asked_at is None and drain.phase is not Phase.SERVING:
            asked_at = now
    if asked_at is None:
        assert effects == []
        return
    # From here on somebody looks often, and nobody leaves by themselves.
    limit = max(now, asked_at + max(deadline_s, ANSWER_S)) + ANSWER_S
    while drain.phase is not Phase.GONE:
        now += 0.02
        effects += drain.step(Looked(clients), now)
        assert now <= limit + 0.1
    assert effects.count(ShutTheDoor()) == 1
    assert effects[0] == ShutTheDoor()
    assert effects.count(CloseAll()) <= 1
