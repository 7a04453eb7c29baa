"""Clients that want the same in the same shape are owed the same: they share one lane, and its bytes are joined once.

A lane holds what was published since its last flush as frames that all lanes of a shape share. A client that wants
what nobody else wants has a lane to itself. Only clients that keep up are in lanes; see `outbox` for the others.
"""

from collections.abc import Mapping

from quotewire.hub.client import Client, Write
from quotewire.hub.wants import Wants
from quotewire.wire.codec import Form, skipped_frame

LaneKey = tuple[Form, bool, Wants]


class Tally:
    """What was written to clients: frames and bytes; updates replaced by newer ones, and updates told as gaps."""

    __slots__ = ("bytes", "frames", "gapped", "skipped")

    def __init__(self) -> None:
        self.frames = self.bytes = self.gapped = self.skipped = 0


class Lane:
    """The frames owed to its members since the last flush."""

    __slots__ = ("_only", "_wired", "append", "form", "gaps", "late", "members", "run", "slots", "wants")

    def __init__(self, key: LaneKey) -> None:
        self.form, self.gaps, self.wants = key
        self.members: dict[Client, None] = {}  # as they came: their sockets lie in the kernel's memory in that order
        self.run: list[bytes] = []
        self.append = self.run.append
        self.slots: dict[int, bytes] | None = None  # of the symbols wanted in latest mode; never replaced once made
        self.late: dict[Client, int] | None = None  # who came after so many frames of the run
        # The members' `write`, and the members in the same order; None: to be gathered anew. So no member itself is
        # touched where all goes well: of a thousand of them hardly one is still in the processor's cache.
        self._wired: tuple[tuple[Write, ...], tuple[Client, ...]] | None = None
        self._only: Write | None = None  # the `write` of a lane's only member, once it is wired

    @property
    def key(self) -> LaneKey:
        """By what clients find the lane they belong in."""
        return self.form, self.gaps, self.wants

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
        """A member's `write` is another now."""
        self._wired = self._only = None

    def _wire(self) -> tuple[tuple[Write, ...], tuple[Client, ...]]:
        writes = tuple(client.write for client in self.members)
        self._only = writes[0] if len(writes) == 1 else None
        self._wired = writes, tuple(self.members)
        return self._wired

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
        wired = self._wired or self._wire()
        if self._only is None:
            return _write_all(wired, data, count, tally)
        size = len(data)
        tally.frames += count
        tally.bytes += size
        try:
            sent: int | Exception | None = self._only(data)
        except Exception as error:  # noqa: BLE001  others are owed theirs; `written` sees to this one
            sent = error
        if sent != size:
            written(wired[1][0], data, sent)
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


def _write_all(wired: tuple[tuple[Write, ...], tuple[Client, ...]], data: bytes, frames: int, tally: Tally) -> int:
    """Write the same to all of these: so many frames; how many writes that were."""
    writes, roster = wired
    size, members = len(data), len(writes)
    tally.frames += frames * members
    tally.bytes += size * members
    for at, write in enumerate(writes):
        try:
            sent: int | Exception | None = write(data)
        except Exception as error:  # noqa: BLE001  the others are owed theirs; `written` sees to this one
            sent = error
        if sent != size:
            written(roster[at], data, sent)  # who takes no more leaves the lane on the spot
    return members


def write_to(client: Client, data: bytes) -> None:
    """Write to one client; whatever comes of that is its own."""
    try:
        sent: int | Exception | None = client.write(data)
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
