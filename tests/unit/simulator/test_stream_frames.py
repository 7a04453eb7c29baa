"""Cutting what is owed into frames."""

from collections import deque
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from quotewire.simulator.market import Market
from quotewire.simulator.rows import Change, QuoteRow
from quotewire.simulator.stream import next_frame


@given(st.lists(st.integers(1, 6), max_size=60), st.integers(1, 8))
def test_frames_keep_the_order_and_repeat_no_symbol(ids: list[int], most: int) -> None:
    owed = deque(_change(each, place) for place, each in enumerate(ids))
    wanted = list(owed)
    got: list[Change] = []
    while owed:
        frame = next_frame(owed, most)
        names = [change.row.symbol_id for change in frame]
        assert 1 <= len(frame) <= most
        assert len(set(names)) == len(names)
        got += frame
    assert got == wanted


def test_a_body_is_made_once(make_market: Callable[..., Market]) -> None:
    row = make_market(symbols=1).row(8049)
    assert row is not None
    change = Change(1.0, row)
    assert change.body is change.body


def _change(symbol_id: int, volume: int) -> Change:
    row = QuoteRow("X", symbol_id, "", 1, 1, 2, 1, 1, 1, 1, "Up", "t", volume, 1, 1, 1, 0, False, 1, 1, 1)
    return Change(float(volume), row)
