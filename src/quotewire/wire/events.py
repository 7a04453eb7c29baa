"""Server-sent events (the HTML standard, section 9.2) as bytes, each in an HTTP chunk of its own, and what `id` says.

An event's data is one message of PROTOCOL.md as JSON. Its `id` is a checkpoint: the position of every symbol the stream
carries, as `<epoch>/<symbolId>.<sequence>,…;<epoch>/…`. A client that comes back with it goes on from there.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from quotewire.wire.options import Position

MAX_CHECKPOINT = 24 * 1024
"""The longest checkpoint that is read, in characters: it comes in a header."""

_GROUP = re.compile(r"(\d{1,16})/(\d{1,16}\.\d{1,16}(?:,\d{1,16}\.\d{1,16})*)")
MOST = 2**53


def chunk(data: bytes) -> bytes:
    """Frame data as one chunk of an HTTP/1.1 body (RFC 9112 section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(payload: bytes) -> bytes:
    """One event that carries this message; JSON has no line breaks of its own."""
    return chunk(b"data: %b\n\n" % payload)


def heartbeat() -> bytes:
    """A comment: nothing happened, and the stream lives."""
    return chunk(b":\n\n")


def retry(after_ms: int) -> bytes:
    """After how long a client comes back when the stream ends."""
    return chunk(b"retry: %d\n\n" % after_ms)


def checkpoint(positions: Iterable[tuple[int, Position]]) -> bytes:
    """An event without data: it sets the client's last event id, and nothing is dispatched."""
    return chunk(b"id: %b\n\n" % write_positions(positions).encode())


def write_positions(positions: Iterable[tuple[int, Position]]) -> str:
    """The positions of these symbols as one text."""
    by_epoch: dict[int, list[str]] = defaultdict(list)
    for symbol_id, position in positions:
        by_epoch[position.epoch].append(f"{symbol_id}.{position.sequence}")
    return ";".join(f"{epoch}/{','.join(pairs)}" for epoch, pairs in by_epoch.items())


def read_positions(text: str) -> Mapping[int, Position] | None:
    """The positions that `write_positions` wrote; None for any other text."""
    positions: dict[int, Position] = {}
    if len(text) > MAX_CHECKPOINT:
        return None
    for group in text.split(";") if text else ():
        matched = _GROUP.fullmatch(group)
        if matched is None:
            return None
        epoch = int(matched[1])
        for pair in matched[2].split(","):
            symbol_id, _, sequence = pair.partition(".")
            if not 0 < int(symbol_id) < MOST or max(epoch, int(sequence)) >= MOST:
                return None
            positions[int(symbol_id)] = Position(epoch, int(sequence))
    return positions
