from datetime import datetime, timedelta

import pytest

from quotewire.market.calendar import TORONTO
from quotewire.market.freshness import Road
from quotewire.market.quote import Freshness, Quote, QuotePatch, Source
from quotewire.upstream.tape import Gap, Moment, Tape

OPEN = datetime(2026, 3, 3, 10, 0, tzinfo=TORONTO)


def moment(at: float, start: datetime = OPEN) -> Moment:
    return Moment(at, int(at * 1000), (start + timedelta(seconds=at)).timestamp())


@pytest.fixture
def tape() -> Tape:
    return Tape(7, lambda symbol_id: "NASDAQ")


def patch(symbol_id: int = 1, **fields: object) -> QuotePatch:
    return QuotePatch(symbol_id=symbol_id, **{"symbol": f"S{symbol_id}", "bid_price": 1.0, **fields})  # type: ignore[arg-type]


def freshness(quotes: list[Quote]) -> list[Freshness]:
    return [quote.freshness for quote in quotes]


def test_stream_data_are_live(tape: Tape) -> None:
    (quote,) = tape.streamed("alice", [patch()], moment(0))

    assert (quote.freshness, quote.source, quote.epoch, quote.sequence) == (Freshness.LIVE, Source.STREAM, 7, 1)
    assert tape.road(1) is Road.UP


def test_a_lost_stream_makes_its_quotes_stale_at_once_and_a_new_one_recovering_until_data_come(tape: Tape) -> None:
    tape.streamed("alice", [patch()], moment(0))

    assert freshness(tape.turn([1], Road.DOWN, moment(1))) == [Freshness.STALE]
    assert freshness(tape.turn([1], Road.UP, moment(2))) == [Freshness.RECOVERING]
    assert freshness(tape.streamed("alice", [patch()], moment(3))) == [Freshness.LIVE]


def test_the_passing_of_time_makes_a_live_quote_quiet(tape: Tape) -> None:
    tape.streamed("alice", [patch()], moment(0))

    assert tape.judge(tape.symbols(), moment(1)) == []
    assert freshness(tape.judge(tape.symbols(), moment(120))) == [Freshness.QUIET]


def test_polled_quotes_are_never_live(tape: Tape) -> None:
    (quote,) = tape.polled([patch()], moment(0))

    assert not quote.tradable
    assert tape.road(1) is Road.POLLING
    assert freshness(tape.judge(tape.symbols(), moment(90))) == [Freshness.STALE]


def test_a_check_of_a_streamed_symbol_does_not_change_its_road(tape: Tape) -> None:
    tape.streamed("alice", [patch()], moment(0))
    tape.polled([patch(bid_price=2.0)], moment(1))

    assert tape.road(1) is Road.UP


def test_a_closed_market_closes_its_quotes(tape: Tape) -> None:
    evening = OPEN.replace(hour=19, minute=59, second=59)
    tape.streamed("alice", [patch()], moment(0, evening))

    assert freshness(tape.judge(tape.symbols(), moment(2, evening))) == [Freshness.CLOSED]


def test_a_quote_from_before_an_outage_over_the_close_is_not_called_closed(tape: Tape) -> None:
    evening = OPEN.replace(hour=19, minute=59, second=50)
    tape.streamed("alice", [patch()], moment(0, evening))
    tape.turn([1], Road.DOWN, moment(1, evening))
    tape.judge(tape.symbols(), moment(2, evening))
    tape.judge(tape.symbols(), moment(20, evening))
    quote = tape.book.get(1)
    assert quote is not None
    assert quote.freshness is Freshness.STALE

    tape.polled([patch()], moment(30, evening))
    quote = tape.book.get(1)
    assert quote is not None
    assert quote.freshness is Freshness.CLOSED


def test_a_stream_that_is_back_in_the_moment_of_the_close_has_not_seen_it(tape: Tape) -> None:
    evening = OPEN.replace(hour=19, minute=59, second=50)
    tape.streamed("alice", [patch(), patch(2)], moment(0, evening))
    tape.judge(tape.symbols(), moment(9.5, evening))
    tape.turn([1, 2], Road.DOWN, moment(9.6, evening))
    tape.turn([2], Road.UP, moment(9.9, evening))

    assert freshness(tape.turn([1], Road.UP, moment(10.1, evening))) == [Freshness.RECOVERING]
    tape.judge(tape.symbols(), moment(10.5, evening))
    assert tape.gaps().keys() == {1, 2}, "their last updates are asked for"


def test_a_halt_is_told_and_kept_while_the_wire_leaves_it_out(tape: Tape) -> None:
    tape.streamed("alice", [patch(is_halted=True)], moment(0))
    (quote,) = tape.streamed("alice", [patch(bid_price=3.0)], moment(1))

    assert quote.freshness is Freshness.HALTED


def test_two_streams_of_one_symbol_do_not_turn_time_back(tape: Tape) -> None:
    newer = patch(volume=200, last_trade_time="2026-03-03T10:00:02-05:00")
    older = patch(volume=100, last_trade_time="2026-03-03T10:00:01-05:00")
    tape.streamed("alice", [newer], moment(0))

    assert tape.streamed("bob", [older], moment(1)) == []


def test_forgotten_symbols_keep_counting_when_they_return(tape: Tape) -> None:
    tape.polled([patch()], moment(0))
    assert tape.idle(before=1.0) == [1]
    tape.forget([1])
    assert len(tape) == 0

    (quote,) = tape.streamed("alice", [patch()], moment(5))
    assert quote.sequence == 2


def test_what_the_other_stream_brought_is_left_out_and_shows_that_this_one_works(tape: Tape) -> None:
    tape.streamed("alice", [patch()], moment(0))
    tape.turn([1], Road.DOWN, moment(1))
    tape.turn([1], Road.UP, moment(2))

    assert freshness(tape.streamed("bob", [patch()], moment(3))) == [Freshness.LIVE]
    assert tape.streamed("alice", [patch()], moment(4)) == []


def test_a_rest_quote_before_a_stream_that_is_back_has_spoken_is_a_backfill(tape: Tape) -> None:
    tape.streamed("alice", [patch()], moment(0))
    tape.turn([1], Road.DOWN, moment(1))
    tape.turn([1], Road.UP, moment(20))
    (quote,) = tape.polled([patch(bid_price=2.0)], moment(21))

    assert (quote.source, quote.freshness, quote.bid_price) == (Source.BACKFILL, Freshness.RECOVERING, 2.0)
    (quote,) = tape.streamed("alice", [patch(bid_price=2.0)], moment(22))
    assert (quote.source, quote.freshness) == (Source.STREAM, Freshness.LIVE)


def test_no_backfill_after_the_stream_has_spoken(tape: Tape) -> None:
    tape.turn([1], Road.UP, moment(20))
    tape.streamed("alice", [patch(bid_price=3.0)], moment(21))

    assert tape.polled([patch(bid_price=2.0)], moment(22)) == []


def test_a_stream_that_is_behind_a_backfill_does_not_turn_time_back(tape: Tape) -> None:
    tape.turn([1], Road.UP, moment(20))
    tape.polled([patch(volume=200, last_trade_time="2026-03-03T10:00:02-05:00")], moment(21))
    changed = tape.streamed("alice", [patch(volume=100, last_trade_time="2026-03-03T10:00:01-05:00")], moment(22))

    assert [quote.volume for quote in changed] in ([], [200])


def test_a_backfill_in_a_closed_market_is_the_close(tape: Tape) -> None:
    night = OPEN.replace(hour=22)
    tape.turn([1], Road.UP, moment(0, night))
    (quote,) = tape.polled([patch()], moment(1, night))

    assert (quote.source, quote.freshness) == (Source.BACKFILL, Freshness.CLOSED)


def test_after_a_gap_the_first_stream_that_speaks_leads_and_nothing_of_it_waits(tape: Tape) -> None:
    tape.streamed("alice", [patch(bid_price=1.0, volume=5)], moment(0))
    tape.turn([1], Road.DOWN, moment(0.1))
    tape.turn([1], Road.UP, moment(0.2))

    def bring(bid: float) -> list[Quote]:
        return tape.streamed("bob", [patch(bid_price=bid, volume=5)], moment(0.3), moment(0.2).mono)

    told = [bring(bid) for bid in (2.0, 3.0, 2.0)]

    assert [[quote.bid_price for quote in quotes] for quotes in told] == [[2.0], [3.0], [2.0]]
    assert freshness([quote for quotes in told for quote in quotes]) == [Freshness.LIVE] * 3


def test_what_waits_behind_another_stream_is_passed_on_whole_and_within_a_second(tape: Tape) -> None:
    flicker = [patch(bid_price=bid, volume=5) for bid in (1.0, 2.0, 1.0, 2.0, 1.0)]
    for step, each in enumerate(flicker):
        tape.streamed("alice", [each], moment(step * 0.1))
    assert tape.streamed("bob", [flicker[1]], moment(0.5)) == [], "it may be behind alice, or ahead"

    assert tape.is_holding
    assert tape.due(moment(1.4)) == []
    (quote,) = tape.due(moment(1.5))
    assert (quote.bid_price, quote.freshness) == (2.0, Freshness.LIVE)


def test_a_symbol_of_which_a_new_stream_says_nothing_is_a_gap_until_something_is_known(tape: Tape) -> None:
    tape.turn([1, 2], Road.UP, moment(3))
    tape.streamed("alice", [patch(bid_price=1.0)], moment(3.1))

    assert tape.gaps() == {2: Gap(moment(3).mono, moment(3).mono)}

    tape.polled([patch(2, bid_price=2.0)], moment(5))
    assert tape.gaps() == {}


def test_what_waited_while_the_process_stood_still_is_not_called_live_until_it_has_caught_up(tape: Tape) -> None:
    tape.streamed("alice", [patch(volume=1)], moment(0))
    tape.stood_still(moment(20))

    assert freshness(tape.streamed("alice", [patch(volume=2)], moment(20))) == [Freshness.RECOVERING]
    assert freshness(tape.judge(tape.symbols(), moment(21))) == []
    assert freshness(tape.streamed("alice", [patch(volume=3)], moment(22.1))) == [Freshness.LIVE]
