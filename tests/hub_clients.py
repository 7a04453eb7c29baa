"""Clients of the hub that only remember, and a loop and a clock that stand still: shared by the hub's tests."""

import heapq
import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from quotewire.hub.client import Send
from quotewire.hub.hub import Delivery, Hub
from quotewire.hub.lane import Lane
from quotewire.hub.outbox import Outbox
from quotewire.wire.codec import Form
from quotewire.wire.messages import UpstreamState


def messages(data: bytes) -> list[dict[str, Any]]:
    """The messages in what was written."""
    found: list[dict[str, Any]] = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = struct.unpack("!H", data[2:4])[0], 4
        elif length == 127:
            length, start = struct.unpack("!Q", data[2:10])[0], 10
        payload, text = data[start : start + length], data[0] & 0x0F == 1
        found.append(msgspec.json.decode(payload) if text else msgspec.msgpack.decode(payload))
        data = data[start + length :]
    return found


def _write(client: "FakeClient", data: bytes) -> int | None:
    return client.write(data)


class FakeClient:
    """A connection that remembers each write. One that is `blocked` may be written to all the same, as sockets are."""

    def __init__(self, form: Form = Form.NATIVE, *, hears_gaps: bool = True) -> None:
        self.form = form
        self.hears_gaps = hears_gaps
        self.lane: Lane | None = None
        self.outbox: Outbox | None = None
        self.write: Callable[[bytes], int | None] = self.take
        self.send: Send = _write
        self.sink: Any = self
        self.blocked = False
        self.writes: list[bytes] = []
        self.read = 0
        self.failures: list[str] = []
        self.rests: list[bytes] = []
        self.states: list[UpstreamState] = []

    @property
    def apart(self) -> bool:
        """Whether it has an outbox of its own."""
        assert self.lane is None or self.outbox is None
        return self.outbox is not None

    def take(self, data: bytes) -> None:
        self.writes.append(data)

    def write_rest(self, data: bytes, sent: int) -> None:
        self.rests.append(data[sent:])

    def failed(self, where: str, error: Exception) -> None:
        self.failures.append(where)

    def tell_upstream(self, state: UpstreamState) -> None:
        self.states.append(state)

    def told(self) -> list[dict[str, Any]]:
        """The messages since the last call."""
        new, self.read = self.writes[self.read :], len(self.writes)
        return [message for data in new for message in messages(data)]

    def sequences(self) -> list[tuple[int, int]]:
        """(symbol id, sequence) of each quote since the last call."""
        return [(q["symbolId"], q["sequence"]) for message in self.told() for q in message.get("quotes", ())]


@dataclass
class World:
    """A hub, and time that passes when told to."""

    delivery: Delivery = field(default_factory=lambda: Delivery(max_window_s=0.010))
    now: float = 1000.0
    wanted: list[frozenset[int]] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self.hub = Hub(
            schedule=self._schedule, clock=lambda: self.now, on_wanted=self.wanted.append, delivery=self.delivery
        )

    def _schedule(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.delays.append(delay_s)
        heapq.heappush(self._timers, (self.now + delay_s, next(self._count), callback))

    def turn(self) -> int:
        """One iteration of the loop: run what is due now."""
        due = []
        while self._timers and self._timers[0][0] <= self.now:
            due.append(heapq.heappop(self._timers)[2])
        for callback in due:
            callback()
        return len(due)

    def sleep(self, seconds: float) -> None:
        """Let time pass, with all that becomes due in it."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            self.now = max(self.now, self._timers[0][0])
            self.turn()
        self.now = until

    def client(self, *symbol_ids: int, form: Form = Form.NATIVE, hears_gaps: bool = True, **options: Any) -> FakeClient:
        """A client that is attached and wants these."""
        client = FakeClient(form, hears_gaps=hears_gaps)
        self.hub.attach(client)
        if symbol_ids:
            self.hub.join(client, symbol_ids, **options)
        return client

    def block(self, client: FakeClient) -> None:
        client.blocked = True
        self.hub.block(client)

    def unblock(self, client: FakeClient) -> None:
        client.blocked = False
        self.hub.unblock(client)
