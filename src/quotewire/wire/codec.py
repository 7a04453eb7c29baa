"""Bytes for the wire: each quote is encoded once and framed once for each form, however many clients want it."""

import struct
from collections.abc import Hashable, Iterable, Sequence
from enum import Enum
from functools import lru_cache

import msgspec

from quotewire.market.quote import Quote
from quotewire.wire.events import event
from quotewire.wire.frames import BINARY, TEXT, frame, header
from quotewire.wire.options import Gap
from quotewire.wire.selection import Selection, selection

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


class Form(Enum):
    """The wire forms a quote is framed in."""

    NATIVE = 0
    PLAIN = 1
    MSGPACK = 2
    EVENTS = 3


_OPENINGS = {Form.NATIVE: b'{"type":"quotes","quotes":[', Form.PLAIN: b'{"quotes":['}
"""What stands before the quotes of a JSON message; an event's is that of the native form."""

_CLOSING = b"]}"


def message_frame(form: Form, payload: bytes) -> bytes:
    """Frame one message of this form: binary for MessagePack, text for JSON, or an event."""
    if form is Form.EVENTS:
        return event(payload)
    return frame(BINARY if form is Form.MSGPACK else TEXT, payload)


def encode_quote(quote: Quote, form: Form = Form.NATIVE, fields: tuple[str, ...] | None = None) -> bytes:
    """Encode one whole quote: all of it, or `ALWAYS` and these fields (wire names)."""
    return selection(fields, binary=form is Form.MSGPACK).encode(quote)


def encode_delta(quote: Quote, base: Quote, form: Form = Form.NATIVE, fields: tuple[str, ...] | None = None) -> bytes:
    """Encode what a client that has `base` must change to have `quote`: the position and the changed fields."""
    return selection(fields, binary=form is Form.MSGPACK).delta(quote, base)


def quotes_frame(form: Form, bodies: Iterable[bytes], *, skipped: int = 0, lag_ms: int = 0) -> bytes:
    """Frame one message that carries these encoded quotes; what the plain dialect has no key for is left out."""
    if form is Form.MSGPACK:
        return frame(BINARY, _msgpack_quotes(tuple(bodies), skipped, lag_ms))
    told = _CLOSING
    if (skipped or lag_ms) and form is not Form.PLAIN:
        told = b"]"
        told += b',"skipped":%d' % skipped if skipped else b""
        told += b',"lagMs":%d' % lag_ms if lag_ms else b""
        told += b"}"
    return message_frame(form, b"".join((_OPENINGS.get(form, _OPENINGS[Form.NATIVE]), b",".join(bodies), told)))


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
    _made: dict[Hashable, bytes] = {}  # one for each: msgspec copies an empty default

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
        return self.encoded(selection(fields, binary=form is Form.MSGPACK))

    def encoded(self, chosen: Selection) -> bytes:
        """The whole quote alone, or this selection of it."""
        made = self._made.get(chosen)
        if made is None:
            made = self._made[chosen] = chosen.encode(self.quote)
        return made

    def delta(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, an older quote of the symbol."""
        chosen = selection(fields, binary=form is Form.MSGPACK)
        key = (chosen, base.epoch, base.sequence)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = chosen.delta(self.quote, base)
        return made

    def frame(self, form: Form, fields: tuple[str, ...] | None = None) -> bytes:
        """The whole quote, or this selection of it, as a framed message."""
        return self.framed(framing(form, fields))

    def framed(self, framing: "Framing") -> bytes:
        """The same for those who keep the framing at hand."""
        made = self._made.get(framing)
        if made is None:
            made = self._made[framing] = framing.around(self.encoded(framing.chosen))
        return made

    def delta_frame(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, as a framed message."""
        key = (framing(form, fields), base.epoch, base.sequence)
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = quotes_frame(form, (self.delta(form, base, fields),))
        return made


def bodies(updates: Iterable[EncodedQuote], form: Form, fields: tuple[str, ...] | None) -> list[bytes]:
    """The bodies of many at once, as for a snapshot."""
    chosen = selection(fields, binary=form is Form.MSGPACK)
    return [update._made.get(chosen) or update.encoded(chosen) for update in updates]


class Framing:
    """How one quote becomes a framed message: which part of it, in which form."""

    __slots__ = ("_heads", "chosen", "form")

    def __init__(self, form: Form, fields: tuple[str, ...] | None) -> None:
        self.form = form
        self.chosen = selection(fields, binary=form is Form.MSGPACK)
        # What stands before a JSON body of each length; the lengths of a selection's bodies are few.
        self._heads: dict[int, bytes] | None = {} if form in _OPENINGS else None

    def around(self, body: bytes) -> bytes:
        """The message that carries this body alone."""
        if self._heads is None:
            return quotes_frame(self.form, (body,))
        length = len(body)
        head = self._heads.get(length)
        if head is None:
            opening = _OPENINGS[self.form]
            head = self._heads[length] = header(TEXT, len(opening) + length + len(_CLOSING)) + opening
        return b"".join((head, body, _CLOSING))


@lru_cache(maxsize=1024)
def framing(form: Form, fields: tuple[str, ...] | None) -> Framing:
    """The framing of this form and selection. Past so many, equal ones may be two, and work."""
    return Framing(form, fields)
