"""Any interleaving of updates, time, slow sockets, commands and drops, in every mode: each client's stream is in order,
its deltas rebuild the exact quotes, and gaps and `skipped` account for every update it has not got.
"""

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quotewire.hub import audience
from quotewire.hub.hub import Delivery, Joined
from quotewire.market.quote import Quote
from quotewire.wire.codec import Form, quotes_frame
from quotewire.wire.options import ALWAYS, DEFAULT_OPTIONS, Mode, Options, Position
from tests.hub_clients import FakeClient, World, messages
from tests.wire_samples import quote

SYMBOLS = (1, 2, 3, 4)
WRITE_S = 0.0006  # two writes are a slice
symbol_sets = st.sets(st.sampled_from(SYMBOLS), min_size=1)
options = st.builds(
    Options,
    fields=st.sampled_from([None, (), ("bidPrice",), ("bidPrice", "volume")]),
    max_rate=st.sampled_from([0.0, 0.0, 0.0, 4.0]),
    delta=st.booleans(),
    mode=st.sampled_from(list(Mode)),
).filter(lambda chosen: not (chosen.max_rate and chosen.mode is Mode.EVERY))


def shown(quote_: Quote, fields: tuple[str, ...] | None) -> dict[str, Any]:
    """The quote as a client with these fields sees it."""
    whole: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(quote_))
    return whole if fields is None else {name: whole[name] for name in (*ALWAYS, *fields)}


class Reader:
    """A client that checks what it is sent against all that was ever published."""

    def __init__(
        self,
        form: Form,
        *,
        hears_gaps: bool,
        history: dict[tuple[int, int, int], Quote],
        world: World,
    ) -> None:
        self.world = world
        self.commanding = False  # an answer to a command is written even to a socket that takes nothing
        self.history = history
        self.form = form
        self.hears_gaps = hears_gaps
        self.wanted: dict[int, Options] = {}
        self.positions: dict[int, Position] = {}
        self.connect()

    def connect(self) -> None:
        self.client = FakeClient(self.form, hears_gaps=self.hears_gaps)
        self.written: list[float] = []
        self.client.write = self.take
        self.held: dict[int, dict[str, Any]] = {}
        self.skipped = self.missed = 0
        self.exact = True
        self.times: dict[int, list[float]] = {}

    def take(self, data: bytes) -> None:
        assert self.commanding or not self.client.blocked
        self.written.append(self.world.now)
        self.client.take(data)
        self.world.now += WRITE_S

    def accept(self, joined: Joined, gaps_told: bool) -> None:
        """Take the answer to a subscription."""
        if gaps_told:
            for gap in joined.gaps:
                self.gap(gap.symbol_id, gap.epoch, gap.from_sequence, gap.to_sequence)
        elif joined.gaps:
            # Not told in words it does not know: the snapshot starts it anew.
            for gap in joined.gaps:
                self.positions.pop(gap.symbol_id, None)
        for body in joined.snapshot:
            self.quote(self.decode(body), 0.0, fresh=True)
        if joined.replay:
            self.read(quotes_frame(self.form, joined.replay, skipped=joined.skipped), 0.0)

    def decode(self, body: bytes) -> dict[str, Any]:
        told: dict[str, Any] = (msgspec.msgpack if self.form is Form.MSGPACK else msgspec.json).decode(body)
        return told

    def catch_up(self) -> None:
        """Read what was written since the last time."""
        first, self.client.read = self.client.read, len(self.client.writes)
        for data, now in zip(self.client.writes[first:], self.written[first:], strict=True):
            self.read(data, now)

    def read(self, data: bytes, now: float) -> None:
        for message in messages(data):
            self.skipped += message.get("skipped", 0)
            for gap in message.get("gaps", ()):
                self.gap(gap["symbolId"], gap["epoch"], gap["from"], gap["to"])
            for told in message.get("quotes", ()):
                self.quote(told, now)

    def gap(self, symbol_id: int, epoch: int, first: int, last: int) -> None:
        assert self.hears_gaps
        position = self.positions.get(symbol_id)
        if position is None:
            assert first <= last  # the symbol's first updates are what is lost
        elif position.epoch == epoch:
            assert position.sequence + 1 == first <= last
        else:
            assert first == 1
        self.positions[symbol_id] = Position(epoch, last)

    def quote(self, told: dict[str, Any], now: float, *, fresh: bool = False) -> None:
        symbol_id, epoch, sequence = told["symbolId"], told["epoch"], told["sequence"]
        chosen = self.wanted[symbol_id]
        position = self.positions.get(symbol_id)
        if position is not None and position.epoch == epoch:
            assert sequence > position.sequence or (fresh and sequence == position.sequence)
            self.missed += max(0, sequence - position.sequence - 1)
        elif not fresh:
            self.exact = False  # where it begins, it cannot tell what was replaced before
        if now:
            self.times.setdefault(symbol_id, []).append(now)
        self.positions[symbol_id] = Position(epoch, sequence)
        if told.pop("delta", False):
            assert chosen.delta
            self.held[symbol_id] |= told
        else:
            self.held[symbol_id] = told
        assert self.held[symbol_id] == shown(self.history[symbol_id, epoch, sequence], chosen.fields)
        # Told before, so that nothing leaps without a reason.
        assert self.missed <= self.skipped


class Deliveries(RuleBasedStateMachine):
    """A hub, readers of each form, and a world that does anything in any order."""

    @initialize()
    def begin(self) -> None:
        self.swept_at_once, audience.SWEPT_AT_ONCE = audience.SWEPT_AT_ONCE, 1  # so that to leave takes several turns
        self.world = World(Delivery(max_window_s=0.010, ring_size=3, history_depth=4, history_symbols=3))
        self.hub = self.world.hub
        self.history: dict[tuple[int, int, int], Quote] = {}
        self.newest: dict[int, Quote] = {}
        self.readers = [
            Reader(form, hears_gaps=hears, history=self.history, world=self.world)
            for form, hears in ((Form.NATIVE, True), (Form.MSGPACK, True), (Form.NATIVE, False))
        ]
        for reader in self.readers:
            self.hub.attach(reader.client)

    @rule(
        updates=st.lists(
            st.tuples(st.sampled_from(SYMBOLS), st.sampled_from([None, 1.5, 2.5]), st.integers(0, 2)),
            min_size=1,
            max_size=8,
        )
    )
    def publish(self, updates: list[tuple[int, float | None, int]]) -> None:
        for symbol_id, bid, volume in updates:
            self._publish(symbol_id, bid, volume, step=1)

    @rule(symbol_id=st.sampled_from(SYMBOLS), missing=st.integers(1, 3))
    def publish_after_a_hole(self, symbol_id: int, missing: int) -> None:
        self._publish(symbol_id, 3.5, 0, step=1 + missing)

    @rule(symbol_id=st.sampled_from(SYMBOLS))
    def new_epoch(self, symbol_id: int) -> None:
        before = self.newest.get(symbol_id)
        self._put(quote(symbol_id, 1, epoch=7 if before is None else before.epoch + 1))

    def _publish(self, symbol_id: int, bid: float | None, volume: int, *, step: int) -> None:
        before = self.newest.get(symbol_id)
        epoch, sequence = (7, 0) if before is None else (before.epoch, before.sequence)
        self._put(quote(symbol_id, sequence + step, epoch=epoch, bid_price=bid, volume=volume))

    def _put(self, update: Quote) -> None:
        self.newest[update.symbol_id] = update
        self.history[update.symbol_id, update.epoch, update.sequence] = update
        self.hub.publish([update])

    @rule(who=st.integers(0, 2), symbol_ids=symbol_sets, chosen=options | st.just(DEFAULT_OPTIONS))
    def subscribe(self, who: int, symbol_ids: set[int], chosen: Options) -> None:
        self._subscribe(who, symbol_ids, chosen, more=None)

    def _subscribe(self, who: int, symbol_ids: set[int], chosen: Options, *, more: bool | None) -> None:
        reader = self.readers[who]
        changing = {i for i in symbol_ids if i in reader.wanted}
        reader.commanding = True
        joined = self.hub.join(reader.client, sorted(symbol_ids), chosen, more=more)
        reader.commanding = False
        reader.catch_up()
        reader.exact &= not changing
        for symbol_id in symbol_ids:
            reader.wanted[symbol_id] = chosen
            if symbol_id not in changing:
                reader.positions.pop(symbol_id, None)
            reader.times.pop(symbol_id, None)
        reader.accept(joined, reader.hears_gaps)

    @rule(who=st.integers(0, 2), symbol_ids=symbol_sets, chosen=options | st.just(DEFAULT_OPTIONS))
    def subscribe_in_parts(self, who: int, symbol_ids: set[int], chosen: Options) -> None:
        """One symbol a part, with an update of each symbol and a flush between any two."""
        parts = sorted(symbol_ids)
        for at, symbol_id in enumerate(parts):
            self._subscribe(who, {symbol_id}, chosen, more=at + 1 < len(parts))
            if symbol_id % 2:
                for each in SYMBOLS:
                    self._publish(each, 4.5, at, step=1)
                self.world.sleep(0.0 if symbol_id == 1 else 0.02)

    @rule(who=st.integers(0, 2), symbol_ids=symbol_sets)
    def unsubscribe(self, who: int, symbol_ids: set[int]) -> None:
        reader = self.readers[who]
        self.hub.leave(reader.client, symbol_ids & set(reader.wanted))
        reader.catch_up()
        reader.exact = False
        if not reader.client.blocked:
            for symbol_id in symbol_ids:
                reader.wanted.pop(symbol_id, None)
                reader.positions.pop(symbol_id, None)
        else:
            # What was on its way when the socket closed up may still come: as on a socket, it is passed over.
            self._drop(who, symbol_ids & set(reader.wanted))

    def _drop(self, who: int, symbol_ids: set[int]) -> None:
        reader = self.readers[who]
        self.hub.detach(reader.client)
        for symbol_id in symbol_ids:
            del reader.wanted[symbol_id]
        reader.positions = {i: p for i, p in reader.positions.items() if i in reader.wanted}
        reader.connect()
        self.hub.attach(reader.client)
        for chosen in set(reader.wanted.values()):
            ids = sorted(i for i, each in reader.wanted.items() if each == chosen)
            positions = {i: reader.positions[i] for i in ids if i in reader.positions}
            reader.accept(self.hub.join(reader.client, ids, chosen, positions), reader.hears_gaps)
            reader.catch_up()

    @rule(who=st.integers(0, 2))
    def drop_and_resume(self, who: int) -> None:
        self._drop(who, set())

    @rule(who=st.integers(0, 2), ahead=st.integers(0, 3))
    def resume_where_this_node_is_not_yet(self, who: int, ahead: int) -> None:
        reader = self.readers[who]
        for symbol_id, position in reader.positions.items():
            newest = self.newest[symbol_id]
            if position == (newest.epoch, newest.sequence):
                # Another node had told it of updates that come here later; they are made up here, and published.
                for step in range(1, ahead + 1):
                    later = quote(symbol_id, newest.sequence + step, epoch=newest.epoch)
                    self.history[symbol_id, later.epoch, later.sequence] = later
                reader.positions[symbol_id] = Position(newest.epoch, newest.sequence + ahead)
        self._drop(who, set())
        for symbol_id in SYMBOLS:
            for _ in range(ahead if symbol_id in self.newest else 0):
                newest = self.newest[symbol_id]
                self._put(quote(symbol_id, newest.sequence + 1, epoch=newest.epoch))

    @rule(who=st.integers(0, 2))
    def block(self, who: int) -> None:
        if not self.readers[who].client.blocked:
            self.world.block(self.readers[who].client)

    @rule(who=st.integers(0, 2))
    def unblock(self, who: int) -> None:
        if self.readers[who].client.blocked:
            self.world.unblock(self.readers[who].client)

    @rule(symbol_ids=symbol_sets)
    def forget(self, symbol_ids: set[int]) -> None:
        # As the upstream does: what nobody wants.
        self.hub.forget(symbol_ids.difference(*(reader.wanted for reader in self.readers)))

    @rule(seconds=st.sampled_from([0.0, 0.002, 0.02, 0.2, 2.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.sleep(seconds)
        for reader in self.readers:
            self.hub.settle(reader.client)

    @invariant()
    def all_that_was_written_is_in_order_and_exact(self) -> None:
        for reader in getattr(self, "readers", ()):
            reader.catch_up()
            for symbol_id, times in reader.times.items():
                if symbol_id in reader.wanted and reader.wanted[symbol_id].max_rate:
                    rate = reader.wanted[symbol_id].max_rate
                    assert all(b - a >= 1 / rate - 1e-9 for a, b in pairwise(times))

    @invariant()
    def what_waits_is_bounded(self) -> None:
        for reader in getattr(self, "readers", ()):
            outbox = reader.client.outbox
            if outbox is not None and outbox.blocked:
                assert outbox._ring is None or len(outbox._ring) <= 3 + len(SYMBOLS)
                assert len(outbox._slots) <= len(SYMBOLS)

    def teardown(self) -> None:
        """In the end all sockets take data, and all is told."""
        if not hasattr(self, "readers"):
            return
        try:
            self._end()
        finally:
            audience.SWEPT_AT_ONCE = self.swept_at_once

    def _end(self) -> None:
        for who in range(len(self.readers)):
            self.unblock(who)
        self.world.sleep(5)
        for reader in self.readers:
            reader.catch_up()
            for symbol_id in reader.wanted:
                newest = self.newest.get(symbol_id)
                if newest is not None and symbol_id in reader.positions:
                    assert reader.positions[symbol_id] == (newest.epoch, newest.sequence)
            if reader.exact:
                assert reader.missed == reader.skipped
            self.hub.settle(reader.client)
            self.hub.detach(reader.client)
        self.world.sleep(1)
        audiences = self.hub._seats._audiences
        assert audiences.tidy
        assert not audiences._runs  # shapes are made up by clients: one that nobody wants must not stay
        left = self.hub.stats()
        empty = ("clients", "lanes", "clients_apart", "symbols_wanted", "updates_waiting")
        assert not any(left[name] for name in empty), left


Deliveries.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestDeliveries = Deliveries.TestCase
