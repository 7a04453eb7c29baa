"""The two encodings of the native protocol, the client's side: a message to what goes on the socket, and back. Pure."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from quotewire.client.deltas import Part
from quotewire.wire import messages as wire

EncodingName = Literal["json", "msgpack"]


class PartialQuotes(wire.Message, tag="quotes", frozen=True):
    """`quotes` where deltas may be among them."""

    quotes: list[Part]
    skipped: int = 0
    lag_ms: int = 0


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OTHERS = tuple(kind for kind in wire.ServerMessage.__args__ if kind is not wire.Quotes)
_KNOWN = frozenset(kind.__struct_config__.tag for kind in wire.ServerMessage.__args__)


class Encoding:
    """One of them."""

    def __init__(self, name: EncodingName, subprotocol: str, module: Any) -> None:
        mixed: Any = PartialQuotes
        for kind in _OTHERS:
            mixed |= kind
        self.name = name
        self.subprotocol = subprotocol
        self.whole: Callable[[bytes], wire.ServerMessage] = module.Decoder(wire.ServerMessage).decode
        """Reads a message in which every quote is whole."""
        self.partial: Callable[[bytes], wire.ServerMessage | PartialQuotes] = module.Decoder(mixed).decode
        """Reads a message in which quotes may be deltas."""
        self._encode: Callable[[object], bytes] = module.Encoder().encode
        self._any: Callable[[bytes], object] = module.decode

    def write(self, message: wire.Message) -> str | bytes:
        """What goes on the socket: text or bytes."""
        data = self._encode(message)
        return data.decode() if self.name == "json" else data

    def of_unknown_type(self, data: bytes) -> bool:
        """True for a well-formed message of a `type` this version does not know, which is to be ignored."""
        try:
            message = self._any(data)
        except UNREADABLE:
            return False
        return isinstance(message, dict) and isinstance(message.get("type"), str) and message["type"] not in _KNOWN


ENCODINGS: dict[str, Encoding] = {
    "json": Encoding("json", wire.SUBPROTOCOL_JSON, msgspec.json),
    "msgpack": Encoding("msgpack", wire.SUBPROTOCOL_MSGPACK, msgspec.msgpack),
}
