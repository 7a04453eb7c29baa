"""What one client is owed that does not simply get what its lane gets.

Three kinds of client have an outbox: one whose socket takes nothing now, one that asked for a maximum rate, and one
that came back with a position ahead of what is known here. What happens to an update depends on the symbol's mode:

========  =====================================  ==============================================
mode      while the socket takes data            while it does not
========  =====================================  ==============================================
adaptive  owed in order                          one slot a symbol; what is replaced is counted
latest    one slot a symbol                      the same
every     owed in order                          in order in a bounded ring; overflow is told as a gap
========  =====================================  ==============================================

A maximum rate makes it one slot a symbol whatever the mode, written when its time has come. So the bounds are: a slot
for each symbol wanted, the ring, and what was published in one window.
"""

from collections.abc import Iterable

from quotewire.hub.ring import Item, Ring
from quotewire.hub.shape import frame_of
from quotewire.hub.wants import Wants, is_paced
from quotewire.wire.codec import EncodedQuote, Form, gaps_frame, skipped_frame
from quotewire.wire.options import Cause, Gap, Mode, Options, Position

CALM_S = 1.0
"""How long a socket must have taken data again before its client goes back to its lane."""
Slot = tuple[EncodedQuote, EncodedQuote | None, Options]
"""The newest update of a symbol, what the client was sent before it, and how it wants the symbol."""


class Outbox:
    """The updates owed to one client. All times are seconds of one monotonic clock."""

    __slots__ = (
        "_blocked",
        "_due",
        "_expected",
        "_form",
        "_freed_at",
        "_gaps",
        "_oldest",
        "_ring",
        "_ring_size",
        "_run",
        "_slots",
        "_waited",
        "gapped",
        "skipped",
        "tick",
        "total_skipped",
        "wants",
    )

    def __init__(self, form: Form, wants: Wants, *, gaps: bool, ring_size: int) -> None:
        self.wants = wants
        self._form = form
        self._gaps = gaps
        self._ring_size = ring_size
        self._ring: Ring | None = None
        self._run: list[bytes] = []
        self._slots: dict[int, Slot] = {}
        self._due: dict[int, float] = {}  # not before then, for symbols with a maximum rate
        self._expected: dict[int, Position] = {}
        self._blocked = False
        self._waited = False  # the socket took nothing at some time since the last take
        self._freed_at = float("-inf")
        self._oldest: float | None = None
        self.skipped = 0
        self.total_skipped = 0
        self.gapped = 0
        self.tick: int | None = None  # the hub's own mark: when it looks at the slots that are not due yet

    def __len__(self) -> int:
        return len(self._run) + len(self._slots) + (len(self._ring) if self._ring is not None else 0)

    @property
    def blocked(self) -> bool:
        """Whether the client's socket takes nothing now."""
        return self._blocked

    def block(self) -> None:
        """The socket takes no more for now."""
        self._blocked = self._waited = True

    def unblock(self, now: float) -> None:
        """The socket takes data again."""
        self._blocked = False
        self._freed_at = now

    def is_calm(self, now: float) -> bool:
        """Whether the client could as well be in its lane."""
        busy = self._blocked or self._expected or len(self) or is_paced(self.wants)
        return not busy and now - self._freed_at >= CALM_S

    def carry(self, frames: Iterable[bytes], now: float) -> None:
        """Owe these frames first: what the lane held for this client when it left."""
        self._run.extend(frames)
        if self._run and self._oldest is None:
            self._oldest = now

    def expect(self, symbol_id: int, position: Position) -> None:
        """The client has this update already: owe what is newer, tell what is missing, and begin with a whole quote."""
        self._expected[symbol_id] = position

    def put(
        self,
        update: EncodedQuote,
        base: EncodedQuote | None,
        options: Options,
        now: float,
        *,
        hole: Gap | None = None,
    ) -> bool:
        """Owe this update; `base` is the one published before it. False when the client has it already."""
        symbol_id = update.symbol_id
        if self._expected and symbol_id in self._expected:
            if not self._reached(update):
                return False
            base = hole = None
        if self._oldest is None:
            self._oldest = now
        if options.mode is Mode.EVERY and self._blocked and not options.max_rate:
            self._push(Item(update, base, options, hole))
            return True
        slotted = self._blocked or options.max_rate or options.mode is Mode.LATEST
        if hole is not None:
            self._tell_hole(hole, in_order=not slotted)
        # Taken out first, so that the slots keep the order of the newest updates.
        older = self._slots.pop(symbol_id, None)
        if older is not None:
            self._slots[symbol_id] = (update, older[1], options)
            self._skip(1)
        elif slotted:
            self._slots[symbol_id] = (update, base, options)
        else:
            self._run.append(frame_of(update, base, self._form, options.fields, delta=options.delta))
        return True

    def drop(self, symbol_ids: Iterable[int]) -> None:
        """Owe no slot of these symbols: the client is given their newest otherwise, or wants them no more."""
        for symbol_id in symbol_ids:
            self._slots.pop(symbol_id, None)
            self._due.pop(symbol_id, None)
            self._expected.pop(symbol_id, None)

    def take(self, now: float, *, slots: bool = True) -> list[bytes]:
        """Give up what is owed and due, in the order it must be written.

        Without `slots` these stay, and something else that is newer is sent after this.
        """
        frames, self._run = self._run, []
        if self._ring is not None and len(self._ring):
            gaps, items = self._ring.take()
            if gaps and self._gaps:
                frames.append(gaps_frame(self._form, gaps))
            frames.extend(self._ring_frames(items))
        if slots and self._slots:
            frames.extend(self._frame(*slot) for slot in self._take_due(now))
        if frames or not slots:
            told = self._tell_skipped(now)
            if told is not None:
                # Told first: the client then knows why the sequences that follow leap. Not alone, though, while the
                # newest waits for its time: that would be a message for each update after all.
                frames.insert(0, told)
        self._oldest = now if self._slots else None
        self._waited = self._blocked
        return frames

    def next_due(self) -> float | None:
        """When the first of the slots that are not due yet will be."""
        return min((self._due.get(symbol_id, 0.0) for symbol_id in self._slots), default=None)

    # --- how ---

    def _reached(self, update: EncodedQuote) -> bool:
        position = self._expected[update.symbol_id]
        same = update.epoch == position.epoch
        if same and update.sequence <= position.sequence:
            return False
        del self._expected[update.symbol_id]
        first = position.sequence + 1 if same else 1
        if same and first == update.sequence:
            return True
        quote, cause = update.quote, Cause.HISTORY if same else Cause.EPOCH
        gap = Gap(
            quote.symbol, update.symbol_id, update.epoch, first, update.sequence - 1, None, quote.received_at, cause
        )
        self._tell_hole(gap, in_order=True)
        return True

    def _tell_hole(self, gap: Gap, *, in_order: bool) -> None:
        if self._gaps and in_order:
            self._run.append(gaps_frame(self._form, [gap]))
        else:
            self._skip(gap.to_sequence - gap.from_sequence + 1)

    def _push(self, item: Item) -> None:
        if self._ring is None:
            self._ring = Ring(self._ring_size)
        lost = self._ring.put(item)
        self.gapped += lost
        if lost and not self._gaps:
            self._skip(lost)

    def _skip(self, count: int) -> None:
        self.skipped += count
        self.total_skipped += count

    def _take_due(self, now: float) -> list[Slot]:
        due, kept = [], {}
        for symbol_id, slot in self._slots.items():
            rate = slot[2].max_rate
            if not rate:
                due.append(slot)
            elif self._due.get(symbol_id, 0.0) <= now:
                self._due[symbol_id] = now + 1 / rate
                due.append(slot)
            else:
                kept[symbol_id] = slot
        self._slots = kept
        return due

    def _ring_frames(self, items: Iterable[Item]) -> Iterable[bytes]:
        for item in items:
            if item.hole is not None:
                if self._gaps:
                    yield gaps_frame(self._form, [item.hole])
                else:
                    self._skip(item.hole.to_sequence - item.hole.from_sequence + 1)
            yield self._frame(item.update, item.base, item.options)

    def _frame(self, update: EncodedQuote, base: EncodedQuote | None, options: Options) -> bytes:
        return frame_of(update, base, self._form, options.fields, delta=options.delta)

    def _tell_skipped(self, now: float) -> bytes | None:
        skipped, self.skipped = self.skipped, 0
        lag_ms = 0
        if self._waited and self._oldest is not None:
            lag_ms = max(0, round((now - self._oldest) * 1000))
        if not (skipped or lag_ms) or self._form is Form.PLAIN:
            return None
        return skipped_frame(skipped, self._form, lag_ms)
