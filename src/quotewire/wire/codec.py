"""Bytes for the wire: each quote is encoded once and framed once for each dialect, however many clients want it."""

from collections.abc import Iterable
from enum import Enum

import msgspec

from quotewire.market.quote import Quote
from quotewire.wire.frames import text_frame

_encoder = msgspec.json.Encoder()


class Form(Enum):
    """The wire forms a quote is framed in; the values index `EncodedQuote.frames`."""

    NATIVE = 0
    PLAIN = 1


_OPENING = {Form.NATIVE: b'{"type":"quotes","quotes":[', Form.PLAIN: b'{"quotes":['}
_CLOSING = b"]}"


def encode_quote(quote: Quote) -> bytes:
    """Encode one quote object, the same in every dialect."""
    return _encoder.encode(quote)


def quotes_frame(form: Form, encoded: Iterable[bytes]) -> bytes:
    """Frame one message that carries these encoded quotes."""
    return text_frame(_OPENING[form] + b",".join(encoded) + _CLOSING)


def skipped_frame(count: int) -> bytes:
    """Frame the native message that tells a client how many updates were conflated away for it."""
    return text_frame(b'{"type":"quotes","quotes":[],"skipped":%d}' % count)


class EncodedQuote:
    """One update with its bytes, made on first need and shared by all who want them."""

    __slots__ = ("_frames", "_object", "quote")

    def __init__(self, quote: Quote) -> None:
        self.quote = quote
        self._object: bytes | None = None
        self._frames: list[bytes | None] = [None, None]

    @property
    def object(self) -> bytes:
        """The quote object alone."""
        if self._object is None:
            self._object = encode_quote(self.quote)
        return self._object

    def frame(self, form: Form) -> bytes:
        """The quote as a whole framed message."""
        made = self._frames[form.value]
        if made is None:
            made = self._frames[form.value] = quotes_frame(form, (self.object,))
        return made
