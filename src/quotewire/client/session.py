"""The client's side of one session: events and `now` in, effects out. Pure.

Two machines meet here. `resilience.lifecycle` decides when there is a connection and what to do without one;
`client.subscriptions` decides what is asked for and who gets what. This module speaks the native protocol between them
(spec/PROTOCOL.md). `now` is monotonic seconds; `epoch_offset_s` added to it gives seconds since 1970.

When the gateway asks the client to move (`reconnect`), a second connection machine, `_next`, opens another connection
beside the first, which is closed once every subscription stands on the new one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from quotewire.client.encoding import ENCODINGS, UNREADABLE, Encoding, PartialQuotes
from quotewire.client.entries import Reader
from quotewire.client.line import STRIDE, Line
from quotewire.client.moves import Move
from quotewire.client.splice import News, Splice
from quotewire.client.state import ClientMetrics, ClientState, Counters
from quotewire.client.subscriptions import Command, Outcome, Subscriptions
from quotewire.market.quote import Quote
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience import lifecycle_types as life
from quotewire.resilience.backoff import Chance
from quotewire.wire import messages as wire
from quotewire.wire.capabilities import Capability

SILENCE_CHECK_S = 5.0
MOVE_MARGIN_S = 0.2
"""How long before the gateway closes a connection that is to be left it is left in any case."""

TROUBLES: dict[life.Reason, str] = {
    life.Reason.PREPARE_TIMEOUT: "the gateway did not hand out a token in time",
    life.Reason.UPGRADE_TIMEOUT: "the gateway did not open the WebSocket in time",
    life.Reason.AUTH_TIMEOUT: "the gateway did not answer to the token in time",
    life.Reason.REFRESH_TIMEOUT: "the gateway did not hand out a new token in time",
    life.Reason.PONG_TIMEOUT: "the gateway stopped answering pings",
    life.Reason.ZOMBIE: "no quote came for too long, though the gateway calls symbols live",
}
"""What this side found wrong by itself, in words."""

CAPABILITIES: Final[list[str]] = sorted(Capability)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Send this on the socket. `command` and `request_id` are for the log, which must not see the data."""

    socket: int
    data: str | bytes = field(repr=False)
    command: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Wake:
    """These readers have news: quotes in the mailbox, or a verdict on their names."""

    readers: tuple[Reader, ...]


Effect: TypeAlias = (
    SendMessage
    | Wake
    | do.Prepare
    | do.Open
    | do.Close
    | do.RefreshToken
    | do.StartPolling
    | do.StopPolling
    | do.ScheduleTick
    | do.Report
)


class Session:
    """One client. Every method that takes `now` returns effects, to be carried out in order."""

    def __init__(
        self,
        config: life.LifecycleConfig,
        chance: Chance,
        new_id: Callable[[str], str],
        *,
        connection_id: str,
        version: str,
        epoch_offset_s: float,
        now: float,
        encoding: str = "json",
    ) -> None:
        """`new_id(prefix)` makes request ids; `chance` is for jitter; `encoding` is one of `ENCODINGS`."""
        self.subscriptions = Subscriptions(new_id)
        self.counters = Counters()
        self.changes = 0  # grows whenever `state` may tell something new
        self.detail = ""
        self.upstream: wire.UpstreamState | None = None
        self._config = config
        self._chance = chance
        self._encoding: Encoding = ENCODINGS[encoding]
        self._line = Line(config, chance, 0)
        self._next: Line | None = None
        self._move: Move | None = None
        self._move_at: float | None = None
        self._move_by = 0.0  # the first connection is closed by the gateway soon after
        self._moved = False  # the second connection is the one in use
        self._splice: Splice | None = None  # from being asked to move until all goes on by itself
        self._new_id = new_id
        self._connection_id = connection_id
        self._version = version
        self._offset = epoch_offset_s
        self._started = self._changed = now
        self._person: str | None = None
        self._token = ""
        self._scheduled: float | None = None
        self._silence_due = now
        self._silence_normal: bool | None = None
        self._last_quote: float | None = None
        self._polls_failed = 0  # in a row

    # --- what the user does ---

    def join(self, reader: Reader, now: float) -> list[Effect]:
        """An iterator begins."""
        return self._resubscribe(self.subscriptions.join(reader, now), now)

    def leave(self, reader: Reader, now: float) -> list[Effect]:
        """An iterator ends; twice is harmless."""
        return self._resubscribe(self.subscriptions.leave(reader, now), now)

    # --- what the world does ---

    def step(self, event: on.Event, now: float) -> list[Effect]:
        """Any event of the connection machine."""
        effects: list[Effect] = []
        if isinstance(event, on.Tick):
            self._scheduled = None
            effects += self._carry_out(self.subscriptions.tick(now))
        elif isinstance(event, on.TokenRefreshed):
            self.counters.token_refreshes += 1
        elif isinstance(event, on.PollFailed):
            self._polls_failed += 1
            self.subscriptions.doubt()
        socket = getattr(event, "socket", None)
        if socket is not None and socket == self._line.socket and isinstance(event, on.Closed) and self._ready_to_move:
            return self._schedule(self._end_move(now))
        for line in self._concerned(event, socket):
            effects += self._follow(line, line.lifecycle.step(event, now), now)
        effects += self._see_to_move(now)
        return self._schedule(effects)

    def credentials(self, person: str | None, token: str) -> None:
        """The token for the next `hello`, and whose it is."""
        self._person, self._token = person, token
        self.changes += 1

    def trouble(self, detail: str) -> None:
        """A sentence about what just went wrong, for `state.detail`."""
        self.detail = detail
        self.changes += 1

    def received(self, socket: int, data: bytes, now: float) -> list[Effect]:
        """A message came on a socket."""
        line = self._line if socket == self._line.socket else self._next
        if line is None or socket != line.socket:
            return []
        self.counters.messages_received += 1
        try:
            message = (self._encoding.partial if line.bases.used else self._encoding.whole)(data)
        except UNREADABLE:
            self.counters.messages_unreadable += not self._encoding.of_unknown_type(data)
            return []
        return self._schedule(self._read(line, socket, message, now) + self._see_to_move(now))

    def polled(self, quotes: Sequence[Quote], now: float) -> list[Effect]:
        """A poll over HTTP brought these. The first one after some that failed says that the gateway is back."""
        self._count(quotes, now)
        effects = _wake(self.subscriptions.polled(quotes))
        effects += self.step(on.PollSucceeded(), now)
        if self._polls_failed:
            self._polls_failed = 0
            effects += self.step(on.Nudged(), now)
        return effects

    # --- what it looks like ---

    @property
    def socket(self) -> int | None:
        """The number of the socket that counts now."""
        return self._line.lifecycle.socket

    @property
    def failed(self) -> bool:
        """True when trying again would not help."""
        return self._line.lifecycle.snapshot().link is life.Link.FAILED

    def state(self, now: float) -> ClientState:
        """How the connection stands."""
        seen = self._line.lifecycle.snapshot()
        return ClientState(
            state=seen.state,
            reason=seen.reason,
            since=self._epoch_ms(self._changed),
            detail=self.detail,
            person=self._person,
            symbol_count=self.subscriptions.count,
            last_update=None if self._last_quote is None else self._epoch_ms(self._last_quote),
            latency_ms=seen.latency_ms,
            quality=seen.quality,
            attempt=seen.attempt,
            next_attempt_at=None if seen.next_attempt_at is None else self._epoch_ms(seen.next_attempt_at),
            upstream=self.upstream,
        )

    def metrics(self, readers: Iterable[Reader], skipped_before: int, now: float) -> ClientMetrics:
        """R19. `skipped_before` are quotes skipped for readers that have left."""
        mailboxes = [reader.mailbox for reader in readers]
        seen = self._line.lifecycle.snapshot()
        counters = self.counters
        trying = seen.link in (life.Link.PREPARING, life.Link.OPENING, life.Link.AUTHENTICATING)
        return ClientMetrics(
            connection_id=self._connection_id,
            client_version=self._version,
            connections_attempted=counters.connections_attempted,
            connections_succeeded=counters.connections_succeeded,
            connections_failed=counters.connections_attempted - counters.connections_succeeded - trying,
            messages_received=counters.messages_received,
            messages_sent=counters.messages_sent,
            messages_unreadable=counters.messages_unreadable,
            reconnection_count=max(0, counters.connections_succeeded - 1),
            average_latency=seen.latency_ms,
            last_quote_time=None if self._last_quote is None else self._epoch_ms(self._last_quote),
            token_refresh_count=counters.token_refreshes,
            quotes_received=counters.quotes_received,
            quotes_skipped=counters.gateway_skipped + skipped_before + sum(box.skipped for box in mailboxes),
            gaps_received=self.subscriptions.gaps,
            lag=counters.lag_ms,
            queued=sum(len(box) for box in mailboxes),
            uptime=round((now - self._started) * 1000),
            status=seen.state,
        )

    # --- messages ---

    def _read(self, line: Line, socket: int, message: wire.ServerMessage | PartialQuotes, now: float) -> list[Effect]:
        match message:
            case wire.Quotes() | PartialQuotes():
                self.counters.gateway_skipped += message.skipped
                self.counters.lag_ms = message.lag_ms or self.counters.lag_ms
                return self._quotes(line, socket, message, now)
            case wire.Snapshot():
                return self._snapshot(line, socket, message, now)
            case wire.Gaps():
                held = self._splice is not None and line is not self._line
                gaps = self._splice.gaps(message.gaps) if held and self._splice is not None else message.gaps
                return _wake(self.subscriptions.missed(gaps))
            case wire.Pong():
                return self._pong(line, socket, message, now)
            case wire.Welcome():
                return self._welcome(line, socket, message, now)
            case wire.Subscribed():
                return self._subscribed(line, message, now)
            case wire.Error():
                return self._error(line, message, now)
            case wire.Reconnect():
                return self._asked_to_move(line, message, now)
            case wire.Status() if line is self._line:
                self.upstream = message.upstream
                self.changes += 1
        return []

    def _quotes(self, line: Line, socket: int, message: wire.Quotes | PartialQuotes, now: float) -> list[Effect]:
        lost: list[int] = []
        if isinstance(message, wire.Quotes):
            quotes = message.quotes
        else:
            quotes, lost = line.bases.whole(message.quotes)
        effects = self._take(line, socket, quotes, self._place(line, quotes), now)
        if lost and line is self._line:
            effects += self._carry_out(self.subscriptions.restart(lost, now))
        return effects

    def _snapshot(self, line: Line, socket: int, message: wire.Snapshot, now: float) -> list[Effect]:
        line.bases.keep(message.quotes)
        if line is self._next:
            wake = self._place(line, message.quotes)
            if self._move is not None and not message.more:
                self._move.snapshot(message.request_id)
        else:
            news = self._splice.second(message.quotes) if self._splice and self._moved else News(new=message.quotes)
            self.subscriptions.count_anew(news.new if self._moved else ())
            wake = self.subscriptions.snapshot(message.request_id, news.new, more=message.more)
            wake |= self.subscriptions.renumber(news.known)
            if self._splice is not None and not self._moved:
                self._splice.first(message.quotes)
        return self._take(line, socket, message.quotes, wake, now)

    def _place(self, line: Line, quotes: Sequence[Quote]) -> dict[Reader, None]:
        """Hand quotes to their readers: at once, or during a move at their place among those of the other line."""
        splice = self._splice
        if splice is None:
            return self.subscriptions.accept(quotes)
        if line is self._line and not self._moved:
            quotes = splice.unjoined(quotes)
            wake = self.subscriptions.accept(quotes)
            splice.first(quotes)
        else:
            wake = self._spread(splice.second(quotes))
        return wake | self._spread(splice.join())

    def _spread(self, news: News) -> dict[Reader, None]:
        told = self.subscriptions.missed(news.gaps)
        self.subscriptions.count_anew(news.new)
        return told | self.subscriptions.accept(news.new) | self.subscriptions.renumber(news.known)

    def _take(
        self, line: Line, socket: int, quotes: Sequence[Quote], wake: Iterable[Reader], now: float
    ) -> list[Effect]:
        self._count(quotes, now)
        effects = _wake(wake)
        if now >= self._silence_due:
            effects += self._judge_silence(now)
        return effects + self._follow(line, line.lifecycle.step(on.Message(socket), now), now)

    def _count(self, quotes: Sequence[Quote], now: float) -> None:
        self.counters.quotes_received += len(quotes)
        self._last_quote = now if quotes else self._last_quote

    def _pong(self, line: Line, socket: int, message: wire.Pong, now: float) -> list[Effect]:
        if line.ping is None or message.timestamp != line.ping[0]:
            return []
        stamp = line.ping[1]
        line.ping = None
        return self._follow(line, line.lifecycle.step(on.Pong(socket, stamp), now), now)

    def _welcome(self, line: Line, socket: int, message: wire.Welcome, now: float) -> list[Effect]:
        self.counters.connections_succeeded += 1
        line.welcomed()
        effects = self._follow(line, line.lifecycle.step(on.Authenticated(socket), now), now)
        resume = Capability.RESUME in message.capabilities
        if line is self._next:
            self._move = self.subscriptions.move(message.max_message_bytes, resume=resume)
            return effects + [self._send(line, command, socket) for command in self._move.asked]
        self.upstream = message.upstream
        self.detail = ""
        effects += self._judge_silence(now)
        return effects + self._carry_out(self.subscriptions.connected(message.max_message_bytes, now, resume=resume))

    def _subscribed(self, line: Line, message: wire.Subscribed, now: float) -> list[Effect]:
        if line is self._line:
            return self._carry_out(self.subscriptions.answered(message.request_id, message.results, now))
        if self._move is not None:
            self._move.answered(message.request_id, message.results)
        return []

    def _error(self, line: Line, message: wire.Error, now: float) -> list[Effect]:
        if line is self._line:
            self.trouble(message.message)
            return self._carry_out(self.subscriptions.refused(message, now))
        if self._move is not None:
            self._move.refused(message.request_id)
        return []

    def _judge_silence(self, now: float) -> list[Effect]:
        """Silence is abnormal only while the gateway itself calls some symbol live."""
        self._silence_due = now + SILENCE_CHECK_S
        normal = not self.subscriptions.any_live
        if normal == self._silence_normal:
            return []
        self._silence_normal = normal
        limits = (None, None) if normal else (self._config.mute_after_s, self._config.zombie_after_s)
        rule = on.SilenceRule(*limits)
        return self._follow(self._line, self._line.lifecycle.step(rule, now), now)

    # --- moving to another connection ---

    def _concerned(self, event: on.Event, socket: int | None) -> list[Line]:
        """The lines an event is for; none for a socket of a line that is no more."""
        lines = [self._line] if self._next is None else [self._line, self._next]
        if socket is not None:
            return [line for line in lines if line.owns(socket)]
        return lines if isinstance(event, on.Tick | on.SymbolsChanged | on.ClockJumped) else [self._line]

    def _asked_to_move(self, line: Line, message: wire.Reconnect, now: float) -> list[Effect]:
        """`reconnect` came. One that comes during a move is about the connection that is being made."""
        self._move_at = now + message.after_ms / 1000
        self._move_by = now + message.deadline_ms / 1000 - MOVE_MARGIN_S
        if line is self._line and self._next is None:
            self._splice, self._moved = Splice(), False
            self._splice.first(self.subscriptions.known())
        return []

    def _see_to_move(self, now: float) -> list[Effect]:
        """Begin to move, end it, or give it up, as things stand."""
        standing = self._line.link is life.Link.LIVE
        if self._next is None:
            if self._moved and self._splice is not None and self._splice.over:
                self._splice = None
            if not standing:
                self._move_at, self._splice = None, None
            due = self._move_at is not None and now >= self._move_at
            return self._begin_move(now) if due else []
        if self._ready_to_move and self._move is not None:
            joined = self._move.over and (self._splice is None or not self._splice.waits(self._move.granted))
            if joined or not standing or now >= self._move_by:
                return self._end_move(now)
        elif self._next.hopeless or not standing:
            self.subscriptions.count_anew(self._splice.origins() if self._splice is not None else ())
            given_up, self._next, self._move, self._splice = self._next, None, None, None
            return _hang_up(given_up, now) + self._carry_out(self.subscriptions.stay(now))
        return []

    def _begin_move(self, now: float) -> list[Effect]:
        self._move_at = None
        self._next = Line(self._config, self._chance, self._line.first + STRIDE)
        requested = on.ConnectRequested(self.subscriptions.names)
        return self._follow(self._next, self._next.lifecycle.step(requested, now), now)

    def _end_move(self, now: float) -> list[Effect]:
        assert self._next is not None
        assert self._move is not None
        move, left = self._move, self._line
        wake: dict[Reader, None] = {}
        if self._splice is not None:
            wake = self._spread(self._splice.give_up())
        self._line, self._next, self._move = self._next, None, None
        self._moved = True
        self._silence_normal = None
        self.changes += 1
        effects = _wake(wake) + self._carry_out(self.subscriptions.moved(move, now))
        return effects + self._judge_silence(now) + _hang_up(left, now)

    # --- effects ---

    def _follow(self, line: Line, effects: Iterable[do.Effect], now: float) -> list[Effect]:
        """Turn what a connection machine wants into what the shell must do."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case do.SendToken():
                    out.append(self._send(line, self._hello(), effect.socket))
                case do.Ping():
                    stamp = self._epoch_ms(now)
                    line.ping = (stamp, effect.timestamp)
                    ping = wire.Ping(timestamp=stamp, request_id=self._new_id("ping"))
                    out.append(self._send(line, ping, effect.socket))
                case do.Subscribe():
                    if effect.repeat and line is self._line:
                        out += self._carry_out(self.subscriptions.repeat(now))
                case do.ScheduleTick():
                    line.tick_at = effect.at
                case do.TryNextPerson():
                    pass  # the gateway's token is nobody's in particular
                case do.Prepare():
                    self.counters.connections_attempted += 1
                    out.append(effect)
                case do.Report() | do.RefreshToken() | do.StartPolling() | do.StopPolling() if line is self._next:
                    pass  # the connection in use is what counts; `_see_to_move` gives this one up
                case do.Report():
                    self.detail = TROUBLES.get(effect.reason, self.detail)
                    self._changed = now
                    self.changes += 1
                    out.append(effect)
                case _:
                    out.append(effect)
        if line is self._line and (out or line.socket is None):
            self._notice()
        return out

    def _notice(self) -> None:
        """Draw the consequences of a change of the connection machine."""
        if self.subscriptions.online and self._line.link is not life.Link.LIVE and not self._ready_to_move:
            self.subscriptions.disconnected()
            self.upstream = None

    @property
    def _ready_to_move(self) -> bool:
        return self._next is not None and self._next.link is life.Link.LIVE and self._move is not None

    def _resubscribe(self, outcome: Outcome, now: float) -> list[Effect]:
        self.changes += 1
        effects = self._carry_out(outcome)
        return effects + self.step(on.SymbolsChanged(self.subscriptions.names), now)

    def _carry_out(self, outcome: Outcome) -> list[Effect]:
        socket = self._line.socket
        sends: list[Effect] = []
        if socket is not None:
            sends += [self._send(self._line, command, socket) for command in outcome.send]
        return sends + _wake(outcome.wake)

    def _send(self, line: Line, message: Command | wire.Hello | wire.Ping, socket: int) -> SendMessage:
        self.counters.messages_sent += 1
        if isinstance(message, wire.Subscribe):
            line.bases.used |= message.delta
        command = type(message).__name__.lower()
        return SendMessage(socket, self._encoding.write(message), command, message.request_id)

    def _hello(self) -> wire.Hello:
        return wire.Hello(
            request_id=self._new_id("hello"),
            token=self._token,
            connection_id=self._connection_id,
            client_version=self._version,
            capabilities=CAPABILITIES,
        )

    def _schedule(self, effects: list[Effect]) -> list[Effect]:
        """One alarm clock for all."""
        times = [self._line.tick_at, self.subscriptions.deadline()]
        times.append(self._move_at if self._next is None else self._next.tick_at)
        times.append(self._move_by if self._move is not None else None)
        due = min((at for at in times if at is not None), default=None)
        if due != self._scheduled:
            self._scheduled = due
            effects.append(do.ScheduleTick(due))
        return effects

    def _epoch_ms(self, at: float) -> int:
        return round((at + self._offset) * 1000)


def _wake(readers: Iterable[Reader]) -> list[Effect]:
    woken = tuple(readers)
    return [Wake(woken)] if woken else []


def _hang_up(line: Line, now: float) -> list[Effect]:
    """Close its socket, if it still has one."""
    return [effect for effect in line.lifecycle.step(on.DisconnectRequested(), now) if isinstance(effect, do.Close)]
