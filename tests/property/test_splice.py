"""One market seen through two gateways, each with a count of its own and late by as much as it likes.

Whatever comes when, what is passed on is the market, each moment once and in order; only where the second connection
never reaches what the first one showed may something be told as a gap.
"""

from hypothesis import given
from hypothesis import strategies as st

from quotewire.client.splice import News, Splice
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.options import Cause, Gap
from tests.wire_samples import quote

GAP = Gap("S1", 1, 9, 1, 0, None, None, Cause.EPOCH)


def seen_at(moment: int, epoch: int, sequence: int, *, steady: bool = True) -> Quote:
    """The market at a moment, as that gateway counts it."""
    source, freshness = (Source.STREAM, Freshness.LIVE) if steady else (Source.POLL, Freshness.RECOVERING)
    return quote(1, sequence, epoch=epoch, volume=moment, source=source, freshness=freshness)


class Client:
    """What a user would see."""

    def __init__(self) -> None:
        self.splice = Splice()
        self.moments: list[int | None] = []
        self.gaps: list[Gap] = []
        self.latest: Quote | None = None

    def first(self, told: Quote) -> None:
        counted = self.splice.unjoined([told])
        self.splice.first(counted)
        self.take(News(new=list(counted)))
        self.take(self.splice.join())

    def second(self, told: Quote) -> None:
        self.take(self.splice.second([told]))
        self.take(self.splice.join())

    def take(self, news: News) -> None:
        self.gaps += news.gaps
        self.moments += [told.volume for told in news.new]
        self.latest = ([self.latest, *news.new, *news.known])[-1]


@given(
    before=st.integers(1, 5),
    starts=st.integers(-3, 5),
    fetched=st.integers(0, 2),
    order=st.lists(st.booleans(), max_size=40),
    after=st.integers(1, 6),
)
def test_nothing_is_missed_and_nothing_comes_twice(
    before: int, starts: int, fetched: int, order: list[bool], after: int
) -> None:
    client = Client()
    for moment in range(before):
        client.first(seen_at(moment, 5, moment + 1))
    first, second, sequence = before, max(0, before + starts), 1
    assert client.splice.gaps([GAP]) == []
    for _ in range(fetched):  # what a cold gateway got over REST, before its stream
        client.second(seen_at(max(0, second - 1), 9, sequence, steady=False))
        sequence += 1
    for from_second in order:  # once joined, the first goes on while other symbols are still to be joined
        if from_second:
            client.second(seen_at(second, 9, sequence))
            second, sequence = second + 1, sequence + 1
        else:
            client.first(seen_at(first, 5, first + 1))
            first += 1
    met = not client.splice.waits([1])
    client.take(client.splice.give_up())
    for _ in range(max(0, first - second) + after):
        client.second(seen_at(second, 9, sequence))
        second, sequence = second + 1, sequence + 1
    if met:
        assert client.moments == list(range(second))
        assert client.gaps == []
        assert client.splice.over
        assert client.latest is not None
        assert (client.latest.epoch, client.latest.volume) == (9, second - 1)
    else:
        assert client.moments[-1] == second - 1
        assert client.gaps in ([], [GAP])


@given(st.lists(st.booleans(), max_size=30))
def test_where_both_count_alike_all_is_passed_on_at_once(order: list[bool]) -> None:
    client, told = Client(), 1
    client.first(seen_at(0, 5, 1))
    for from_second in order:
        told += 1
        (client.second if from_second else client.first)(seen_at(0, 5, told))
    assert len(client.moments) == told
    assert client.splice.waits([1]) == (True not in order)


def test_what_is_not_to_be_trusted_is_passed_on_though_it_was_seen() -> None:
    client = Client()
    for moment in range(4):
        client.first(seen_at(moment, 5, moment + 1))
    client.second(seen_at(1, 9, 1))
    assert client.moments == [0, 1, 2, 3]
    client.second(quote(1, 2, epoch=9, volume=1, freshness=Freshness.STALE))
    assert client.moments == [0, 1, 2, 3, 1]
    assert client.latest is not None
    assert client.latest.freshness is Freshness.STALE
