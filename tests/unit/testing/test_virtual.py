import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator

import pytest

from quotewire.testing import virtual
from quotewire.testing.virtual import DeadlockError, LivelockError, VirtualLoop, VirtualProcess, current_loop


def test_a_day_of_waiting_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        return current_loop().time()

    before = time.monotonic()
    assert virtual.run(main(), start=100.0) == 86_500.0
    assert time.monotonic() - before < 5.0


def test_time_stands_still_while_callbacks_run() -> None:
    async def main() -> None:
        loop = current_loop()
        for _ in range(50):
            await asyncio.sleep(0)
        assert loop.time() == 0.0

    virtual.run(main())


def test_timeouts_end_what_is_too_slow_at_their_moment() -> None:
    async def main() -> None:
        loop = current_loop()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(5.5)
        assert loop.time() == 5.0
        async with asyncio.timeout(5):
            await asyncio.sleep(4.9)
        assert loop.time() == pytest.approx(9.9)

    virtual.run(main())


def test_task_groups_gather_and_events() -> None:
    async def main() -> list[str]:
        said: list[str] = []
        go = asyncio.Event()

        async def say(word: str, after: float) -> None:
            await go.wait()
            await asyncio.sleep(after)
            said.append(word)

        async with asyncio.TaskGroup() as group:
            for word, after in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
                group.create_task(say(word, after))
            await asyncio.sleep(1)
            go.set()
        await asyncio.gather(say("d", 0.0), say("e", 0.0))
        return said

    assert virtual.run(main()) == ["a", "b", "c", "d", "e"]


def test_timers_of_one_moment_run_in_the_order_they_were_set() -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(200):
            loop.call_at(7.0, ran.append, number)
        await asyncio.sleep(8)
        return ran

    assert virtual.run(main()) == list(range(200))


def test_chance_shuffles_timers_of_one_moment_the_same_way_each_time() -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        loop = asyncio.get_running_loop()
        for number in range(20):
            loop.call_at(7.0, ran.append, number)
        loop.call_at(6.0, ran.append, -1)
        await asyncio.sleep(8)
        return ran

    first, again, other = (virtual.run(main(), chance=random.Random(seed).random) for seed in (1, 1, 2))
    assert first == again != other
    assert first[0] == -1
    assert sorted(first[1:]) == list(range(20)) != first[1:]


def test_a_cancelled_timer_does_not_run() -> None:
    async def main() -> list[int]:
        ran: list[int] = []
        loop = asyncio.get_running_loop()
        handles = [loop.call_later(1.0, ran.append, number) for number in range(300)]
        for handle in handles[1:]:
            handle.cancel()
        await asyncio.sleep(2)
        return ran

    assert virtual.run(main()) == [0]


def test_sets_of_tasks_are_iterated_in_a_fixed_order() -> None:
    async def main() -> list[str]:
        tasks = {asyncio.create_task(asyncio.sleep(1), name=str(number)) for number in range(50)}
        futures = {asyncio.get_running_loop().create_future() for _ in range(50)}
        order = [task.get_name() for task in tasks]
        assert len({hash(each) for each in futures}) == 50
        await asyncio.wait(tasks)
        return order

    keep = [object() for _ in range(1000)]  # moves later objects to other addresses
    first = virtual.run(main())
    del keep
    assert first == virtual.run(main())


def test_waiting_for_nothing_is_a_deadlock_that_names_who_waits() -> None:
    async def main() -> None:
        task = asyncio.create_task(asyncio.Event().wait(), name="patient")
        await task

    with pytest.raises(DeadlockError, match="patient"):
        virtual.run(main())


def test_spinning_without_time_is_a_livelock() -> None:
    async def main() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(LivelockError):
        virtual.run(main())


def test_a_jump_makes_timers_late() -> None:
    async def main() -> float:
        loop = current_loop()
        task = asyncio.create_task(asyncio.sleep(1))
        await asyncio.sleep(0.5)
        loop.jump(60)
        await task
        return loop.time()

    assert virtual.run(main()) == 60.5


def test_there_are_no_threads() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="no threads"):
            await asyncio.to_thread(time.sleep, 0)

    virtual.run(main())


def test_only_a_virtual_loop_is_one() -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="VirtualLoop"):
            current_loop()

    asyncio.run(main())


def test_it_serves_as_a_loop_factory() -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.sleep(1000))
        assert runner.get_loop().time() == 1000.0


# --- processes ---


def test_a_killed_process_runs_not_one_more_line() -> None:
    async def main() -> None:
        loop = current_loop()
        lines: list[str] = []
        signal = asyncio.Event()

        async def program() -> None:
            try:
                asyncio.create_task(helper())  # noqa: RUF006  the process owns it
                loop.call_later(3.0, lines.append, "timer")
                await signal.wait()
                lines.append("woken")
            finally:
                lines.append("finally")

        async def helper() -> None:
            while True:
                await asyncio.sleep(1)
                lines.append("tick")

        process = loop.process("program")
        process.spawn(program())
        await asyncio.sleep(1.5)
        assert lines == ["tick"]
        assert len(process.tasks) == 2
        signal.set()  # its wake-up is already on its way
        process.kill()
        await asyncio.sleep(10)
        assert lines == ["tick"]
        assert process.is_dead
        await process.bury()
        assert lines == ["tick", "finally"]
        assert process.tasks == []

    virtual.run(main())


def test_what_wakes_a_dead_process_later_does_not_run_it() -> None:
    async def main() -> None:
        loop = current_loop()
        lines: list[str] = []
        answer: asyncio.Future[str] = loop.create_future()

        async def program() -> None:
            async with asyncio.timeout(60):
                lines.append(await answer)

        process = loop.process("program")
        process.spawn(program())
        await asyncio.sleep(1)
        process.kill()
        process.kill()
        answer.set_result("too late")
        await asyncio.sleep(100)
        assert lines == []
        await process.bury()
        assert lines in ([], ["too late"])

    virtual.run(main())


def test_processes_die_apart_and_know_who_they_are() -> None:
    async def main() -> None:
        loop = current_loop()
        alive: list[str] = []

        async def program() -> None:
            me = VirtualProcess.current()
            assert me is not None
            while True:
                await asyncio.sleep(1)
                alive.append(me.name)

        one, two = loop.process("one"), loop.process("two")
        one.spawn(program())
        two.spawn(program())
        await asyncio.sleep(1.5)
        one.kill()
        await asyncio.sleep(1)
        assert alive == ["one", "two", "two"]
        assert VirtualProcess.current() is None
        await one.bury()
        await two.bury()
        assert (one.tasks, two.tasks) == ([], [])

    virtual.run(main())


def test_a_burial_unwinds_generators_and_task_groups() -> None:
    async def main() -> None:
        loop = current_loop()
        unwound: list[str] = []

        @contextlib.asynccontextmanager
        async def resource() -> AsyncIterator[None]:
            try:
                yield
            finally:
                unwound.append("resource")

        async def worker() -> None:
            async with resource():
                await asyncio.sleep(1000)

        async def program() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(worker())
                group.create_task(worker())

        process = loop.process("program")
        process.spawn(program())
        await asyncio.sleep(1)
        process.kill()
        await process.bury()
        assert unwound == ["resource", "resource"]

    virtual.run(main())


def test_a_paused_process_runs_late_and_in_order() -> None:
    async def main() -> None:
        loop = current_loop()
        seen: list[tuple[str, float]] = []
        signal = asyncio.Event()

        async def ticking() -> None:
            while True:
                await asyncio.sleep(1)
                seen.append(("tick", loop.time()))

        async def waiting() -> None:
            await signal.wait()
            seen.append(("signal", loop.time()))

        process = loop.process("program")
        process.spawn(ticking())
        process.spawn(waiting())
        await asyncio.sleep(1.5)
        process.pause()
        process.pause()
        stopped = process.is_stopped
        assert stopped
        signal.set()
        await asyncio.sleep(10)
        assert seen == [("tick", 1.0)]
        process.resume()
        stopped = process.is_stopped
        assert not stopped
        await asyncio.sleep(1.2)
        assert seen == [("tick", 1.0), ("signal", 11.5), ("tick", 11.5), ("tick", 12.5)]
        process.kill()
        process.resume()
        await asyncio.sleep(5)
        assert len(seen) == 4
        await process.bury()

    virtual.run(main())


def test_a_timer_cancelled_while_its_process_is_paused_does_not_run() -> None:
    async def main() -> None:
        loop = current_loop()
        ran: list[int] = []
        timers: list[asyncio.TimerHandle] = []

        async def program() -> None:
            timers.append(loop.call_later(5, ran.append, 1))
            loop.call_later(6, ran.append, 2)
            await asyncio.sleep(10)

        process = loop.process("program")
        process.spawn(program())
        await asyncio.sleep(1)
        process.pause()
        timers[0].cancel()
        await asyncio.sleep(20)
        process.resume()
        await asyncio.sleep(0.1)
        assert ran == [2]
        assert process.tasks == []

    virtual.run(main())


def test_a_process_can_be_stopped_from_within_a_full_round_of_the_loop() -> None:
    async def main() -> None:
        loop = current_loop()
        ran: list[str] = []

        async def program() -> None:
            for _ in range(20):
                loop.call_soon(ran.append, "x")
            await asyncio.sleep(100)

        process = loop.process("program")
        process.spawn(program())
        loop.call_soon(process.kill)
        loop.call_soon(ran.append, "outside")
        await asyncio.sleep(1)
        assert ran == ["outside"]
        await process.bury()

    virtual.run(main())
