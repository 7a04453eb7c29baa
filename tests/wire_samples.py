"""Frames as a client writes them, and quotes to send: shared by the tests of the wire, the hub and the edge."""

import struct
from typing import Any

from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.messages import UpstreamState

MASK = b"\x37\xfa\x21\x3d"


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes = MASK) -> bytes:
    """A frame as a client sends it."""
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return header(opcode, len(payload), fin=fin) + mask + body


def header(opcode: int, length: int, *, fin: bool = True) -> bytes:
    """The first bytes of a masked frame, up to its mask."""
    first = (0x80 if fin else 0) | opcode
    if length < 126:
        return bytes((first, 0x80 | length))
    if length < 65536:
        return struct.pack("!BBH", first, 0x80 | 126, length)
    return struct.pack("!BBQ", first, 0x80 | 127, length)


def quote(symbol_id: int, sequence: int = 1, **fields: Any) -> Quote:
    """A quote of the symbol `S<id>`."""
    values: dict[str, Any] = {
        "symbol": f"S{symbol_id}",
        "symbol_id": symbol_id,
        "epoch": 7,
        "sequence": sequence,
        "freshness": Freshness.LIVE,
        "source": Source.STREAM,
        "delayed": False,
        "received_at": 1_764_000_000_000,
        "volume": sequence,
    }
    return Quote(**{**values, **fields})


def upstream(state: str = "connected", **fields: Any) -> UpstreamState:
    """A state of the upstream."""
    values: dict[str, Any] = {"reason": "the stream is up", "since": 1_764_000_000_000, "person": "alice"}
    return UpstreamState(state=state, **{**values, **fields})
