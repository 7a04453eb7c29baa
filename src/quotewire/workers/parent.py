"""The process that starts the others and starts them again: it opens no stream, serves nobody and can hardly fail.

It knows its children by their pids and by nothing else. The rules are in `supervision.py`; here they are carried out.
"""

import asyncio
import contextlib
import logging
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quotewire.edge.drain import MARGIN_S
from quotewire.edge.listening import bind
from quotewire.settings import Settings
from quotewire.workers import child
from quotewire.workers import supervision as s

OWNER: Final = 0
"""The number of the owner; workers count from 1."""

TICK_S: Final = 0.25
SILENT_TICKS: Final = 80
"""Ticks of ours without a word from a process that runs: 20 s. Counted, not timed: we may have stood still, too."""

ENDING_S: Final = 10.0
"""What a worker may take to end on top of its drain."""

SECRETS: Final = ("QUOTEWIRE_PERSONS", "QUOTEWIRE_VAULT_KEY", "QUOTEWIRE_TOKEN_KEY")
"""What a worker has no need of is not in its environment."""

log = logging.getLogger("quotewire.workers")


@dataclass
class Child:
    """One process: what the rules know of it, and the process itself while there is one."""

    number: int
    process: s.Process = field(default_factory=s.Process)
    handle: asyncio.subprocess.Process | None = None
    owed: signal.Signals | None = None  # to be sent as soon as there is a process
    quiet_ticks: int = 0

    @property
    def name(self) -> str:
        """As in the logs."""
        return "owner" if self.number == OWNER else f"worker {self.number}"


class Parent:
    """The owner and `workers` workers on `settings.host` and `port`, speaking in `directory`."""

    def __init__(self, settings: Settings, workers: int, directory: Path, port: int) -> None:
        self._settings = settings
        self._directory = directory
        self._port = port
        self._policy = s.Policy(end_s=drain_s(settings) + ENDING_S)
        self._owner = Child(OWNER)
        self._workers = [Child(number) for number in range(1, workers + 1)]
        self._stopping: signal.Signals | None = None
        self._code = 0
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._announced = False
        self._rolling = False

    # --- life ---

    async def run(self) -> int:
        """Run until told to stop by `stop`, or until it cannot go on; the exit code."""
        async with asyncio.TaskGroup() as self._tasks:
            ticking = self._tasks.create_task(self._tick(), name="supervision tick")
            self._on(self._owner, s.Start())
            while not self._is_over():
                self._changed.clear()
                self._proceed()
                await self._changed.wait()
            ticking.cancel()
        return self._code

    def stop(self, number: signal.Signals) -> None:
        """End everything: workers first, so that their clients have updates to the last. Said again, hurry."""
        self._stopping = number
        for each in self._workers:
            self._on(each, s.Stop())
        if self._owner.process.phase is s.Phase.ENDING:
            self._on(self._owner, s.Stop())
        log.info("stopping", extra={"event": "stopping", "signal": number.name})
        self._changed.set()

    def roll(self) -> None:
        """Replace all workers, one after the other."""
        if not self._rolling and self._stopping is None and self._tasks is not None:
            self._rolling = True
            self._tasks.create_task(self._roll(), name="rolling replacement")

    def _is_over(self) -> bool:
        return all(each.process.phase is s.Phase.ENDED for each in (self._owner, *self._workers))

    def _proceed(self) -> None:
        """What follows from how all stand: workers start when the owner runs, and the owner ends when they have."""
        if self._stopping is not None:
            ended = all(each.process.phase is s.Phase.ENDED for each in self._workers)
            if ended and self._owner.process.phase not in (s.Phase.ENDING, s.Phase.ENDED):
                self._on(self._owner, s.Stop())
            return
        if self._owner.process.phase is s.Phase.RUNNING:
            for each in self._workers:
                if each.process.phase is s.Phase.WAITING:
                    self._on(each, s.Start())
        if not self._announced and all(each.process.phase is s.Phase.RUNNING for each in self._workers):
            self._announced = True
            host = self._settings.host
            url = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"
            told = {"event": "serving", "url": url, "environment": self._settings.environment}
            log.info("serving", extra={**told, "workers": len(self._workers)})

    async def _roll(self) -> None:
        try:
            for each in self._workers:
                starts = each.process.starts
                self._on(each, s.Replace())
                while each.process.starts == starts or each.process.phase is not s.Phase.RUNNING:
                    if self._stopping is not None:
                        return
                    await asyncio.sleep(TICK_S)
        finally:
            self._rolling = False

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            for each in (self._owner, *self._workers):
                each.quiet_ticks += 1
                if each.quiet_ticks > SILENT_TICKS and each.process.phase is s.Phase.RUNNING:
                    log.error("%s says nothing", each.name, extra={"event": "process.silent", "who": each.name})
                    each.quiet_ticks = 0
                    self._on(each, s.Silent())
                self._on(each, s.Tick())

    # --- the rules, carried out ---

    def _on(self, each: Child, event: s.Event) -> None:
        before = each.process.phase
        each.process, effects = s.step(
            each.process, event, now=time.monotonic(), policy=self._policy, chance=random.random
        )
        for effect in effects:
            self._do(each, effect)
        if isinstance(event, s.Exited):
            self._tell_exit(each, event, before)
        if each.process.phase is not before:
            self._changed.set()

    def _do(self, each: Child, effect: s.Effect) -> None:
        match effect:
            case s.Spawn():
                assert self._tasks is not None
                each.quiet_ticks, each.owed = 0, None
                self._tasks.create_task(self._attend(each), name=each.name)
            case s.Terminate():
                self._send(each, self._stopping or signal.SIGTERM)
            case s.Kill():
                self._send(each, signal.SIGKILL)
            case s.GiveUp(code=code):
                self._code = code
                self.stop(signal.SIGTERM)

    def _send(self, each: Child, number: signal.Signals) -> None:
        if each.handle is None:
            each.owed = number
            return
        with contextlib.suppress(ProcessLookupError):
            each.handle.send_signal(number)

    def _tell_exit(self, each: Child, exited: s.Exited, before: s.Phase) -> None:
        told = {"event": "process.exited", "who": each.name, "code": exited.code, "phase": before.value}
        if before in (s.Phase.ENDING, s.Phase.REPLACING) or exited.code == 0:
            log.info("%s has ended", each.name, extra=told)
        else:
            log.error("%s ended by itself with %d", each.name, exited.code, extra=told)

    async def _attend(self, each: Child) -> None:
        """Start a process, hear what it says, and wait for its end."""
        try:
            handle = await self._spawn(each)
        except OSError as error:
            log.error("%s cannot be started: %s", each.name, error, extra={"event": "process.failed"})
            self._on(each, s.Exited(1))
            return
        log.info("%s started", each.name, extra={"event": "process.started", "who": each.name, "pid": handle.pid})
        each.handle = handle
        if each.owed is not None:
            self._send(each, each.owed)
        assert handle.stdout is not None
        await self._listen(each, handle.stdout)
        code = await handle.wait()
        each.handle = None
        self._on(each, s.Exited(code))

    async def _listen(self, each: Child, words: asyncio.StreamReader) -> None:
        """Hear what a process says until it says no more."""
        while True:
            try:
                word = await words.readline()
            except ValueError:  # a line longer than any word: not for us
                continue
            if not word:
                return
            self._heard(each, word.strip())

    def _heard(self, each: Child, word: bytes) -> None:
        each.quiet_ticks = 0
        if word == child.READY and each.process.phase is not s.Phase.RUNNING:
            self._on(each, s.Ready())
        elif word == child.DRAIN and self._stopping is None:
            self.stop(signal.SIGTERM)
        elif word == child.HASTEN:
            self.stop(signal.SIGINT)

    async def _spawn(self, each: Child) -> asyncio.subprocess.Process:
        role = "owner" if each.number == OWNER else "worker"
        given = ["--directory", str(self._directory), "--number", str(each.number), "--port", str(self._port)]
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "quotewire.workers",
            role,
            *given,
            env=environment(os.environ, each.number),
            stdin=asyncio.subprocess.PIPE,  # its end tells the child that we are gone
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us, and we pass it on
        )


def drain_s(settings: Settings) -> float:
    """The longest a worker's clients may take to move on."""
    deadline_ms = settings.drain_deadline_ms
    return (settings.drain_spread_ms + MARGIN_S * 1000 if deadline_ms is None else deadline_ms) / 1000


def environment(environ: Mapping[str, str], number: int) -> dict[str, str]:
    """The environment of a child."""
    return {name: value for name, value in environ.items() if number == OWNER or name not in SECRETS}


@contextlib.contextmanager
def reserved(settings: Settings) -> Iterator[int]:
    """Hold the port while the block runs, without listening: the workers share it. Raises ConfigurationError."""
    # Bound for ourselves alone first, unless it is said to be shared: a stranger would get a part of our clients.
    with contextlib.closing(bind(settings.host, settings.port, shared=settings.reuse_port)) as alone:
        port = int(alone.getsockname()[1])
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((settings.host.strip("[]"), port))
        yield port


async def serve(settings: Settings, workers: int) -> int:
    """Run a gateway of several processes until SIGTERM or SIGINT; the exit code. SIGHUP replaces all workers in turn.

    Raises ConfigurationError when the port cannot be had.
    """
    directory = Path(tempfile.mkdtemp(prefix="quotewire-"))  # of mode 0700
    try:
        with reserved(settings) as port:
            parent = Parent(settings, workers, directory, port)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, parent.stop, number)
            loop.add_signal_handler(signal.SIGHUP, parent.roll)
            return await parent.run()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(settings: Settings, workers: int) -> int:
    """`serve`, in a loop of its own."""
    return asyncio.run(serve(settings, workers))
