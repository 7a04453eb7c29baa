"""What a client that was away can be given, and when it must be told of a gap."""

import pytest

from quotewire.market.history import History, Ring
from quotewire.market.quote import Freshness, Quote, Source


def quote(sequence: int, *, epoch: int = 1, symbol_id: int = 8049) -> Quote:
    return Quote(
        symbol="AAPL",
        symbol_id=symbol_id,
        epoch=epoch,
        sequence=sequence,
        freshness=Freshness.LIVE,
        source=Source.STREAM,
        delayed=False,
        received_at=sequence,
    )


def ring(*sequences: int, depth: int = 3) -> Ring[Quote]:
    filled = Ring[Quote](depth)
    for sequence in sequences:
        filled.add(quote(sequence))
    return filled


def sequences(quotes: list[Quote] | None) -> list[int] | None:
    return None if quotes is None else [each.sequence for each in quotes]


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ((1, 5), []),  # up to date
        ((1, 4), [5]),
        ((1, 2), [3, 4, 5]),  # the oldest position that still works
        ((1, 1), None),  # 2 is gone
        ((1, 6), None),  # ahead of us: another history
        ((2, 4), None),
        ((0, 4), None),
    ],
)
def test_since(position: tuple[int, int], expected: list[int] | None) -> None:
    assert sequences(ring(1, 2, 3, 4, 5).since(*position)) == expected


def test_an_empty_ring_knows_nothing() -> None:
    assert Ring[Quote](3).since(1, 0) is None


def test_a_hole_forgets_what_came_before() -> None:
    holed = ring(1, 2, 5, 6)

    assert sequences(holed.since(1, 2)) is None
    assert sequences(holed.since(1, 4)) == [5, 6]


def test_repeated_and_late_updates_are_not_kept() -> None:
    kept = ring(4, 5)

    assert [kept.add(quote(5)), kept.add(quote(4)), kept.add(quote(9, epoch=0))] == [False] * 3
    assert sequences(kept.since(1, 3)) == [4, 5]


@pytest.mark.parametrize("first", [1, 6])
def test_a_new_epoch_starts_over(first: int) -> None:
    renewed = ring(4, 5)
    assert renewed.add(quote(first, epoch=2))

    assert renewed.since(1, 5) is None
    assert len(renewed) == 1
    assert sequences(renewed.since(2, first - 1)) == [first]


def test_the_symbol_unchanged_for_longest_goes_first() -> None:
    history = History[Quote](depth=2, max_symbols=2)
    for symbol_id, sequence in ((1, 1), (2, 1), (1, 2), (3, 1), (1, 3)):
        history.add(quote(sequence, symbol_id=symbol_id))

    assert history.since(2, 1, 0) is None
    assert sequences(history.since(1, 1, 1)) == [2, 3]
    assert history.stats() == (2, 3, 1)
    history.drop(1)
    history.drop(99)
    assert history.since(1, 1, 2) is None


@pytest.mark.parametrize("sizes", [{"depth": 0}, {"max_symbols": 0}])
def test_no_room_is_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="room for at least one"):
        History[Quote](**sizes).add(quote(1))


def test_all_that_is_kept_can_be_read_oldest_first() -> None:
    history = History[Quote](depth=2, max_symbols=2)
    for each in (quote(1), quote(2), quote(3), quote(7, symbol_id=9)):
        history.add(each)

    assert sequences(history.recent(8049)) == [2, 3]
    assert sequences(history.recent(9)) == [7]
    assert history.recent(10) == []
    assert history.symbols() == [8049, 9]
