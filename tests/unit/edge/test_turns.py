"""Turns: one part in each iteration, in the order asked, whatever one of them does."""

import asyncio

from quotewire.edge.turns import Turns


async def test_one_part_has_its_turn_in_each_iteration() -> None:
    turns, done, seen = Turns(), [], []
    for name in "abc":
        turns.take(lambda name=name: done.append(name))  # type: ignore[misc]
    assert len(turns) == 3
    for _ in range(4):
        await asyncio.sleep(0)
        seen.append("".join(done))
    assert seen[-1] == "abc"
    assert all(len(after) - len(before) <= 1 for before, after in zip(["", *seen], seen, strict=False))
    assert len(turns) == 0


async def test_a_part_may_ask_for_another_turn() -> None:
    turns, left = Turns(), [3]

    def part() -> None:
        left[0] -= 1
        if left[0]:
            turns.take(part)

    turns.take(part)
    for _ in range(6):
        await asyncio.sleep(0)
    assert (left[0], len(turns)) == (0, 0)


async def test_one_that_fails_costs_the_others_nothing() -> None:
    turns, done = Turns(), []
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: failures.append(told["exception"]))

    def boom() -> None:
        raise LookupError("boom")

    turns.take(boom)
    turns.take(lambda: done.append(1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert (done, len(failures)) == ([1], 1)


async def test_a_task_waits_for_its_turn_and_may_be_cancelled_in_line() -> None:
    turns, order = Turns(), []

    async def work(name: str) -> None:
        await turns.mine()
        order.append(name)

    one, two, three = (asyncio.create_task(work(name)) for name in "abc")
    await asyncio.sleep(0)
    two.cancel()
    await asyncio.gather(one, two, three, return_exceptions=True)
    assert order == ["a", "c"]
