"""The shapes of frames: one object each, and deltas only where there is something to build on."""

import pytest

from quotewire.hub import shape as shape_module
from quotewire.hub.shape import frame_of, shape_of
from quotewire.wire.codec import EncodedQuote, Form
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options
from tests.hub_clients import messages
from tests.wire_samples import quote


def test_equal_shapes_are_one_object() -> None:
    delta = Options(fields=("bidPrice",), delta=True)
    rated = Options(fields=("bidPrice",), delta=True, max_rate=5.0)
    assert shape_of(Form.NATIVE, delta, gaps=True) is shape_of(Form.NATIVE, rated, gaps=True)
    others = [
        shape_of(Form.MSGPACK, delta, gaps=True),
        shape_of(Form.NATIVE, delta, gaps=False),
        shape_of(Form.NATIVE, DEFAULT_OPTIONS, gaps=True),
        shape_of(Form.NATIVE, Options(mode=Mode.LATEST), gaps=True),
    ]
    assert len(set(others)) == 4
    assert shape_of(Form.NATIVE, Options(mode=Mode.EVERY), gaps=True) is others[2]


def test_a_shape_is_remembered_for_as_long_as_somebody_has_it() -> None:
    fields = Options(fields=("lastTradeTick", "tier"))
    before = len(shape_module._shapes)
    kept = shape_of(Form.NATIVE, fields, gaps=True)
    assert shape_of(Form.NATIVE, fields, gaps=True) is kept
    assert len(shape_module._shapes) == before + 1
    del kept
    assert len(shape_module._shapes) == before


@pytest.mark.parametrize("base", [None, quote(1, 1, epoch=6)])
def test_without_a_base_of_its_count_a_quote_is_whole(base: object) -> None:
    before = None if base is None else EncodedQuote(quote(1, 1, epoch=6))
    update = EncodedQuote(quote(1, 2))
    assert frame_of(update, before, Form.NATIVE, None, delta=True) is update.frame(Form.NATIVE)


def test_a_delta_is_made_once_for_all_with_its_base() -> None:
    before, update = EncodedQuote(quote(1, 1, volume=1)), EncodedQuote(quote(1, 2, volume=2))
    made = shape_of(Form.NATIVE, Options(delta=True), gaps=True).frame(update, before)
    assert made is shape_of(Form.NATIVE, Options(delta=True), gaps=False).frame(update, before)
    assert messages(made)[0]["quotes"] == [{"symbolId": 1, "epoch": 7, "sequence": 2, "delta": True, "volume": 2}]
