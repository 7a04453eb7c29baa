"""Symbols named in a query, `?symbols=A,B&ids=1,2`."""

import re
from typing import Annotated

from fastapi import Query

from quotewire.edge.answers import Refused
from quotewire.edge.schemas import MAX_SYMBOLS_PER_REQUEST

SYMBOL = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,64}")
SYMBOL_ID = re.compile(r"[1-9][0-9]{0,15}")

Listed = Annotated[str, Query(max_length=24_000, description="Separated by commas")]


def wanted(symbols: str, ids: str) -> tuple[list[str], list[int]]:
    """The symbols asked for. Raises Refused when there are none, too many, or one does not fit."""
    names, numbers = _listed(symbols, SYMBOL, "symbols"), [int(i) for i in _listed(ids, SYMBOL_ID, "ids")]
    if any(number >= 2**53 for number in numbers):
        raise Refused(400, "invalid_request", "ids: a symbol id is less than 2 to the 53rd")
    if not names and not numbers:
        raise Refused(400, "invalid_request", "name the symbols wanted in ?symbols=A,B or ?ids=1,2")
    if len(names) + len(numbers) > MAX_SYMBOLS_PER_REQUEST:
        raise Refused(400, "invalid_request", f"one request may name {MAX_SYMBOLS_PER_REQUEST} symbols")
    return names, numbers


def _listed(text: str, shape: re.Pattern[str], name: str) -> list[str]:
    items = [item.strip() for item in text.split(",") if item.strip()]
    for item in items:
        if not shape.fullmatch(item):
            raise Refused(400, "invalid_request", f"{name}: {item[:64]!r} does not fit")
    return list(dict.fromkeys(items))
