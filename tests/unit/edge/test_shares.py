"""What connections hold where this process is one of several: here and in the whole gateway, always the same."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.bus.admissions import Admissions
from quotewire.edge.limits import Seat
from quotewire.edge.shares import DRY_S, Purse, SharedLimiter, SharedSeat
from quotewire.errors import UpstreamUnavailableError
from quotewire.resilience.accounts import Allowance, Drawn, Exceeded, Held, Limits, Rate, Scope

WIDE = Rate(1000, 1000.0)
CONNECTIONS, SYMBOLS = 4, 20
ALLOWANCE = Allowance(CONNECTIONS, SYMBOLS, WIDE, Rate(10, 20.0), WIDE, WIDE, WIDE)
LIMITS = Limits(ALLOWANCE, ALLOWANCE)
NODES = 2


class Whole:
    """The owner's count, asked without a bus between."""

    def __init__(self, admissions: Admissions, node: int) -> None:
        self.admissions = admissions
        self.node = node
        self.away = False

    def _answer(self) -> None:
        if self.away:
            raise UpstreamUnavailableError("the owner is away; try again")

    async def admit(self, scope: Scope, name: str) -> Exceeded | None:
        self._answer()
        return self.admissions.enter(self.node, (scope, name), 0.0)

    async def claim(self, address: str, key: str | None, symbols: int) -> Exceeded | None:
        self._answer()
        names = [(Scope.ADDRESS, address)] + ([] if key is None else [(Scope.KEY, key)])
        return self.admissions.claim(self.node, names, symbols, 0.0)

    async def draw(self, key: str, messages: int) -> Drawn:
        self._answer()
        return self.admissions.draw(key, messages, 0.0)

    def left(self, held: Sequence[Held]) -> None:
        if not self.away:
            self.admissions.leave(self.node, held, 0.0)

    async def samples(self) -> list[Any]:
        return []

    async def report(self) -> dict[str, Any]:
        return {}

    async def clients(self) -> dict[str, Any]:
        return {}

    def reported(self, client: str, counts: Any) -> None:
        pass


def do(work: Coroutine[Any, Any, Any]) -> Any:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waited")


class Gateway:
    """Nodes, one count, and a plain list of who is inside with how many symbols."""

    def __init__(self) -> None:
        self.admissions = Admissions(LIMITS)
        self.wholes = [Whole(self.admissions, node) for node in range(NODES)]
        self.limiters = [SharedLimiter(LIMITS, whole, lambda work: work.close()) for whole in self.wholes]
        self.inside: list[tuple[SharedSeat, str, int]] = []  # with its key and symbols

    def comes(self, node: int, address: str, key: str) -> None:
        seat = self.limiters[node].enter(address, 0.0)
        if not isinstance(seat, Seat):
            return
        assert isinstance(seat, SharedSeat)
        if do(seat.enter()) is None and do(seat.join(key, 0.0)) is None:
            self.inside.append((seat, key, 0))
        else:
            seat.leave()

    def wants(self, which: int, symbols: int) -> None:
        seat, key, before = self.inside[which]
        do(seat.reserve(symbols))
        refused = seat.claim(symbols)
        assert refused is None or symbols > before
        if refused is None:
            self.inside[which] = (seat, key, symbols)

    def leaves(self, which: int) -> None:
        seat, _, _ = self.inside.pop(which)
        seat.leave()
        seat.leave()

    def owner_ends(self) -> None:
        for whole in self.wholes:
            whole.away = True

    def owner_begins(self) -> None:
        self.admissions = Admissions(LIMITS)
        for whole, limiter in zip(self.wholes, self.limiters, strict=True):
            whole.away, whole.admissions = False, self.admissions
            self.admissions.restore(whole.node, limiter.held(), 0.0)

    def counted(self) -> Counter[tuple[Scope, str, str]]:
        """What the owner counts, by scope, name and kind."""
        found: Counter[tuple[Scope, str, str]] = Counter()
        for held in self.admissions._by_node.values():
            for (scope, name), holding in held.items():
                found[scope, name, "connections"] += holding.connections
                found[scope, name, "symbols"] += holding.symbols
        return +found

    def held(self) -> Counter[tuple[Scope, str, str]]:
        """What is held."""
        found: Counter[tuple[Scope, str, str]] = Counter()
        for seat, key, symbols in self.inside:
            for scope, name in ((Scope.ADDRESS, seat._address_name), (Scope.KEY, key)):
                found[scope, name, "connections"] += 1
                found[scope, name, "symbols"] += symbols
        return +found


NODE, NAME = st.integers(0, NODES - 1), st.sampled_from("ab")
STEPS = st.lists(
    st.tuples(st.just("comes"), NODE, NAME, NAME)
    | st.tuples(st.just("wants"), st.integers(0, 20), st.integers(0, SYMBOLS + 2))
    | st.tuples(st.just("leaves"), st.integers(0, 20))
    | st.tuples(st.just("owner")),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_the_owner_counts_what_is_held_whenever_it_is_there(steps: list[tuple[Any, ...]]) -> None:
    gateway, away, ever_away = Gateway(), False, False
    for what, *arguments in steps:
        if what == "comes":
            gateway.comes(*arguments)
        elif what == "owner":
            (gateway.owner_begins if away else gateway.owner_ends)()
            away, ever_away = not away, True
        elif gateway.inside:
            which = arguments[0] % len(gateway.inside)
            gateway.leaves(which) if what == "leaves" else gateway.wants(which, arguments[1])
        if not away:
            assert gateway.counted() == gateway.held()
        if not ever_away:
            held = gateway.held()
            assert all(
                count <= (CONNECTIONS if kind == "connections" else SYMBOLS) for (_, _, kind), count in held.items()
            )
    for _ in range(len(gateway.inside)):
        gateway.leaves(0)
    if not away:
        assert gateway.counted() == Counter()
    for limiter in gateway.limiters:
        assert (limiter.held(), limiter.seats) == ([], 0)


def test_a_purse_asks_again_only_when_that_may_help() -> None:
    purse = Purse("k")
    assert not purse.ready(0.0)
    purse.fill(Drawn(2, 0.0), 0.0)
    assert [purse.ready(0.0), purse.take(0.0), purse.take(0.0), purse.ready(0.0)] == [True, 0.0, 0.0, False]

    purse.fill(Drawn(0, 0.5), 1.0)
    assert purse.ready(1.4)
    assert purse.take(1.4) == pytest.approx(0.1)
    assert not purse.ready(1.5)
    purse.fill(Drawn(0, 0.0001), 2.0)
    assert purse.ready(2.0 + DRY_S / 2)
    assert purse.take(2.0) == pytest.approx(DRY_S)

    purse.fill(None, 3.0)  # nobody answers: whoever holds the purse judges alone
    assert purse.ready(3.5)
    assert purse.take(3.5) == 0.0
    assert not purse.ready(4.5)


async def test_all_that_wait_are_answered_by_one_question_even_if_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    tasks: list[asyncio.Task[None]] = []
    whole = Whole(Admissions(LIMITS), 0)
    limiter = SharedLimiter(LIMITS, whole, lambda work: tasks.append(asyncio.create_task(work)))
    resumed: list[int] = []
    purse = limiter.purse("k")
    for number in range(3):
        limiter.draw(purse, lambda number=number: resumed.append(number))  # type: ignore[misc]
    await asyncio.gather(*tasks)
    assert (len(tasks), resumed, purse.messages) == (1, [0, 1, 2], 3 + 1)

    async def broken(key: str, messages: int) -> Drawn:
        raise ZeroDivisionError

    whole.draw = broken  # type: ignore[method-assign]
    limiter.draw(purse, lambda: resumed.append(3))
    await asyncio.gather(*tasks)
    assert resumed == [0, 1, 2, 3]
    assert "ZeroDivisionError" in caplog.text
