"""One WebSocket, as an `asyncio.Protocol` that uvicorn's HTTP protocol hands its socket to.

A thin shell: bytes go through the frame reader to the session, and the session's effects are carried out here. Quotes
go from the hub straight to `transport.write`; nothing of them passes through here.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from quotewire.edge.gate import Admitted, Gate
from quotewire.edge.sockets import bound_unsent, direct, discard, hand
from quotewire.errors import UnauthorizedError
from quotewire.hub.client import Send
from quotewire.hub.lane import Lane
from quotewire.hub.outbox import Outbox
from quotewire.resilience.accounts import Exceeded, Limit
from quotewire.telemetry.logs import Lines
from quotewire.wire import session as s
from quotewire.wire.capabilities import Capability
from quotewire.wire.codec import Form, quotes_frame
from quotewire.wire.codes import CLOSES, CloseCode, ErrorCode
from quotewire.wire.commands import Authenticate, Resolution
from quotewire.wire.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    BinaryMessage,
    CloseFrame,
    FrameEvent,
    FrameReader,
    PingFrame,
    PongFrame,
    TextMessage,
    Violation,
    close_frame,
    frame,
    header,
)
from quotewire.wire.handshake import CONNECTION_ID, SAFE_LABEL
from quotewire.wire.messages import UpstreamState

log = logging.getLogger("quotewire.edge.websocket")
lines = Lines(log)

CLOSE_WAIT_S = 1.0
"""How long a peer has to answer our close frame before its socket is cut."""

MAX_BACKLOG_BYTES = 8 * 1024 * 1024
"""Answers to commands a client may leave unread; the hub bounds quotes by itself."""

MAX_REPLAY_QUOTES = 500
"""Quotes in one message of those a client missed."""

FAULTS = frozenset(CLOSES) - {
    CloseCode.NORMAL_CLOSURE,
    CloseCode.GOING_AWAY,
    CloseCode.INTERNAL_ERROR,
    CloseCode.TOKEN_REFUSED,
    CloseCode.AUTH_TIMEOUT,
    CloseCode.PONG_TIMEOUT,
    CloseCode.IDLE_TIMEOUT,
    CloseCode.SLOW_CONSUMER,
}
"""Closes that are the client's fault: an address that has many of them waits before it may open another connection."""

READ_AT_ONCE, SERVED_AT_ONCE = 8192, 4
"""Bytes read and messages served of one connection before all others have a turn."""

FLOODED = frozenset({CloseCode.LIMIT_REACHED, CloseCode.TOO_MANY_ERRORS})
"""Closes after which nothing more is read: there would be much of it."""

# RFC 6455 section 7.1.5: what a connection is said to have that ended with a close frame without a code, or with none.
NO_CODE, NO_CLOSE_FRAME = 1005, 1006


class Connection(asyncio.Protocol):
    """One client's socket."""

    __slots__ = (
        "_blocked_at",
        "_close_code",
        "_cut",
        "_gate",
        "_loop",
        "_reader",
        "_session",
        "_socket",
        "_task",
        "_transport",
        "_waits",
        "address",
        "client_version",
        "connection_id",
        "dialect",
        "form",
        "lane",
        "outbox",
        "seat",
        "send",
        "sink",
    )

    def __init__(
        self, gate: Gate, admitted: Admitted, *, address: str, connection_id: str, client_version: str = ""
    ) -> None:
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(gate.settings.max_message_bytes)
        self._session = s.ServerSession(
            admitted.dialect,
            gate.limits,
            now=self._loop.time(),
            first_ping_in_s=gate.first_ping_in_s(),
            quota=admitted.seat,
        )
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._blocked_at: float | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._close_code = NO_CLOSE_FRAME
        self._waits = False  # for its turn to join more
        self.address = address
        self.connection_id = connection_id
        self.client_version = client_version
        self.seat = admitted.seat
        self.dialect = admitted.dialect
        self.form: Form = admitted.dialect.form
        # The hub's: where this client's updates go, and what writes them.
        self.lane: Lane | None = None
        self.outbox: Outbox | None = None
        self.send: Send = discard
        self.sink: Any = None
        self._socket: socket.socket | None = None

    # --- asyncio.Protocol ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The 101 is written; from here on the socket speaks WebSocket."""
        self._transport = cast(asyncio.Transport, transport)
        bound_unsent(self._transport)
        self._socket = direct(self._transport)
        if self._socket is not None:
            self.send, self.sink = socket.socket.send, self._socket
        else:
            self.send, self.sink = hand, self._transport
        self._gate.enter(self)
        if log.isEnabledFor(logging.DEBUG):
            log.debug("client connected", extra={"event": "client_connected", **self._who()})

    def data_received(self, data: bytes) -> None:
        """Read frames and act on them, in order."""
        self._session.heard(self._loop.time())
        self._serve((), data, waiting=False)

    def _serve(self, events: Sequence[FrameEvent], data: bytes, *, waiting: bool = True) -> None:
        """Act on these, then on what the bytes hold: a part now, the rest when everybody else had a turn.

        Until then, `waiting`, nothing more is read.
        """
        transport, now = self._transport, self._loop.time()
        if transport is None or self._close_code in FLOODED:
            return
        try:
            if not events:
                events, data = self._reader.feed(data[:READ_AT_ONCE]), data[READ_AT_ONCE:]
            for event in events[:SERVED_AT_ONCE]:
                self._frame(event, now)
        except Exception as error:  # noqa: BLE001  the edge of this connection; `failed` reports it
            self.failed("data_received", error)
            events, data = (), b""
        events = events[SERVED_AT_ONCE:]
        if transport.is_closing() or self._close_code in FLOODED:
            return
        if events or data:
            transport.pause_reading()
            self._later(events, data)
        elif waiting:
            transport.resume_reading()

    def _later(self, events: Sequence[FrameEvent], data: bytes) -> None:
        """Serve these after everybody else had a turn."""
        self._loop.call_soon(self._serve, events, data)

    def eof_received(self) -> bool:
        """The peer half-closed: there is nothing more to say to it."""
        self._session.gone()
        self._gate.hub.rewire(self, discard)
        self._hang_up()
        return True

    def pause_writing(self) -> None:
        """The socket takes no more: the hub holds back what this client is owed until it does."""
        if self._blocked_at is None:
            self._blocked_at = self._loop.time()
        if self._transport is not None and self.send is not discard:
            self._gate.hub.rewire(self, hand, self._transport)
        self._gate.hub.block(self)

    def resume_writing(self) -> None:
        """The socket takes data again."""
        self._blocked_at = None
        if self._session.joining:
            self._join_later()
        if self._socket is not None and self.send is not discard:
            self._gate.hub.rewire(self, socket.socket.send, self._socket)
        self._gate.hub.unblock(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed; forget the client."""
        if self._cut is not None:
            self._cut.cancel()
            self._cut = None
        if self._task is not None:
            self._task.cancel()
        self._session.gone()
        self._transport = None
        self.send, self.sink = discard, None
        if self._socket is not None:
            self._socket.detach()
            self._socket = None
        try:
            self._gate.hub.detach(self)
        finally:
            self._gate.exit(self, self._close_code)
        lines.info("client_gone", "client gone", self._who, code=self._close_code)

    # --- what the hub asks ---

    @property
    def hears_gaps(self) -> bool:
        """Whether the client takes `gap` messages."""
        return Capability.GAP in self._session.agreed

    @property
    def blocked(self) -> bool:
        """Whether the socket takes nothing now."""
        return self._blocked_at is not None

    def write_rest(self, data: bytes, sent: int) -> None:
        """Hand what the socket did not take to the transport, which tells when it does."""
        try:
            if self._transport is not None:
                self._transport.write(data[sent:])
        except Exception as error:  # noqa: BLE001  the hub writes to others after this one; `failed` reports it
            self.failed("flush", error)

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell the client that the upstream changed, if its dialect does."""
        try:
            self._do(self._session.upstream(state), self._loop.time())
        except Exception as error:  # noqa: BLE001  the hub tells others after this one; `failed` reports it
            self.failed("tell_upstream", error)

    # --- what the gate asks ---

    def tick(self, now: float) -> None:
        """Time passed."""
        blocked = self._blocked_at
        if blocked is not None and now - blocked >= self._gate.limits.slow_timeout_s:
            self._slow(now)
        self._do(self._session.tick(now, writable=blocked is None), now)
        if self.outbox is not None:
            self._gate.hub.settle(self)

    def go_away(self) -> None:
        """The gateway is stopping."""
        now = self._loop.time()
        self._do(self._session.broken(CloseCode.GOING_AWAY, CLOSES[CloseCode.GOING_AWAY].reason, now), now)

    def tell_reconnect(self, after_ms: int, deadline_ms: int) -> bool:
        """Have the client open another connection after `after_ms`, and close this one before `deadline_ms`.

        False when it does not know how: its close frame must tell it.
        """
        try:
            effects = self._session.reconnect(after_ms, deadline_ms, CLOSES[CloseCode.GOING_AWAY].reason)
            self._do(effects, self._loop.time())
        except Exception as error:  # noqa: BLE001  the drain tells others after this one; `failed` reports it
            self.failed("tell_reconnect", error)
            return False
        return bool(effects)

    def cut(self) -> None:
        """Drop the connection without another word."""
        if self._transport is not None:
            self._transport.abort()

    def shutdown(self) -> None:
        """Uvicorn's name for `go_away`."""
        self.go_away()

    def failed(self, where: str, error: Exception) -> None:
        """Our own code raised while it served this client: report it, and end this connection alone."""
        told = {"event": "connection_failed", "where": where, **self._who()}
        log.error("connection failed", exc_info=error, extra=told)
        now = self._loop.time()
        self._do(self._session.broken(ErrorCode.INTERNAL_ERROR, CLOSES[CloseCode.INTERNAL_ERROR].reason, now), now)

    # --- frames in ---

    def _frame(self, event: FrameEvent, now: float) -> None:
        match event:
            case TextMessage(text):
                self._gate.messages_in += 1
                self._do(self._session.text(text, now), now)
            case PongFrame():
                self._session.pong(now)
            case PingFrame(payload):
                self._do(self._session.ping(payload, now), now)
            case CloseFrame(code, _):
                self._peer_closed(code)
            case BinaryMessage(message):
                self._gate.messages_in += 1
                self._do(self._session.binary(message, now), now)
            case Violation(code, reason):
                self._violated(code, reason, now)

    def _violated(self, code: CloseCode, reason: str, now: float) -> None:
        told = {
            CloseCode.MESSAGE_TOO_BIG: ErrorCode.MESSAGE_TOO_BIG,
            CloseCode.INVALID_PAYLOAD: ErrorCode.INVALID_UTF8,
        }.get(code)
        # A frame that breaks the protocol itself leaves nobody to explain it to: the close frame says it all.
        self._do(self._session.broken(told if told is not None else code, reason, now), now)
        if self._transport is not None and self._transport.can_write_eof():
            # Its answer could not be read any more. Our end says we are done; the peer still has time to hear why.
            self._transport.write_eof()

    def _peer_closed(self, code: int | None) -> None:
        if self._session.phase is not s.Phase.CLOSED:
            self._session.gone()
            self._gate.hub.rewire(self, discard)
            self._close_code = code if code is not None else NO_CODE
            self._write([close_frame(code) if code is not None else frame(CLOSE, b"")])
        self._hang_up()

    # --- effects ---

    def _do(self, effects: Iterable[s.Effect], now: float) -> None:
        said: list[bytes] = []  # not written yet: an answer and what follows it are one write
        for effect in effects:
            if isinstance(effect, s.Send):
                if effect.code is not None:
                    self._gate.errors[effect.code] += 1
                self._say(effect.payload, said)
                continue
            if isinstance(effect, s.Join):
                self._join(effect, said)
                said = []
                continue
            self._write(said)
            said = []
            match effect:
                case s.Verify(request):
                    self._verify(request, now)
                case s.Resolve(names, ids):
                    self._look_up(names, ids, now)
                case s.Wait():
                    self._join_later()
                case s.Leave(ids):
                    self._gate.hub.leave(self, ids)
                case s.SendPong(payload):
                    self._gate.messages_out += 1
                    self._write([frame(PONG, payload)])
                case s.SendPing():
                    self._gate.messages_out += 1
                    self._write([frame(PING, b"%d" % self._gate.limits.wall_ms(now))])
                case s.End(code, reason, clean):
                    self._end(code, reason, clean=clean)
        self._write(said)

    def _verify(self, request: Authenticate, now: float) -> None:
        try:
            claims = self._gate.tokens.verify(request.token)
        except UnauthorizedError as error:
            self._do(self._session.refused(request, str(error), now), now)
            return
        self._identify(request, claims.key, now)

    def _identify(self, request: Authenticate, key: str, now: float) -> None:
        """The token is good: is there a place for one more of its key?"""
        self._identified(request, self.seat.identify(key, now), now)

    def _identified(self, request: Authenticate, exceeded: Exceeded | None, now: float) -> None:
        if exceeded is not None:
            many = exceeded.limit is Limit.CONNECTIONS
            code = ErrorCode.TOO_MANY_CONNECTIONS if many else ErrorCode.TOO_MANY_HANDSHAKES
            self._do(self._session.refused(request, str(exceeded), now, code), now)
            return
        if CONNECTION_ID.fullmatch(request.connection_id or ""):
            self.connection_id = request.connection_id or ""
        if SAFE_LABEL.fullmatch(request.client_version or ""):
            self.client_version = request.client_version or ""
        self._gate.hub.attach(self)
        self._do(self._session.authenticated(request, self._gate.facts(self.connection_id)), now)
        lines.info("client_authenticated", "client authenticated", self._who)

    def _look_up(self, names: tuple[str, ...], ids: tuple[int, ...], now: float) -> None:
        if len(names) + len(ids) > s.JOINED_AT_ONCE:
            self._in_turn(lambda now: self._find(names, ids, now))
        else:
            self._find(names, ids, now)

    def _find(self, names: tuple[str, ...], ids: tuple[int, ...], now: float) -> None:
        known = self._gate.recall(names, ids)
        if known is not None:
            if len(known) > s.JOINED_AT_ONCE:
                self._in_turn(lambda now: self._found(known, now))
            else:
                self._found(known, now)
            return
        self._task = self._loop.create_task(self._resolve(names, ids))
        self._gate.own(self._task)

    async def _resolve(self, names: tuple[str, ...], ids: tuple[int, ...]) -> None:
        try:
            resolutions = await self._gate.resolve(names, ids, self.dialect.phrase)
            now = self._loop.time()
            self._task = None  # the next command in line may start one of its own
            self._found(resolutions, now)
        except Exception as error:  # noqa: BLE001  the edge of this task; `failed` reports it
            self.failed("resolve", error)

    def _found(self, resolutions: Sequence[Resolution], now: float) -> None:
        self._do(self._session.resolved(resolutions, now), now)

    def _join(self, join: s.Join, said: list[bytes]) -> None:
        """Let these symbols flow: after what was said before, and what the client is to have first."""
        joined = self._gate.hub.join(self, join.ids, join.options, join.positions, more=join.more)
        for gap in self._session.gaps(joined.gaps, join.request_id):
            self._say(gap.payload, said)
        snapshot = self.dialect.snapshot(joined.snapshot, join.request_id, more=bool(join.more))
        if snapshot is not None:
            self._say(snapshot, said)
        for start in range(0, len(joined.replay), MAX_REPLAY_QUOTES):
            part = joined.replay[start : start + MAX_REPLAY_QUOTES]
            self._gate.messages_out += 1
            said.append(quotes_frame(self.form, part, skipped=0 if start else joined.skipped))
        self._write(said)

    def _join_later(self) -> None:
        if not self._waits:
            self._waits = True
            self._in_turn(self._join_on)

    def _join_on(self, now: float) -> None:
        """Join the next part of a subscription, once the socket has taken the last."""
        self._waits = False
        if self._blocked_at is None:
            self._do(self._session.go_on(now), now)

    def _in_turn(self, part: Callable[[float], None]) -> None:
        """Have this done when it is this connection's turn."""
        self._gate.turns.take(lambda: self._have_turn(part))

    def _have_turn(self, part: Callable[[float], None]) -> None:
        if self._transport is None:
            return
        try:
            part(self._loop.time())
        except Exception as error:  # noqa: BLE001  the edge of this connection; `failed` reports it
            self.failed("turn", error)

    def _end(self, code: CloseCode, reason: str, *, clean: bool) -> None:
        self._close_code = code
        if self._transport is None:
            return
        self._gate.closing[code.name.lower()] += 1
        if code in FAULTS:
            self.seat.fault(self._loop.time())
        lines.info("client_closing", "closing", self._who, code=int(code), reason=reason)
        self._gate.hub.pay(self)
        self._gate.hub.rewire(self, discard)
        self._transport.write(close_frame(code, reason))
        if code in FLOODED:
            self._transport.pause_reading()
        if clean:
            self._cut_later()
        else:
            self._hang_up()  # no answer is waited for

    def _hang_up(self) -> None:
        """Close once all is written, or when the peer has not taken it in time."""
        if self._transport is not None:
            self._transport.close()
            self._cut_later()

    def _cut_later(self) -> None:
        if self._cut is None and self._transport is not None:
            self._cut = self._loop.call_later(CLOSE_WAIT_S, self._transport.abort)

    def _slow(self, now: float) -> None:
        self._do(self._session.broken(ErrorCode.SLOW_CONSUMER, CLOSES[CloseCode.SLOW_CONSUMER].reason, now), now)

    # --- bytes out ---

    def _say(self, payload: bytes, said: list[bytes]) -> None:
        """Frame a message, to be written with what else is said: in two pieces, as it may be long."""
        self._gate.messages_out += 1
        said += (header(BINARY if self.dialect.binary else TEXT, len(payload)), payload)

    def _write(self, frames: list[bytes]) -> None:
        if self._transport is None or not frames:
            return
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        self._gate.bytes_out += len(data)
        self._transport.write(data)
        if self._blocked_at is not None and self._transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self._slow(self._loop.time())

    def _who(self) -> dict[str, str]:
        return {
            "connection_id": self.connection_id,
            "client_version": self.client_version,
            "address": self.address,
            "dialect": self.form.name.lower(),
        }
