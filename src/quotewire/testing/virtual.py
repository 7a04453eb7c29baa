"""An asyncio event loop in virtual time: a day of waiting takes as long as the work done in it.

Nothing here touches the real world. `time()` stands still while callbacks run and jumps to the next timer when there is
nothing left to run, so `asyncio.sleep`, `asyncio.timeout`, `call_later` and task groups work unchanged. The same
coroutines give the same order of events each time: timers due at one moment run in the order they were set (or in an
order drawn from `chance`, to try interleavings), and sets of tasks and futures are iterated in the order of creation.

What real time hides is an error here: a loop with nothing left to wait for raises `DeadlockError` and names who waits,
one that spins without time passing raises `LivelockError`. Threads, sockets, pipes and child processes do not exist.

A program under test may run as a `VirtualProcess`. `kill` ends it as SIGKILL does: not one line of it runs any more, no
`finally`, no callback. `bury` cleans up afterwards, when nothing looks any more. `pause` and `resume` are SIGSTOP and
SIGCONT: what came due meanwhile runs late.

    def test_it() -> None:
        async def main() -> None:
            async with asyncio.timeout(3600):
                await asyncio.sleep(3599)

        virtual.run(main())
"""

import asyncio
import contextvars
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAX_SPINS: Final = 100_000
"""Rounds of the loop without time passing; more is a livelock."""

_process: contextvars.ContextVar["VirtualProcess | None"] = contextvars.ContextVar("virtual_process", default=None)


class DeadlockError(RuntimeError):
    """Nothing can ever happen again, and somebody waits."""


class LivelockError(RuntimeError):
    """Callbacks follow callbacks, and time stands still."""


def run(main: Coroutine[Any, Any, T], *, start: float = 0.0, chance: Callable[[], float] | None = None) -> T:
    """Run `main` on a new loop that begins at `start` seconds, as `asyncio.run` would."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start=start, chance=chance)) as runner:
        return runner.run(main)


def current_loop() -> "VirtualLoop":
    """The virtual loop that runs. Raises RuntimeError on any other."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError(f"this needs a VirtualLoop, not a {type(loop).__name__}")
    return loop


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop. `chance` draws from [0, 1) and decides the order of timers due at the same moment."""

    # What BaseEventLoop keeps; its type stubs do not show them.
    _ready: Any
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, start: float = 0.0, chance: Callable[[], float] | None = None) -> None:
        super().__init__()
        self._now = start
        self._chance = chance
        self._serial = 0
        self._spins = 0
        self._someone_stopped = False
        self._selector = self  # BaseEventLoop asks its selector to wait; see `select`
        self._nothing = asyncio.Handle(print, (), self)
        self._nothing.cancel()
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Seconds, virtual."""
        return self._now

    def jump(self, by_s: float) -> None:
        """Let time pass in which nobody runs, as when the machine sleeps: what was due is late afterwards."""
        self._now += by_s

    def process(self, name: str) -> "VirtualProcess":
        """A new process."""
        return VirtualProcess(self, name)

    # --- what is scheduled ---

    def create_future(self) -> asyncio.Future[Any]:
        """A future with an order of its own among others in a set."""
        return _OrderedFuture(self, self._number())

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """As the base does; what belongs to a process that is stopped is put away."""
        handle = super().call_soon(callback, *args, context=context)
        if self._someone_stopped and (owner := _owner(handle)) is not None and owner._stopped:
            self._ready.pop()
            owner._held.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        """As the base does, with an order among timers of the same moment."""
        self._check_closed()  # type: ignore[attr-defined]
        rank = 0.0 if self._chance is None else self._chance()
        timer = _Timer(when, callback, args, self, context, (when, rank, self._number()))
        if self._someone_stopped and (owner := _owner(timer)) is not None and owner._stopped:
            owner._held_timers.append(timer)
        else:
            heapq.heappush(self._scheduled, timer)
            timer._scheduled = True  # type: ignore[attr-defined]  # read when the timer is cancelled
        return timer

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """The same as `call_soon`: there are no threads."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(self, *_: object) -> Any:
        """Raises RuntimeError: a thread knows no virtual time."""
        raise RuntimeError("there are no threads in virtual time")

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """A task of the process that makes it."""
        task = super().create_task(coro, **options)
        owner = _process.get()
        if owner is not None:
            owner._adopt(task)
        return task

    def _number(self) -> int:
        self._serial += 1
        return self._serial

    # --- what BaseEventLoop leaves to its children ---

    def select(self, timeout: float | None) -> list[Any]:
        """Wait, which is to move on to the next timer. Raises DeadlockError and LivelockError."""
        if timeout is None:
            raise DeadlockError(f"nothing is left to wait for at {self._now:.3f} s, and these wait: {self._waiting()}")
        if timeout > 0:
            self._now = max(self._now, self._scheduled[0].when())
            self._spins = 0
            return []
        self._spins += 1
        if self._spins > MAX_SPINS:
            raise LivelockError(f"time stands still at {self._now:.3f} s; {self._waiting()}")
        return []

    def close(self) -> None:
        """Close; nothing has to be given back."""
        super().close()

    def _process_events(self, _: list[Any]) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody sleeps who would have to be woken."""

    def _waiting(self) -> str:
        return ", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self))) or "nobody"


class VirtualProcess:
    """Tasks that live and die together. `spawn` the first one; what these start belongs to the process too."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.is_dead = False
        self._stopped = False
        self._loop = loop
        self._context = contextvars.copy_context()
        self._context.run(_process.set, self)
        self._tasks: list[asyncio.Task[Any]] = []
        self._prune_at = 64
        self._held: list[asyncio.Handle] = []
        self._held_timers: list[asyncio.TimerHandle] = []

    def __repr__(self) -> str:
        return f"<VirtualProcess {self.name} {'dead' if self.is_dead else 'alive'} tasks={len(self.tasks)}>"

    @staticmethod
    def current() -> "VirtualProcess | None":
        """The process whose code is running."""
        return _process.get()

    @property
    def tasks(self) -> list[asyncio.Task[Any]]:
        """Its tasks that have not ended, in the order they were made."""
        return [task for task in self._tasks if not task.done()]

    @property
    def is_stopped(self) -> bool:
        """Whether it is paused or dead: nothing of it runs."""
        return self._stopped

    def spawn(self, work: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Start a task of the process."""
        return self._context.run(self._loop.create_task, work, name=name or self.name)

    def pause(self) -> None:
        """Let nothing of it run until `resume`; a second time is harmless."""
        if self._stopped:
            return
        self._stopped = self._loop._someone_stopped = True
        ready, scheduled = self._loop._ready, self._loop._scheduled
        # The loop has counted what is ready, so each place is kept by a handle that does nothing.
        for place, handle in enumerate(list(ready)):
            if _owner(handle) is self:
                self._held.append(handle)
                ready[place] = self._loop._nothing
        self._held_timers += [timer for timer in scheduled if _owner(timer) is self]
        scheduled[:] = [timer for timer in scheduled if _owner(timer) is not self]
        heapq.heapify(scheduled)

    def resume(self) -> None:
        """Go on; what came due meanwhile comes at once. A dead process stays dead."""
        if not self.is_dead:
            self._go_on()

    def kill(self) -> None:
        """End it here and now: nothing of it runs any more. A second time is harmless."""
        self.pause()
        self.is_dead = True

    async def bury(self) -> None:
        """Kill it and unwind what it leaves, so that the interpreter need not. Its `finally` blocks run now."""
        self.kill()
        tasks = self.tasks
        for task in tasks:
            task.cancel()
        self._held_timers.clear()
        self._go_on()
        if tasks:
            await asyncio.wait(tasks)

    def _go_on(self) -> None:
        self._stopped = False
        held, self._held = self._held, []
        self._loop._ready.extend(handle for handle in held if not handle.cancelled())
        timers, self._held_timers = self._held_timers, []
        for timer in timers:
            if not timer.cancelled():
                heapq.heappush(self._loop._scheduled, timer)

    def _adopt(self, task: asyncio.Task[Any]) -> None:
        self._tasks.append(task)
        if len(self._tasks) >= self._prune_at:
            self._tasks = self.tasks
            self._prune_at = 64 + 2 * len(self._tasks)


def _owner(handle: asyncio.Handle) -> VirtualProcess | None:
    context: contextvars.Context = handle._context  # type: ignore[attr-defined]
    return context.get(_process)


class _Timer(asyncio.TimerHandle):
    """A timer with a rank among those of the same moment."""

    __slots__ = ("_rank",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: Any,
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
        rank: tuple[float, float, int],
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self._rank = rank

    def __lt__(self, other: object) -> bool:
        return self._rank < other._rank if isinstance(other, _Timer) else NotImplemented


class _OrderedTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(self, coro: Any, *, loop: VirtualLoop, **options: Any) -> None:
        self._number = loop._number()
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self._number


class _OrderedFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    def __init__(self, loop: VirtualLoop, number: int) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number


def _make_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
    assert isinstance(loop, VirtualLoop)
    return _OrderedTask(coro, loop=loop, **options)
