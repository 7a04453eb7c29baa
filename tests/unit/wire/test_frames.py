"""The frame reader against RFC 6455: its own examples, every rule of section 5, and the limits."""

import struct

import pytest

from quotewire.wire.codes import CloseCode
from quotewire.wire.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    BinaryMessage,
    CloseFrame,
    FrameEvent,
    FrameReader,
    PingFrame,
    PongFrame,
    TextMessage,
    Violation,
    close_frame,
    frame,
    text_frame,
)
from tests.wire_samples import MASK, header, masked

LIMIT = 1000


def whole(data: bytes, limit: int = LIMIT) -> list[FrameEvent]:
    return FrameReader(limit).feed(data)


def byte_by_byte(data: bytes, limit: int = LIMIT) -> list[FrameEvent]:
    reader = FrameReader(limit)
    return [event for i in range(len(data)) for event in reader.feed(data[i : i + 1])]


def read(data: bytes, limit: int = LIMIT) -> list[FrameEvent]:
    """Both ways of feeding must agree."""
    events = whole(data, limit)
    assert byte_by_byte(data, limit) == events
    return events


def violation(data: bytes, limit: int = LIMIT) -> Violation:
    last = read(data, limit)[-1]
    assert isinstance(last, Violation)
    return last


# --- RFC 6455 section 5.7, with the masks it gives ---


def test_the_masked_hello_of_the_rfc() -> None:
    assert read(bytes.fromhex("818537fa213d7f9f4d5158")) == [TextMessage("Hello")]


def test_the_fragmented_hello_of_the_rfc_masked() -> None:
    data = masked(TEXT, b"Hel", fin=False) + masked(CONTINUATION, b"lo")
    assert read(data) == [TextMessage("Hello")]


def test_the_ping_and_pong_of_the_rfc() -> None:
    assert frame(PING, b"Hello") == bytes.fromhex("890548656c6c6f")
    assert read(bytes.fromhex("8a8537fa213d7f9f4d5158")) == [PongFrame(b"Hello")]


def test_lengths_of_256_bytes_and_64_kib_take_two_and_eight_bytes() -> None:
    assert frame(BINARY, bytes(256))[:4] == bytes.fromhex("827e0100")
    assert frame(BINARY, bytes(65536))[:10] == bytes.fromhex("827f0000000000010000")


# --- messages ---


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 125, 126, 127, 255, 999, 1000])
def test_text_of_any_length_up_to_the_limit(length: int) -> None:
    assert read(masked(TEXT, b"x" * length)) == [TextMessage("x" * length)]


@pytest.mark.parametrize("length", [65535, 65536, 70001])
def test_long_messages(length: int) -> None:
    payload = bytes(i % 251 for i in range(length))
    assert whole(masked(BINARY, payload), 100_000) == [BinaryMessage(payload)]


def test_several_frames_in_one_read_come_out_in_order() -> None:
    data = masked(TEXT, b"a") + masked(PING, b"p") + masked(BINARY, b"\xff") + masked(TEXT, b"b")
    assert read(data) == [TextMessage("a"), PingFrame(b"p"), BinaryMessage(b"\xff"), TextMessage("b")]


def test_control_frames_between_fragments_come_first() -> None:
    data = masked(TEXT, b"a", fin=False) + masked(PING, b"1") + masked(CONTINUATION, b"b", fin=False)
    data += masked(PONG, b"2") + masked(CONTINUATION, b"c") + masked(TEXT, b"next")
    assert read(data) == [PingFrame(b"1"), PongFrame(b"2"), TextMessage("abc"), TextMessage("next")]


def test_utf8_may_be_split_between_fragments() -> None:
    euro = "€".encode()
    assert read(masked(TEXT, euro[:1], fin=False) + masked(CONTINUATION, euro[1:])) == [TextMessage("€")]


@pytest.mark.parametrize(
    "payload", [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"ok \xe2\x82", b"\x80"]
)
def test_text_that_is_not_utf8(payload: bytes) -> None:
    assert violation(masked(TEXT, payload)).code == CloseCode.INVALID_PAYLOAD


def test_a_fragmented_binary_message_need_not_be_utf8() -> None:
    assert read(masked(BINARY, b"\xff", fin=False) + masked(CONTINUATION, b"\xfe")) == [BinaryMessage(b"\xff\xfe")]


# --- violations ---


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(frame(TEXT, b"Hello"), id="unmasked"),
        pytest.param(bytes((0xC1, 0x80)) + MASK, id="rsv1"),
        pytest.param(bytes((0xA1, 0x80)) + MASK, id="rsv2"),
        pytest.param(bytes((0x91, 0x80)) + MASK, id="rsv3"),
        *(pytest.param(masked(opcode), id=f"opcode-{opcode:x}") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
        pytest.param(masked(PING, b"x", fin=False), id="fragmented-ping"),
        pytest.param(masked(CLOSE, b"", fin=False), id="fragmented-close"),
        pytest.param(masked(PING, b"x" * 126), id="long-ping"),
        pytest.param(masked(CONTINUATION, b"x"), id="continuation-of-nothing"),
        pytest.param(masked(TEXT, b"a", fin=False) + masked(TEXT, b"b"), id="text-inside-a-message"),
        pytest.param(masked(TEXT, b"a", fin=False) + masked(BINARY, b"b"), id="binary-inside-a-message"),
        pytest.param(struct.pack("!BBH", 0x81, 0xFE, 125) + MASK, id="length-125-in-two-bytes"),
        pytest.param(struct.pack("!BBQ", 0x81, 0xFF, 65535) + MASK, id="length-65535-in-eight-bytes"),
        pytest.param(masked(CLOSE, b"\x03"), id="close-of-one-byte"),
    ],
)
def test_protocol_errors(data: bytes) -> None:
    assert violation(data).code == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_sent(code: int) -> None:
    assert violation(masked(CLOSE, struct.pack("!H", code))).code == CloseCode.PROTOCOL_ERROR


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def test_close_codes_that_may_be_sent(code: int) -> None:
    assert read(masked(CLOSE, struct.pack("!H", code) + b"bye")) == [CloseFrame(code, "bye")]


def test_a_close_may_say_nothing() -> None:
    assert read(masked(CLOSE)) == [CloseFrame(None, "")]


def test_a_close_reason_must_be_utf8() -> None:
    assert violation(masked(CLOSE, b"\x03\xe8\xff")).code == CloseCode.INVALID_PAYLOAD


def test_nothing_is_read_after_a_close_or_a_violation() -> None:
    for ending in (masked(CLOSE), frame(TEXT, b"unmasked")):
        reader = FrameReader(LIMIT)
        assert len(reader.feed(ending + masked(TEXT, b"late"))) == 1
        assert reader.ended
        assert reader.feed(masked(TEXT, b"later")) == []


# --- limits ---


def test_a_message_over_the_limit_is_refused_from_its_header_alone() -> None:
    for length in (1001, 70_000, 2**40, 2**63):
        told = violation(header(TEXT, length))
        assert (told.code, told.reason) == (CloseCode.MESSAGE_TOO_BIG, "longer than 1000 bytes")


def test_the_limit_counts_all_fragments() -> None:
    data = masked(TEXT, b"x" * 600, fin=False) + masked(CONTINUATION, b"x" * 400, fin=False)
    assert read(data + masked(CONTINUATION, b"")) == [TextMessage("x" * 1000)]
    assert violation(data + masked(CONTINUATION, b"y")).code == CloseCode.MESSAGE_TOO_BIG


def test_the_limit_begins_anew_with_each_message() -> None:
    data = masked(TEXT, b"x" * 900, fin=False) + masked(CONTINUATION, b"") + masked(TEXT, b"y" * 900)
    assert [type(event) for event in read(data)] == [TextMessage, TextMessage]


def test_endless_empty_fragments_hold_no_memory() -> None:
    reader = FrameReader(LIMIT)
    assert reader.feed(masked(TEXT, b"", fin=False)) == []
    for _ in range(1000):
        assert reader.feed(masked(CONTINUATION, b"", fin=False) * 100) == []
    assert reader._fragments == bytearray()
    assert reader._buffer is None
    assert reader.feed(masked(CONTINUATION, b"end")) == [TextMessage("end")]


def test_a_reader_at_rest_holds_no_buffer() -> None:
    reader = FrameReader(LIMIT)
    reader.feed(masked(TEXT, b"x" * 999)[:500])
    assert reader._buffer is not None
    reader.feed(masked(TEXT, b"x" * 999)[500:])
    assert reader._buffer is None


def test_a_long_message_in_small_pieces_is_looked_at_only_when_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    original = FrameReader._frame

    def counting(self: FrameReader, buffer: bytes, start: int, events: list[FrameEvent]) -> int:
        nonlocal looked
        looked += 1
        return original(self, buffer, start, events)

    monkeypatch.setattr(FrameReader, "_frame", counting)
    assert byte_by_byte(masked(TEXT, b"x" * 70_000), 100_000) == [TextMessage("x" * 70_000)]
    assert looked < 10


# --- frames out ---


def test_frames_out_are_unmasked_and_whole() -> None:
    assert text_frame(b"hi") == b"\x81\x02hi"
    assert close_frame(1001, "bye") == b"\x88\x05\x03\xe9bye"


@pytest.mark.parametrize("reason", ["x" * 300, "€" * 100, "ab" + "€" * 60])
def test_a_close_reason_is_cut_to_fit_at_a_whole_character(reason: str) -> None:
    made = close_frame(1001, reason)
    assert made[1] == len(made) - 2 <= 125
    assert reason.startswith(made[4:].decode())
    assert len(made) >= 2 + 2 + 120
