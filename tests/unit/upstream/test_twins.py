"""Where a stream stands that joins among equal contents, and how long what it brings may wait."""

from collections.abc import Hashable

from quotewire.market.quote import QuotePatch
from quotewire.upstream.twins import ALONE_S, HOLD_S, LAG_S, Heard, Twins

NEW, SEEN, HELD = Heard.NEW, Heard.SEEN, Heard.HELD


def content(name: str) -> QuotePatch:
    """`A`, `B` … are bids between two trades: nothing tells their order."""
    return QuotePatch(symbol_id=1, symbol="S", bid_price=float(ord(name)), volume=100)


def login_of(stream: Hashable) -> Hashable:
    assert isinstance(stream, tuple)
    return str(stream[0])


class Bench:
    """One symbol; `now` goes on by a hundredth with each word. Streams are (login, socket); all in `up` carry it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.up: set[Hashable] = {("alice", 1)}
        self.twins = Twins(lambda stream, symbol_id: stream in self.up, login_of)

    def hears(self, login: str, name: str, *, socket: int = 1, since: float = float("-inf")) -> Heard:
        self.now += 0.01
        return self.twins.hear((login, socket), content(name), None, self.now, since)

    def due(self, after_s: float) -> list[str]:
        self.now += after_s
        return [chr(int(patch.bid_price or 0)) for patch in self.twins.due(self.now)]


def flickering(bench: Bench, names: str = "ABABA") -> None:
    for name in names:
        assert bench.hears("alice", name) is NEW


def test_what_was_over_before_a_stream_was_asked_for_cannot_be_what_it_brings() -> None:
    bench = Bench()
    flickering(bench)
    bench.up = {("bob", 1)}
    asked = bench.now + 0.001

    assert [bench.hears("bob", name, since=asked) for name in "BAB"] == [NEW] * 3


def test_the_next_socket_of_a_login_begins_where_the_last_one_ended() -> None:
    """A token rotation asks for the new socket while the old one still brings data."""
    bench = Bench()
    asked = bench.now
    flickering(bench)
    bench.up = {("alice", 2)}

    assert [bench.hears("alice", name, socket=2, since=asked) for name in "ABA"] == [SEEN, NEW, NEW]


def test_a_joining_stream_that_may_be_behind_waits_for_the_other_and_then_follows() -> None:
    bench = Bench()
    asked = bench.now
    flickering(bench)
    bench.up.add(("bob", 1))

    assert [bench.hears("bob", name, since=asked) for name in "BA"] == [HELD, SEEN]
    assert bench.hears("alice", "B") is NEW
    assert bench.hears("bob", "B", since=asked) is not NEW
    assert bench.due(HOLD_S) == []


def test_what_waits_is_heard_when_the_other_is_silent_and_sooner_when_there_is_no_other() -> None:
    for is_alone, wait_s in ((False, HOLD_S), (True, ALONE_S)):
        bench = Bench()
        asked = bench.now
        flickering(bench)
        bench.up = {("bob", 1)} if is_alone else {("alice", 1), ("bob", 1)}
        assert bench.hears("bob", "B", since=asked) is HELD
        assert [bench.due(wait_s - 0.01), bench.due(0.02), bench.due(HOLD_S)] == [[], ["B"], []]
        assert bench.hears("bob", "A", since=asked) is NEW, "from here on it leads"


def test_what_waited_beside_a_stream_that_ends_is_heard_at_once() -> None:
    bench = Bench()
    asked = bench.now
    flickering(bench)
    bench.up.add(("bob", 1))
    assert bench.hears("bob", "B", since=asked) is HELD
    bench.up = {("bob", 1)}

    assert bench.due(ALONE_S) == ["B"]


def test_nobody_is_taken_to_be_far_behind() -> None:
    bench = Bench()
    asked = bench.now
    flickering(bench)
    bench.up.add(("bob", 1))
    bench.now += LAG_S + 0.1

    assert bench.hears("bob", "B", since=asked) is not SEEN
    assert bench.due(HOLD_S) in ([], ["B"])
    assert bench.twins.is_newest(content("B"))


def test_what_a_poll_brought_is_not_passed_on_again() -> None:
    bench = Bench()
    flickering(bench, "A")
    bench.twins.told(content("C"), bench.now)

    assert bench.hears("alice", "C") is SEEN
    assert bench.hears("alice", "D") is NEW


def test_what_a_stream_says_first_after_it_was_asked_again_is_news_though_it_said_that_last() -> None:
    bench = Bench()
    flickering(bench, "A")
    asked = bench.now
    bench.twins.told(content("B"), bench.now)
    bench.now += LAG_S + 0.1

    assert bench.hears("alice", "A", since=asked) is NEW


def test_a_stream_that_is_asked_again_goes_on_from_where_it_was() -> None:
    """It may have had the symbol all the time: nothing it says waits, though it looks like something from before."""
    bench = Bench()
    flickering(bench, "AB")

    assert [bench.hears("alice", name, since=99.0) for name in "ABA"] == [NEW] * 3


def test_what_waited_on_a_stream_that_is_left_is_not_told_when_it_comes_back() -> None:
    bench = Bench()
    flickering(bench)
    bench.up.add(("bob", 1))
    assert [bench.hears("bob", name) for name in "AB"] == [SEEN, HELD]
    bench.up.remove(("bob", 1))
    assert bench.due(0.01) == []
    assert bench.hears("alice", "C") is NEW
    bench.up.add(("bob", 1))

    assert bench.hears("bob", "D") is HELD
    assert bench.due(HOLD_S) == ["D"]
