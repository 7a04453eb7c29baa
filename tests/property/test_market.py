"""The book's positions only grow, its merge is what it says, and no quote is called live without a road."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from quotewire.market.book import PLAIN_FIELDS, Book
from quotewire.market.calendar import MarketPhase
from quotewire.market.freshness import Pace, Road, judge
from quotewire.market.history import History
from quotewire.market.quote import Freshness, Quote, QuotePatch, Source

SYMBOL = st.integers(1, 3)
PRICE = st.one_of(st.just(UNSET), st.none(), st.sampled_from((1.0, 2.0)))
COUNT = st.one_of(st.just(UNSET), st.none(), st.integers(0, 3))
PATCHES = st.builds(
    QuotePatch,
    symbol_id=SYMBOL,
    symbol=st.sampled_from((UNSET, "AAPL", "SHOP.TO")),
    bid_price=PRICE,
    ask_price=PRICE,
    volume=COUNT,
    last_trade_time=st.sampled_from((UNSET, None, "2026-03-03T09:45:00-05:00", "2026-03-04T09:45:00-05:00", "?")),
    delay=st.one_of(st.just(UNSET), st.none(), st.integers(0, 2), st.booleans()),
    is_halted=st.one_of(st.just(UNSET), st.none(), st.booleans()),
)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("apply"), PATCHES, st.sampled_from(Source), st.sampled_from(Freshness), st.booleans()),
        st.tuples(st.just("judge"), SYMBOL, st.sampled_from(Freshness)),
        st.tuples(st.just("drop"), SYMBOL),
    ),
    max_size=60,
)


@given(ACTIONS)
@settings(max_examples=300, deadline=None)
def test_every_update_is_the_next_of_its_symbol_and_differs_from_the_last(actions: list[Any]) -> None:
    book, last, at_ms = Book(epoch=3), dict[int, Quote](), 0
    history: History[Quote] = History(depth=1000)
    for action in actions:
        at_ms += 1
        match action:
            case ("apply", patch, source, freshness, reject):
                quote = book.apply(patch, source=source, received_at_ms=at_ms, freshness=freshness, reject_older=reject)
            case ("judge", symbol_id, freshness):
                quote = book.judge(symbol_id, freshness, at_ms=at_ms)
            case (_, symbol_id):
                book.drop(symbol_id)
                assert book.get(symbol_id) is None
                continue
        if quote is not None:
            before = last.get(quote.symbol_id)
            assert (quote.epoch, quote.sequence) == (3, before.sequence + 1 if before else 1)
            assert book.get(quote.symbol_id) is quote
            assert quote.delayed is (quote.delay > 0)
            assert history.add(quote)
            last[quote.symbol_id] = quote

    assert set(book.symbols()) <= set(last)
    assert len(book) == len(book.symbols())
    for symbol_id, newest in last.items():
        kept = history.since(symbol_id, 3, 0)
        assert kept is not None
        assert [each.sequence for each in kept] == list(range(1, newest.sequence + 1))


@given(st.lists(PATCHES, min_size=1, max_size=30))
def test_the_merge_is_the_last_value_sent_of_each_field(patches: list[QuotePatch]) -> None:
    book, expected = Book(epoch=1), dict[int, dict[str, Any]]()
    for at_ms, patch in enumerate(patches):
        book.apply(patch, source=Source.STREAM, received_at_ms=at_ms, freshness=Freshness.LIVE)
        fields = expected.setdefault(patch.symbol_id, dict.fromkeys(PLAIN_FIELDS))
        fields.update({name: value for name in PLAIN_FIELDS if (value := getattr(patch, name)) is not UNSET})

    for symbol_id, fields in expected.items():
        quote = book.get(symbol_id)
        assert {name: getattr(quote, name) for name in PLAIN_FIELDS} == fields


SECONDS = st.one_of(st.just(0.0), st.floats(0, 1e6))


@given(
    st.sampled_from(Road),
    st.sampled_from(MarketPhase),
    st.one_of(st.none(), SECONDS),
    SECONDS,
    st.booleans(),
    st.one_of(st.none(), SECONDS),
    st.booleans(),
)
@settings(max_examples=500)
def test_nothing_is_called_tradable_without_a_road_an_open_market_and_data_since(
    road: Road,
    phase: MarketPhase,
    age_s: float | None,
    road_up_s: float,
    is_halted: bool,
    expected_s: float | None,
    close_seen: bool,
) -> None:
    freshness = judge(
        road=road,
        phase=phase,
        age_s=age_s,
        road_up_s=road_up_s,
        is_halted=is_halted,
        expected_s=expected_s,
        close_seen=close_seen,
    )

    if freshness in (Freshness.LIVE, Freshness.QUIET):
        assert road is Road.UP
        assert phase is not MarketPhase.CLOSED
        assert not is_halted
        assert age_s is not None
        assert age_s <= road_up_s
    if freshness is Freshness.CLOSED:
        assert phase is MarketPhase.CLOSED
    if road is Road.DOWN:
        assert freshness in (Freshness.STALE, Freshness.CLOSED)


@given(st.lists(st.tuples(st.sampled_from(MarketPhase), st.floats(0, 1e5)), max_size=50))
def test_a_pace_is_never_outside_what_was_seen(data: list[tuple[MarketPhase, float]]) -> None:
    pace, now = Pace(longest_s=600.0), 0.0
    for phase, gap in data:
        now += gap
        pace.observe(phase, now)

    for phase in MarketPhase:
        expected = pace.expected_s(phase)
        assert expected is None or 0 <= expected <= 600 * (1 + 1e-9)
