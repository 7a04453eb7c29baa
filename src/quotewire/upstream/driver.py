"""Drives a connection machine: gives it its events one after another, and keeps its one timer."""

import asyncio
from collections import deque
from collections.abc import Callable

from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import State


class Driver:
    """`carry_out` does what the machine says; `after(was_live, failed)` is called after each event.

    `failed` tells that the machine counted a failure. Events that come of an effect are given next, not within.
    """

    def __init__(
        self,
        machine: Lifecycle,
        *,
        carry_out: Callable[[do.Effect], None],
        after: Callable[[bool, bool], None],
        now: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._carry_out = carry_out
        self._after = after
        self._now = now
        self._events: deque[on.Event] = deque()
        self._stepping = False
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, event: on.Event) -> None:
        """Give the machine an event and do what it says."""
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        machine = self._machine
        try:
            while self._events:
                was_live, before = machine.state is State.CONNECTED, machine.attempt
                for effect in machine.step(self._events.popleft(), self._now()):
                    if isinstance(effect, do.ScheduleTick):
                        self._schedule(effect.at)
                    else:
                        self._carry_out(effect)
                self._after(was_live, machine.attempt > before)
        finally:
            self._stepping = False

    def stop(self) -> None:
        """No timer any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self, at: float | None) -> None:
        self.stop()
        if at is not None:
            delay = max(at - self._now(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self.feed, on.Tick())
