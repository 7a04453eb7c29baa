"""The market: deterministic, plausible, and every change provable."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quotewire.market.calendar import TORONTO, hours
from quotewire.simulator.clock import start_time
from quotewire.simulator.market import Market, MarketPlan
from quotewire.simulator.prices import UNITS, on_grid
from quotewire.simulator.rows import Change, QuoteRow
from quotewire.simulator.universe import build
from tests.unit.simulator.conftest import chance_for

MakeMarket = Callable[..., Market]
AAPL, EMH, SPX, UNTRADED = 8049, 10164524, 100_001, 51_000_001
HOUR = 3600.0


def run(market: Market, seconds: float) -> list[Change]:
    return market.advance(market.now + seconds, 10_000_000)


def seen(changes: list[Change]) -> list[tuple[float, bytes]]:
    return [(change.at, change.body) for change in changes]


def test_the_same_seed_and_start_give_the_same_day(make_market: MakeMarket) -> None:
    assert seen(run(make_market(), 600)) == seen(run(make_market(), 600))
    assert seen(run(make_market(seed=2), 60)) != seen(run(make_market(), 60))


@settings(max_examples=12, deadline=None)
@given(st.lists(st.floats(0.001, 40.0), min_size=1, max_size=30), st.integers(1, 500))
def test_it_does_not_matter_how_time_is_cut(steps: list[float], limit: int) -> None:
    def make() -> Market:
        return Market(build(12), MarketPlan(start_time("2026-03-03T09:29", 0.0, hours), 20.0), chance_for(3), hours)

    whole, cut = make(), make()
    end = whole.now + sum(steps)
    pieces: list[Change] = []
    now = cut.now
    for step in steps:
        now += step
        pieces += cut.advance(now, limit)
    while batch := cut.advance(end, limit):
        pieces += batch
    assert seen(pieces) == seen(whole.advance(end, 10_000_000))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["2026-03-03T09:25", "2026-03-03T15:58", "2026-07-02T12:00"]))
def test_every_change_differs_and_volume_never_falls(seed: int, start: str) -> None:
    plan = MarketPlan(start_time(start, 0.0, hours), 100.0, 20.0)
    market = Market(build(20), plan, chance_for(seed), hours)
    last = {each.symbol_id: market.row(each.symbol_id) for each in build(20).listings}
    for change in run(market, 300):
        row, before = change.row, last[change.row.symbol_id]
        assert before is not None
        assert row != before
        assert row.volume >= before.volume
        if row.volume == before.volume:
            assert row.last_trade_price == before.last_trade_price
            assert row.last_trade_time == before.last_trade_time
        else:
            assert row.last_trade_tick == tick(before, row)
        last[row.symbol_id] = row


def tick(before: QuoteRow, after: QuoteRow) -> str:
    assert before.last_trade_price is not None
    assert after.last_trade_price is not None
    if after.last_trade_price == before.last_trade_price:
        return "Equal"
    return "Up" if after.last_trade_price > before.last_trade_price else "Down"


@pytest.mark.parametrize("start", ["2026-03-03T08:00", "2026-03-03T10:00", "2026-03-03T16:30", "2026-03-01T12:00"])
def test_quotes_are_consistent_from_the_first_moment(make_market: MakeMarket, start: str) -> None:
    market = make_market(start, symbols=200)
    run(market, 120)
    for listing in build(200).listings:
        row = market.row(listing.symbol_id)
        assert row is not None
        if listing.is_index or listing.price == 0:
            assert (row.bid_price, row.ask_price, row.bid_size, row.ask_size) == (None, None, 0, 0)
            continue
        assert row.bid_price is not None
        assert row.ask_price is not None
        assert row.bid_price < row.ask_price
        for price in (row.bid_price, row.ask_price, row.last_trade_price, row.high_price, row.low_price):
            assert price is not None
            units = round(price * UNITS)
            assert units == 0 or on_grid(listing.ticks, units) == units, f"{listing.symbol} {price} is off its grid"
        if row.open_price:
            assert row.low_price <= row.open_price <= row.high_price
            assert row.low_price <= row.vwap <= row.high_price
            assert row.high52w is not None
            assert row.low52w is not None
            assert row.low52w <= row.low_price <= row.high_price <= row.high52w


def test_rate_is_what_was_asked_for_at_mid_day(make_market: MakeMarket) -> None:
    changes = run(make_market("2026-03-03T12:00", rate=50.0), 1200)
    assert 0.85 * 50 * 1200 < len(changes) < 1.15 * 50 * 1200


def test_activity_has_the_shape_of_a_day(make_market: MakeMarket) -> None:
    market = make_market("2026-03-03T03:30", rate=4.0)
    changes = run(market, 17 * HOUR)
    per_hour = Counter(datetime.fromtimestamp(change.at, TORONTO).hour for change in changes)
    assert per_hour[3] == 0
    assert 0 < per_hour[5] < per_hour[12] / 5
    assert per_hour[15] > 1.3 * per_hour[12]
    assert per_hour[10] < per_hour[9] * 2 * 0.8, "the half hour after the open is the busiest"
    assert 0 < per_hour[17] < per_hour[12] / 5
    assert per_hour[20] == 0
    early = {change.row.symbol_id for change in changes if datetime.fromtimestamp(change.at, TORONTO).hour < 7}
    canadian = {each.symbol_id for each in build().listings if each.exchange in ("TSX", "TSXV", "CNSX", "NEO")}
    assert not early & canadian, "Canada opens at seven"


def test_nothing_trades_on_a_weekend_or_a_holiday(make_market: MakeMarket) -> None:
    assert run(make_market("2026-02-28T00:00", rate=5.0), 48 * HOUR) == []
    canada_day = run(make_market("2026-07-01T10:00", rate=20.0), 600)
    exchanges = {build().by_id[change.row.symbol_id].exchange for change in canada_day}
    assert exchanges
    assert not exchanges & {"TSX", "TSXV", "CNSX", "NEO", "MX"}


def test_a_new_day_starts_its_counts_again(make_market: MakeMarket) -> None:
    market = make_market("2026-03-03T19:59", symbols=2, rate=20.0)
    evening = market.row(AAPL)
    assert evening is not None
    changes = [change.row for change in run(market, 9 * HOUR) if change.row.symbol_id == AAPL]
    morning = next(row for row in changes if row.volume < evening.volume)
    assert (morning.open_price, morning.high_price, morning.vwap) == (0, 0, 0)
    instrument = market.instrument(AAPL)
    assert instrument is not None
    assert instrument.previous_close / UNITS == evening.last_trade_price_tr_hrs


def test_extended_hours_leave_the_regular_prices_alone(make_market: MakeMarket) -> None:
    market = make_market("2026-03-03T16:05", symbols=2, rate=100.0)
    before = market.row(AAPL)
    rows = [change.row for change in run(market, HOUR) if change.row.symbol_id == AAPL]
    assert before is not None
    assert any(row.last_trade_price != before.last_trade_price for row in rows)
    for row in rows:
        assert row.last_trade_price_tr_hrs == before.last_trade_price_tr_hrs
        assert (row.open_price, row.high_price, row.low_price, row.vwap) == (
            before.open_price,
            before.high_price,
            before.low_price,
            before.vwap,
        )


def test_quiet_symbols_are_quiet_and_the_untraded_never_moves(make_market: MakeMarket) -> None:
    counts = Counter(change.row.symbol_id for change in run(make_market("2026-03-03T12:00"), 1200))
    assert counts[AAPL] > 1000
    assert 0 < counts[27440911] < 80
    assert counts[UNTRADED] == 0


def test_halts_stop_a_symbol_and_end(make_market: MakeMarket) -> None:
    market = make_market("2026-03-03T10:00", symbols=30, rate=8.0, halts=60.0)
    changes = run(market, 3 * HOUR)
    rows: dict[int, list[Change]] = defaultdict(list)
    for change in changes:
        rows[change.row.symbol_id].append(change)
    halts = 0
    for history in rows.values():
        for change, after in pairwise(history):
            if change.row.is_halted:
                halts += 1
                assert not after.row.is_halted
                assert after.at - change.at >= 300
    assert halts > 5


def test_an_operators_halt_is_not_lifted_by_the_market(make_market: MakeMarket) -> None:
    market = make_market(symbols=3, rate=100.0)
    assert [change.row.is_halted for change in market.halt(AAPL, "operator")] == [True]
    assert market.halt(AAPL, "operator") == []
    assert market.resume(AAPL, "market") == []
    assert not [change for change in run(market, 60) if change.row.symbol_id == AAPL]
    assert [change.row.is_halted for change in market.resume(AAPL, "operator")] == [False]
    assert [change for change in run(market, 60) if change.row.symbol_id == AAPL]


def test_bursts_move_the_whole_list_at_one_moment(make_market: MakeMarket) -> None:
    market = make_market(rate=50.0)
    moments = Counter(change.at for change in run(market, 900))
    assert max(moments.values()) > 20
    burst = market.burst(frozenset({AAPL, EMH}))
    assert {change.row.symbol_id for change in burst} == {AAPL, EMH}
    assert {change.at for change in burst} == {market.now}


def test_advance_stops_at_its_limit_and_goes_on(make_market: MakeMarket) -> None:
    market = make_market(rate=1000.0)
    first = market.advance(market.now + 10, 50)
    assert 50 <= len(first) < 200
    assert market.now < first[0].at + 10


def test_sizes_and_volume_come_near_the_average_day(make_market: MakeMarket) -> None:
    market = make_market("2026-03-03T09:00", symbols=2, rate=2.0)
    run(market, 7.5 * HOUR)
    row = market.row(AAPL)
    assert row is not None
    assert 0.6 < row.volume / build().by_id[AAPL].average_volume < 1.5
