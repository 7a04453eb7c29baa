"""Conditional requests (RFC 9110 section 13): quotes that have not changed are not sent again.

A tag says which quotes, in which order, at which positions: nothing of a quote that matters changes without its
position. When the gateway last heard of it may, so the tag is a weak one.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from quotewire.market.quote import Quote

KEPT = "private, no-cache"
"""Whoever asked may keep the answer, and asks each time whether it still holds."""

_TAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')


def tag_of(quotes: Sequence[Quote], errors: Sequence[Mapping[str, Any]]) -> str:
    """The weak entity tag of an answer with these quotes and these problems."""
    told = [(quote.symbol_id, quote.epoch, quote.sequence, quote.freshness.value) for quote in quotes]
    missed = [(error["symbol"], str(error["code"])) for error in errors]
    return f'W/"{hashlib.blake2b(repr((told, missed)).encode(), digest_size=12).hexdigest()}"'


def unchanged(if_none_match: str, tag: str) -> bool:
    """Whether the client has what `tag` names, by the weak comparison of RFC 9110 section 8.8.3.2."""
    if if_none_match.strip() == "*":
        return True
    named = _TAG.fullmatch(tag)
    return named is not None and named[1] in _TAG.findall(if_none_match)
