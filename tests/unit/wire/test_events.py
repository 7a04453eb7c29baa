"""Server-sent events as bytes, and checkpoints there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.wire import events
from quotewire.wire.codec import EncodedQuote, Form, gaps_frame, skipped_frame
from quotewire.wire.options import Position
from tests.wire_samples import quote

NUMBERS = st.integers(0, 2**53 - 1)
POSITIONS = st.dictionaries(st.integers(1, 2**53 - 1), st.builds(Position, NUMBERS, NUMBERS), max_size=50)


def test_each_event_is_one_chunk() -> None:
    assert events.event(b'{"a":1}') == b'f\r\ndata: {"a":1}\n\n\r\n'
    assert events.heartbeat() == b"3\r\n:\n\n\r\n"
    assert events.retry(1000) == b"d\r\nretry: 1000\n\n\r\n"
    assert events.checkpoint([(7, Position(3, 4))]) == b"b\r\nid: 3/7.4\n\n\r\n"


def test_quotes_are_framed_as_events_with_the_json_of_the_native_form() -> None:
    update = EncodedQuote(quote(1, 2))
    framed = update.frame(Form.EVENTS)
    size, _, rest = framed.partition(b"\r\n")
    assert len(rest) == int(size, 16) + 2
    assert rest == b'data: {"type":"quotes","quotes":[' + update.object + b"]}\n\n\r\n"
    assert update.frame(Form.EVENTS) is framed  # made once, shared by all
    assert b'{"type":"quotes","quotes":[],"skipped":3}' in skipped_frame(3, Form.EVENTS)
    assert b'data: {"type":"gap","gaps":[]}' in gaps_frame(Form.EVENTS, [])


@given(POSITIONS)
def test_a_checkpoint_is_read_as_it_was_written(positions: dict[int, Position]) -> None:
    text = events.write_positions(positions.items())
    assert events.read_positions(text) == positions
    assert "\n" not in text
    assert text.isascii()


@given(st.text())
def test_any_other_text_is_none_or_positions_that_exist(text: str) -> None:
    positions = events.read_positions(text)
    assert positions is None or all(0 < i < 2**53 > max(position) for i, position in positions.items())


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "1",
        "1/",
        "1/2",
        "1/2.",
        "1/2.3;",
        ";1/2.3",
        "1/0.3",
        "-1/2.3",
        "1/2.3,",
        "1/2.3 ",
        f"1/{2**53}.1",
        "1/2.3\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    assert events.read_positions(text) is None


def test_a_checkpoint_has_a_length() -> None:
    assert events.read_positions("1/" + ",".join(f"{i}.1" for i in range(1, 10_000))) is None
    assert events.read_positions("") == {}
