"""Events one after another, effects in order, one timer."""

import asyncio
from typing import Any, cast

from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import State
from quotewire.testing import virtual
from quotewire.upstream.driver import Driver


class Scripted:
    """Stands for the machine: answers each kind of event with what the test says."""

    def __init__(self, answers: dict[str, list[do.Effect]]) -> None:
        self.answers = answers
        self.taken: list[str] = []
        self.state = State.CONNECTING
        self.attempt = 0

    def step(self, event: on.Event, now: float) -> list[do.Effect]:
        name = type(event).__name__
        self.taken.append(f"{name} {now:g}")
        self.attempt += name == "Closed"
        return self.answers.get(name, [])

    def snapshot(self) -> Any:
        return self


def driven(machine: Scripted, now: float = 0.0) -> tuple[Driver, list[str], list[tuple[bool, bool]]]:
    done: list[str] = []
    after: list[tuple[bool, bool]] = []

    def carry_out(effect: do.Effect) -> None:
        done.append(type(effect).__name__)
        if isinstance(effect, do.Prepare):
            driver.feed(on.Prepared(effect.socket))
            done.append("carried out")

    loop = asyncio.get_running_loop()
    driver = Driver(
        cast(Lifecycle, machine),
        carry_out=carry_out,
        after=lambda *told: after.append(told),
        now=loop.time,
    )
    return driver, done, after


def test_what_comes_of_an_effect_is_given_next_and_not_within() -> None:
    async def scenario() -> None:
        machine = Scripted({"ConnectRequested": [do.Prepare(1, "alice")], "Prepared": [do.Open(1, "alice")]})
        driver, done, after = driven(machine)
        driver.feed(on.ConnectRequested(()))

        assert done == ["Prepare", "carried out", "Open"]
        assert [name.split()[0] for name in machine.taken] == ["ConnectRequested", "Prepared"]
        assert after == [(False, False), (False, False)]

    virtual.run(scenario())


def test_a_failure_the_machine_counts_is_told() -> None:
    async def scenario() -> None:
        driver, _, after = driven(Scripted({}))
        driver.feed(on.Closed(1, 1006))
        assert after == [(False, True)]

    virtual.run(scenario())


def test_there_is_one_timer_and_the_newest_counts() -> None:
    async def scenario() -> None:
        machine = Scripted({"Opened": [do.ScheduleTick(110.0)], "Nudged": [do.ScheduleTick(105.0)]})
        driver, _, _ = driven(machine)
        driver.feed(on.Opened(1))
        driver.feed(on.Nudged())
        await asyncio.sleep(30)
        assert [each for each in machine.taken if each.startswith("Tick")] == ["Tick 105"]

        driver.feed(on.Opened(1))
        driver.stop()
        await asyncio.sleep(30)
        assert len(machine.taken) == 4

    virtual.run(scenario(), start=100.0)
