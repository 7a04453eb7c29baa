"""Persons whose login may not stream, and symbols on two persons' streams at once, over real sockets."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from quotewire.market.quote import Quote, Source
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.supervisor import Upstream
from quotewire.upstream.vault import Vault
from tests.upstream_support import Watched, running_upstream, settings_for, until

NAMES = ("AAPL", "MSFT", "SHOP.TO", "RY.TO")
TWO = SimulatorConfig(persons=("alice", "bob"), rate=400.0, halts_per_day=0.0, symbols=8, record=True)


async def ids_of(upstream: Upstream) -> list[int]:
    await until(lambda: len(upstream.persons()) == 2 and all(person.is_active for person in upstream.persons()))
    return [found.symbol.symbol_id for found in await upstream.resolve(NAMES, []) if found.symbol is not None]


def carried(upstream: Upstream) -> dict[str, int]:
    return {person.name: person.symbol_count for person in upstream.persons()}


def is_live(watched: Watched, ids: Sequence[int]) -> bool:
    return all(freshness in ("live", "quiet") for freshness in watched.freshness(*ids))


async def test_a_person_without_streaming_serves_calls_and_carries_nothing(tmp_path: Path) -> None:
    async with (
        Simulator(TWO) as sim,
        running_upstream(settings_for(sim, tmp_path, QUOTEWIRE_NO_STREAM="alice")) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        upstream.want(frozenset(ids))
        await until(lambda: is_live(watched, ids))
        await sim.fault("rest_status", person="bob", status=500, path="markets/quotes", seconds=600)
        await upstream.snapshot(ids)

        assert carried(upstream) == {"alice": 0, "bob": len(ids)}
        assert sim.stats(record=False)["streams"]["open"] != []
        assert {row["mayStream"] for row in upstream.report()["persons"]} == {False, True}


async def test_streaming_is_switched_off_and_on_while_it_runs(tmp_path: Path) -> None:
    async with (
        Simulator(TWO) as sim,
        running_upstream(settings_for(sim, tmp_path)) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        upstream.want(frozenset(ids))
        await until(lambda: is_live(watched, ids) and all(carried(upstream).values()))
        before = len(watched.quotes)
        with contextlib.closing(Vault.open(tmp_path, None)) as vault:
            vault.set_streaming("alice", False)
            await until(lambda: carried(upstream) == {"alice": 0, "bob": len(ids)})
            assert {quote.freshness.value for quote in watched.quotes[before:]} <= {"live", "quiet"}, "no gap"

            vault.set_streaming("bob", False)
            await until(lambda: carried(upstream) == {"alice": 0, "bob": 0})
            await until(lambda: upstream.state.state == "degraded", within_s=12)
            assert {watched.latest[i].source for i in ids} == {Source.POLL}

            vault.set_streaming("alice", True)
            await until(lambda: carried(upstream) == {"alice": len(ids), "bob": 0})
            await until(lambda: is_live(watched, ids))


def content(quote: Quote) -> tuple[Any, ...]:
    return (quote.symbol_id, quote.volume, quote.bid_price, quote.ask_price, quote.last_trade_price)


def by_symbol(rows: Iterable[tuple[Any, ...]]) -> dict[int, list[tuple[Any, ...]]]:
    """What was sent or received of each symbol, in order; what only repeats the one before it is left out."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        if not found[row[0]] or found[row[0]][-1] != row:
            found[row[0]].append(row)
    return dict(found)


async def test_with_two_streams_of_everything_killing_one_is_not_noticed(tmp_path: Path) -> None:
    async with (
        Simulator(TWO) as sim,
        running_upstream(settings_for(sim, tmp_path, QUOTEWIRE_AB="on")) as (upstream, watched),
    ):
        ids = await ids_of(upstream)
        upstream.want(frozenset(ids))
        await until(lambda: is_live(watched, ids) and carried(upstream) == {"alice": len(ids), "bob": len(ids)})
        assert upstream.report()["ab"] == {"on": True, "doubled": True}
        before = len(watched.quotes)
        await until(lambda: len(watched.quotes) > before + 200)
        await sim.fault("stream_port_dead", person="alice", seconds=600)
        await sim.fault("stream_abort", person="alice")
        await until(lambda: carried(upstream)["alice"] == 0)
        killed = len(watched.quotes)
        await until(lambda: len(watched.quotes) > killed + 200)
        await sim.fault("silent_socket")  # the market goes on, nothing more is sent
        await asyncio.sleep(0.3)

        after = watched.quotes[before:]
        assert {quote.freshness.value for quote in after} <= {"live", "quiet"}
        got = by_symbol(content(quote) for quote in after)
        sent = by_symbol(tuple(row[:5]) for row in sim.stats()["quotes"]["record"]["bob"])
        for symbol_id, rows in got.items():
            assert rows == sent[symbol_id][-len(rows) :], "nothing lost, nothing twice, nothing out of order"
        numbers = {symbol_id: [q.sequence for q in after if q.symbol_id == symbol_id] for symbol_id in ids}
        assert all(have == list(range(have[0], have[0] + len(have))) for have in numbers.values())
        assert upstream.report()["ab"]["doubled"] is False
        assert "not_doubled" in {entry["reason"] for entry in upstream.report()["last"]}
