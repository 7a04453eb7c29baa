"""Bytes for the wire: each quote is encoded once and framed once for each form, however many clients want it."""

import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from math import isfinite
from operator import attrgetter

import msgspec

from quotewire.market.quote import Quote
from quotewire.wire.events import event
from quotewire.wire.frames import BINARY, TEXT, frame
from quotewire.wire.options import ALWAYS, QUOTE_FIELDS, Gap

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


class Form(Enum):
    """The wire forms a quote is framed in."""

    NATIVE = 0
    PLAIN = 1
    MSGPACK = 2
    EVENTS = 3


_TYPED = b'{"type":"quotes","quotes":['
_PLAIN = b'{"quotes":['


def message_frame(form: Form, payload: bytes) -> bytes:
    """Frame one message of this form: binary for MessagePack, text for JSON, or an event."""
    if form is Form.EVENTS:
        return event(payload)
    return frame(BINARY if form is Form.MSGPACK else TEXT, payload)


@lru_cache(maxsize=1024)
def _selection(fields: tuple[str, ...] | None) -> tuple[tuple[str, ...], Callable[[Quote], tuple[object, ...]]]:
    """Wire names, and what reads their values: of `ALWAYS` and these fields, or of all."""
    names = tuple(QUOTE_FIELDS) if fields is None else (*ALWAYS, *fields)
    return names, attrgetter(*(QUOTE_FIELDS[name] for name in names))


def encode_quote(quote: Quote, form: Form = Form.NATIVE, fields: tuple[str, ...] | None = None) -> bytes:
    """Encode one whole quote: all of it, or `ALWAYS` and these fields (wire names)."""
    if form is not Form.MSGPACK:
        if fields is None:
            return _json(quote)
        names, read = _selection(fields)
        return _json(dict(zip(names, read(quote), strict=True)))
    names, read = _selection(fields)
    return _msgpack(dict(zip(names, map(_finite, read(quote)), strict=True)))


def encode_delta(quote: Quote, base: Quote, form: Form = Form.NATIVE, fields: tuple[str, ...] | None = None) -> bytes:
    """Encode what a client that has `base` must change to have `quote`: the position and the changed fields."""
    names, read = _selection(fields)
    told: dict[str, object] = {"symbolId": quote.symbol_id, "epoch": quote.epoch, "sequence": quote.sequence}
    told["delta"] = True
    for name, new, old in zip(names, read(quote), read(base), strict=True):
        if new != old:
            told[name] = new
    if form is not Form.MSGPACK:
        return _json(told)
    return _msgpack({name: _finite(value) for name, value in told.items()})


def _finite(value: object) -> object:
    """What is no number is nothing, as it is in JSON."""
    return None if type(value) is float and not isfinite(value) else value


def quotes_frame(form: Form, bodies: Iterable[bytes], *, skipped: int = 0, lag_ms: int = 0) -> bytes:
    """Frame one message that carries these encoded quotes; what the plain dialect has no key for is left out."""
    if form is Form.MSGPACK:
        return frame(BINARY, _msgpack_quotes(tuple(bodies), skipped, lag_ms))
    told = b"]}"
    if (skipped or lag_ms) and form is not Form.PLAIN:
        told = b"]"
        told += b',"skipped":%d' % skipped if skipped else b""
        told += b',"lagMs":%d' % lag_ms if lag_ms else b""
        told += b"}"
    return message_frame(form, b"".join((_PLAIN if form is Form.PLAIN else _TYPED, b",".join(bodies), told)))


def _msgpack_quotes(bodies: tuple[bytes, ...], skipped: int, lag_ms: int) -> bytes:
    extra = [(name, value) for name, value in ((b"\xa7skipped", skipped), (b"\xa5lagMs", lag_ms)) if value]
    head = bytes((0x82 + len(extra),)) + b"\xa4type\xa6quotes\xa6quotes" + msgpack_array(len(bodies))
    return head + b"".join(bodies) + b"".join(name + _msgpack(value) for name, value in extra)


def msgpack_array(length: int) -> bytes:
    """The head of a MessagePack array of so many elements."""
    if length < 16:
        return bytes((0x90 | length,))
    return struct.pack("!BH", 0xDC, length) if length < 65536 else struct.pack("!BI", 0xDD, length)


def skipped_frame(count: int, form: Form = Form.NATIVE, lag_ms: int = 0) -> bytes:
    """Frame the message that tells a client how many updates were conflated away for it."""
    return quotes_frame(form, (), skipped=count, lag_ms=lag_ms)


def gaps_frame(form: Form, gaps: Sequence[Gap]) -> bytes:
    """Frame the `gap` message that tells a client which updates will not come to it."""
    told = {"type": "gap", "gaps": gaps}
    return message_frame(form, _msgpack(told) if form is Form.MSGPACK else _json(told))


class EncodedQuote(msgspec.Struct, gc=False, eq=False):
    """One update with its bytes, made on first need and shared by all who want them.

    Of no interest to the garbage collector, as nothing it holds can hold it: there are many, and some live long.
    """

    quote: Quote
    symbol_id: int = 0
    epoch: int = 0
    sequence: int = 0
    _made: dict[tuple[Hashable, ...], bytes] = {}  # one for each: msgspec copies an empty default

    def __post_init__(self) -> None:
        quote = self.quote
        self.symbol_id, self.epoch, self.sequence = quote.symbol_id, quote.epoch, quote.sequence

    def shed(self) -> None:
        """Let go of the bytes, which are made again if need be: what is kept for long is the quote alone."""
        self._made = {}

    @property
    def object(self) -> bytes:
        """The quote alone, as JSON."""
        return self.body(Form.NATIVE)

    def body(self, form: Form, fields: tuple[str, ...] | None = None) -> bytes:
        """The whole quote alone, or this selection of it."""
        key = (form is Form.MSGPACK, fields)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = encode_quote(self.quote, form, fields)
        return made

    def delta(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, an older quote of the symbol."""
        key = (form is Form.MSGPACK, fields, base.epoch, base.sequence)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = encode_delta(self.quote, base, form, fields)
        return made

    def frame(self, form: Form, fields: tuple[str, ...] | None = None) -> bytes:
        """The whole quote, or this selection of it, as a framed message."""
        key = (form._name_, fields)  # what an enum hashes by, without its way there
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = quotes_frame(form, (self.body(form, fields),))
        return made

    def delta_frame(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, as a framed message."""
        key = (form._name_, fields, base.epoch, base.sequence)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = quotes_frame(form, (self.delta(form, base, fields),))
        return made


def bodies(updates: Iterable[EncodedQuote], form: Form, fields: tuple[str, ...] | None) -> list[bytes]:
    """The bodies of many at once, as for a snapshot."""
    key = (form is Form.MSGPACK, fields)
    return [update._made.get(key) or update.body(form, fields) for update in updates]
