"""Clients that want the same in the same shape are owed the same: they share one lane, and its bytes are joined once.

A lane holds what was published since its last flush as frames that all lanes of a shape share. A client that wants
what nobody else wants has a lane to itself. Only clients that keep up are in lanes; see `outbox` for the others.
"""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any

from quotewire.hub.client import Client, Send
from quotewire.hub.wants import Wants
from quotewire.wire.codec import Form, skipped_frame

LaneKey = tuple[Form, bool, Wants]
"""What is the same for all its members."""


class Tally:
    """What was written to clients: frames and bytes; updates replaced by newer ones, and updates told as gaps."""

    __slots__ = ("bytes", "frames", "gapped", "skipped")

    def __init__(self) -> None:
        self.frames = self.bytes = self.gapped = self.skipped = 0


class Wiring:
    """How so many clients are written to, as they are now."""

    __slots__ = ("roster", "send", "sinks")

    def __init__(self, clients: Iterable[Client]) -> None:
        self.roster = tuple(clients)
        sends = {client.send for client in self.roster}
        self.send: Send = sends.pop() if len(sends) == 1 else _each_its_own
        self.sinks: tuple[Any, ...] = tuple(
            (client.send, client.sink) if self.send is _each_its_own else client.sink for client in self.roster
        )

    def write(self, data: bytes) -> int:
        """Write the same to all; how many they are. A thousand calls, and none of them made by a line of Python."""
        sent: list[int | Exception | None] = []
        left = iter(self.sinks)
        while len(sent) < len(self.sinks):
            try:
                sent.extend(map(self.send, left, repeat(data)))
            except Exception as error:  # noqa: BLE001  the others are owed theirs; `written` sees to this one
                sent.append(error)
        size = len(data)
        if sent.count(size) != len(sent):
            for client, told in zip(self.roster, sent, strict=True):
                if told != size:
                    written(client, data, told)
        return len(sent)


def _each_its_own(wired: tuple[Send, Any], data: bytes) -> int | None:
    send, sink = wired
    return send(sink, data)


class Lane:
    """The frames owed to its members since the last flush."""

    __slots__ = (
        "_send",
        "_sink",
        "_wiring",
        "append",
        "form",
        "gaps",
        "key",
        "late",
        "members",
        "run",
        "slots",
        "wants",
    )

    def __init__(self, key: LaneKey) -> None:
        self.form, self.gaps, self.wants = key
        self.key: LaneKey | Client = key  # by what it is found; a client whose wants are growing has one of its own
        self.members: dict[Client, None] = {}  # as they came: their sockets lie in the kernel's memory in that order
        self.run: list[bytes] = []
        self.append = self.run.append
        self.slots: dict[int, bytes] | None = None  # of the symbols wanted in latest mode; never replaced once made
        self.late: dict[Client, int] | None = None  # who came after so many frames of the run
        # How the members are written to; None: to be found out anew. So no member itself is touched where all goes
        # well: of a thousand of them hardly one is still in the processor's cache.
        self._wiring: Wiring | None = None
        self._send: Send | None = None  # of a lane's only member, once that is known
        self._sink: Any = None

    @property
    def pending(self) -> bool:
        """Whether anything is owed."""
        return bool(self.run or self.slots)

    def filled(self) -> dict[int, bytes]:
        """The slots, made on first need."""
        if self.slots is None:
            self.slots = {}
        return self.slots

    def enter(self, client: Client) -> None:
        """Be owed what comes from now on. Not while slots are filled: what is in them cannot be told apart."""
        assert not self.slots, "a lane with filled slots takes nobody"
        self.members[client] = None
        self.rewire()
        client.lane = self
        if self.run:
            self.mark(client)

    def leave(self, client: Client) -> None:
        """Be owed nothing more."""
        self.members.pop(client, None)
        self.rewire()
        client.lane = None
        if self.late is not None:
            self.late.pop(client, None)

    def forget(self) -> None:
        """Owe nothing to anybody: there are no members any more."""
        self.run.clear()
        if self.slots is not None:
            self.slots.clear()

    def mark(self, client: Client) -> None:
        """This client has had all there is in the run by now."""
        if self.late is None:
            self.late = {}
        self.late[client] = len(self.run)

    def owed(self, client: Client, repeats: Mapping[int, int]) -> list[bytes]:
        """What this member has not had."""
        since = self.late.get(client, 0) if self.late is not None else 0
        return [*self.run[since:], *self._slotted(repeats)[1]]

    def _slotted(self, repeats: Mapping[int, int]) -> tuple[int, list[bytes]]:
        """How many updates were replaced in the slots, and the frames that tell of them."""
        if not self.slots:
            return 0, []
        frames = list(self.slots.values())
        skipped = sum(repeats.get(symbol_id, 0) for symbol_id in self.slots) if repeats else 0
        if skipped and self.form is not Form.PLAIN:
            frames.insert(0, skipped_frame(skipped, self.form))
        return skipped, frames

    def rewire(self) -> None:
        """A member is written to in another way now."""
        self._wiring = self._send = self._sink = None

    def _wire(self) -> Wiring:
        wiring = self._wiring = Wiring(self.members)
        if len(wiring.roster) == 1:
            self._send, self._sink = wiring.send, wiring.sinks[0]
        return wiring

    def empty_slots(self, tally: Tally, repeats: Mapping[int, int]) -> None:
        """A window is over: what is in the slots goes to the end of the run."""
        if self.slots:
            skipped, frames = self._slotted(repeats)
            tally.skipped += skipped * len(self.members)
            self.run.extend(frames)
            self.slots.clear()

    def flush(self, tally: Tally) -> int:
        """Write to each member the run it is owed, in one write of bytes joined once; how many writes that were."""
        run = self.run
        count = len(run)
        if not count:
            return 0
        data = run[0] if count == 1 else b"".join(run)
        if self.late is not None:
            self._flush_late(data, tally)
            return len(self.members)
        run.clear()
        wiring = self._wiring or self._wire()
        send, size = self._send, len(data)
        if send is None:
            tally.frames += count * len(wiring.roster)
            tally.bytes += size * len(wiring.roster)
            return wiring.write(data)
        tally.frames += count
        tally.bytes += size
        try:
            sent: int | Exception | None = send(self._sink, data)
        except Exception as error:  # noqa: BLE001  others are owed theirs; `written` sees to this one
            sent = error
        if sent != size:
            written(wiring.roster[0], data, sent)
        return 1

    def _flush_late(self, data: bytes, tally: Tally) -> None:
        run, late = self.run.copy(), self.late or {}
        self.run.clear()
        self.late = None
        tails = {0: data}
        for client in tuple(self.members):
            since = late.get(client, 0)
            owed = tails.get(since)
            if owed is None:
                owed = tails[since] = b"".join(run[since:])
            if not owed:
                continue
            tally.frames += len(run) - since
            tally.bytes += len(owed)
            write_to(client, owed)


def write_to(client: Client, data: bytes) -> None:
    """Write to one client; whatever comes of that is its own."""
    try:
        sent: int | Exception | None = client.send(client.sink, data)
    except Exception as error:  # noqa: BLE001  others are owed theirs; `written` sees to this one
        sent = error
    if sent != len(data):
        written(client, data, sent)


def written(client: Client, data: bytes, sent: int | Exception | None) -> None:
    """See to what a write did not do: `sent` is what it told, or raised."""
    match sent:
        case int():
            client.write_rest(data, sent)
        case OSError():
            client.write_rest(data, 0)
        case Exception():
            client.failed("flush", sent)
        case None:
            pass  # the transport sees to all of it
