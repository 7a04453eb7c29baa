import asyncio

from quotewire.upstream.gate import Gate


async def test_a_refresh_waits_for_calls_under_way_and_holds_new_ones_back() -> None:
    gate, order, release = Gate(), list[str](), asyncio.Event()

    async def call(name: str, wait: bool) -> None:
        async with gate.call():
            order.append(f"{name} in")
            if wait:
                await release.wait()
            order.append(f"{name} out")

    async def refresh() -> None:
        async with gate.refresh(5.0):
            order.append("refresh")

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(call("first", True))
        await asyncio.sleep(0)
        group.create_task(refresh())
        await asyncio.sleep(0)
        assert not gate.is_open
        group.create_task(call("second", False))
        await asyncio.sleep(0)
        release.set()

    assert order == ["first in", "first out", "refresh", "second in", "second out"]


async def test_patience_with_a_call_that_hangs_ends() -> None:
    gate = Gate()
    async with gate.call(), gate.refresh(0.01):
        assert not gate.is_open
    assert gate.is_open


async def test_a_cancelled_refresh_opens_the_gate_again() -> None:
    gate = Gate()
    async with gate.call():
        task = asyncio.create_task(_hold(gate))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert gate.is_open


async def _hold(gate: Gate) -> None:
    async with gate.refresh(60.0):
        pass
