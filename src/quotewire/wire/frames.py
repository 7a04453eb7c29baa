"""WebSocket frames, the server's side (RFC 6455 section 5): a strict reader without I/O, and the frames we send.

The reader is fed bytes as they come and hands back whole messages and control frames. The first violation ends it: it
returns a `Violation` naming the close code, and ignores all that follows. Text is judged as it comes, inside a frame
and between fragments: nobody makes us wait for the rest of what cannot become a message.
"""

import codecs
import struct
from dataclasses import dataclass

from quotewire.wire.codes import CloseCode

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80
MASKED = 0x80
MAX_CONTROL_PAYLOAD = 125

# RFC 6455 section 7.4: what a peer may put on the wire. 1004-1006 and 1015 are reserved for local use.
SENDABLE_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})


@dataclass(frozen=True, slots=True)
class TextMessage:
    """A whole text message."""

    text: str


@dataclass(frozen=True, slots=True)
class BinaryMessage:
    """A whole binary message."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PingFrame:
    """A ping; to be answered by a pong with the same payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class PongFrame:
    """A pong."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseFrame:
    """The peer closes. `code` is None when it gave none."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Violation:
    """The peer broke the protocol or a limit; close with `code`."""

    code: CloseCode
    reason: str


FrameEvent = TextMessage | BinaryMessage | PingFrame | PongFrame | CloseFrame | Violation


_utf8 = codecs.getincrementaldecoder("utf-8")


class _EarlyText:
    """How much of a text frame's payload was judged before the frame was whole."""

    __slots__ = ("_at", "_mask", "judged")

    def __init__(self, payload_at: int, mask: bytes) -> None:
        self._at = payload_at
        self._mask = mask
        self.judged = 0

    def next(self, gathered: bytearray) -> bytes:
        """What came since the last time, unmasked."""
        turn = self.judged % 4
        fresh = bytes(gathered[self._at + self.judged :])
        self.judged += len(fresh)
        return _unmask(fresh, self._mask[turn:] + self._mask[:turn])


class _Broken(Exception):
    """Carries a violation out of the parser to `feed`."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.violation = Violation(code, reason)


class FrameReader:
    """Turns a byte stream into messages. `max_message_bytes` bounds a message whole, over all its fragments."""

    __slots__ = ("_buffer", "_early", "_fragments", "_max", "_need", "_opcode", "_size", "_text", "ended")

    def __init__(self, max_message_bytes: int) -> None:
        self._buffer: bytearray | None = None
        self._need = 0
        self._fragments: bytearray | None = None
        self._opcode = 0
        self._size = 0
        self._max = max_message_bytes
        self._text: codecs.IncrementalDecoder | None = None  # of a text message that comes in pieces
        self._early: _EarlyText | None = None  # of a text frame that is not whole yet
        self.ended = False

    def feed(self, data: bytes) -> list[FrameEvent]:
        """Take the next bytes; return what they complete, in order."""
        if self.ended:
            return []
        if self._buffer is not None:
            # Gathered in place until the frame is whole, so that a message that comes byte by byte costs no more.
            self._buffer += data
            if len(self._buffer) < self._need:
                return self._look_ahead()
            data = bytes(self._buffer)
        return self._read(data)

    def _read(self, buffer: bytes) -> list[FrameEvent]:
        events: list[FrameEvent] = []
        position = 0
        try:
            while not self.ended:
                step = self._frame(buffer, position, events)
                if step == 0:
                    break
                position += step
        except _Broken as broken:
            self.ended = True
            events.append(broken.violation)
        self._need -= position
        self._buffer = None if self.ended or position == len(buffer) else bytearray(buffer[position:])
        return events + self._look_ahead() if self._early is not None else events

    def _frame(self, buffer: bytes, start: int, events: list[FrameEvent]) -> int:
        """Read one frame at `start`; returns its length, or 0 while it is incomplete and `_need` says where it ends."""
        available = len(buffer) - start
        self._need = start + 2
        if available < 2:
            return 0
        first, second = buffer[start], buffer[start + 1]
        opcode = first & 0x0F
        self._check_header(first, second, opcode)
        length, header = second & 0x7F, 2
        if length == 126:
            header = 4
            self._need = start + header
            if available < header:
                return 0
            (length,) = struct.unpack_from("!H", buffer, start + 2)
            if length < 126:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "length not in its shortest form")
        elif length == 127:
            header = 10
            self._need = start + header
            if available < header:
                return 0
            (length,) = struct.unpack_from("!Q", buffer, start + 2)
            if length < 65536:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "length not in its shortest form")
        # Judged from the header alone, so that no one makes us hold what we would refuse.
        if opcode < CLOSE and self._size + length > self._max:
            raise _Broken(CloseCode.MESSAGE_TOO_BIG, f"longer than {self._max} bytes")
        mask_at, end = start + header, header + 4 + length
        self._need = start + header + 4
        if available < header + 4:
            return 0
        self._need = start + end
        if available < end:
            if opcode < CLOSE and (opcode or self._opcode) == TEXT:
                self._early = _EarlyText(header + 4, buffer[mask_at : mask_at + 4])
            return 0
        payload = _unmask(buffer[mask_at + 4 : start + end], buffer[mask_at : mask_at + 4])
        if opcode >= CLOSE:
            self._control(opcode, payload, events)
        else:
            self._data(opcode, first & FIN, payload, events)
        return end

    def _check_header(self, first: int, second: int, opcode: int) -> None:
        if first & 0x70:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "reserved bits set without an extension")
        if not second & MASKED:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "frames from a client must be masked")
        if opcode >= CLOSE:
            if opcode > PONG:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "reserved opcode")
            if not first & FIN or second & 0x7F > MAX_CONTROL_PAYLOAD:
                raise _Broken(CloseCode.PROTOCOL_ERROR, "control frame fragmented or over 125 bytes")
            return
        if opcode > BINARY:
            raise _Broken(CloseCode.PROTOCOL_ERROR, "reserved opcode")
        if (opcode == CONTINUATION) != (self._fragments is not None):
            raise _Broken(CloseCode.PROTOCOL_ERROR, "fragments out of order")

    def _data(self, opcode: int, fin: int, payload: bytes, events: list[FrameEvent]) -> None:
        kind = opcode or self._opcode
        early, self._early = self._early, None
        if kind == TEXT and (early is not None or not fin or self._text is not None):
            self._judge(payload[early.judged :] if early is not None else payload, final=bool(fin))
        if fin:
            self._text = None
        if self._fragments is None:
            if fin:
                events.append(_message(opcode, payload))
                return
            # One growing buffer, so that endless empty fragments cost nothing.
            self._fragments, self._opcode = bytearray(), opcode
        self._fragments += payload
        self._size = len(self._fragments)
        if fin:
            whole = bytes(self._fragments)
            self._fragments, self._size, self._opcode = None, 0, 0
            events.append(_message(kind, whole))

    def _look_ahead(self) -> list[FrameEvent]:
        """Judge what came of a text frame that is not whole yet."""
        if self._early is None or self._buffer is None:
            return []
        try:
            self._judge(self._early.next(self._buffer), final=False)
        except _Broken as broken:
            self.ended, self._buffer = True, None
            return [broken.violation]
        return []

    def _judge(self, payload: bytes, *, final: bool) -> None:
        """Go on with the text of the message under way."""
        if self._text is None:
            self._text = _utf8()
        try:
            self._text.decode(payload, final)
        except UnicodeDecodeError:
            raise _Broken(CloseCode.INVALID_PAYLOAD, "text is not UTF-8") from None

    def _control(self, opcode: int, payload: bytes, events: list[FrameEvent]) -> None:
        if opcode == PING:
            events.append(PingFrame(payload))
        elif opcode == PONG:
            events.append(PongFrame(payload))
        else:
            events.append(_close(payload))
            self.ended = True


def _message(opcode: int, payload: bytes) -> TextMessage | BinaryMessage:
    if opcode == BINARY:
        return BinaryMessage(payload)
    try:
        return TextMessage(codecs.decode(payload, "utf-8"))
    except UnicodeDecodeError:
        raise _Broken(CloseCode.INVALID_PAYLOAD, "text is not UTF-8") from None


def _close(payload: bytes) -> CloseFrame:
    if not payload:
        return CloseFrame(None, "")
    if len(payload) == 1:
        raise _Broken(CloseCode.PROTOCOL_ERROR, "close frame of one byte")
    (code,) = struct.unpack_from("!H", payload)
    if code not in SENDABLE_CLOSE_CODES and not 3000 <= code <= 4999:
        raise _Broken(CloseCode.PROTOCOL_ERROR, f"close code {code} must not be sent")
    try:
        return CloseFrame(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise _Broken(CloseCode.INVALID_PAYLOAD, "close reason is not UTF-8") from None


def _unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the repeated mask as one big integer: no loop over bytes in Python."""
    length = len(payload)
    if not length:
        return b""
    key = (mask * (length // 4 + 1))[:length]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(length, "big")


def frame(opcode: int, payload: bytes) -> bytes:
    """Build one unmasked, unfragmented frame, as a server sends it."""
    return header(opcode, len(payload)) + payload


def header(opcode: int, length: int) -> bytes:
    """What stands before so many bytes of payload in such a frame."""
    if length < 126:
        return bytes((FIN | opcode, length))
    if length < 65536:
        return struct.pack("!BBH", FIN | opcode, 126, length)
    return struct.pack("!BBQ", FIN | opcode, 127, length)


def text_frame(payload: bytes) -> bytes:
    """Build a text frame of `payload`, which must be UTF-8."""
    return frame(TEXT, payload)


def close_frame(code: int, reason: str = "") -> bytes:
    """Build a close frame; the reason is cut to the 123 bytes that fit."""
    text = reason.encode()[: MAX_CONTROL_PAYLOAD - 2].decode(errors="ignore").encode()
    return frame(CLOSE, struct.pack("!H", code) + text)
