"""Turns what one connection brings back into whole quotes (PROTOCOL.md section 5, "Deltas"). Pure.

A base belongs to its connection: a delta says what changed since the quote that connection was sent before.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from quotewire.market.quote import Quote

_FIELDS: Final = msgspec.structs.fields(Quote)
_NAMES: Final = tuple(field.name for field in _FIELDS)

_POSITION: Final = ("symbol_id", "epoch", "sequence")
_REQUIRED: Final = frozenset(field.name for field in _FIELDS if field.required)


def _optional(field: msgspec.structs.FieldInfo) -> tuple[str, Any, Any]:
    if field.name in _POSITION:
        return field.name, field.type, msgspec.field(name=field.encode_name)
    return field.name, field.type | UnsetType, msgspec.field(default=UNSET, name=field.encode_name)


Part: Any = msgspec.defstruct("Part", [*map(_optional, _FIELDS), ("delta", bool, False)], kw_only=True)
"""A quote of which anything but its position may be missing."""


class Bases:
    """The quotes one connection was sent last, by symbol id."""

    __slots__ = ("_quotes", "used")

    def __init__(self) -> None:
        self._quotes: dict[int, Quote] = {}
        self.used = False  # whether deltas may come: only then bases are kept

    def keep(self, quotes: Iterable[Quote]) -> None:
        """Remember whole quotes."""
        if self.used:
            self._quotes.update((quote.symbol_id, quote) for quote in quotes)

    def whole(self, parts: Iterable[Any]) -> tuple[list[Quote], list[int]]:
        """Complete these, in order; and the ids of those that have nothing to stand on."""
        quotes: list[Quote] = []
        lost: list[int] = []
        for part in parts:
            base = self._quotes.get(part.symbol_id) if part.delta else None
            told = {name: value for name in _NAMES if (value := getattr(part, name)) is not UNSET}
            if base is None and (part.delta or not told.keys() >= _REQUIRED):
                lost.append(part.symbol_id)
                continue
            quote = Quote(**told) if base is None else msgspec.structs.replace(base, **told)
            self._quotes[quote.symbol_id] = quote
            quotes.append(quote)
        return quotes, lost
