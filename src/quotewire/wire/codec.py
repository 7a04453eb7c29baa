"""Bytes for the wire: each quote is encoded once and framed once for each form, however many clients want it."""

import struct
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum

import msgspec

from quotewire.market.quote import Quote
from quotewire.wire.frames import BINARY, TEXT, frame
from quotewire.wire.options import ALWAYS, QUOTE_FIELDS, Gap

_json = msgspec.json.Encoder().encode
_msgpack = msgspec.msgpack.Encoder().encode


class Form(Enum):
    """The wire forms a quote is framed in; the values index `EncodedQuote`'s frames."""

    NATIVE = 0
    PLAIN = 1
    MSGPACK = 2


_OPENING = {Form.NATIVE: b'{"type":"quotes","quotes":[', Form.PLAIN: b'{"quotes":['}
_POSITION = ("symbolId", "epoch", "sequence")
_ALL_BUT_POSITION = tuple(name for name in QUOTE_FIELDS if name not in _POSITION)


def message_frame(form: Form, payload: bytes) -> bytes:
    """Frame one message of this form: binary for MessagePack, text for JSON."""
    return frame(BINARY if form is Form.MSGPACK else TEXT, payload)


def encode_quote(quote: Quote, form: Form = Form.NATIVE, fields: Sequence[str] | None = None) -> bytes:
    """Encode one whole quote: all of it, or `ALWAYS` and these fields (wire names)."""
    encode = _msgpack if form is Form.MSGPACK else _json
    if fields is None:
        return encode(quote)
    return encode({name: getattr(quote, QUOTE_FIELDS[name]) for name in (*ALWAYS, *fields)})


def encode_delta(quote: Quote, base: Quote, form: Form = Form.NATIVE, fields: Sequence[str] | None = None) -> bytes:
    """Encode what a client that has `base` must change to have `quote`: the position and the changed fields."""
    told: dict[str, object] = {"symbolId": quote.symbol_id, "epoch": quote.epoch, "sequence": quote.sequence}
    told["delta"] = True
    for name in _ALL_BUT_POSITION if fields is None else (*ALWAYS, *fields):
        value = getattr(quote, QUOTE_FIELDS[name])
        if value != getattr(base, QUOTE_FIELDS[name]):
            told[name] = value
    return (_msgpack if form is Form.MSGPACK else _json)(told)


def quotes_frame(form: Form, bodies: Iterable[bytes], *, skipped: int = 0, lag_ms: int = 0) -> bytes:
    """Frame one message that carries these encoded quotes; what the plain dialect has no key for is left out."""
    if form is Form.MSGPACK:
        return frame(BINARY, _msgpack_quotes(tuple(bodies), skipped, lag_ms))
    told = b"]"
    if form is Form.NATIVE:
        told += b',"skipped":%d' % skipped if skipped else b""
        told += b',"lagMs":%d' % lag_ms if lag_ms else b""
    return frame(TEXT, _OPENING[form] + b",".join(bodies) + told + b"}")


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


class EncodedQuote:
    """One update with its bytes, made on first need and shared by all who want them."""

    __slots__ = ("_frames", "_json", "_packed", "_views", "epoch", "quote", "sequence", "symbol_id")

    def __init__(self, quote: Quote) -> None:
        self.quote = quote
        self.symbol_id = quote.symbol_id
        self.epoch = quote.epoch
        self.sequence = quote.sequence
        self._json: bytes | None = None
        self._packed: bytes | None = None
        self._frames: list[bytes | None] | None = None
        self._views: dict[tuple[Hashable, ...], bytes] | None = None

    def shed(self) -> None:
        """Let go of the framed copies, made again if need be: what is kept for long keeps its bodies alone."""
        self._frames = self._views = None

    @property
    def object(self) -> bytes:
        """The quote alone, as JSON."""
        return self.body(Form.NATIVE)

    def body(self, form: Form, fields: tuple[str, ...] | None = None) -> bytes:
        """The whole quote alone, or this selection of it."""
        if fields is not None:
            packed = form is Form.MSGPACK
            return self._view((packed, fields), lambda: encode_quote(self.quote, form, fields))
        if form is Form.MSGPACK:
            if self._packed is None:
                self._packed = encode_quote(self.quote, form)
            return self._packed
        if self._json is None:
            self._json = encode_quote(self.quote, form)
        return self._json

    def delta(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, an older quote of the symbol."""
        key = (form is Form.MSGPACK, fields, base.epoch, base.sequence)
        return self._view(key, lambda: encode_delta(self.quote, base, form, fields))

    def frame(self, form: Form, fields: tuple[str, ...] | None = None) -> bytes:
        """The whole quote, or this selection of it, as a framed message."""
        if fields is not None:
            return self._view((form, fields), lambda: quotes_frame(form, (self.body(form, fields),)))
        if self._frames is None:
            self._frames = [None, None, None]
        made = self._frames[form.value]
        if made is None:
            made = self._frames[form.value] = quotes_frame(form, (self.body(form),))
        return made

    def delta_frame(self, form: Form, base: Quote, fields: tuple[str, ...] | None = None) -> bytes:
        """What changed since `base`, as a framed message."""
        key = (form, fields, base.epoch, base.sequence)
        return self._view(key, lambda: quotes_frame(form, (self.delta(form, base, fields),)))

    def _view(self, key: tuple[Hashable, ...], make: Callable[[], bytes]) -> bytes:
        if self._views is None:
            self._views = {}
        made = self._views.get(key)
        if made is None:
            made = self._views[key] = make()
        return made
