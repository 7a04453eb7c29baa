"""One person's quote stream: the host of the connection machine.

The machine (`resilience.lifecycle`) decides when to open, wait, refresh and give up; this module does what it says and
tells it what happened. Changes to a stream that works are the steward's.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, Protocol, TypeVarTuple

from quotewire.errors import AccessTokenError, RateLimitedError, TokenSpentError, UpstreamError
from quotewire.market.quote import QuotePatch
from quotewire.questrade.stream import NO_CLOSE_FRAME, QuoteSocket
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.resilience.lifecycle_types import LifecycleConfig, Link, Snapshot, State
from quotewire.upstream.adoption import Adoption, Lesson
from quotewire.upstream.aim import Aim, Target
from quotewire.upstream.chronicle import Chronicle, Why
from quotewire.upstream.desk import Desk
from quotewire.upstream.driver import Driver
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.reader import Reader
from quotewire.upstream.rivalry import Rivalry
from quotewire.upstream.steward import Steward, Trouble
from quotewire.upstream.teller import Teller
from quotewire.upstream.tuning import CONFIG
from quotewire.upstream.twins import LAG_S
from quotewire.upstream.world import REAL, World

PREPARE_S: Final = 15.0
RENEW_S: Final = 15.0
MUTE_AGAIN_S: Final = 60.0  # a stream opened anew for being mute, and mute again within this, has failed
GRACE_S: Final = 1.0  # the adapters' time-outs are longer than the machine's, so that the machine names the reason

log = logging.getLogger("quotewire.upstream")
Ts = TypeVarTuple("Ts")


class Sink(Protocol):
    """Who takes what the streams bring. Called in the event loop; must not wait."""

    def on_patches(self, session: "StreamSession", patches: list[QuotePatch]) -> None:
        """Quotes came."""

    def on_stream(self, session: "StreamSession") -> None:
        """The stream came up, went down, or carries other symbols."""

    def on_end(self, session: "StreamSession") -> bool:
        """The other side ended a stream that worked; whether this one alone."""

    def on_failure(self, session: "StreamSession", *, was_dropped: bool) -> None:
        """The stream was lost (`was_dropped`: it had worked) or could not be had."""


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
        world: World = REAL,
    ) -> None:
        self.person = person
        self.carried: frozenset[int] = frozenset()
        self.streams_opened = 0
        self.stream = (person, 0)
        """Stands for the socket that counts: the person, and which of their sockets it is."""
        self.live_since = 0.0
        self.renewing_until = float("-inf")  # a refresh of ours ended the stream; it is expected back by then
        self.assigned: frozenset[int] = frozenset()
        self.target: Target | None = None
        self._keeper = keeper
        self._chronicle = chronicle
        self._sink = sink
        self._config = config
        self._now = world.monotonic
        self._chance = world.chance
        self._opened_at = 0.0
        self.rivalry = Rivalry()
        self._teller = Teller(person, chronicle, self._now)
        self.reader = Reader(self._received, self._over)
        self._open_socket = world.open_socket
        self._reached_at = float("-inf")
        self.asked_at = float("-inf")
        """When the token was sent on the socket that counts: before that, nobody had asked for anything on it."""
        self.added_at: dict[int, float] = {}
        """The same for symbols that were added later, each by itself."""
        self._carried_since: dict[int, float] = {}
        self._machine = Lifecycle(replace(config, nudge_spacing_s=0.0), persons=(person,), chance=world.chance)
        self.aim = Aim(person, keeper, desk, self._now)
        self._adoption = Adoption(lesson)
        self._steward = Steward(self, self.aim, self._adoption, chronicle=chronicle, world=world)
        self._driver = Driver(self._machine, carry_out=self._carry_out, after=self._stepped, now=self._now)
        self._group: asyncio.TaskGroup | None = None
        self._work: asyncio.Task[None] | None = None  # preparing, opening, authenticating or reading
        self._socket: QuoteSocket | None = None
        self._refused = ""  # the access token of the socket given up last
        self._muted_at = float("-inf")  # when it was last proved that the stream says nothing

    def __repr__(self) -> str:
        return f"<StreamSession {self.person} {self._machine!r} carried={len(self.carried)}>"

    # --- what can be seen ---

    @property
    def is_live(self) -> bool:
        """Whether a socket is up and accepted."""
        return self._machine.state is State.CONNECTED

    @property
    def is_stuck(self) -> bool:
        """Whether the stream goes on but could not be changed when that was last tried, or is taking long to change."""
        return self._steward.is_stuck

    @property
    def has_lapsed(self) -> bool:
        """Whether the stream's socket ended, its replacement is not there, and it is not waited for any longer."""
        return self._steward.has_lapsed

    @property
    def number(self) -> int | None:
        """The machine's number of the socket that counts."""
        return self._machine.socket

    @property
    def snapshot(self) -> Snapshot:
        """The machine as it stands."""
        return self._machine.snapshot()

    def is_renewing(self, now: float) -> bool:
        """Whether a refresh of ours ended the stream, and it is expected back."""
        if self.is_live:
            return self._steward.has_lapsed and self._steward.rotates
        return now < self.renewing_until

    def carried_for(self, least_s: float, now: float) -> frozenset[int]:
        """What the stream has carried for at least so long, for certain."""
        known = self.carried - self.aim.omissions.since.keys()
        return frozenset(symbol_id for symbol_id in known if now - self._carried_since[symbol_id] >= least_s)

    def trusted(self, now: float) -> frozenset[int]:
        """What of `carried` may be called live: all but what a request may have taken from the stream."""
        return self.carried - self.aim.omissions.doubted(now)

    def bears(self, symbol_id: int) -> bool:
        """Whether data of the symbol may come: the stream is up, and was asked for it."""
        return self.is_live and self._should_carry(symbol_id)

    # --- what can be told ---

    def assign(self, ids: frozenset[int]) -> None:
        """Carry exactly these from now on; an empty set ends the stream."""
        if ids == self.assigned:
            return
        self._adoption.dropped(self.assigned - ids, self.aim.omissions.taken)
        known = (self.target.ids if self.target is not None else frozenset[int]()) | self._adoption.early
        now = self._now()
        for symbol_id in ids - self.assigned - known:  # what was dropped may be sent on all the same, and come late
            self._added(symbol_id, now - LAG_S if symbol_id in self._adoption.former else now)
        self.assigned = ids
        if self._group is None:
            return
        symbols = tuple(sorted(ids))
        if not ids:
            self._driver.feed(on.DisconnectRequested())
        elif self.snapshot.link is Link.IDLE:
            self._driver.feed(on.ConnectRequested(symbols))
        else:
            self._driver.feed(on.SymbolsChanged(symbols))

    def token_changed(self) -> None:
        """The keeper has another token of this person: heal, or move the stream to the new one."""
        access = self._keeper.access(self.person)
        if self._group is None or access is None:
            return
        if not self.is_live:
            self._driver.feed(on.TokenRefreshed(self.person))
        elif self.target is not None and access.token != self.target.token:
            self._steward.replace(Why.TOKEN_ROTATED)

    def reachable(self) -> None:
        """Questrade answered this person a moment ago: a wait for it need not be waited out, now and then."""
        now = self._now()
        if now >= max(self.rivalry.held_until, self._reached_at + self._config.nudge_spacing_s):
            self._reached_at = now
            self.retry()

    def retry(self) -> None:
        """Do not wait out the back-off. The caller sees to it that this does not happen too often."""
        if self._group is not None:
            self._driver.feed(on.Nudged())

    def tell(self, event: on.SilenceRule | on.ClockJumped | on.NetworkLost | on.NetworkRegained) -> None:
        """Pass on what happened around."""
        if self._group is not None:
            self._driver.feed(event)

    def ask_again(self) -> None:
        """Ask for the same symbols once more, if there is a stream."""
        if self.is_live:
            self._steward.ask_again()

    def reopen(self, why: Why) -> None:
        """Move to a new socket, if there is a stream. One that is mute again so soon after that has failed: the symbols
        go to others, if there are any, and are polled if not.
        """
        if not self.is_live:
            return
        if why is Why.STREAM_MUTE:
            now = self._now()
            is_again, self._muted_at = now < self._muted_at + MUTE_AGAIN_S, now
            if is_again:
                self._teller.explain(f"{self.person}'s stream is mute although it was opened anew", instead=why)
                self.give_up()
                return
        self._steward.replace(why)

    async def run(self) -> None:
        """Own the stream until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self.assigned:
                    self._driver.feed(on.ConnectRequested(tuple(sorted(self.assigned))))
                while True:
                    await self._guard(self._steward.run)
        finally:
            self._group = None
            self._driver.stop()
            await self.aim.close()
            if self._socket is not None:
                await self._socket.close()

    # --- what the steward does to the stream ---

    def asks(self) -> frozenset[int]:
        """What a request that is about to leave asks for. What an earlier one left out joins anew with it: what the
        stream says of that then may be news, though it said the same last.
        """
        for symbol_id in self.assigned & self.aim.omissions.since.keys():
            self._added(symbol_id, self._now() - LAG_S)
        return self.assigned

    def carry(self, target: Target) -> None:
        """The socket carries what `target` says from now on."""
        self.target = target
        self._adoption.settled(target.ids)
        self._recount()
        self._sink.on_stream(self)

    def recount(self) -> None:
        """Count symbols as carried that have shown it, or were given up on."""
        if self._recount():
            self._sink.on_stream(self)

    def _recount(self) -> bool:
        """What was only asked for in place is carried when it has shown data, until that is known to work."""
        before = self.carried
        up = self.is_live and self.target is not None and not self._steward.has_lapsed
        ids = self.target.ids if up and self.target is not None else frozenset[int]()
        early = (self.assigned | self.aim.omissions.taken) & self._adoption.early if up else frozenset[int]()
        self.carried = (ids - self._adoption.unproven) | early
        now = self._now()
        self._carried_since = {symbol_id: self._carried_since.get(symbol_id, now) for symbol_id in self.carried}
        return self.carried != before

    def swap(self, fresh: QuoteSocket, target: Target, since: float) -> None:
        """Read `fresh` from here on and let go of the old socket. Nothing is awaited, so nothing comes between."""
        self._asked(since)
        self._adoption.opened_anew(self._now(), target.ids - self.assigned)
        number, old = self.number, self._socket
        assert number is not None
        if self._work is not None:
            self._work.cancel()
        self._socket, self._opened_at = fresh, self._now()
        self._count()
        self._start(self.reader.read, number, fresh)
        self._close(old)
        self.carry(target)

    def ended(self, event: on.Event) -> None:
        """The socket is gone: because of a refresh of ours, because another program took the stream, or who knows."""
        if self.is_live and isinstance(event, on.Closed | on.AuthFailed) and event.socket == self.number:
            access = self._keeper.access(self.person)
            is_rotated = access is not None and self.target is not None and access.token != self.target.token
            if is_rotated or self._keeper.is_refreshing(self.person):
                self.renewing_until = self._now() + RENEW_S
                self._teller.explain("", instead=Why.TOKEN_ROTATED)
                event = on.RefreshRequested()
            elif access is not None and isinstance(event, on.Closed):
                event = self._suspect(event)
        self._driver.feed(event)

    def _suspect(self, event: on.Closed) -> on.Closed:
        """A stream that worked was ended by the other side. If another program takes it again and again, stay away."""
        alone, now = self._sink.on_end(self), self._now()
        wait_s = self.rivalry.ended(now - self._opened_at, event.code, now, self._chance, alone=alone)
        if wait_s is None:
            return event
        self._teller.explain(self.rivalry.words(self.person, wait_s), instead=Why.EVICTED)
        return on.Closed(event.socket, NO_CLOSE_FRAME, wait_s)

    def give_up(self) -> None:
        """The socket is as good as gone."""
        number = self.number
        if number is not None:
            self._drop()
            self._driver.feed(on.Closed(number, NO_CLOSE_FRAME))

    def failed(self, trouble: Trouble) -> None:
        """An attempt, or the login of a live stream, failed: tell the machine why."""
        number = self.number
        if number is None:
            return
        match trouble:
            case TokenSpentError():
                self._driver.feed(on.RefreshFailed(self.person, final=True))
            case AccessTokenError():
                self._driver.feed(on.AuthFailed(number))
            case RateLimitedError(retry_after_s=wait):
                self._driver.feed(on.RateLimited(self.person, wait))
            case _:  # a socket may be open all the same, such as one that answered the token with nonsense
                self.give_up()

    # --- the machine ---

    def _stepped(self, was_live: bool, failed: bool) -> None:
        """The machine took an event."""
        if was_live is not self.is_live:
            self._turned()
        was_dropped = was_live and not self.is_live
        if failed or (was_dropped and self.assigned):
            self._sink.on_failure(self, was_dropped=was_dropped)

    def _turned(self) -> None:
        """The stream came up or went down."""
        self._steward.reset()
        if self.is_live:
            self.live_since = self._opened_at = self._now()
            self._count()
            self.renewing_until = float("-inf")
        self._recount()
        self._sink.on_stream(self)

    def _carry_out(self, effect: do.Effect) -> None:
        match effect:
            case do.Prepare():
                self._start(self._prepare, effect.socket)
            case do.Open():
                self._start(self._open, effect.socket)
            case do.SendToken():
                self._start(self._authenticate, effect.socket)
            case do.Subscribe():
                self._steward.ask_again() if effect.repeat else self._steward.stir()
            case do.Close():
                self._drop()
            case do.RefreshToken():
                self._spawn(f"renew {self.person}", self._renew)
            case do.Report():
                self._teller.told(effect)
            case _:  # pings, polling and other persons are switched off in CONFIG
                pass

    def _start(self, work: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> None:
        self._work = self._spawn(f"stream {self.person}", work, *args)

    def _spawn(self, name: str, work: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> asyncio.Task[None]:
        assert self._group is not None
        return self._group.create_task(self._guard(work, *args), name=name)

    async def _guard(self, work: Callable[[*Ts], Coroutine[Any, Any, None]], *args: *Ts) -> None:
        """A task's outer edge: a defect ends this stream's attempt, not the gateway."""
        try:
            await work(*args)
        except Exception as error:
            extra = {"event": "upstream.defect", "person": self.person}
            log.exception("a defect in %s's stream", self.person, extra=extra)
            self.failed(UpstreamError(f"a defect: {type(error).__name__}"))

    def _drop(self) -> None:
        """Give the current socket up."""
        self._refused = self.target.token if self.target is not None else ""
        if self._work is not None and self._work is not asyncio.current_task():
            self._work.cancel()
        socket, self._socket, self.target, self._work = self._socket, None, None, None
        self._close(socket)

    def _close(self, socket: QuoteSocket | None) -> None:
        if socket is not None and self._group is not None:
            self._spawn(f"close {self.person}", socket.close)

    # --- one attempt; each step belongs to one socket number ---

    async def _prepare(self, number: int) -> None:
        try:
            async with asyncio.timeout(PREPARE_S):
                self.target = await self.aim.take(self.asks)
        except (UpstreamError, TimeoutError) as trouble:
            self._missed(number, trouble)
        else:
            self._driver.feed(on.Prepared(number))

    async def _open(self, number: int) -> None:
        assert self.target is not None
        try:
            socket = await self._open_socket(self.target.url, timeout_s=self._config.upgrade_timeout_s + GRACE_S)
        except UpstreamError as trouble:
            self._missed(number, trouble)
            return
        self._socket = socket
        self._driver.feed(on.Opened(number))

    async def _authenticate(self, number: int) -> None:
        assert self.target is not None
        assert self._socket is not None
        self._asked(self._now())
        try:
            await self._socket.authenticate(self.target.token, timeout_s=self._config.auth_timeout_s + GRACE_S)
        except UpstreamError as trouble:
            self._missed(number, trouble)
            return
        self._adoption.opened_anew(self._now(), self.target.ids - self.assigned)
        self._driver.feed(on.Authenticated(number))
        if self.number == number and self._socket is not None:
            self._start(self.reader.read, number, self._socket)

    def _missed(self, number: int, trouble: Trouble) -> None:
        """An attempt failed; that of a socket already given up is nobody's concern."""
        if number == self.number:
            self._teller.explain(f"{self.person}'s stream: {str(trouble) or type(trouble).__name__}")
            self.failed(trouble)

    def _received(self, number: int, patches: list[QuotePatch]) -> None:
        ids = {patch.symbol_id for patch in patches}
        known = self.target.ids if self.target is not None else self.assigned
        believed, early = patches, set[int]()
        if not ids <= known:
            believed = [patch for patch in patches if self._should_carry(patch.symbol_id)]
            early = (ids & (self.assigned | self.aim.omissions.taken)) - known
        for symbol_id in early - self._adoption.early:  # whether it was sent because we asked is not certain
            self._added(symbol_id, self._now() - LAG_S)
        if early or self.aim.omissions.since:
            self.aim.omissions.heard(early | (ids & known), self._now())
        self._driver.feed(on.Message(number))
        if self._adoption.pending:
            self._adoption.seen(ids)
            self.recount()
        if self._adoption.heard(early):
            self.recount()
        if believed:
            self._sink.on_patches(self, believed)

    def _count(self) -> None:
        """Another socket works."""
        self.streams_opened += 1
        self.stream = (self.person, self.streams_opened)

    def _asked(self, at: float) -> None:
        """A socket was given the token, for all of its symbols."""
        self.asked_at = at
        self.added_at.clear()
        self.aim.omissions.opened_anew()

    def _added(self, symbol_id: int, at: float) -> None:
        """A symbol was added to those that the socket was asked for."""
        self.added_at[symbol_id] = max(self.asked_at, at)

    def _should_carry(self, symbol_id: int) -> bool:
        """Whether this stream is believed. What Questrade goes on sending of symbols that moved to another stream may
        come later than what that one says; data of symbols just asked for may come before the answer, and those of
        symbols that a new socket is to carry come over the old one.
        """
        target = self.target.ids if self.target is not None else frozenset[int]()
        return symbol_id in self.assigned or symbol_id in target or symbol_id in self.aim.omissions.taken

    def _over(self, event: on.Event) -> None:
        """The socket that was read ended."""
        if not self._steward.holds(event):
            self.ended(event)

    async def _renew(self) -> None:
        """Make sure of a token other than the refused one."""
        try:
            await self._keeper.settled(self.person)
            await self._keeper.renew(self.person, self._refused)
        except TokenSpentError:
            self._driver.feed(on.RefreshFailed(self.person, final=True))
        except UpstreamError:
            self._driver.feed(on.RefreshFailed(self.person))
        else:
            self._driver.feed(on.TokenRefreshed(self.person))
