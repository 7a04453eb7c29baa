"""What a node is owed: everything in order, and where that is gone, exactly what is missing."""

from hypothesis import given
from hypothesis import strategies as st

from quotewire.bus.feed import Feed, Wants
from quotewire.market.history import History
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.options import Cause, Gap


def quote(symbol_id: int, sequence: int) -> Quote:
    return Quote(
        symbol=f"S{symbol_id}",
        symbol_id=symbol_id,
        epoch=1,
        sequence=sequence,
        freshness=Freshness.LIVE,
        source=Source.STREAM,
        delayed=False,
        received_at=sequence * 10,
    )


def history(depth: int = 4) -> History[Quote]:
    return History(depth=depth, max_symbols=100)


def everything(feed: Feed) -> tuple[list[Quote], list[Gap]]:
    quotes: list[Quote] = []
    gaps: list[Gap] = []
    while (owed := feed.catch_up()) is not None:
        quotes += owed[0]
        gaps += owed[1]
    return quotes, gaps


def test_a_new_node_is_given_all_that_is_kept() -> None:
    kept = history(depth=2)
    for sequence in (1, 2, 3):
        kept.add(quote(7, sequence))
    kept.add(quote(8, 1))
    feed = Feed(kept)
    assert len(feed) == 2

    quotes, gaps = everything(feed)

    assert [(each.symbol_id, each.sequence) for each in quotes] == [(7, 2), (7, 3), (8, 1)]
    assert gaps == []  # what was before it came is no gap of its own
    assert feed.offer([quote(8, 2)]) is True


def test_a_node_that_keeps_up_gets_what_all_get() -> None:
    feed = Feed(history())
    assert feed.offer([quote(7, 1)]) is True
    assert feed.catch_up() is None
    assert feed.held_back == 0


def test_what_a_lagging_node_missed_is_read_from_the_history() -> None:
    kept, feed = history(), Feed(history())
    feed = Feed(kept)
    feed.block()
    for sequence in (5, 6, 7):
        kept.add(quote(7, sequence))
        assert feed.offer([quote(7, sequence)]) is False
    assert feed.catch_up() is None  # not while it takes nothing
    assert feed.held_back == 3

    feed.unblock()
    quotes, gaps = everything(feed)

    assert [each.sequence for each in quotes] == [5, 6, 7]
    assert gaps == []
    assert len(feed) == 0


def test_what_the_history_has_lost_is_told_exactly() -> None:
    kept = history(depth=2)
    feed = Feed(kept)
    feed.block()
    for sequence in range(5, 10):
        kept.add(quote(7, sequence))
        feed.offer([quote(7, sequence)])
    feed.unblock()

    quotes, gaps = everything(feed)

    assert [each.sequence for each in quotes] == [8, 9]
    assert gaps == [Gap("S7", 7, 1, 5, 7, None, 80, Cause.UPSTREAM)]
    assert feed.missed == 3


def test_a_symbol_the_history_dropped_owes_nothing() -> None:
    kept = history()
    feed = Feed(kept)
    feed.block()
    kept.add(quote(7, 1))
    feed.offer([quote(7, 1)])
    kept.drop(7)
    feed.unblock()
    assert everything(feed) == ([], [])


@given(st.lists(st.tuples(st.sampled_from(["quote", "block", "unblock"]), st.integers(1, 3)), max_size=120))
def test_all_comes_once_in_order_or_is_told_as_missing(steps: list[tuple[str, int]]) -> None:
    kept = history(depth=3)
    feed = Feed(kept)
    newest = {1: 0, 2: 0, 3: 0}
    at = {1: 0, 2: 0, 3: 0}

    def take(quotes: list[Quote], gaps: list[Gap]) -> None:
        lost = {gap.symbol_id: gap for gap in gaps}
        for each in quotes:
            if each.symbol_id in lost:
                gap = lost.pop(each.symbol_id)
                assert gap.from_sequence == at[each.symbol_id] + 1
                at[each.symbol_id] = gap.to_sequence
            assert each.sequence == at[each.symbol_id] + 1
            at[each.symbol_id] = each.sequence
        assert not lost

    for what, symbol_id in [*steps, ("unblock", 0)]:
        if what == "quote":
            newest[symbol_id] += 1
            update = quote(symbol_id, newest[symbol_id])
            kept.add(update)
            take([update], []) if feed.offer([update]) else take(*everything(feed))
        elif what == "block":
            feed.block()
        else:
            feed.unblock()
            take(*everything(feed))
    assert at == newest


def test_what_is_wanted_is_the_union() -> None:
    wants = Wants()
    wants.change(1, [7, 8], [])
    wants.change(2, [8, 9], [])
    assert wants.union() == {7, 8, 9}

    wants.change(1, [], [7])
    assert wants.union() == {8, 9}

    wants.forget(2)
    assert wants.union() == {8}
    wants.forget(2)
    wants.forget(1)
    assert wants.union() == frozenset()
