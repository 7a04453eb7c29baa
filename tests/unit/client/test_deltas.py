"""Parts become whole quotes, on the base of their own connection."""

from typing import Any

import msgspec

from quotewire.client.deltas import Bases, Part
from tests.wire_samples import quote


def part(**keys: Any) -> Any:
    return msgspec.convert(keys, Part)


def delta(symbol_id: int, sequence: int, **changes: Any) -> Any:
    return part(symbolId=symbol_id, epoch=7, sequence=sequence, delta=True, **changes)


def whole(sequence: int, **fields: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(quote(1, sequence, **fields)), type=Part)


def test_a_whole_quote_is_the_base_of_what_follows() -> None:
    bases = Bases()
    quotes, lost = bases.whole([whole(1, bid_price=1.0, ask_price=2.0), delta(1, 2, bidPrice=None), delta(1, 5)])
    assert lost == []
    assert quotes == [
        quote(1, 1, bid_price=1.0, ask_price=2.0),
        quote(1, 2, bid_price=None, ask_price=2.0, volume=1),
        quote(1, 5, bid_price=None, ask_price=2.0, volume=1),
    ]


def test_a_snapshot_is_a_base_where_deltas_may_come() -> None:
    idle, used = Bases(), Bases()
    used.used = True
    for bases in (idle, used):
        bases.keep([quote(1, 1, bid_price=1.0)])
    assert used.whole([delta(1, 2)]) == ([quote(1, 2, bid_price=1.0, volume=1)], [])
    assert idle.whole([delta(1, 2)]) == ([], [1])


def test_what_stands_on_nothing_is_told_and_the_rest_is_taken() -> None:
    quotes, lost = Bases().whole([delta(2, 1), whole(1), part(symbolId=3, epoch=7, sequence=1)])
    assert (quotes, lost) == ([quote(1, 1)], [2, 3])
