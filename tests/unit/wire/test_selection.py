"""A selection says the same in every way it is encoded, however many of them clients make up."""

import itertools
import math

import msgspec
import pytest

from quotewire.wire import selection as module
from quotewire.wire.options import ALWAYS, QUOTE_FIELDS
from quotewire.wire.selection import Selection, selection
from tests.wire_samples import quote

CHOSEN = tuple(name for name in QUOTE_FIELDS if name not in ALWAYS)


def decoded(encoded: bytes, *, binary: bool) -> dict[str, object]:
    told: dict[str, object] = (msgspec.msgpack if binary else msgspec.json).decode(encoded)
    return told


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("fields", [None, (), ("bidPrice",), ("volume", "VWAP"), CHOSEN])
def test_it_tells_its_fields_in_their_order(fields: tuple[str, ...] | None, binary: bool) -> None:
    update = quote(5, 2, bid_price=1.5, volume=7)
    whole = msgspec.json.decode(msgspec.json.encode(update))
    names = tuple(QUOTE_FIELDS) if fields is None else (*ALWAYS, *fields)
    told = decoded(Selection(fields, binary=binary).encode(update), binary=binary)
    assert list(told.items()) == [(name, whole[name]) for name in names]


@pytest.mark.parametrize("binary", [False, True])
def test_one_without_a_class_of_its_own_tells_the_same(binary: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    update = quote(5, 2, bid_price=math.nan, volume=7)
    fields = ("bidPrice", "volume")
    ordinary = Selection(fields, binary=binary).encode(update)
    monkeypatch.setattr(module, "_rows", {})
    monkeypatch.setattr(module, "MAX_ROWS", 0)
    assert Selection(fields, binary=binary).encode(update) == ordinary
    assert decoded(ordinary, binary=binary)["bidPrice"] is None


def test_clients_that_make_up_selections_do_not_make_classes_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_rows", {})
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    for fields in itertools.combinations(CHOSEN, 2):
        for binary in (False, True):
            Selection(fields, binary=binary)
    assert len(module._rows) == 3


def test_equal_ones_are_one() -> None:
    assert selection(("bidPrice",), binary=False) is selection(("bidPrice",), binary=False)
    assert selection(("bidPrice",), binary=False) is not selection(("bidPrice",), binary=True)


@pytest.mark.parametrize("binary", [False, True])
def test_a_delta_has_the_position_and_what_differs(binary: bool) -> None:
    before, after = quote(5, 2, bid_price=1.5, volume=7), quote(5, 3, bid_price=math.nan, volume=7)
    told = decoded(selection(("bidPrice", "volume"), binary=binary).delta(after, before), binary=binary)
    assert told == {"symbolId": 5, "epoch": after.epoch, "sequence": 3, "delta": True, "bidPrice": None}
