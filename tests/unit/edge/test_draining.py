"""The drain's shell: turns are given, those whose time is up are closed, and one client's defect is nobody else's."""

import asyncio
from dataclasses import dataclass, field

import pytest

from quotewire.edge.drain import Phase, Plan
from quotewire.edge.draining import TOLD_AT_ONCE, Draining, Leaver


@dataclass(eq=False)
class Client:
    """One that knows how to move, or not; and leaves when it is closed, or not."""

    clients: set[Leaver]
    moves: bool = False
    answers: bool = True
    told: list[tuple[int, int]] = field(default_factory=list)
    closed: int = 0
    was_cut: bool = False

    def tell_reconnect(self, after_ms: int, deadline_ms: int) -> bool:
        if self.moves:
            self.told.append((after_ms, deadline_ms))
        return self.moves

    def go_away(self) -> None:
        self.closed += 1
        if self.answers:
            self.clients.discard(self)

    def cut(self) -> None:
        self.was_cut = True
        self.clients.discard(self)


async def drained(plan: Plan, clients: set[Leaver], *, hasten: bool = False) -> Draining:
    draining = Draining(plan, clients)
    running = asyncio.create_task(draining.run())
    draining.ask()
    if hasten:
        draining.hasten()
    async with asyncio.timeout(5):
        await draining.gone.wait()
    await running
    return draining


async def test_turns_are_spread_and_those_who_were_told_have_longer() -> None:
    clients: set[Leaver] = set()
    movers = [Client(clients, moves=True) for _ in range(4)]
    others = [Client(clients) for _ in range(4)]
    clients.update(movers, others)
    loop = asyncio.get_running_loop()
    began = loop.time()
    draining = await drained(Plan(0.2, 1.5), clients)
    took_s = loop.time() - began
    turns = sorted(after_ms for mover in movers for after_ms, _ in mover.told)
    assert len(set(turns)) == 4
    assert turns[-1] <= 200
    # Who was told last has the longest; when that is, is chance.
    assert took_s >= max(deadline_ms for mover in movers for _, deadline_ms in mover.told) / 1000 - 0.01
    assert all(299 <= deadline_ms - after_ms <= 301 for mover in movers for after_ms, deadline_ms in mover.told)
    assert [client.closed for client in (*movers, *others)] == [1] * 8
    assert draining.ways == {"told": 4, "closed": 8}


async def test_a_crowd_is_told_in_parts_those_first_whose_turn_is_first() -> None:
    clients: set[Leaver] = set()
    movers = [Client(clients, moves=True) for _ in range(500)]
    clients.update(movers)
    draining = Draining(Plan(2.0, 10.0), clients)
    draining.ask()
    told = [mover for mover in movers if mover.told]
    assert len(told) == TOLD_AT_ONCE
    assert max(mover.told[0][0] for mover in told) <= 2000 * TOLD_AT_ONCE // 500
    running = asyncio.create_task(draining.run())
    async with asyncio.timeout(5):
        while not all(mover.told for mover in movers):
            await asyncio.sleep(0.01)
    assert all(len(mover.told) == 1 for mover in movers)
    assert max(mover.told[0][0] for mover in movers) <= 2000
    clients.clear()
    await asyncio.wait_for(running, 1.0)


async def test_one_that_moved_is_not_closed() -> None:
    clients: set[Leaver] = set()
    mover, other = Client(clients, moves=True), Client(clients)
    clients.update((mover, other))
    draining = Draining(Plan(0.1, 1.5), clients)
    running = asyncio.create_task(draining.run())
    draining.ask()
    clients.discard(mover)
    await asyncio.wait_for(draining.gone.wait(), 1.0)
    await running
    assert (mover.closed, other.closed) == (0, 1)


async def test_those_that_do_not_answer_are_cut() -> None:
    clients: set[Leaver] = set()
    dead = Client(clients, answers=False)
    clients.add(dead)
    draining = await drained(Plan(0.0, 0.0), clients)
    assert (dead.closed, dead.was_cut) == (1, True)
    assert draining.ways == {"closed": 1, "cut": 1}


async def test_hastened_it_is_over_at_once_and_the_door_is_shut_once() -> None:
    clients: set[Leaver] = set()
    clients.update(Client(clients) for _ in range(3))
    draining = Draining(Plan(60.0, 90.0), clients)
    shut: list[Phase] = []
    draining.on_shut.append(lambda: shut.append(draining.phase))
    running = asyncio.create_task(draining.run())
    draining.ask()
    draining.ask()
    assert draining.phase is Phase.LEAVING
    draining.hasten()
    await asyncio.wait_for(draining.gone.wait(), 1.0)
    await running
    assert shut == [Phase.LEAVING]


async def test_a_drain_nobody_asked_for_waits_and_can_be_cancelled() -> None:
    draining = Draining(Plan(1.0, 2.0), set())
    running = asyncio.create_task(draining.run())
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not draining.gone.is_set()
