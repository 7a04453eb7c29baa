"""The client's table against a model of the gateway, with messages in flight both ways, in any order of events.

Whatever readers, drops and answers come in whatever order: once all is quiet the gateway carries exactly what is read,
each reader ends with the newest quote of each of its symbols, and nobody ever sees a position go back.
"""

from collections import deque
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from quotewire.client.entries import Reader
from quotewire.client.subscriptions import Command, Outcome, Subscriptions
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import Subscribe, Subscribed, SymbolResult

NAMES = {"A": 1, "B": 2, "C": 3, "a": 1}
CHOICES = ("A", "B", "C", "a", 1, 2, 3, "NOPE")


class Model:
    """A gateway, and the road to it."""

    def __init__(self) -> None:
        numbers = count(1)
        self.table = Subscriptions(lambda prefix: f"{prefix}-{next(numbers)}")
        self.wanted: set[int] = set()
        self.sequences = dict.fromkeys(NAMES.values(), 0)
        self.upward: deque[Command] = deque()
        self.downward: deque[Subscribed | Quote] = deque()
        self.readers: list[Reader] = []
        self.seen: dict[Reader, dict[int, int]] = {}

    def carry(self, outcome: Outcome) -> None:
        self.upward.extend(outcome.send)

    def join(self, names: list[str | int]) -> None:
        reader = Reader(names, 4)
        self.readers.append(reader)
        self.seen[reader] = {}
        self.carry(self.table.join(reader, 0.0))

    def leave(self, index: int) -> None:
        if self.readers:
            self.carry(self.table.leave(self.readers.pop(index % len(self.readers)), 0.0))

    def reconnect(self) -> None:
        self.table.disconnected()
        self.wanted.clear()
        self.upward.clear()
        self.downward.clear()
        self.carry(self.table.connected(300, 0.0))

    def quote(self, symbol_id: int) -> Quote:
        return Quote(
            symbol="ABC"[symbol_id - 1],
            symbol_id=symbol_id,
            epoch=1,
            sequence=self.sequences[symbol_id],
            freshness=Freshness.LIVE,
            source=Source.STREAM,
            delayed=False,
            received_at=0,
        )

    def update(self, symbol_id: int) -> None:
        self.sequences[symbol_id] += 1
        if symbol_id in self.wanted:
            self.downward.append(self.quote(symbol_id))

    def serve(self) -> None:
        """The gateway handles one command."""
        if not self.upward:
            return
        command = self.upward.popleft()
        if not isinstance(command, Subscribe):
            self.wanted -= set(command.ids)
            return
        results = []
        asked: list[str | int] = [*command.symbols, *command.ids]
        for name in asked:
            symbol_id = NAMES.get(name) if isinstance(name, str) else name
            known = symbol_id is not None
            results.append(
                SymbolResult(ok=known, symbol_id=symbol_id, code=None if known else ErrorCode.UNKNOWN_SYMBOL)
            )
        granted = [result.symbol_id for result in results if result.symbol_id is not None]
        self.wanted.update(granted)
        self.downward.append(Subscribed(request_id=command.request_id, results=results))
        self.downward.extend(self.quote(symbol_id) for symbol_id in granted)

    def deliver(self) -> None:
        """The client hears one message."""
        if not self.downward:
            return
        message = self.downward.popleft()
        if isinstance(message, Subscribed):
            self.carry(self.table.answered(message.request_id, message.results, 0.0))
        else:
            self.table.accept([message])

    def read(self, index: int) -> None:
        if not self.readers:
            return
        reader = self.readers[index % len(self.readers)]
        while (quote := reader.mailbox.get()) is not None:
            assert isinstance(quote, Quote)
            assert quote.sequence > self.seen[reader].get(quote.symbol_id, -1)
            self.seen[reader][quote.symbol_id] = quote.sequence

    def calm(self) -> None:
        while self.upward or self.downward:
            self.serve()
            self.deliver()
        for index in range(len(self.readers)):
            self.read(index)


names = st.lists(st.sampled_from(CHOICES), min_size=1, max_size=4)
steps = st.one_of(
    st.tuples(st.just("join"), names),
    st.tuples(st.just("leave"), st.integers(0, 5)),
    st.tuples(st.just("update"), st.sampled_from(sorted(set(NAMES.values())))),
    st.tuples(st.just("serve"), st.none()),
    st.tuples(st.just("deliver"), st.none()),
    st.tuples(st.just("read"), st.integers(0, 5)),
    st.tuples(st.just("reconnect"), st.none()),
)


@given(st.lists(steps, max_size=60))
def test_when_all_is_quiet_everyone_has_what_is_wanted(script: list[tuple[str, object]]) -> None:
    model = Model()
    model.reconnect()
    for action, argument in script:
        method = getattr(model, action)
        method() if argument is None else method(argument)
    model.calm()
    read = {NAMES.get(name, 0) if isinstance(name, str) else name for reader in model.readers for name in reader.names}
    assert model.wanted == read - {0}
    for reader in model.readers:
        assert reader.undecided == set()
        ids = {NAMES[name] if isinstance(name, str) else name for name in reader.names if name != "NOPE"}
        assert model.seen[reader] == {symbol_id: model.sequences[symbol_id] for symbol_id in ids}
        assert len(reader.refused) == ("NOPE" in reader.names)
