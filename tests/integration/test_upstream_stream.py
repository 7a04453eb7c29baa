"""The whole upstream over real sockets, against the simulator: streams, symbol changes, failover, fallback."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quotewire.market.quote import Quote, Source
from quotewire.questrade.tokens import RefreshPolicy
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.supervisor import Upstream
from tests.upstream_support import QUICK, Watched, running_upstream, settings_for, until

NAMES = ("AAPL", "MSFT", "SHOP.TO", "RY.TO")


async def ids_of(upstream: Upstream, names: Sequence[str] = NAMES) -> list[int]:
    await until(lambda: upstream.state.state == "connected")
    found = [resolution.symbol for resolution in await upstream.resolve(names, [])]
    return [symbol.symbol_id for symbol in found if symbol is not None]


def all_live(watched: Watched, ids: Sequence[int]) -> bool:
    return all(freshness in ("live", "quiet") for freshness in watched.freshness(*ids))


def assert_in_order(quotes: Sequence[Quote]) -> None:
    """One epoch, and for each symbol every sequence number once, without a hole."""
    last: dict[int, int] = {}
    for quote in quotes:
        assert quote.epoch == quotes[0].epoch
        assert quote.sequence == last.get(quote.symbol_id, 0) + 1
        last[quote.symbol_id] = quote.sequence


def busy(**fields: Any) -> SimulatorConfig:
    """A small list that moves a lot."""
    return SimulatorConfig(**{"rate": 400.0, "halts_per_day": 0.0, "symbols": 8, **fields})


async def test_every_quote_that_was_sent_arrives_in_order(tmp_path: Path) -> None:
    async with (
        Simulator(busy(record=True)) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        upstream.want(frozenset(ids))
        await until(lambda: len(watched.quotes) > 300)
        await sim.fault("silent_socket")  # the market goes on, nothing more is sent
        await asyncio.sleep(0.3)

        assert_in_order(watched.quotes)
        sent = {(row[0], row[1], row[2], row[3], row[4]) for row in sim.stats()["quotes"]["record"]["alice"]}
        got = {
            (q.symbol_id, q.volume, q.bid_price, q.ask_price, q.last_trade_price)
            for q in watched.quotes
            if q.source is Source.STREAM
        }
        assert sent == got


@pytest.mark.parametrize("mode", ["replace", "add", "reconnect"])
async def test_new_symbols_are_taken_up_whatever_the_server_does(tmp_path: Path, mode: str) -> None:
    async with (
        Simulator(busy(second_get=mode)) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        first, *rest = await ids_of(upstream)
        upstream.want({first})
        await until(lambda: all_live(watched, [first]))
        before = len(watched.quotes)

        upstream.want({first, *rest})
        await until(lambda: all_live(watched, [first, *rest]), within_s=8)

        assert "stale" not in {q.freshness.value for q in watched.quotes[before:] if q.symbol_id == first}
        habit = "reopen" if mode == "reconnect" else "in_place"
        await until(lambda: upstream.report()["subscriptionHabit"] == habit)
        upstream.want({first, rest[0]})
        assert_in_order(watched.quotes)


async def test_a_list_that_is_too_long_for_questrade_is_cut_and_the_rest_is_polled(tmp_path: Path) -> None:
    async with (
        Simulator(busy(symbols=None, max_argument_length=40)) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = [await ids_of(upstream, [name]) for name in (*NAMES, "AMD", "GOOGL", "AMZN", "AC.TO")]
        wanted = [symbol_id for (symbol_id,) in ids]
        upstream.want(frozenset(wanted))
        await until(lambda: sum(f in ("live", "quiet") for f in watched.freshness(*wanted)) >= 4, within_s=15)
        await until(lambda: all(symbol_id in watched.latest for symbol_id in wanted), within_s=15)

        assert {quote.source for quote in watched.latest.values()} == {Source.STREAM, Source.POLL}
        await until(lambda: upstream.state.state == "degraded", within_s=3)


async def test_once_learned_a_new_socket_is_opened_at_once(tmp_path: Path) -> None:
    async with (
        Simulator(busy(second_get="reconnect")) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        for count in range(1, len(ids)):
            upstream.want(frozenset(ids[:count]))
            await until(lambda count=count: all_live(watched, ids[:count]), within_s=8)  # type: ignore[misc]
        started = time.monotonic()
        upstream.want(frozenset(ids))
        await until(lambda: all_live(watched, ids))

        assert time.monotonic() - started < 2.0


async def test_a_healed_person_carries_symbols_again(tmp_path: Path) -> None:
    async with (
        Simulator(busy(persons=("alice", "bob"), symbols=None, rate=3000.0)) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = await ids_of(upstream, [*NAMES, "AMD", "GOOGL", "AMZN", "AC.TO", "ABX.TO", "ATD.TO"])
        assert len(ids) == 10
        await until(lambda: all(person.is_active for person in upstream.persons()))
        upstream.want(frozenset(ids))
        await until(lambda: all(person.symbol_count for person in upstream.persons()))
        await sim.fault("stream_abort", person="bob")
        await until(lambda: all_live(watched, ids))
        before = len(watched.quotes)
        await until(lambda: all(person.symbol_count for person in upstream.persons()), within_s=20)
        await asyncio.sleep(0.5)

        assert "stale" not in {quote.freshness.value for quote in watched.quotes[before:]}
        assert_in_order(watched.quotes)


async def test_a_token_is_rotated_without_a_break_where_another_person_can_take_over(tmp_path: Path) -> None:
    tuning = replace(QUICK, refresh=RefreshPolicy(cool_down_s=0.5))
    async with (
        Simulator(busy(persons=("alice", "bob"))) as sim,
        running_upstream(settings_for(sim, tmp_path), tuning) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        await until(lambda: all(person.is_active for person in upstream.persons()))
        upstream.want(frozenset(ids))
        await until(lambda: all_live(watched, ids))
        await asyncio.sleep(0.6)  # the cool-down of a forced refresh
        before = len(watched.quotes)
        for person in ("alice", "bob"):
            expiry = {state.name: state.expires_at for state in upstream.persons()}[person]
            assert (await upstream.refresh(person, force=True)).expires_at > expiry
            await until(lambda: all_live(watched, ids))

        assert {quote.freshness.value for quote in watched.quotes[before:]} <= {"live", "quiet"}
        assert_in_order(watched.quotes)


async def test_without_any_stream_quotes_are_polled_and_say_so(tmp_path: Path) -> None:
    async with (
        Simulator(busy()) as sim,
        running_upstream(settings_for(sim, tmp_path), replace(QUICK, poll_patience_s=0.5)) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        await sim.fault("stream_port_dead", seconds=600)
        upstream.want(frozenset(ids))
        await until(lambda: upstream.state.state == "degraded", within_s=12)
        await until(lambda: all(i in watched.latest for i in ids))

        assert {watched.latest[i].source for i in ids} == {Source.POLL}
        assert not {"live", "quiet"} & set(watched.freshness(*ids))

        await sim.clear()
        await until(lambda: upstream.state.state == "connected", within_s=25)
        await until(lambda: all_live(watched, ids))
        assert {watched.latest[i].source for i in ids} == {Source.STREAM}


async def test_what_was_missed_in_a_gap_is_told_and_labelled_until_the_stream_speaks(tmp_path: Path) -> None:
    async with (
        Simulator(busy()) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        upstream.want(frozenset(ids))
        await until(lambda: all_live(watched, ids))
        await sim.fault("silent_socket")
        await sim.fault("stream_abort")
        await until(lambda: all(watched.latest[i].source is Source.BACKFILL for i in ids), within_s=8)

        assert set(watched.freshness(*ids)) == {"recovering"}
        assert "gap" in {entry["reason"] for entry in upstream.report()["last"]}
        assert upstream.counters()["symbols_backfilled"] == len(ids)
        await sim.clear()
        await until(lambda: all_live(watched, ids))
        assert {watched.latest[i].source for i in ids} == {Source.STREAM}
        assert_in_order(watched.quotes)


async def test_what_nobody_wants_lingers_and_then_goes_stale(tmp_path: Path) -> None:
    async with (
        Simulator(busy()) as sim,
        running_upstream(settings_for(sim, tmp_path, QUOTEWIRE_LINGER="1500")) as (upstream, watched),
    ):
        first, second, *_ = await ids_of(upstream)
        upstream.want({first, second})
        await until(lambda: all_live(watched, [first, second]))
        upstream.want({first})
        assert all_live(watched, [second])
        await until(lambda: watched.freshness(second) == ["stale"], within_s=6)

        assert all_live(watched, [first])


async def test_snapshot_and_search_and_unknown_symbols(tmp_path: Path) -> None:
    async with (
        Simulator(busy()) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        (apple,) = await ids_of(upstream, ["AAPL"])
        good, bad, unknown_id = await upstream.resolve(["aapl", "NO SUCH"], [99_999_999])
        (quote,) = await upstream.snapshot([apple])

        assert good.symbol is not None
        assert good.asked == "aapl"
        assert (bad.code, unknown_id.code) == ("unknown_symbol", "unknown_symbol")
        assert (quote.symbol, quote.source) == ("AAPL", Source.POLL)
        assert "AAPL" in {symbol.symbol for symbol in await upstream.search("AAP")}
        calls = upstream.counters()["calls"]
        await upstream.resolve(["AAPL", "NO SUCH"], [99_999_999])
        assert upstream.counters()["calls"] == calls, "what was looked up once is remembered"
        assert watched.latest[apple] == quote


async def test_closing_is_quick_and_twice_is_harmless(tmp_path: Path) -> None:
    async with Simulator(busy()) as sim:
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, watched):
            ids = await ids_of(upstream)
            upstream.want(frozenset(ids))
            await until(lambda: all_live(watched, ids))
            started = time.monotonic()
            await upstream.close()
            assert time.monotonic() - started < 2.0
        assert sim.stats(record=False)["streams"]["open"] == []
