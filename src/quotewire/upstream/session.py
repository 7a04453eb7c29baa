"""One person's quote stream: the connection machine's host, and the steward of what the stream carries.

The machine (`resilience.lifecycle`) decides when to open, wait, refresh and give up; this module does what it says.
What the machine does not know is how to replace a stream that works: on a new token, or when new symbols are only taken
up by a new socket, the steward opens the new socket first and lets go of the old one when the new one is accepted.
Questrade closes the first socket of a login when the second opens, so the overlap is short, but nothing is waited out.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from quotewire.errors import (
    AccessTokenError,
    QuotewireError,
    RateLimitedError,
    TokenSpentError,
    UpstreamError,
    UpstreamUnavailableError,
)
from quotewire.market.quote import QuotePatch
from quotewire.questrade import requests
from quotewire.questrade.refusals import INVALID_TOKEN
from quotewire.questrade.stream import NO_CLOSE_FRAME, QuoteSocket, StreamClosed
from quotewire.questrade.wire import FailureFrame, QuotesFrame, UnreadableFrame
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Chance
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import LifecycleConfig, Link, Snapshot, State
from quotewire.upstream.adoption import Adoption, Habit, Lesson
from quotewire.upstream.chronicle import Chronicle, Happening, Why
from quotewire.upstream.desk import Desk, Priority
from quotewire.upstream.keeper import Keeper

DEBOUNCE_S: Final = 0.15  # symbol changes that come together go out as one request
PREPARE_S: Final = 15.0
REPLACE_S: Final = 25.0
GRACE_S: Final = 1.0  # the adapters' time-outs are longer than the machine's, so that the machine names the reason
REPLACE_BACKOFF: Final = Backoff(base_s=2.0, cap_s=60.0)

CONFIG: Final = LifecycleConfig(ping_interval_s=None, polling=False, final_closes=frozenset(), max_attempts=10)
"""Whether Questrade answers pings is not known, and its close codes mean nothing certain."""


class Sink(Protocol):
    """Who takes what the streams bring. Called in the event loop; must not wait."""

    def on_patches(self, session: "StreamSession", patches: list[QuotePatch]) -> None:
        """Quotes came."""

    def on_stream(self, session: "StreamSession") -> None:
        """The stream came up, went down, or carries other symbols."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to open a socket, with what, and what it will carry."""

    url: str
    token: str
    ids: frozenset[int]

    def __repr__(self) -> str:
        return f"<Target {self.url} symbols={len(self.ids)}>"


class StreamSession:
    """One person's stream. `assign` says what it should carry; `run` owns every task of it."""

    def __init__(
        self,
        person: str,
        *,
        keeper: Keeper,
        desk: Desk,
        chronicle: Chronicle,
        lesson: Lesson,
        sink: Sink,
        config: LifecycleConfig = CONFIG,
        now: Callable[[], float] = time.monotonic,
        chance: Chance = random.random,
    ) -> None:
        self.person: Final = person
        self.carried: frozenset[int] = frozenset()
        self.streams_opened = 0
        self.frames = 0
        self.spoiled = 0
        self.live_since = 0.0
        self._keeper = keeper
        self._desk = desk
        self._chronicle = chronicle
        self._sink = sink
        self._config = config
        self._now = now
        self._chance = chance
        self._machine = Lifecycle(config, persons=(person,), chance=chance)
        self._ids: frozenset[int] = frozenset()
        self._adoption = Adoption(lesson)
        self._events: deque[on.Event] = deque()
        self._stepping = False
        self._group: asyncio.TaskGroup | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None  # preparing, opening, authenticating or reading
        self._renewal: asyncio.Task[None] | None = None
        self._socket: QuoteSocket | None = None
        self._target: Target | None = None
        self._refused = ""  # the access token of the socket given up last
        self._stir = asyncio.Event()
        self._replace_why: Why | None = None
        self._replacing = False
        self._replace_failures = 0
        self._replace_at = 0.0
        self._ended_meanwhile: on.Event | None = None
        self._repeat = False

    def __repr__(self) -> str:
        return f"<StreamSession {self.person} {self._machine!r} carried={len(self.carried)}>"

    # --- what can be seen ---

    @property
    def assigned(self) -> frozenset[int]:
        """What the stream should carry."""
        return self._ids

    @property
    def is_live(self) -> bool:
        """Whether a socket is up and accepted."""
        return self._machine.state is State.CONNECTED

    @property
    def snapshot(self) -> Snapshot:
        """The machine as it stands."""
        return self._machine.snapshot()

    @property
    def lost_attempts(self) -> int:
        """Failures in a row."""
        return self._machine.snapshot().attempt

    # --- what can be told ---

    def assign(self, ids: frozenset[int]) -> None:
        """Carry exactly these from now on; an empty set ends the stream."""
        if ids == self._ids:
            return
        self._adoption.dropped(self._ids - ids)
        self._ids = ids
        if self._group is None:
            return
        if not ids:
            self._feed(on.DisconnectRequested())
        elif self._machine.snapshot().link is Link.IDLE:
            self._feed(on.ConnectRequested(tuple(sorted(ids))))
        else:
            self._feed(on.SymbolsChanged(tuple(sorted(ids))))
        self._stir.set()

    def token_changed(self) -> None:
        """The keeper has other tokens of this person: heal, or move the stream to the new one."""
        if self._group is None:
            return
        access = self._keeper.access(self.person)
        if access is None:
            return
        if self.is_live:
            if self._target is not None and access.token != self._target.token:
                self._want_replacement(Why.TOKEN_ROTATED)
        else:
            self._feed(on.TokenRefreshed(self.person))

    def reachable(self) -> None:
        """Questrade answered this person a moment ago: a wait for it need not be waited out."""
        if self._group is not None and self._machine.snapshot().link is Link.WAITING:
            self._feed(on.Nudged())

    def tell(self, event: on.SilenceRule | on.ClockJumped | on.NetworkLost | on.NetworkRegained) -> None:
        """Pass on what happened around."""
        if self._group is not None:
            self._feed(event)

    async def run(self) -> None:
        """Own the stream until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._ids:
                    self._feed(on.ConnectRequested(tuple(sorted(self._ids))))
                group.create_task(self._guard(self._steward()), name=f"steward {self.person}")
        finally:
            self._group = None
            if self._timer is not None:
                self._timer.cancel()
            if self._socket is not None:
                await self._socket.close()

    # --- the machine ---

    def _feed(self, event: on.Event) -> None:
        """Give the machine an event and do what it says; events that come of that are given next."""
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                was_live = self.is_live
                for effect in self._machine.step(self._events.popleft(), self._now()):
                    self._carry_out(effect)
                if was_live is not self.is_live:
                    self._turned()
        finally:
            self._stepping = False

    def _turned(self) -> None:
        """The stream came up or went down."""
        if self.is_live:
            assert self._target is not None
            self.carried = self._target.ids
            self.live_since = self._now()
            self.streams_opened += 1
        else:
            self.carried = frozenset()
            self._replace_why = None
        self._stir.set()
        self._sink.on_stream(self)

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Prepare(socket=number):
                self._start(self._prepare(number))
            case do.Open(socket=number):
                self._start(self._open(number))
            case do.SendToken(socket=number):
                self._start(self._authenticate(number))
            case do.Subscribe(repeat=repeat):
                self._repeat = self._repeat or repeat
                self._stir.set()
            case do.Close():
                self._drop()
            case do.RefreshToken():
                self._renewal = self._spawn(self._renew(), f"renew {self.person}")
            case do.ScheduleTick(at=at):
                self._schedule(at)
            case do.Report(state=state, reason=reason):
                level = logging.INFO if state in (State.CONNECTED, State.CONNECTING) else logging.WARNING
                detail = f"{self.person}'s stream is {state} ({reason})"
                self._chronicle.note(Happening.STREAM, reason, person=self.person, detail=detail, level=level)
            case _:  # pings, polling and other persons are switched off in CONFIG
                pass

    def _schedule(self, at: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None:
            delay = max(at - self._now(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._feed, on.Tick())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = self._spawn(work, f"stream {self.person}")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        assert self._group is not None
        return self._group.create_task(self._guard(work), name=name)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """A task's outer edge: a defect ends this stream's attempt, not the gateway."""
        try:
            await work
        except Exception as error:  # the edge of a task: reported, then treated as a lost connection
            logging.getLogger("quotewire.upstream").exception(
                "a defect in %s's stream", self.person, extra={"event": "upstream.defect", "person": self.person}
            )
            self._failed(self._machine.socket, UpstreamUnavailableError(f"a defect: {type(error).__name__}"))

    def _drop(self) -> None:
        """Give the current socket up."""
        self._refused = self._target.token if self._target is not None else ""
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        self._work = None
        socket, self._socket, self._target = self._socket, None, None
        if socket is not None and self._group is not None:
            self._spawn(socket.close(), f"close {self.person}")

    # --- one attempt ---

    async def _prepare(self, number: int) -> None:
        try:
            async with asyncio.timeout(PREPARE_S):
                self._target = await self._aim(self._ids)
        except (UpstreamError, TimeoutError) as error:
            self._failed(number, error)
        else:
            self._feed(on.Prepared(number))

    async def _aim(self, ids: frozenset[int]) -> Target:
        """Tell Questrade what the stream is to carry; where that stream is. Raises UpstreamError."""
        await self._keeper.settled(self.person)
        if self._keeper.access(self.person) is None:
            raise AccessTokenError(self._keeper.last_error(self.person))
        port = await self._desk.call_as(self.person, requests.stream_port(sorted(ids)), priority=Priority.STREAM)
        access = self._keeper.access(self.person)
        if access is None:
            raise AccessTokenError(self._keeper.last_error(self.person))
        return Target(access.server.stream_url(port), access.token, ids)

    async def _open(self, number: int) -> None:
        assert self._target is not None
        try:
            socket = await QuoteSocket.open(self._target.url, timeout_s=self._config.upgrade_timeout_s + GRACE_S)
        except UpstreamError as error:
            self._failed(number, error)
            return
        self._socket = socket
        self._feed(on.Opened(number))

    async def _authenticate(self, number: int) -> None:
        assert self._target is not None
        assert self._socket is not None
        try:
            await self._socket.authenticate(self._target.token, timeout_s=self._config.auth_timeout_s + GRACE_S)
        except UpstreamError as error:
            self._failed(number, error)
            return
        self._adoption.opened_anew(self._now())
        self._feed(on.Authenticated(number))
        if self._machine.socket == number:
            self._start(self._read(number, self._socket))

    async def _read(self, number: int, socket: QuoteSocket) -> None:
        try:
            async for frame in socket.frames():
                self.frames += 1
                match frame:
                    case QuotesFrame(patches=patches, spoiled=spoiled):
                        self._received(number, patches, spoiled)
                    case FailureFrame(code=code) if code == INVALID_TOKEN:
                        self._ended(on.AuthFailed(number))
                        return
                    case FailureFrame() | UnreadableFrame():
                        self.spoiled += 1
                    case _:
                        pass
        except StreamClosed as error:
            self._ended(on.Closed(number, error.code))

    def _received(self, number: int, patches: list[QuotePatch], spoiled: int) -> None:
        self.spoiled += spoiled
        if not patches:
            return
        self._feed(on.Message(number))
        if self._adoption.pending:
            self._adoption.seen(patch.symbol_id for patch in patches)
        self._sink.on_patches(self, patches)

    def _ended(self, event: on.Event) -> None:
        """The socket that was read ended. While it is being replaced that is expected: the replacement decides."""
        if self._replacing:
            self._ended_meanwhile = event
        else:
            self._feed(event)

    def _failed(self, number: int | None, error: QuotewireError | TimeoutError) -> None:
        """Tell the machine why an attempt failed."""
        if number is None:
            return
        match error:
            case TokenSpentError():
                self._feed(on.RefreshFailed(self.person, final=True))
            case AccessTokenError():
                self._feed(on.AuthFailed(number))
            case RateLimitedError(retry_after_s=wait):
                self._feed(on.RateLimited(self.person, wait))
            case _:
                self._feed(on.Closed(number, NO_CLOSE_FRAME))

    async def _renew(self) -> None:
        """Make sure of a token other than the refused one."""
        try:
            await self._keeper.renew(self.person, self._refused)
        except TokenSpentError:
            self._feed(on.RefreshFailed(self.person, final=True))
        except UpstreamError:
            self._feed(on.RefreshFailed(self.person))
        else:
            self._feed(on.TokenRefreshed(self.person))

    # --- the steward: what a live stream carries ---

    async def _steward(self) -> None:
        while True:
            await self._until_stirred()
            if not self.is_live:
                continue
            if self._replace_why is not None:
                if self._now() >= self._replace_at:
                    await self._replace(self._replace_why)
            elif self._repeat or self._target_ids() != self._ids:
                if self._now() >= self._replace_at:
                    await asyncio.sleep(DEBOUNCE_S)
                    await self._ask()
            elif self._adoption.judge(self._now()):
                self._want_replacement(Why.NOT_ADOPTED)

    async def _until_stirred(self) -> None:
        due = self._adoption.due_at
        if self._replace_why is not None:
            due = min(due, self._replace_at)
        limit = None if due == float("inf") else max(due - self._now(), 0.0)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._stir.wait()
        self._stir.clear()

    def _target_ids(self) -> frozenset[int]:
        return self._target.ids if self._target is not None else frozenset()

    async def _ask(self) -> None:
        """Ask for the new set in place; the stream is opened anew where that is known not to be enough."""
        ids, self._repeat = self._ids, False
        if not self.is_live or not ids:
            return
        added = ids - self._target_ids()
        if added and self._adoption.lesson.habit is Habit.REOPEN:
            self._adoption.asked(added, self._now())
            self._want_replacement(Why.SYMBOLS_CHANGED)
            return
        before, number = self._target, self._machine.socket
        try:
            async with asyncio.timeout(PREPARE_S):
                target = await self._aim(ids)
        except (UpstreamError, TimeoutError) as error:
            self._repeat = True
            self._postpone()
            self._note_failure(Why.SYMBOLS_CHANGED, error)
            return
        if not self.is_live or self._machine.socket != number or before is None:
            return
        self._adoption.asked(added, self._now())
        if (target.url, target.token) != (before.url, before.token):
            self._want_replacement(Why.TOKEN_ROTATED)
            return
        self._target = target
        self.carried = target.ids
        self._sink.on_stream(self)

    def _want_replacement(self, why: Why) -> None:
        self._replace_why = why
        self._stir.set()

    async def _replace(self, why: Why) -> None:
        """Open a new socket beside the old one, then let go of the old one."""
        number = self._machine.socket
        self._replacing, self._ended_meanwhile = True, None
        fresh: QuoteSocket | None = None
        error: QuotewireError | TimeoutError | None = None
        try:
            async with asyncio.timeout(REPLACE_S):
                target = await self._aim(self._ids)
                fresh = await QuoteSocket.open(target.url)
                await fresh.authenticate(target.token)
        except (UpstreamError, TimeoutError) as failure:
            error = failure
        finally:
            self._replacing = False
            if error is not None or not self.is_live or self._machine.socket != number:
                self._spawn_close(fresh)
                fresh = None
        if fresh is None or number is None:
            self._not_replaced(why, error)
            return
        self._swap(number, fresh, target)
        self._chronicle.note(Happening.STREAM, why, person=self.person, detail=f"{self.person}'s stream moved ({why})")
        self._sink.on_stream(self)

    def _swap(self, number: int, fresh: QuoteSocket, target: Target) -> None:
        """Read the new socket from here on. Nothing is awaited, so nothing can come between."""
        old = self._socket
        if self._work is not None:
            self._work.cancel()
        self._socket, self._target = fresh, target
        self._replace_why, self._replace_failures, self._ended_meanwhile = None, 0, None
        self.carried = target.ids
        self.streams_opened += 1
        self._adoption.opened_anew(self._now())
        self._start(self._read(number, fresh))
        self._spawn_close(old)

    def _not_replaced(self, why: Why, error: QuotewireError | TimeoutError | None) -> None:
        """The new socket did not come up: the old one goes on if it still lives."""
        if error is not None:
            self._note_failure(why, error)
        ended, self._ended_meanwhile = self._ended_meanwhile, None
        if ended is not None:
            self._feed(ended)
        elif isinstance(error, TokenSpentError | AccessTokenError) and self.is_live:
            self._failed(self._machine.socket, error)
        else:
            self._postpone()

    def _postpone(self) -> None:
        self._replace_failures += 1
        self._replace_at = self._now() + REPLACE_BACKOFF.delay(self._replace_failures, self._chance)
        asyncio.get_running_loop().call_later(max(self._replace_at - self._now(), 0.0), self._stir.set)

    def _note_failure(self, why: Why, error: BaseException) -> None:
        detail = f"{self.person}'s stream could not be changed ({why}): {error or type(error).__name__}"
        self._chronicle.note(Happening.STREAM, why, person=self.person, detail=detail, level=logging.WARNING)

    def _spawn_close(self, socket: QuoteSocket | None) -> None:
        if socket is not None and self._group is not None:
            self._spawn(socket.close(), f"close {self.person}")
