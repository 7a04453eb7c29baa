"""Any interleaving of updates, pauses and flushes: each symbol's updates arrive in order and end with the newest."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quotewire.hub.hub import Hub
from quotewire.hub.outbox import Outbox
from quotewire.wire.codec import Form
from quotewire.wire.messages import UpstreamState
from tests.wire_samples import quote

put = st.tuples(st.just("put"), st.integers(1, 4))
acts = st.lists(put | st.tuples(st.sampled_from(["conflate", "take"]), st.just(0)), max_size=60)


@given(acts)
def test_an_outbox_delivers_an_ordered_subsequence_that_ends_with_the_newest(script: list[tuple[str, int]]) -> None:
    outbox, clock = Outbox(), 0
    given_, taken = defaultdict[int, list[int]](list), defaultdict[int, list[int]](list)
    skipped = delivered = 0
    conflated = False
    for act, symbol_id in [*script, ("take", 0)]:
        if act == "put":
            clock += 1
            given_[symbol_id].append(clock)
            outbox.put(symbol_id, b"%d %d" % (symbol_id, clock))
        elif act == "conflate":
            conflated = True
            outbox.conflate()
        else:
            owed, count = outbox.take()
            skipped += count
            delivered += len(owed)
            for framed in owed:
                symbol, _, number = framed.partition(b" ")
                taken[int(symbol)].append(int(number))
    assert skipped == clock - delivered == outbox.total_skipped
    if not conflated:
        assert taken == given_
    for symbol_id, numbers in given_.items():
        received = taken[symbol_id]
        assert received == sorted(set(received))
        assert set(received) <= set(numbers)
        assert received[-1] == numbers[-1]


class Reader:
    """A client of the hub that can be blocked; it keeps the newest number it was shown of each symbol."""

    def __init__(self) -> None:
        self.form = Form.NATIVE
        self.outbox = Outbox()
        self.blocked = False
        self.wanted: set[int] = set()
        self.seen: dict[int, list[int]] = defaultdict(list)

    def flush(self) -> None:
        if self.blocked:
            self.outbox.conflate()
            return
        self.write_owed()

    def write_owed(self) -> None:
        for framed in self.outbox.take()[0]:
            payload = framed[2:] if framed[1] < 126 else framed[4:]
            self.read(payload)

    def read(self, encoded: bytes) -> None:
        told = msgspec.json.decode(encoded)
        for q in told.get("quotes", [told]):
            self.seen[q["symbolId"]].append(q["sequence"])

    def tell_upstream(self, state: UpstreamState) -> None:
        """Nothing is told here."""


class Deliveries(RuleBasedStateMachine):
    """A hub, three readers, and a world that publishes, joins, leaves, blocks and turns in any order."""

    @initialize()
    def begin(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.wanted: frozenset[int] = frozenset()
        self.hub = Hub(schedule=self.waiting.append, on_wanted=self.note)
        self.readers = [Reader() for _ in range(3)]
        self.newest: dict[int, int] = defaultdict(int)
        for reader in self.readers:
            self.hub.attach(reader)

    def note(self, wanted: frozenset[int]) -> None:
        self.wanted = wanted

    @rule(symbol_ids=st.lists(st.integers(1, 4), min_size=1, max_size=6))
    def publish(self, symbol_ids: list[int]) -> None:
        quotes = []
        for symbol_id in symbol_ids:
            self.newest[symbol_id] += 1
            quotes.append(quote(symbol_id, self.newest[symbol_id]))
        self.hub.publish(quotes)

    @rule(who=st.integers(0, 2), symbol_ids=st.sets(st.integers(1, 4), min_size=1))
    def join(self, who: int, symbol_ids: set[int]) -> None:
        reader = self.readers[who]
        reader.write_owed()
        if reader.blocked:
            reader.outbox.conflate()
        known = self.hub.join(reader, sorted(symbol_ids))
        reader.wanted |= symbol_ids
        for encoded in known:
            reader.read(encoded)

    @rule(who=st.integers(0, 2), symbol_ids=st.sets(st.integers(1, 4), min_size=1))
    def leave(self, who: int, symbol_ids: set[int]) -> None:
        reader = self.readers[who]
        reader.flush()
        self.hub.leave(reader, tuple(symbol_ids & reader.wanted))
        reader.wanted -= symbol_ids

    @rule(who=st.integers(0, 2))
    def block(self, who: int) -> None:
        self.readers[who].blocked = True
        self.readers[who].outbox.conflate()

    @rule(who=st.integers(0, 2))
    def unblock(self, who: int) -> None:
        self.readers[who].blocked = False
        self.readers[who].flush()

    @rule()
    def turn(self) -> None:
        run = self.waiting[:]
        self.waiting.clear()
        for callback in run:
            callback()

    @invariant()
    def nothing_goes_back(self) -> None:
        for reader in getattr(self, "readers", ()):
            for sequences in reader.seen.values():
                assert all(later >= earlier for earlier, later in pairwise(sequences))

    @invariant()
    def after_a_turn_everyone_who_can_be_told_has_the_newest(self) -> None:
        if not hasattr(self, "hub") or self.waiting:
            return
        for reader in self.readers:
            for symbol_id in reader.wanted:
                if not reader.blocked and self.newest[symbol_id]:
                    assert reader.seen[symbol_id][-1] == self.newest[symbol_id]

    @invariant()
    def the_hub_wants_what_its_clients_want(self) -> None:
        if hasattr(self, "hub"):
            together = set().union(*(reader.wanted for reader in self.readers))
            assert self.wanted == together
            assert self.hub.stats()["symbols_wanted"] == len(together)

    def teardown(self) -> None:
        if hasattr(self, "hub"):
            for reader in self.readers:
                self.hub.detach(reader, reader.wanted)
            assert self.hub.stats()["symbols_wanted"] == self.hub.stats()["clients"] == 0
            assert self.wanted == frozenset()


TestDeliveries = Deliveries.TestCase
