"""The iterator's queue: order, bound, what is kept when it is full."""

import pytest

from quotewire.client.mailbox import Mailbox
from quotewire.market.quote import Freshness, Quote, Source


def quote(symbol_id: int, sequence: int) -> Quote:
    return Quote(
        symbol=f"S{symbol_id}",
        symbol_id=symbol_id,
        epoch=1,
        sequence=sequence,
        freshness=Freshness.LIVE,
        source=Source.STREAM,
        delayed=False,
        received_at=0,
    )


def drain(mailbox: Mailbox) -> list[tuple[int, int]]:
    taken = []
    while (item := mailbox.get()) is not None:
        assert isinstance(item, Quote)
        taken.append((item.symbol_id, item.sequence))
    return taken


def test_oldest_first() -> None:
    mailbox = Mailbox(8)
    for sequence in (1, 2, 3):
        mailbox.put(quote(1, sequence))
    assert len(mailbox) == 3
    assert drain(mailbox) == [(1, 1), (1, 2), (1, 3)]
    assert mailbox.skipped == 0


def test_a_full_one_keeps_the_newest_of_each_symbol_and_counts_the_rest() -> None:
    mailbox = Mailbox(4)
    for symbol_id, sequence in ((1, 1), (2, 1), (1, 2), (1, 3), (1, 4)):
        mailbox.put(quote(symbol_id, sequence))
    assert mailbox.skipped == 3
    assert drain(mailbox) == [(2, 1), (1, 4)]


def test_it_never_grows_past_its_bound_nor_loses_the_newest() -> None:
    mailbox = Mailbox(6)
    for sequence in range(1, 1001):
        mailbox.put(quote(sequence % 3, sequence))
        assert len(mailbox) <= 6
    taken = drain(mailbox)
    assert dict(taken) == {1: 1000, 2: 998, 0: 999}
    assert len(taken) + mailbox.skipped == 1000


def test_reserve_only_raises_the_bound() -> None:
    mailbox = Mailbox(4)
    mailbox.reserve(10)
    assert mailbox.capacity == 20
    mailbox.reserve(1)
    assert mailbox.capacity == 20


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Mailbox(0)
