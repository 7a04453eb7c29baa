"""Where each client's updates go: in a lane it shares with all who want the same, or in an outbox of its own.

A client has a lane while it keeps up. It gets an outbox when its socket takes no more, when it asked for a maximum
rate, when it came back with a position that cannot be judged yet, or when it begins in latest mode in the middle of a
window: what the others of its lane were sent last is not what it was sent. It gets a lane again once nothing of that
is true any more, see `settle`.
"""

from collections.abc import Callable, Collection, Mapping

from quotewire.hub.audience import Audience, Audiences, Places, Slots
from quotewire.hub.client import Client
from quotewire.hub.lane import Lane, LaneKey, Tally, write_to
from quotewire.hub.outbox import Outbox
from quotewire.hub.shape import Shape
from quotewire.hub.wants import NOTHING, Wants, grown, is_paced, merged
from quotewire.hub.wheel import Wheel
from quotewire.wire.codec import EncodedQuote, Form, gaps_frame, skipped_frame
from quotewire.wire.options import Gap, Mode, Options, Position

TICK_S = 0.005
"""How exactly a maximum rate is kept."""

WRITES_A_LOOK = 16
"""Writes between two looks at the clock."""

NONE_AWAITED: Mapping[int, Position] = {}


class Seats:
    """All lanes and outboxes. Times are seconds of one monotonic clock."""

    def __init__(self, *, ring_size: int) -> None:
        self._ring_size = ring_size
        self._audiences = Audiences()
        self.audience_of = self._audiences.of
        self.same = self._audiences.same
        self.wanted = self._audiences.wanted
        self.sweep = self._audiences.sweep
        self._lanes: dict[LaneKey | Client, Lane] = {}
        self._by_place: dict[int, Lane] = {}
        self.outboxes: dict[Outbox, Client] = {}
        self.wheel: Wheel[Outbox] = Wheel(TICK_S)
        self.tally = Tally()
        self._calming: set[Client] = set()
        # Of this window:
        self._touched: list[Audience] = []  # who got an update
        # And of those of its symbols that are wanted in latest mode:
        self._bases: dict[int, EncodedQuote | None] = {}  # what was newest before the first update
        self._repeats: dict[int, int] = {}  # how many updates came after the first
        self._width = 0  # places frames were put in
        self._dirty: set[Outbox] = set()
        self._round: list[Lane] = []  # to be written to yet; the next one last

    @property
    def tidy(self) -> bool:
        """Whether nothing is left of those who went that `sweep` must take out."""
        return self._audiences.tidy

    @property
    def lanes(self) -> int:
        """How many lanes there are."""
        return len(self._lanes)

    def wants(self, client: Client) -> Wants:
        """What a client wants."""
        seat = client.lane or client.outbox
        return NOTHING if seat is None else seat.wants

    # --- taking and changing seats ---

    def seat(self, client: Client, wants: Wants, *, awaited: Mapping[int, Position] = NONE_AWAITED) -> bool:
        """From now on `client` wants this, and is owed nothing before. Tells whether the symbols wanted changed."""
        if client.outbox is None and (awaited or client.blocked or self._needs_outbox(wants)):
            changed = self._to_outbox(client, wants)
        elif client.outbox is not None:
            changed = self._change_outbox(client.outbox, wants)
        else:
            changed = self._to_lane(client, wants)
        if client.outbox is not None:
            for symbol_id, position in awaited.items():
                client.outbox.expect(symbol_id, position)
            if not wants:
                self._empty(client)
        return changed

    def grow(self, client: Client, symbol_ids: Collection[int], options: Options) -> bool:
        """`client` wants these too, and more to come; none of them before. Tells whether the symbols wanted changed.

        Costs as much as there are of these, whatever it wants beside: it has a place of its own until `settle_grown`.
        """
        part = ((options, tuple(symbol_ids)),)
        wants = grown(self.wants(client), symbol_ids, options)
        if client.outbox is not None:
            client.outbox.wants = wants
            return self._audiences.add_outbox(client.outbox, part)
        if client.blocked or self._needs_outbox(wants):
            return self._to_outbox(client, wants)
        return self._grow_lane(self._own_lane(client), part, wants)

    def settle_grown(self, client: Client) -> bool:
        """All that `client` wants is there: give it a place among those who want the same."""
        if client.outbox is not None:
            client.outbox.wants = merged(client.outbox.wants)
            return False
        lane = client.lane
        if lane is None or lane.key is not client:
            return False
        lane.wants = merged(lane.wants)
        if self._needs_outbox(lane.wants):  # for now nobody can be let into a lane: it stays where it is
            return False
        key: LaneKey = lane.form, lane.gaps, lane.wants
        there = self._lanes.get(key)
        if there is not None:
            shrunk = self._quit(lane, client)
            there.enter(client)
            return shrunk
        self._rekey(lane, key)
        return False

    def vacate(self, client: Client) -> bool:
        """The client is gone. Tells whether the symbols wanted changed."""
        self._calming.discard(client)
        if client.lane is not None:
            return self._quit(client.lane, client)
        if client.outbox is not None:
            changed = self._audiences.retire(client.outbox, client.outbox.wants)
            self._empty(client)
            return changed
        return False

    def block(self, client: Client, now: float) -> None:
        """The client's socket takes no more for now."""
        lane = client.lane
        if lane is not None:
            frames = lane.owed(client, self._repeats)
            self._to_outbox(client, lane.wants)
            assert client.outbox is not None, "it has just got one"
            client.outbox.carry(frames, now)
        if client.outbox is not None:
            client.outbox.block()

    def settle(self, client: Client, now: float) -> None:
        """Give the client its place in a lane back, if it keeps up: at once, or when this window is over."""
        outbox = client.outbox
        if outbox is None or not outbox.is_calm(now):
            return
        if self._touched:
            self._calming.add(client)
            return
        wants = outbox.wants
        self._empty(client)
        self._to_lane(client, wants)
        self._audiences.retire(outbox, wants)

    # --- what is owed ---

    def deliver(
        self, audience: Audience, update: EncodedQuote, base: EncodedQuote | None, hole: Gap | None, now: float
    ) -> None:
        """Owe this update to all who want it; `base` came before it, `hole` tells what is missing between the two."""
        self._touched.append(audience)
        for shape, places in audience.runs.items():
            if places.gone is not None:
                places.tidy()
            frame = shape.frame(update, base)
            if hole is not None:
                frame = _told(hole, shape.form, gaps=shape.gaps) + frame
            here = places.here
            self._width += len(here)
            for append in here:
                append(frame)
        if audience.slots is not None:
            self._deliver_latest(audience.slots, update, base, hole)
        if audience.outboxes is not None:
            for outbox, options in audience.outboxes.items():
                if outbox.put(update, base, options, now, hole=hole):
                    self._dirty.add(outbox)

    def _deliver_latest(
        self, slots: dict[Shape, Places[Slots]], update: EncodedQuote, base: EncodedQuote | None, hole: Gap | None
    ) -> None:
        symbol_id, bases, repeats = update.symbol_id, self._bases, self._repeats
        missing = 0 if hole is None else hole.to_sequence - hole.from_sequence + 1
        if symbol_id in bases:
            missing += 1
        else:
            bases[symbol_id] = base
        if missing:
            repeats[symbol_id] = repeats.get(symbol_id, 0) + missing
        for shape, places in slots.items():
            if places.gone is not None:
                places.tidy()
            # From one flush to the next a slot is all a client is sent of the symbol.
            frame = shape.frame(update, bases[symbol_id])
            self._width += len(places.here)
            for place in places.here:
                place[symbol_id] = frame

    @property
    def in_round(self) -> bool:
        """Whether a round is under way."""
        return bool(self._round)

    def begin_round(self, now: float) -> None:
        """Begin to write all that is owed and due: a window is over, and with it what slots hold."""
        self._round = self._owing()
        for lane in self._round:
            lane.empty_slots(self.tally, self._repeats)
        dirty, self._dirty = self._dirty, set()
        for outbox in dirty:
            client = self.outboxes.get(outbox)
            if client is not None:
                self.pay(client, now)
        self._bases.clear()
        self._repeats.clear()
        self._touched.clear()
        self._width = 0
        calming, self._calming = self._calming, set()
        for client in calming:
            self.settle(client, now)

    def go_round(self, clock: Callable[[], float], until: float) -> bool:
        """Write to one lane after the other until that time at least; tells whether the round is done.

        Always in the same order, so that a lane is written to once in the time of a round, whatever comes when.
        """
        lanes, tally, writes = self._round, self.tally, 0
        while lanes:
            writes += lanes.pop().flush(tally)
            if writes >= WRITES_A_LOOK:
                writes = 0
                if clock() >= until:
                    break
        return not lanes

    def _owing(self) -> list[Lane]:
        # Whichever is less: to look at every lane, or to look up the lanes of the symbols published.
        if self._width * 2 >= len(self._lanes):
            return list(self._lanes.values())
        places = {place for audience in self._touched for place in audience.lane_places()}
        found = {id(lane): lane for lane in map(self._by_place.get, places) if lane is not None}
        return list(found.values())

    def pay(self, client: Client, now: float) -> None:
        """Write what the client's outbox owes and is due, if its socket takes it."""
        outbox = client.outbox
        if outbox is None or outbox.blocked:
            return
        self._write(client, outbox.take(now))
        self._wait(outbox)

    def pay_before(self, client: Client, symbol_ids: Collection[int], now: float, *, leaving: bool) -> None:
        """Write what is owed before something else is: an answer that nothing of these symbols may follow.

        To a client that wants these anew even if its socket takes nothing: an older quote must not follow a snapshot.
        """
        lane, outbox = client.lane, client.outbox
        if lane is not None and lane.pending:
            frames, slotted = lane.owed(client, self._repeats), bool(lane.slots)
            if slotted:
                self._to_outbox(client, lane.wants)
            elif len(lane.members) == 1:
                lane.run.clear()
                lane.late = None
            else:
                lane.mark(client)
            self._write(client, frames)
        elif outbox is not None:
            if not leaving:
                outbox.drop(symbol_ids)
                self._write(client, outbox.take(now, slots=False))
            else:
                self.pay(client, now)
                outbox.drop(symbol_ids)
            self._wait(outbox)

    def due(self, now: float) -> None:
        """Write what has become due."""
        for outbox in self.wheel.take(now):
            outbox.tick = None
            client = self.outboxes.get(outbox)
            if client is not None:
                self.pay(client, now)

    # --- how ---

    def _needs_outbox(self, wants: Wants) -> bool:
        return is_paced(wants) or bool(self._touched and any(options.mode is Mode.LATEST for options, _ in wants))

    def _to_outbox(self, client: Client, wants: Wants) -> bool:
        outbox = Outbox(client.form, wants, gaps=client.hears_gaps, ring_size=self._ring_size)
        grown = self._audiences.add_outbox(outbox, wants)
        lane = client.lane
        shrunk = lane is not None and self._quit(lane, client)
        if client.blocked:
            outbox.block()
        client.outbox = outbox
        self.outboxes[outbox] = client
        return grown or shrunk

    def _change_outbox(self, outbox: Outbox, wants: Wants) -> bool:
        old = outbox.wants
        if wants == old:
            return False
        # Those that stay are added before the others are taken away, so that no symbol seems unwanted between.
        gone, came = _difference(old, wants)
        shrunk = self._audiences.remove_outbox(outbox, gone)
        grown = self._audiences.add_outbox(outbox, came)
        outbox.wants = wants
        return grown or shrunk

    def _to_lane(self, client: Client, wants: Wants) -> bool:
        lane = client.lane
        if not wants:
            return lane is not None and self._quit(lane, client)
        key = client.form, client.hears_gaps, wants
        there = self._lanes.get(key)
        if there is not None:
            if there is lane:
                return False
            shrunk = lane is not None and self._quit(lane, client)
            there.enter(client)
            return shrunk
        if lane is not None and len(lane.members) == 1:
            return self._change_lane(lane, key)
        there = self._lanes[key] = Lane(key)
        grown = self._audiences.add_lane(there, wants)
        self._by_place[id(there.append)] = there
        if there.slots is not None:
            self._by_place[id(there.slots)] = there
        shrunk = lane is not None and self._quit(lane, client)
        there.enter(client)
        return grown or shrunk

    def _change_lane(self, lane: Lane, key: LaneKey) -> bool:
        gone, came = _difference(lane.wants, key[2])
        shrunk = self._audiences.remove_lane(lane, gone)
        grown = self._audiences.add_lane(lane, came)
        lane.wants = key[2]
        self._rekey(lane, key)
        if lane.slots is not None:
            self._by_place[id(lane.slots)] = lane
        return grown or shrunk

    def _rekey(self, lane: Lane, key: LaneKey | Client) -> None:
        del self._lanes[lane.key]
        lane.key = key
        self._lanes[key] = lane

    def _own_lane(self, client: Client) -> Lane:
        """A lane that nobody will come into, with what the client wants by now."""
        lane = client.lane
        if lane is not None and lane.key is client:
            return lane
        if lane is not None and len(lane.members) == 1:
            self._rekey(lane, client)
            return lane
        mine = Lane((client.form, client.hears_gaps, NOTHING))
        mine.key = client
        self._lanes[client] = mine
        self._by_place[id(mine.append)] = mine
        if lane is not None:
            self._grow_lane(mine, lane.wants, lane.wants)
            self._quit(lane, client)
        mine.enter(client)
        return mine

    def _grow_lane(self, lane: Lane, part: Wants, wants: Wants) -> bool:
        lane.wants = wants
        changed = self._audiences.add_lane(lane, part)
        if lane.slots is not None:
            self._by_place[id(lane.slots)] = lane
        return changed

    def _quit(self, lane: Lane, client: Client) -> bool:
        lane.leave(client)
        if lane.members:
            return False
        del self._lanes[lane.key]
        del self._by_place[id(lane.append)]
        if lane.slots is not None:
            self._by_place.pop(id(lane.slots), None)
        return self._audiences.retire(lane, lane.wants)

    def _empty(self, client: Client) -> None:
        """Take the client's outbox away; it is in no audience any more."""
        outbox = client.outbox
        assert outbox is not None, "asked only of clients with an outbox"
        client.outbox = None
        del self.outboxes[outbox]
        self._dirty.discard(outbox)
        self._unwait(outbox)
        self.tally.skipped += outbox.total_skipped
        self.tally.gapped += outbox.gapped

    def _wait(self, outbox: Outbox) -> None:
        self._unwait(outbox)
        due = outbox.next_due()
        if due is not None:
            outbox.tick = self.wheel.put(outbox, due)

    def _unwait(self, outbox: Outbox) -> None:
        if outbox.tick is not None:
            self.wheel.discard(outbox, outbox.tick)
            outbox.tick = None

    def _write(self, client: Client, frames: list[bytes]) -> None:
        if not frames:
            return
        data = frames[0] if len(frames) == 1 else b"".join(frames)
        self.tally.frames += len(frames)
        self.tally.bytes += len(data)
        write_to(client, data)


def _difference(old: Wants, new: Wants) -> tuple[Wants, Wants]:
    """The parts that go, and the parts that come."""
    before, after = dict(merged(old)), dict(new)
    gone, came = [], []
    for options in before.keys() | after.keys():
        left, right = before.get(options, ()), after.get(options, ())
        if left != right:
            here, there = set(left), set(right)
            gone.append((options, tuple(here - there)))
            came.append((options, tuple(there - here)))
    return tuple(gone), tuple(came)


def _told(hole: Gap, form: Form, *, gaps: bool) -> bytes:
    """Tell that the gateway itself missed updates, in a way the client takes."""
    if gaps:
        return gaps_frame(form, [hole])
    missing = hole.to_sequence - hole.from_sequence + 1
    return b"" if form is Form.PLAIN else skipped_frame(missing, form)
