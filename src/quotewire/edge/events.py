"""One stream of server-sent events: a client of the hub like any other, that cannot answer.

It shares the socket with uvicorn's HTTP protocol, which has written the head of the answer: from there on the hub
writes to the transport, and `HttpProtocol` tells what becomes of it.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quotewire.edge.gate import NATIVE, Gate
from quotewire.edge.limits import Seat
from quotewire.edge.sockets import bound_unsent, discard, hand
from quotewire.wire.codec import Form, message_frame, quotes_frame
from quotewire.wire.codes import CLOSES, CloseCode
from quotewire.wire.commands import Add, Resolution
from quotewire.wire.events import checkpoint, heartbeat, retry
from quotewire.wire.messages import UpstreamState
from quotewire.wire.options import Position

if TYPE_CHECKING:
    from quotewire.hub.client import Send
    from quotewire.hub.lane import Lane
    from quotewire.hub.outbox import Outbox

log = logging.getLogger("quotewire.edge.events")

RETRY_MS = 1000
CLOSE_WAIT_S = 1.0
"""How long the end of the answer may take to be written before the socket is cut."""

CHECKPOINT_S = 1.0
CHECKPOINT_PER_SYMBOL_S = 0.01
"""Checkpoints name every symbol: streams of many have fewer of them."""

MAX_REPLAY_QUOTES = 256
"""Quotes replayed in one event."""


class EventStream:
    """One client's stream. `ended` is set once it is over, by whomever."""

    form = Form.EVENTS
    hears_gaps = True

    def __init__(self, gate: Gate, seat: Seat, *, address: str, connection_id: str) -> None:
        self._gate = gate
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._ids: tuple[int, ...] = ()
        self._given: Mapping[int, Position] = {}
        self._blocked_at: float | None = None
        self._checkpoint: tuple[tuple[int, Position], ...] = ()
        self._checkpoint_at = self._heartbeat_at = 0.0
        self._code = CloseCode.NORMAL_CLOSURE
        self.address = address
        self.connection_id = connection_id
        self.seat = seat
        self.ended = asyncio.Event()
        self.lane: Lane | None = None
        self.outbox: Outbox | None = None
        self.send: Send = discard
        self.sink: Any = None

    # --- from the first event to the last ---

    def open(
        self, transport: asyncio.Transport, found: Sequence[Resolution], positions: Mapping[int, Position]
    ) -> None:
        """The head is written: tell what was found, what was missed since `positions`, and go live."""
        self._transport = transport
        self._gate.enter(self)
        self.send, self.sink = hand, transport
        bound_unsent(transport)
        self._given = positions
        self._ids = tuple(dict.fromkeys(each.symbol_id for each in found if each.code is None))
        self._gate.hub.attach(self)
        self._send(retry(RETRY_MS))
        self._tell(NATIVE.acknowledge(Add((), self._ids), found))
        joined = self._gate.hub.join(self, self._ids, positions={i: positions[i] for i in self._ids if i in positions})
        if joined.gaps:
            self._tell(NATIVE.gap(joined.gaps, None))
        self._tell(NATIVE.snapshot(joined.snapshot, None))
        for start in range(0, len(joined.replay), MAX_REPLAY_QUOTES):
            self._send(quotes_frame(self.form, joined.replay[start : start + MAX_REPLAY_QUOTES]))
        now = self._loop.time()
        self._heartbeat_at = now + self._gate.limits.ping_interval_s
        self._mark(now)
        log.info("event stream open", extra={"event": "client_connected", **self._who()})
        if self._gate.draining:  # turns are given already
            self.go_away()

    def never_opened(self) -> None:
        """The client went before the head was written."""
        self.seat.leave()

    def lost(self) -> None:
        """The socket is closed, or the answer has ended; forget the client. Twice is harmless."""
        if self._transport is None:
            return
        self._transport = None
        self.send, self.sink = discard, None
        self.ended.set()
        try:
            self._gate.hub.detach(self)
        finally:
            self._gate.exit(self, self._code)
        log.info("event stream gone", extra={"event": "client_gone", "code": int(self._code), **self._who()})

    # --- what the socket does ---

    def pause_writing(self) -> None:
        """It takes no more: the hub holds back what this client is owed until it does."""
        if self._blocked_at is None and self._transport is not None:
            self._blocked_at = self._loop.time()
            self._gate.hub.block(self)

    def resume_writing(self) -> None:
        """It takes data again."""
        if self._transport is not None:
            self._blocked_at = None
            self._gate.hub.unblock(self)

    # --- what the hub asks ---

    @property
    def blocked(self) -> bool:
        """Whether the socket takes nothing now."""
        return self._blocked_at is not None

    def write_rest(self, data: bytes, sent: int) -> None:
        """Never asked: the transport takes all it is given."""

    def tell_upstream(self, state: UpstreamState) -> None:
        """Tell the client that the upstream changed."""
        self._tell(NATIVE.status(state))

    def failed(self, where: str, error: Exception) -> None:
        """Our own code raised while it served this client: report it, and end this stream alone."""
        log.error(
            "event stream failed", exc_info=error, extra={"event": "stream_failed", "where": where, **self._who()}
        )
        self._end(CloseCode.INTERNAL_ERROR, marked=False)

    # --- what the gate asks ---

    def tick(self, now: float) -> None:
        """Time passed."""
        if self._transport is None:
            return
        if self._blocked_at is not None:
            if now - self._blocked_at >= self._gate.limits.slow_timeout_s:
                self._code = CloseCode.SLOW_CONSUMER
                self._gate.closing[self._code.name.lower()] += 1
                self.cut()
            return
        if self.outbox is not None:
            self._gate.hub.settle(self)
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + self._gate.limits.ping_interval_s
            self._send(heartbeat())
        if now >= self._checkpoint_at:
            self._mark(now)

    def tell_reconnect(self, after_ms: int, deadline_ms: int) -> bool:
        """Have the client open another stream; one that cannot is ended at its turn, and comes back by itself."""
        self._tell(NATIVE.reconnect(after_ms, deadline_ms, CLOSES[CloseCode.GOING_AWAY].reason))
        return True

    def go_away(self) -> None:
        """The gateway is stopping."""
        self._end(CloseCode.GOING_AWAY)

    def cut(self) -> None:
        """Drop the connection without another word."""
        if self._transport is not None:
            self._transport.abort()

    # --- how ---

    def _end(self, code: CloseCode, *, marked: bool = True) -> None:
        """End the answer, after a checkpoint of what was written where that is known."""
        if self._transport is None or self.ended.is_set():
            return
        self._code = code
        self._gate.closing[code.name.lower()] += 1
        if marked and self._blocked_at is None:
            self._mark(self._loop.time())
        self._gate.hub.rewire(self, discard)
        self.ended.set()
        self._loop.call_later(CLOSE_WAIT_S, self.cut)

    def _mark(self, now: float) -> None:
        """Tell where the client stands, if that has changed: what it is owed is written first."""
        self._checkpoint_at = now + max(CHECKPOINT_S, len(self._ids) * CHECKPOINT_PER_SYMBOL_S)
        self._gate.hub.pay(self)
        reached = tuple(self._reached())
        if reached != self._checkpoint and not self.blocked:
            self._checkpoint = reached
            self._send(checkpoint(reached))

    def _reached(self) -> Iterator[tuple[int, Position]]:
        for symbol_id in self._ids:
            newest = self._gate.hub.latest(symbol_id)
            if newest is not None:
                yield symbol_id, Position(newest.epoch, newest.sequence)
            elif symbol_id in self._given:  # nothing is known of it here yet: the client is still where it was
                yield symbol_id, self._given[symbol_id]

    def _tell(self, payload: bytes) -> None:
        self._send(message_frame(self.form, payload))

    def _send(self, data: bytes) -> None:
        self._gate.messages_out += 1
        self._gate.bytes_out += len(data)
        self.send(self.sink, data)

    def _who(self) -> dict[str, str]:
        return {"connection_id": self.connection_id, "address": self.address, "dialect": self.form.name.lower()}
