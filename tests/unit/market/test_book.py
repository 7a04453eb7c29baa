"""The book's rules: merging, positions, silence about nothing, names, and what counts as older."""

from typing import Any

import msgspec
import pytest

from quotewire.market.book import PLAIN_FIELDS, Book, is_older
from quotewire.market.quote import Freshness, Quote, QuotePatch, Source

AAPL = 8049
MORNING = "2026-03-03T09:45:00.000000-05:00"


def apply(book: Book, at_ms: int = 1000, *, reject_older: bool = False, **fields: Any) -> Quote | None:
    fields.setdefault("symbol_id", AAPL)
    return book.apply(
        QuotePatch(**fields),
        source=Source.STREAM,
        received_at_ms=at_ms,
        freshness=Freshness.LIVE,
        reject_older=reject_older,
    )


def test_first_quote_is_number_one_of_the_epoch() -> None:
    quote = apply(Book(epoch=7), symbol="AAPL", bid_price=1.5, delay=0)

    assert quote is not None
    assert (quote.symbol, quote.epoch, quote.sequence, quote.received_at) == ("AAPL", 7, 1, 1000)
    assert (quote.bid_price, quote.ask_price, quote.delayed) == (1.5, None, False)


def test_a_missing_key_keeps_and_a_null_overwrites() -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL", bid_price=1.5, ask_price=1.6, volume=10)

    quote = apply(book, 2000, ask_price=None)

    assert quote is not None
    assert (quote.bid_price, quote.ask_price, quote.volume) == (1.5, None, 10)
    assert (quote.sequence, quote.received_at) == (2, 2000)


def test_every_questrade_field_reaches_the_quote() -> None:
    own = {"symbol", "symbol_id", "delay", "is_halted"}
    values: dict[str, Any] = dict.fromkeys(PLAIN_FIELDS, 1)

    quote = apply(Book(epoch=1), symbol="AAPL", **values)

    assert set(QuotePatch.__struct_fields__) == own | set(PLAIN_FIELDS)
    assert all(getattr(quote, name) == 1 for name in PLAIN_FIELDS)


def test_nothing_new_is_not_passed_on_but_counts_as_received() -> None:
    book = Book(epoch=1)
    first = apply(book, symbol="AAPL", bid_price=1.5)

    assert apply(book, 5000, symbol="AAPL", bid_price=1.5) is None
    assert book.get(AAPL) == first
    assert book.last_received_ms(AAPL) == 5000
    assert book.last_changed_ms(AAPL) == 1000


@pytest.mark.parametrize(
    ("source", "freshness"), [(Source.POLL, Freshness.LIVE), (Source.STREAM, Freshness.RECOVERING)]
)
def test_a_new_source_or_freshness_is_passed_on(source: Source, freshness: Freshness) -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL")

    quote = book.apply(QuotePatch(symbol_id=AAPL), source=source, received_at_ms=2000, freshness=freshness)

    assert quote is not None
    assert (quote.source, quote.freshness, quote.sequence) == (source, freshness, 2)


@pytest.mark.parametrize(
    ("delay", "delayed", "stored"), [(0, False, 0), (1, True, 1), (15, True, 15), (True, True, 1), (None, False, 0)]
)
def test_delayed_is_any_delay_above_zero(delay: int | bool | None, delayed: bool, stored: int) -> None:
    quote = apply(Book(epoch=1), symbol="AAPL", delay=delay)

    assert quote is not None
    assert (quote.delayed, quote.delay) == (delayed, stored)
    assert type(quote.delay) is int


def test_delay_and_halt_are_kept_when_left_out() -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL", delay=1, is_halted=True)

    quote = apply(book, bid_price=2.0)

    assert quote is not None
    assert (quote.delay, quote.delayed, quote.is_halted) == (1, True, True)


def test_a_name_left_out_is_the_one_known_or_learned() -> None:
    book = Book(epoch=1)
    book.learn(AAPL, "AAPL")

    learned = apply(book, bid_price=1.0)
    kept = apply(book, bid_price=2.0)
    renamed = apply(book, symbol="APPL", bid_price=2.0)
    kept_again = apply(book, bid_price=3.0)

    names = [quote.symbol for quote in (learned, kept, renamed, kept_again) if quote is not None]
    assert names == ["AAPL", "AAPL", "APPL", "APPL"]


def test_judging_restamps_only_a_change() -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL", bid_price=1.0)
    apply(book, 4000, symbol="AAPL", bid_price=1.0)  # unchanged, yet received

    stale = book.judge(AAPL, Freshness.STALE, at_ms=9000)

    assert stale is not None
    assert (stale.freshness, stale.sequence, stale.bid_price) == (Freshness.STALE, 2, 1.0)
    assert stale.received_at == 4000
    assert book.last_changed_ms(AAPL) == 9000
    assert book.judge(AAPL, Freshness.STALE, at_ms=9001) is None
    assert book.judge(1, Freshness.STALE, at_ms=9001) is None
    assert book.get(AAPL) is stale


def test_a_dropped_symbol_never_repeats_a_position() -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL", bid_price=1.0, volume=5)
    apply(book, bid_price=2.0)
    book.drop(AAPL)
    book.drop(AAPL)

    assert (len(book), book.symbols(), book.get(AAPL), book.last_received_ms(AAPL)) == (0, [], None, None)
    quote = apply(book, bid_price=2.0)

    assert quote is not None
    assert (quote.sequence, quote.symbol, quote.volume) == (3, "AAPL", None)
    assert (len(book), book.symbols()) == (1, [AAPL])


def test_published_quotes_are_never_changed_afterwards() -> None:
    book = Book(epoch=1)
    first = apply(book, symbol="AAPL", bid_price=1.0)
    assert first is not None
    copy = msgspec.structs.replace(first)

    apply(book, 2000, bid_price=2.0)
    book.judge(AAPL, Freshness.STALE, at_ms=3000)

    assert first == copy


@pytest.mark.parametrize(
    ("fields", "older"),
    [
        ({"volume": 99, "last_trade_time": MORNING}, True),
        ({"volume": 99, "last_trade_time": "2026-03-03T09:46:00.000000-05:00"}, True),  # volume outranks time
        ({"volume": 99}, True),  # time left out: the same as before
        ({"volume": 101, "last_trade_time": "2026-03-03T09:44:00.000000-05:00"}, False),
        ({"volume": 100, "last_trade_time": "2026-03-03T09:44:59.999999-05:00"}, True),
        ({"volume": 100, "last_trade_time": "2026-03-03T14:45:00.000000+00:00"}, False),  # the same moment
        ({"volume": 100, "last_trade_time": MORNING, "bid_price": 9.0}, False),
        ({"volume": 5, "last_trade_time": "2026-03-04T09:30:00.000000-05:00"}, False),  # a new day counts from zero
        ({"volume": 500, "last_trade_time": "2026-03-02T15:59:00.000000-05:00"}, True),
        ({"volume": 99, "last_trade_time": None}, False),
        ({"volume": None, "last_trade_time": MORNING}, False),
        ({"bid_price": 9.0}, False),
        ({"volume": 100, "last_trade_time": "2026-03-03 rubbish"}, False),
        ({"volume": 100, "last_trade_time": "2026-03-03T09:44:00"}, False),  # no zone: cannot be compared
    ],
)
def test_what_is_older(fields: dict[str, Any], older: bool) -> None:
    book = Book(epoch=1)
    current = apply(book, symbol="AAPL", volume=100, last_trade_time=MORNING)
    assert current is not None

    assert is_older(QuotePatch(symbol_id=AAPL, **fields), current) is older


def test_older_data_is_ignored_only_on_request() -> None:
    book = Book(epoch=1)
    apply(book, symbol="AAPL", volume=100, last_trade_time=MORNING)

    assert apply(book, 2000, volume=90, reject_older=True) is None
    assert book.last_received_ms(AAPL) == 1000
    passed = apply(book, 3000, volume=90)

    assert passed is not None
    assert passed.volume == 90


def test_flags_that_turn_null_while_they_are_off_change_nothing() -> None:
    book = Book(1)
    first = apply(book, delay=0, is_halted=False)

    assert apply(book, 2000, delay=None, is_halted=None) is None
    assert book.get(AAPL) is first


def test_flags_that_turn_null_while_they_are_on_are_off() -> None:
    book = Book(1)
    apply(book, delay=15, is_halted=True)

    off = apply(book, 2000, delay=None, is_halted=None)

    assert off is not None
    assert (off.sequence, off.delay, off.delayed, off.is_halted) == (2, 0, False, False)


def test_what_was_handed_out_is_never_changed() -> None:
    book = Book(1)
    first = apply(book, symbol="AAPL", bid_price=1.5)
    assert first is not None
    before = msgspec.json.encode(first)

    apply(book, 2000, bid_price=1.6, delay=15)

    assert msgspec.json.encode(first) == before
