"""Several streams of one symbol are as good as one: nothing is lost, comes twice or goes back."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.market.book import Book
from quotewire.market.quote import Freshness, QuotePatch, Source
from quotewire.upstream.twins import HOLD_S, Heard, Twins

STEP_S = 0.05


def contents(moves: list[tuple[int, bool]]) -> list[QuotePatch]:
    """What an exchange does with one symbol: bids that go up and down, sometimes a trade. No two neighbours alike."""
    made: list[QuotePatch] = []
    bid, volume = 10, 100
    for step, is_trade in moves:
        bid, volume = bid + (step or 1), volume + (100 if is_trade else 0)
        time = f"2026-03-03T10:00:{volume // 100 % 60:02d}-05:00"
        made.append(QuotePatch(symbol_id=1, symbol="S", bid_price=bid % 3, volume=volume, last_trade_time=time))
        if len(made) > 1 and made[-1] == made[-2]:
            made.pop()
    return made


def run(truth: list[QuotePatch], turns: Iterator[tuple[str, int]]) -> list[QuotePatch]:
    """Streams bring contents in the order of `turns`; what is passed on."""
    twins, book, now = Twins(), Book(1), 0.0
    passed: list[QuotePatch] = []

    def take(patch: QuotePatch) -> None:
        passed.append(patch)
        book.apply(patch, source=Source.STREAM, received_at_ms=0, freshness=Freshness.LIVE)

    for name, at in turns:
        now += STEP_S
        for patch in twins.due(now):
            take(patch)
        if twins.hear(name, truth[at], book.get(1), now) is Heard.NEW:
            take(truth[at])
    for patch in twins.due(now + HOLD_S):
        take(patch)
    return passed


MOVES = st.lists(st.tuples(st.integers(-2, 2), st.booleans()), min_size=4, max_size=40)
TRADES = st.lists(st.tuples(st.integers(-2, 2), st.just(True)), min_size=4, max_size=40)


def race(truth: list[QuotePatch], data: st.DataObject, lag: int) -> Iterator[tuple[str, int]]:
    """Two streams from the start, neither ever more than `lag` contents behind the other."""
    yield from (("a", 0), ("b", 0))
    at = {"a": 1, "b": 1}
    while min(at.values()) < len(truth):
        behind = min(at, key=lambda name: at[name])
        ahead = "b" if behind == "a" else "a"
        free = at[ahead] < len(truth) and at[ahead] - at[behind] < lag
        name = data.draw(st.sampled_from((behind, ahead))) if free else behind
        yield name, at[name]
        at[name] += 1


@settings(deadline=None)
@given(MOVES, st.integers(1, 12), st.data())
def test_two_streams_are_as_good_as_one(moves: list[tuple[int, bool]], lag: int, data: st.DataObject) -> None:
    truth = contents(moves)

    assert run(truth, race(truth, data, lag)) == truth


@settings(deadline=None)
@given(MOVES, st.data())
def test_a_stream_that_dies_is_not_missed(moves: list[tuple[int, bool]], data: st.DataObject) -> None:
    """One stream brings a part and ends anywhere; the other brings everything, sooner or later."""
    truth = contents(moves)
    end = data.draw(st.integers(1, len(truth)))
    order = data.draw(st.permutations(["a"] * (end - 1) + ["b"] * (end - 1)))
    at = {"a": 1, "b": 1}

    def turns() -> Iterator[tuple[str, int]]:
        yield from (("a", 0), ("b", 0))
        for name in [*order, *["b"] * (len(truth) - end)]:
            yield name, at[name]
            at[name] += 1

    assert run(truth, turns()) == truth


@settings(deadline=None)
@given(TRADES, st.data())
def test_a_stream_that_joins_late_brings_nothing_twice_and_nothing_back(
    moves: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """It begins with the content of its moment, and the first, which may be ahead or behind, ends somewhere."""
    truth = contents(moves)
    joins = data.draw(st.integers(0, len(truth) - 1))
    ends = data.draw(st.integers(joins, len(truth)))
    order = data.draw(st.permutations(["a"] * (ends - joins) + ["b"] * (ends - joins)))
    at = {"a": joins, "b": joins}

    def turns() -> Iterator[tuple[str, int]]:
        for before in range(joins):
            yield "a", before
        for name in [*order, *["b"] * (len(truth) - ends)]:
            yield name, at[name]
            at[name] += 1

    assert run(truth, turns()) == truth


@settings(deadline=None)
@given(MOVES, st.data())
def test_whatever_joins_and_ends_the_last_word_is_the_last_content(
    moves: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Where equal contents make a place uncertain updates may be lost, but what clients end with is the truth."""
    truth = contents(moves)
    joins = data.draw(st.integers(0, len(truth) - 1))
    order = data.draw(st.permutations(["a"] * (len(truth) - joins) + ["b"] * (len(truth) - joins)))
    at = {"a": joins, "b": joins}

    def turns() -> Iterator[tuple[str, int]]:
        for before in range(joins):
            yield "a", before
        for name in order:
            yield name, at[name]
            at[name] += 1

    passed = run(truth, turns())
    assert passed[-1] == truth[-1]


def test_what_waits_and_turns_out_to_be_older_is_not_passed_on_when_its_stream_is_alone() -> None:
    def content(bid: float, volume: int) -> QuotePatch:
        return QuotePatch(symbol_id=1, bid_price=bid, volume=volume, last_trade_time="2026-03-03T10:00:00-05:00")

    open_streams = {"alice", "bob"}
    twins = Twins(lambda stream, symbol_id: stream in open_streams)
    book = Book(1)

    def hear(stream: str, patch: QuotePatch, now: float, since: float) -> Heard:
        heard = twins.hear(stream, patch, book.get(1), now, since)
        if heard is Heard.NEW:
            book.apply(patch, source=Source.STREAM, received_at_ms=0, freshness=Freshness.LIVE)
        return heard

    assert hear("alice", content(1.0, 5), 100.0, 99.0) is Heard.NEW
    assert hear("alice", content(2.0, 5), 103.0, 99.0) is Heard.NEW
    assert hear("bob", content(1.0, 5), 103.1, 102.0) is Heard.HELD  # is he behind alice, or ahead of her?
    assert hear("alice", content(2.0, 6), 103.2, 99.0) is Heard.NEW  # behind
    open_streams.remove("alice")

    assert twins.due(103.2 + HOLD_S) == []
