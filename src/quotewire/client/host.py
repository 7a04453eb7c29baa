"""The shell of one client: carries out what the session decides, and tells it what happened.

It owns every task of the client: all live in the task group of `run`, and end with it.
"""

import asyncio
import contextlib
import logging
import random
import time
import weakref
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from quotewire.client.encoding import ENCODINGS
from quotewire.client.entries import Reader
from quotewire.client.errors import GatewayUnreachableError
from quotewire.client.rest import Address, Rest
from quotewire.client.session import Effect, SendMessage, Session, Wake
from quotewire.client.state import ClientMetrics, ClientState
from quotewire.client.transport import ABNORMAL, Ended, Socket
from quotewire.errors import ClientError, QuotewireError, RateLimitedError, UnauthorizedError
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_types import LifecycleConfig, Reason
from quotewire.version import VERSION

log = logging.getLogger("quotewire.client")

CLOCK_CHECK_S = 5.0
STOP_TIMEOUT_S = 0.8
SESSION_TIMEOUT_MS = 1_800_000
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def make_id(prefix: str) -> str:
    """An id `<prefix>-<time>-<random>` (R10, R12)."""
    return f"{prefix}-{time.time_ns() // 1_000_000}-{''.join(random.choices(ALPHABET, k=9))}"  # noqa: S311  no secret


@dataclass(frozen=True, slots=True)
class Options:
    """What a client was asked for."""

    where: Address
    connection_id: str
    token: str | None = field(repr=False)
    person: str | None
    lifecycle: LifecycleConfig
    metrics_interval_s: float | None
    metrics_path: str
    encoding: str = "json"


class Watcher(Protocol):
    """Who wants to know of each change of state."""

    def changed(self, state: ClientState) -> None:
        """Called in the event loop; must not wait."""

    def over(self) -> None:
        """No change will follow."""


class Host:
    """One client's sockets, requests and timers."""

    def __init__(self, options: Options) -> None:
        now = time.monotonic()
        self.options = options
        self.session = Session(
            options.lifecycle,
            random.random,
            make_id,
            connection_id=options.connection_id,
            version=VERSION,
            epoch_offset_s=time.time() - now,
            now=now,
            encoding=options.encoding,
        )
        self._headers = {
            "X-Connection-ID": options.connection_id,
            "X-Client-Version": VERSION,
            "X-Session-Timeout": str(SESSION_TIMEOUT_MS),
        }
        self.rest = Rest(options.where, self._headers)
        self.readers: dict[Reader, asyncio.Event] = {}
        self.watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()
        self.ended = False
        self.crash: BaseException | None = None
        self._skipped = 0
        self._state = self.session.state(now)
        self._seen = -1
        self._stop = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: dict[int, Socket] = {}
        self._dials: dict[int, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._poll: asyncio.Task[None] | None = None
        self._refreshed: tuple[str | None, str] | None = None
        self._timer: asyncio.TimerHandle | None = None

    # --- life ---

    async def run(self) -> None:
        """Live until `stop`."""
        try:
            async with self._group:
                self._start(self._watch_clock())
                if self.options.metrics_interval_s is not None:
                    self._start(self._report_metrics(self.options.metrics_interval_s))
                self.feed(on.ConnectRequested(self.session.subscriptions.names))
                await self._stop.wait()
                self.feed(on.DisconnectRequested())
                self._finish()
                if self._closing:
                    await asyncio.wait(self._closing, timeout=STOP_TIMEOUT_S)
                for task in self._tasks:
                    task.cancel()
        except BaseExceptionGroup as broken:
            self.crash = broken
            log.exception("the client failed; this is a defect")
        finally:
            self._finish()
            if self._timer is not None:
                self._timer.cancel()
            await self.rest.aclose()

    def stop(self) -> None:
        """Ask `run` to end."""
        self._stop.set()

    def _finish(self) -> None:
        self.ended = True
        self._wake_all()
        for watcher in tuple(self.watchers):
            watcher.over()

    # --- readers ---

    def join(self, reader: Reader) -> asyncio.Event:
        """An iterator begins; the event is set whenever it has news."""
        news = self.readers[reader] = asyncio.Event()
        self._apply(self.session.join(reader, time.monotonic()))
        return news

    def leave(self, reader: Reader) -> None:
        """An iterator ends; twice is harmless."""
        if self.readers.pop(reader, None) is None:
            return
        self._skipped += reader.mailbox.skipped
        self._apply(self.session.leave(reader, time.monotonic()))

    # --- what it looks like ---

    def state(self) -> ClientState:
        """How the connection stands now."""
        return self.session.state(time.monotonic())

    def metrics(self) -> ClientMetrics:
        """R19."""
        return self.session.metrics(self.readers, self._skipped, time.monotonic())

    # --- events in, effects out ---

    def feed(self, event: on.Event) -> None:
        """Tell the session what happened, and carry out what it decides."""
        self._apply(self.session.step(event, time.monotonic()))

    def _apply(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Wake():
                    for reader in effect.readers:
                        if (news := self.readers.get(reader)) is not None:
                            news.set()
                case SendMessage():
                    if (socket := self._sockets.get(effect.socket)) is not None:
                        log.debug("sending %s %s", effect.command, effect.request_id)
                        socket.send(effect.data)
                case do.ScheduleTick():
                    self._schedule(effect.at)
                case do.Report():
                    level = logging.WARNING if effect.reason is Reason.LATENCY_POOR else logging.INFO
                    log.log(level, "%s: %s %s", effect.state, effect.reason, self.session.detail)
                    if self.session.failed:
                        self._wake_all()
                case _:
                    self._act(effect)
        if self.session.changes != self._seen:
            self._seen = self.session.changes
            self._tell()

    def _act(self, effect: Effect) -> None:
        match effect:
            case do.Prepare():
                self._dial(effect.socket, self._prepare(effect.socket))
            case do.Open():
                self._dial(effect.socket, self._open(effect.socket))
            case do.Close():
                self._hang_up(effect.socket, effect.code, effect.reason)
            case do.RefreshToken():
                self._start(self._refresh(effect.person))
            case do.StartPolling():
                self._poll = self._start(self._poll_quotes(effect.interval_s))
            case do.StopPolling():
                if self._poll is not None:
                    self._poll.cancel()
                    self._poll = None

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _schedule(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        delay = None if at is None else max(0.0, at - time.monotonic())
        loop = asyncio.get_running_loop()
        self._timer = None if delay is None else loop.call_later(delay, self.feed, on.Tick())

    def _wake_all(self) -> None:
        for news in self.readers.values():
            news.set()

    def _tell(self) -> None:
        state = self.state()
        if state.differs(self._state):
            self._state = state
            for watcher in tuple(self.watchers):
                watcher.changed(state)

    # --- one connection ---

    def _dial(self, number: int, work: Coroutine[Any, Any, None]) -> None:
        task = self._dials[number] = self._start(work)
        task.add_done_callback(lambda done: self._dials.pop(number) if self._dials.get(number) is done else None)

    def _hang_up(self, number: int, code: int, why: str) -> None:
        task = self._dials.get(number)
        if task is None:
            return
        closing = self._start(self._close(self._sockets.get(number), task, code, why))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def _close(self, socket: Socket | None, task: asyncio.Task[None], code: int, why: str) -> None:
        try:
            if socket is not None:
                await socket.close(code, why)
        finally:
            task.cancel()

    async def _prepare(self, number: int) -> None:
        try:
            credentials = self._refreshed or await self._credentials(refresh=False)
            self._refreshed = None
        except QuotewireError as error:
            self._not_opened(number, error)
            return
        self.session.credentials(*credentials)
        self.feed(on.Prepared(number))

    def _not_opened(self, number: int, error: QuotewireError) -> None:
        self.session.trouble(str(error))
        wait_s = error.retry_after_s if isinstance(error, RateLimitedError) else None
        if isinstance(error, UnauthorizedError):
            self.feed(on.AuthFailed(number))
        else:
            self.feed(on.Closed(number, ABNORMAL, wait_s))

    async def _open(self, number: int) -> None:
        options = self.options
        subprotocol = ENCODINGS[options.encoding].subprotocol
        socket = Socket(options.where, self._headers, options.lifecycle.upgrade_timeout_s, subprotocol)
        self._sockets[number] = socket
        try:
            ended = await socket.run(
                lambda: self.feed(on.Opened(number)),
                lambda text: self._apply(self.session.received(number, text, time.monotonic())),
            )
        finally:
            del self._sockets[number]
        self._ended(number, ended)

    def _ended(self, number: int, ended: Ended) -> None:
        if number == self.session.socket:
            self.session.trouble(ended.detail)
        if ended.status in (401, 403):
            self.feed(on.AuthFailed(number))
        else:
            self.feed(on.Closed(number, ended.code, ended.retry_after_s))

    # --- tokens ---

    async def _credentials(self, *, refresh: bool) -> tuple[str | None, str]:
        options = self.options
        if options.token is not None:
            return options.person, options.token
        person = options.person or await self._choose_person()
        return person, await self.rest.token(person, refresh=refresh)

    async def _choose_person(self) -> str:
        persons = await self.rest.persons()
        if not persons:
            raise GatewayUnreachableError(f"the gateway at {self.options.where.base} has no persons yet")
        return next((person.person_name for person in persons if person.is_active), persons[0].person_name)

    async def _refresh(self, machine_person: str) -> None:
        if self.options.token is not None:
            self.session.trouble("the gateway refused the token this client was given; a new one is needed")
            self.feed(on.RefreshFailed(machine_person, final=True))
            return
        try:
            asked_for = self.state().reason is Reason.REFRESH_REQUESTED
            self._refreshed = await self._credentials(refresh=asked_for)
        except RateLimitedError as error:
            self.session.trouble(str(error))
            self.feed(on.RateLimited(machine_person, error.retry_after_s))
        except QuotewireError as error:
            self.session.trouble(str(error))
            self.feed(on.RefreshFailed(machine_person, final=isinstance(error, ClientError)))
        else:
            self.feed(on.TokenRefreshed(machine_person))

    # --- in the background ---

    async def _poll_quotes(self, interval_s: float) -> None:
        while True:
            try:
                quotes = await self.rest.quotes(self.session.subscriptions.texts)
            except QuotewireError as error:
                self.session.trouble(str(error))
                self.feed(on.PollFailed())
            else:
                self._apply(self.session.polled(quotes, time.monotonic()))
            await asyncio.sleep(interval_s)

    async def _watch_clock(self) -> None:
        """Notice that this machine slept: the monotonic clock stands still meanwhile, the wall clock does not (R9)."""
        while True:
            before = time.time() - time.monotonic()
            await asyncio.sleep(CLOCK_CHECK_S)
            jump = time.time() - time.monotonic() - before
            if jump > self.options.lifecycle.woke_after_s:
                self.feed(on.ClockJumped(jump))

    async def _report_metrics(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            with contextlib.suppress(QuotewireError):  # a report lost is made good by the next: counts only grow
                await self.rest.report(self.metrics(), self.options.metrics_path)
