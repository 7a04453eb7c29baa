"""Any bytes into the frame reader: messages or one violation, never an exception, however they are cut up."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

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
)
from tests.wire_samples import masked

LIMIT = 300

masks = st.binary(min_size=4, max_size=4)
nearly_frames = st.builds(
    lambda opcode, payload, fin, mask: masked(opcode, payload, fin=fin, mask=mask),
    st.sampled_from([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, 3, 11]),
    st.binary(max_size=200) | st.text(max_size=60).map(str.encode),
    st.booleans(),
    masks,
)
streams = st.lists(nearly_frames | st.binary(max_size=30), max_size=8).map(b"".join)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(streams | st.binary(max_size=400), st.lists(st.integers(0, 5000), max_size=20))
def test_any_bytes_cut_anywhere_are_read_alike(data: bytes, places: list[int]) -> None:
    whole = FrameReader(LIMIT).feed(data)
    reader = FrameReader(LIMIT)
    pieces = [event for piece in cut(data, places) for event in reader.feed(piece)]
    assert pieces == whole
    endings = [event for event in whole if isinstance(event, Violation | CloseFrame)]
    assert len(endings) <= 1
    if endings:
        assert whole[-1] is endings[0]
        assert reader.ended
        assert reader.feed(data) == []
    for event in whole:
        if isinstance(event, TextMessage):
            assert len(event.text.encode()) <= LIMIT
        elif isinstance(event, BinaryMessage):
            assert len(event.data) <= LIMIT


@given(streams)
def test_what_is_held_back_is_never_more_than_one_frame_and_one_message(data: bytes) -> None:
    reader = FrameReader(LIMIT)
    for i in range(len(data)):
        reader.feed(data[i : i + 1])
        assert len(reader._buffer or b"") <= LIMIT + 14
        assert len(reader._fragments or b"") <= LIMIT


controls = st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125))
parts = st.lists(st.binary(max_size=20), min_size=1, max_size=6)
messages = st.tuples(st.just(BINARY), parts) | st.tuples(
    st.just(TEXT), st.lists(st.text(max_size=6), min_size=1, max_size=6).map(lambda texts: [t.encode() for t in texts])
)


@given(st.lists(st.tuples(messages, st.lists(controls, max_size=3)), max_size=5), masks)
def test_every_message_comes_back_however_it_was_fragmented(
    sent: list[tuple[tuple[int, list[bytes]], list[tuple[int, bytes]]]], mask: bytes
) -> None:
    data, expected = b"", list[FrameEvent]()
    for (opcode, fragments), between in sent:
        waiting = list(between)
        for i, fragment in enumerate(fragments):
            last = i == len(fragments) - 1
            data += masked(opcode if i == 0 else CONTINUATION, fragment, fin=last, mask=mask)
            if waiting and not last:
                kind, payload = waiting.pop()
                data += masked(kind, payload, mask=mask)
                expected.append(PingFrame(payload) if kind == PING else PongFrame(payload))
        joined = b"".join(fragments)
        expected.append(TextMessage(joined.decode()) if opcode == TEXT else BinaryMessage(joined))
    assert FrameReader(LIMIT).feed(data) == expected


@given(
    st.text(max_size=20),
    st.sampled_from([b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"]),
    masks,
    st.data(),
)
def test_text_that_cannot_become_a_message_ends_it_at_the_byte_that_tells(
    good: str, bad: bytes, mask: bytes, data: st.DataObject
) -> None:
    # The first byte after which no continuation can be right; of a surrogate Python's decoder takes the third.
    told_at = len(good.encode()) + {0xF4: 2, 0xED: 3}.get(bad[0], 1)
    payload = good.encode() + bad + b"x" * 20
    if data.draw(st.booleans(), label="in one frame"):
        stream = masked(TEXT, payload, mask=mask)
        told_at += 6
    else:
        split = data.draw(st.integers(0, len(good.encode())), label="first fragment")
        stream = masked(TEXT, payload[:split], fin=False, mask=mask) + masked(CONTINUATION, payload[split:], mask=mask)
        told_at += 12
    reader = FrameReader(LIMIT)
    assert [event for byte in stream[: told_at - 1] for event in reader.feed(bytes((byte,)))] == []
    (event,) = reader.feed(stream[told_at - 1 : told_at])
    assert isinstance(event, Violation)
    assert event.code is CloseCode.INVALID_PAYLOAD
