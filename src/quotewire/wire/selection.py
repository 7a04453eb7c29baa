"""Which fields of a quote are told, and how that part of it is encoded. Pure."""

from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from operator import attrgetter
from typing import Final

import msgspec

from quotewire.market.quote import Quote
from quotewire.wire.options import ALWAYS, QUOTE_FIELDS

_json: Final = msgspec.json.Encoder().encode
_msgpack: Final = msgspec.msgpack.Encoder().encode

MAX_ROWS: Final = 1024
"""Classes that are made for selections, ever. Clients choose fields as they like, and a class that nobody needs any
more stays until the collector looks at all there is, which is hardly ever."""


class Selection:
    """All fields of a quote, or `ALWAYS` and some; encoded in JSON, or in MessagePack where `binary`.

    Two are the same if they are one object, see `selection`.
    """

    __slots__ = ("_names", "_read", "_row", "_whole", "binary")

    def __init__(self, fields: tuple[str, ...] | None, *, binary: bool) -> None:
        self.binary = binary
        self._whole = fields is None
        self._names = tuple(QUOTE_FIELDS) if fields is None else (*ALWAYS, *fields)
        self._read: Callable[[Quote], tuple[object, ...]] = attrgetter(*(QUOTE_FIELDS[name] for name in self._names))
        self._row = _row_of(self._names)

    def encode(self, quote: Quote) -> bytes:
        """This part of a quote."""
        if self.binary:
            return _msgpack(self._row(*map(_finite, self._read(quote))))
        return _json(quote) if self._whole else _json(self._row(*self._read(quote)))

    def delta(self, quote: Quote, base: Quote) -> bytes:
        """What a client that has `base` must change to have `quote`: the position and the changed fields."""
        told: dict[str, object] = {"symbolId": quote.symbol_id, "epoch": quote.epoch, "sequence": quote.sequence}
        told["delta"] = True
        for name, new, old in zip(self._names, self._read(quote), self._read(base), strict=True):
            if new != old:
                told[name] = new
        if not self.binary:
            return _json(told)
        return _msgpack({name: _finite(value) for name, value in told.items()})


_rows: dict[tuple[str, ...], Callable[..., object]] = {}


def _row_of(names: tuple[str, ...]) -> Callable[..., object]:
    """What makes, of the values of these fields, something that is encoded as a map of them."""
    row = _rows.get(names)
    if row is not None:
        return row
    if len(_rows) >= MAX_ROWS:
        return lambda *values: dict(zip(names, values, strict=True))
    # A struct of just these fields takes half the time of a dict with the same keys.
    places = [f"field_{number}" for number in range(len(names))]
    made = msgspec.defstruct(
        "Row", [(place, object) for place in places], rename=dict(zip(places, names, strict=True)), gc=False
    )
    _rows[names] = made
    return made


@lru_cache(maxsize=1024)
def selection(fields: tuple[str, ...] | None, *, binary: bool = False) -> Selection:
    """The selection of these fields (wire names; None: all). Past so many, equal ones may be two, and work."""
    return Selection(fields, binary=binary)


def _finite(value: object) -> object:
    """What is no number is nothing, as it is in JSON."""
    return None if type(value) is float and not isfinite(value) else value
