"""What crosses the bus, as bytes: the same comes out, whole or in pieces, and garbage is refused."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quotewire.bus import envelope as e
from quotewire.errors import BusError
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.resilience.accounts import Held, Scope
from quotewire.wire.messages import UpstreamState
from quotewire.wire.options import Cause, Gap

STATE = UpstreamState(state="connected", reason="streaming", since=1, person="alice", symbol_count=2)
HELD = Held(Scope.KEY, "alice", 3, 7)
GAP = Gap("AAPL", 8049, 7, 3, 9, None, 1000, Cause.UPSTREAM)


def quote(sequence: int = 1) -> Quote:
    return Quote(
        symbol="AAPL",
        symbol_id=8049,
        epoch=1_764_000_000_000,
        sequence=sequence,
        freshness=Freshness.LIVE,
        source=Source.STREAM,
        delayed=False,
        received_at=5,
        bid_price=1.5,
        high52w=2.5,
        vwap=None,
    )


FROM_OWNER: list[e.FromOwner] = [
    e.Welcome(version=1, epoch=7, key=b"k" * 32, state=STATE, persons=[e.TokenView("alice", True, "")]),
    e.CaughtUp(),
    e.Updates(quotes=[quote(1), quote(2)], missed=[GAP]),
    e.Told(state=STATE, persons=[]),
    e.Answer(number=3, body=e.packed([1, 2])),
    e.Answer(number=4, failure=e.Failure("upstream", "it failed", {"status": 3.0})),
    e.Collect(number=1),
    e.Beat(),
    e.Refused(reason="no"),
]
FROM_NODE: list[e.FromNode] = [
    e.Hello(version=1, node=2, wanted=[1], fenced=6),
    e.Holds(held=[HELD]),
    e.Want(added=[1], removed=[2]),
    e.Ask(number=1, question=e.Question.RESOLVE, arguments=[["AAPL"], [8049]]),
    e.Readings(number=0, readings=[e.Reading("quotewire_connections", 3.0)]),
    e.Counted(readings=[e.Reading("quotewire_errors_sent_total", 3.0, ("rate_limited",))]),
    e.Left(held=[HELD]),
    e.Reported(client="a", counts={"uptime": 1.0}),
    e.Beat(),
]


def bodies(data: bytes) -> list[bytes]:
    return list(e.Splitter().feed(data))


@pytest.mark.parametrize("message", FROM_OWNER, ids=lambda each: type(each).__name__)
def test_what_the_owner_says_comes_out_the_same(message: e.FromOwner) -> None:
    (body,) = bodies(e.frame(message))
    read = e.from_owner(body)
    assert type(read) is type(message)
    assert e.frame(read) == e.frame(message)


@pytest.mark.parametrize("message", FROM_NODE, ids=lambda each: type(each).__name__)
def test_what_a_node_says_comes_out_the_same(message: e.FromNode) -> None:
    (body,) = bodies(e.frame(message))
    assert e.from_node(body) == message


def test_every_field_of_a_quote_survives() -> None:
    (body,) = bodies(e.frame(e.Updates(quotes=[quote()])))
    read = e.from_owner(body)
    assert isinstance(read, e.Updates)
    assert read.quotes == [quote()]
    assert type(read.quotes[0]) is Quote


@given(st.lists(st.integers(1, 400), max_size=20))
def test_frames_come_out_whole_however_the_bytes_are_cut(cuts: list[int]) -> None:
    stream = b"".join(e.frame(message) for message in FROM_NODE)
    splitter, found, at = e.Splitter(), [], 0
    for cut in [*cuts, len(stream)]:
        found += [e.from_node(body) for body in splitter.feed(stream[at : at + cut])]
        at += cut
    assert found == FROM_NODE


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x00", b"\xff" * 8])
def test_a_length_nobody_sends_is_refused(garbage: bytes) -> None:
    with pytest.raises(BusError, match="claims"):
        bodies(garbage)


@given(st.binary(max_size=200))
@example(b"\x91\xa2\x00\x80")  # a tag that is no UTF-8
def test_any_bytes_are_a_message_or_a_bus_error(body: bytes) -> None:
    for read in (e.from_owner, e.from_node):
        with contextlib.suppress(BusError):
            read(body)


def test_a_message_of_the_other_direction_is_refused() -> None:
    (body,) = bodies(e.frame(e.Left(held=[HELD])))
    with pytest.raises(BusError):
        e.from_owner(body)


def test_deep_nesting_is_refused() -> None:
    body = b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(BusError):
        e.from_node(b"\x94\xa3ask\x01\xa6report" + body)
