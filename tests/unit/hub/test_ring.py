"""The ring of every-tick delivery: bounded, in order, and what it lost told exactly."""

from quotewire.hub.ring import Item, Ring
from quotewire.wire.codec import EncodedQuote
from quotewire.wire.options import Cause, Gap, Mode, Options
from tests.wire_samples import quote

EVERY = Options(mode=Mode.EVERY)


def item(symbol_id: int, sequence: int, *, epoch: int = 7, base: EncodedQuote | None = None) -> Item:
    at = sequence * 10
    return Item(EncodedQuote(quote(symbol_id, sequence, epoch=epoch, received_at=at)), base, EVERY)


def positions(items: list[Item]) -> list[tuple[int, int]]:
    return [(each.update.symbol_id, each.update.sequence) for each in items]


def test_within_its_size_nothing_is_lost() -> None:
    ring = Ring(3)
    assert [ring.put(item(1, sequence)) for sequence in (1, 2, 3)] == [0, 0, 0]
    gaps, items = ring.take()
    assert (gaps, positions(items), len(ring), ring.lost) == ([], [(1, 1), (1, 2), (1, 3)], 0, 0)


def test_the_oldest_goes_and_is_a_gap_with_its_times() -> None:
    ring = Ring(2)
    base = EncodedQuote(quote(1, 4, received_at=40))
    ring.put(item(1, 5, base=base))
    for sequence in (6, 7, 8):
        assert ring.put(item(1, sequence)) in (0, 1)
    gaps, items = ring.take()
    assert gaps == [Gap("S1", 1, 7, 5, 6, 40, 70, Cause.SLOW)]
    assert positions(items) == [(1, 7), (1, 8)]
    assert items[0].base is base


def test_the_newest_of_a_symbol_steps_aside_and_is_not_lost() -> None:
    ring = Ring(2)
    ring.put(item(1, 1))
    for sequence in range(1, 6):
        ring.put(item(2, sequence))
    gaps, items = ring.take()
    assert [(gap.symbol_id, gap.from_sequence, gap.to_sequence) for gap in gaps] == [(2, 1, 3)]
    assert positions(items) == [(1, 1), (2, 4), (2, 5)]


def test_one_that_stepped_aside_is_lost_when_a_newer_one_comes() -> None:
    ring = Ring(2)
    ring.put(item(1, 1))
    ring.put(item(2, 1))
    ring.put(item(2, 2))
    assert ring.put(item(1, 2)) == 2
    gaps, items = ring.take()
    told = [(gap.symbol_id, gap.from_sequence, gap.to_sequence) for gap in gaps]
    assert sorted(told) == [(1, 1, 1), (2, 1, 1)]
    assert positions(items) == [(2, 2), (1, 2)]


def test_each_epoch_has_a_gap_of_its_own() -> None:
    ring = Ring(1)
    ring.put(item(1, 8))
    ring.put(item(1, 9))
    ring.put(item(1, 1, epoch=8))
    ring.put(item(1, 2, epoch=8))
    gaps, items = ring.take()
    assert [(gap.epoch, gap.from_sequence, gap.to_sequence) for gap in gaps] == [(7, 8, 9), (8, 1, 1)]
    assert positions(items) == [(1, 2)]


def test_what_the_gateway_missed_belongs_to_the_gap_around_it() -> None:
    ring = Ring(1)
    hole = Gap("S1", 1, 7, 2, 4, 10, 50, Cause.UPSTREAM)
    ring.put(item(1, 5)._replace(hole=hole))
    assert ring.put(item(1, 6)) == 4
    gaps, _ = ring.take()
    assert [(gap.from_sequence, gap.to_sequence, gap.cause) for gap in gaps] == [(2, 5, Cause.SLOW)]


def test_after_it_was_taken_it_begins_anew() -> None:
    ring = Ring(1)
    for sequence in (1, 2, 3):
        ring.put(item(1, sequence))
    ring.take()
    ring.put(item(1, 4))
    gaps, items = ring.take()
    assert (gaps, positions(items)) == ([], [(1, 4)])
    assert ring.lost == 2
