"""The client's side of one session: events and `now` in, effects out. Pure.

Two machines meet here. `resilience.lifecycle` decides when there is a connection and what to do without one;
`client.subscriptions` decides what is asked for and who gets what. This module speaks the native protocol between them
(spec/PROTOCOL.md). `now` is monotonic seconds; `epoch_offset_s` added to it gives seconds since 1970.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import msgspec

from quotewire.client.state import ClientMetrics, ClientState, Counters
from quotewire.client.subscriptions import Command, Outcome, Reader, Subscriptions
from quotewire.market.quote import Quote
from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience import lifecycle_types as life
from quotewire.resilience.backoff import Chance
from quotewire.resilience.lifecycle import Lifecycle
from quotewire.wire import messages as wire

SILENCE_CHECK_S = 5.0
ANYONE = "anyone"
"""The one person of the machine: the gateway's token opens the same stream whoever it was made for."""

TROUBLES: dict[life.Reason, str] = {
    life.Reason.PREPARE_TIMEOUT: "the gateway did not hand out a token in time",
    life.Reason.UPGRADE_TIMEOUT: "the gateway did not open the WebSocket in time",
    life.Reason.AUTH_TIMEOUT: "the gateway did not answer to the token in time",
    life.Reason.REFRESH_TIMEOUT: "the gateway did not hand out a new token in time",
    life.Reason.PONG_TIMEOUT: "the gateway stopped answering pings",
    life.Reason.ZOMBIE: "no quote came for too long, though the gateway calls symbols live",
}
"""What this side found wrong by itself, in words."""

_decoder = msgspec.json.Decoder(wire.ServerMessage)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class SendText:
    """Send this text on the socket. `command` and `request_id` are for the log, which must not see the text."""

    socket: int
    text: str = field(repr=False)
    command: str
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Wake:
    """These readers have news: quotes in the mailbox, or a verdict on their names."""

    readers: tuple[Reader, ...]


Effect: TypeAlias = (
    SendText
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
    ) -> None:
        """`new_id(prefix)` makes request ids; `chance` is for jitter."""
        self.subscriptions = Subscriptions(new_id)
        self.counters = Counters()
        self.changes = 0  # grows whenever `state` may tell something new
        self.detail = ""
        self.upstream: wire.UpstreamState | None = None
        self._config = config
        self._lifecycle = Lifecycle(config, persons=(ANYONE,), chance=chance)
        self._new_id = new_id
        self._connection_id = connection_id
        self._version = version
        self._offset = epoch_offset_s
        self._started = self._changed = now
        self._person: str | None = None
        self._token = ""
        self._ping: tuple[int, float] | None = None
        self._tick_at: float | None = None
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
        return self._resubscribe(self.subscriptions.leave(reader), now)

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
        effects += self._follow(self._lifecycle.step(event, now), now)
        return self._schedule(effects)

    def credentials(self, person: str | None, token: str) -> None:
        """The token for the next `hello`, and whose it is."""
        self._person, self._token = person, token
        self.changes += 1

    def trouble(self, detail: str) -> None:
        """A sentence about what just went wrong, for `state.detail`."""
        self.detail = detail
        self.changes += 1

    def received(self, socket: int, text: bytes, now: float) -> list[Effect]:
        """A text message came on a socket."""
        if socket != self._lifecycle.socket:
            return []
        self.counters.messages_received += 1
        try:
            message = _decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.counters.messages_unreadable += not _of_unknown_type(text)
            return []
        return self._schedule(self._read(socket, message, now))

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
        return self._lifecycle.socket

    @property
    def failed(self) -> bool:
        """True when trying again would not help."""
        return self._lifecycle.snapshot().link is life.Link.FAILED

    def state(self, now: float) -> ClientState:
        """How the connection stands."""
        seen = self._lifecycle.snapshot()
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
        seen = self._lifecycle.snapshot()
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
            queued=sum(len(box) for box in mailboxes),
            uptime=round((now - self._started) * 1000),
            status=seen.state,
        )

    # --- messages ---

    def _read(self, socket: int, message: wire.ServerMessage, now: float) -> list[Effect]:
        match message:
            case wire.Quotes():
                self.counters.gateway_skipped += message.skipped
                return self._take(socket, message.quotes, now)
            case wire.Snapshot():
                return self._take(socket, message.quotes, now)
            case wire.Pong():
                return self._pong(socket, message, now)
            case wire.Welcome():
                return self._welcome(socket, message, now)
            case wire.Subscribed():
                return self._carry_out(self.subscriptions.answered(message.request_id, message.results, now))
            case wire.Error():
                self.trouble(message.message)
                return self._carry_out(self.subscriptions.refused(message, now))
            case wire.Status():
                self.upstream = message.upstream
                self.changes += 1
        return []

    def _take(self, socket: int, quotes: Sequence[Quote], now: float) -> list[Effect]:
        self._count(quotes, now)
        effects = _wake(self.subscriptions.accept(quotes))
        if now >= self._silence_due:
            effects += self._judge_silence(now)
        return effects + self._follow(self._lifecycle.step(on.Message(socket), now), now)

    def _count(self, quotes: Sequence[Quote], now: float) -> None:
        self.counters.quotes_received += len(quotes)
        self._last_quote = now if quotes else self._last_quote

    def _pong(self, socket: int, message: wire.Pong, now: float) -> list[Effect]:
        if self._ping is None or message.timestamp != self._ping[0]:
            return []
        stamp = self._ping[1]
        self._ping = None
        return self._follow(self._lifecycle.step(on.Pong(socket, stamp), now), now)

    def _welcome(self, socket: int, message: wire.Welcome, now: float) -> list[Effect]:
        self.counters.connections_succeeded += 1
        self.upstream = message.upstream
        self.detail = ""
        effects = self._follow(self._lifecycle.step(on.Authenticated(socket), now), now)
        effects += self._judge_silence(now)
        return effects + self._carry_out(self.subscriptions.connected(message.max_message_bytes, now))

    def _judge_silence(self, now: float) -> list[Effect]:
        """Silence is abnormal only while the gateway itself calls some symbol live."""
        self._silence_due = now + SILENCE_CHECK_S
        normal = not self.subscriptions.any_live
        if normal == self._silence_normal:
            return []
        self._silence_normal = normal
        limits = (None, None) if normal else (self._config.mute_after_s, self._config.zombie_after_s)
        rule = on.SilenceRule(*limits)
        return self._follow(self._lifecycle.step(rule, now), now)

    # --- effects ---

    def _follow(self, effects: Iterable[do.Effect], now: float) -> list[Effect]:
        """Turn what the connection machine wants into what the shell must do."""
        out: list[Effect] = []
        for effect in effects:
            match effect:
                case do.SendToken():
                    out.append(self._send(self._hello(), effect.socket))
                case do.Ping():
                    stamp = self._epoch_ms(now)
                    self._ping = (stamp, effect.timestamp)
                    out.append(self._send(wire.Ping(timestamp=stamp, request_id=self._new_id("ping")), effect.socket))
                case do.Subscribe():
                    if effect.repeat:
                        out += self._carry_out(self.subscriptions.repeat(now))
                case do.ScheduleTick():
                    self._tick_at = effect.at
                case do.TryNextPerson():
                    pass  # the gateway's token is nobody's in particular
                case do.Prepare():
                    self.counters.connections_attempted += 1
                    out.append(effect)
                case do.Report():
                    self.detail = TROUBLES.get(effect.reason, self.detail)
                    self._changed = now
                    self.changes += 1
                    out.append(effect)
                case _:
                    out.append(effect)
        if out or self._lifecycle.socket is None:
            self._notice()
        return out

    def _notice(self) -> None:
        """Draw the consequences of a change of the connection machine."""
        if self.subscriptions.online and self._lifecycle.snapshot().link is not life.Link.LIVE:
            self.subscriptions.disconnected()
            self.upstream = None

    def _resubscribe(self, outcome: Outcome, now: float) -> list[Effect]:
        self.changes += 1
        effects = self._carry_out(outcome)
        event = on.SymbolsChanged(self.subscriptions.names)
        return self._schedule(effects + self._follow(self._lifecycle.step(event, now), now))

    def _carry_out(self, outcome: Outcome) -> list[Effect]:
        socket = self._lifecycle.socket
        sends: list[Effect] = []
        if socket is not None:
            sends += [self._send(command, socket) for command in outcome.send]
        return sends + _wake(outcome.wake)

    def _send(self, message: Command | wire.Hello | wire.Ping, socket: int) -> SendText:
        self.counters.messages_sent += 1
        command = type(message).__name__.lower()
        return SendText(socket, _encode(message).decode(), command, message.request_id)

    def _hello(self) -> wire.Hello:
        return wire.Hello(
            request_id=self._new_id("hello"),
            token=self._token,
            connection_id=self._connection_id,
            client_version=self._version,
        )

    def _schedule(self, effects: list[Effect]) -> list[Effect]:
        """One alarm clock for both machines."""
        due = min((at for at in (self._tick_at, self.subscriptions.deadline()) if at is not None), default=None)
        if due != self._scheduled:
            self._scheduled = due
            effects.append(do.ScheduleTick(due))
        return effects

    def _epoch_ms(self, at: float) -> int:
        return round((at + self._offset) * 1000)


def _wake(readers: Iterable[Reader]) -> list[Effect]:
    woken = tuple(readers)
    return [Wake(woken)] if woken else []


def _of_unknown_type(text: bytes) -> bool:
    """True for a well-formed message of a `type` this version does not know, which is to be ignored."""
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(message, dict) and isinstance(message.get("type"), str) and message["type"] not in _KNOWN


_KNOWN = frozenset(kind.__struct_config__.tag for kind in wire.ServerMessage.__args__)
