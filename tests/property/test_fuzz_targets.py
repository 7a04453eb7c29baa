"""The fuzz targets on what Hypothesis thinks of: the same invariant as the long runs (fuzz/README.md)."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.targets import FOUND, SEEDS, TARGETS, UPGRADE
from tests.wire_samples import masked

WORDS = (
    *(b'{"type":"subscribe","ids":[1]', b'"mode":"every"', b'"resume":[[1,7,0]]', b'"delta":true', b'"maxRate":'),
    *(b"{", b"}", b"[", b"]", b",", b"1e400", b"-1", b"NaN", b'"fields":["bidPrice"]', b'"quotes":'),
    *(b"\x00", b"\xff", b"\x81", b"\r\n", b"\r\n\r\n", b"GET / HTTP/1.1", b"Content-Length: 5"),
    *(b"Transfer-Encoding: chunked", UPGRADE % b"/ws", UPGRADE % b"/"),
)
words = st.sampled_from(WORDS)
frames = st.builds(
    lambda opcode, payload, fin: masked(opcode, payload, fin=fin),
    st.integers(0, 15),
    st.binary(max_size=150),
    st.booleans(),
)
bytes_like = st.lists(words | frames | st.binary(max_size=40), max_size=12).map(b"".join)


def mutated(seed: bytes, at: int, length: int, put: bytes) -> bytes:
    place = at % (len(seed) + 1)
    return seed[:place] + put + seed[place + length :]


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_and_what_was_found(name: str) -> None:
    for data in SEEDS[name] + FOUND[name]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_get_an_answer(name: str, data: st.DataObject) -> None:
    near = st.builds(mutated, st.sampled_from(SEEDS[name]), st.integers(0, 500), st.integers(0, 6), bytes_like)
    TARGETS[name](data.draw(bytes_like | near | st.binary(max_size=300)))
