"""Several logins as one source: streams killed beside healthy ones, half of them dead, all dead, all back."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.faults.checks import gap
from tests.faults.stage import Stage, busy, staged
from tests.faults.watcher import TRADABLE, Seen, Watcher

TWO, FOUR = ("alice", "bob"), ("alice", "bob", "carol", "dave")
SIX = ("AAPL", "MSFT", "SHOP.TO", "RY.TO", "NVDA", "TD.TO")
FRESH_WITHIN_S = 2.0
BACK_WITHIN_S = 15.0

Record = Callable[[str, object], None]


def is_fresh(seen: Seen) -> bool:
    return seen.freshness in TRADABLE and seen.quote["source"] == "stream"


def carried_by(stage: Stage, person: str) -> frozenset[int]:
    """What a person's stream is asked to carry now."""
    wanted = frozenset(stage.sim.stats(record=False)["subscriptions"].get(person, ()))
    open_now = {each["person"] for each in stage.sim.stats(record=False)["streams"]["open"]}
    return wanted if person in open_now else frozenset()


async def all_spread(stage: Stage, persons: tuple[str, ...]) -> None:
    """Wait until every person's stream carries something, and everything is live."""
    await stage.until(lambda: all(carried_by(stage, person) for person in persons), 15.0, "a share for everybody")
    await stage.until(stage.all_live, BACK_WITHIN_S, "every symbol live")


async def test_a_stream_killed_beside_healthy_ones_leaves_no_gap(tmp_path: Path, record_property: Record) -> None:
    """One stream after another, each killed in another way and with no way back, until one is left."""
    config = busy(persons=FOUR, rate=400.0, symbols=12)
    async with staged(tmp_path, config, names=SIX) as stage:
        await all_spread(stage, FOUR)
        worst = 0.0
        for person, fault in zip(FOUR, ("stream_abort", "stream_close_no_status", "evict"), strict=False):
            lost = carried_by(stage, person)
            assert lost, "there is a stream to kill"
            await stage.sim.fault("stream_port_dead", person=person, seconds=600)
            killed = time.time() if person != FOUR[0] else stage.mark()
            await stage.sim.fault(fault, person=person)
            await stage.until(lambda: stage.any_lost() or not carried_by(stage, person), 3.0, "a sign of it")  # noqa: B023
            await stage.until(stage.all_live, FRESH_WITHIN_S, "every symbol live by another stream")
            await stage.updates(200)
            now = time.time()
            worst = max([worst, *(gap(stage.watchers[0], each, killed - 0.2, now, is_fresh) for each in stage.ids)])
            spared = set(stage.ids) - lost
            views = {seen.freshness for seen in stage.watchers[0].since(killed) if seen.quote["symbolId"] in spared}
            assert views <= TRADABLE, f"symbols of others were {views}"
        stage.healed()
        record_property("longest_without_fresh_data_s", round(worst, 3))
        assert worst <= FRESH_WITHIN_S

        assert await stage.finish() > 500
        assert {"failover:person_failed", "stream:connection_lost"} <= stage.reasons


async def test_streams_killed_in_turn_without_room_to_spare_leave_no_gap(
    tmp_path: Path, record_property: Record
) -> None:
    """Three logins, six symbols, room for four on each: one stream after another ends while the last one rests."""
    three = (*TWO, "carol")
    config = busy(persons=three, rate=400.0, symbols=12)
    ways = ("stream_close", "stream_abort", "stream_close_no_status", "stream_unauthorized", "access_expired", "evict")
    async with staged(tmp_path, config, names=SIX, QUOTEWIRE_SYMBOLS_PER_STREAM="4") as stage:
        await all_spread(stage, three)
        began = stage.mark()
        for turn, fault in enumerate(ways):
            person = sorted(three, key=lambda each: len(carried_by(stage, each)))[-1 - turn % 2]
            code = {"code": 1011} if fault == "stream_close" else {}
            await stage.sim.fault(fault, person=person, **code)
            await stage.updates(150)
        await stage.until(stage.all_live, FRESH_WITHIN_S, "every symbol live in the end")
        await stage.updates(200)
        stage.healed()
        worst = max(gap(stage.watchers[0], each, began, time.time(), is_fresh) for each in stage.ids)
        record_property("longest_without_fresh_data_s", round(worst, 3))
        assert worst <= FRESH_WITHIN_S

        assert await stage.finish() > 1000
        opened = [each for each in stage.sim.stats(record=False)["streams"]["log"] if each["event"] == "opened"]
        assert len(opened) <= 3 + 3 * len(ways), "nobody reconnects in a storm"


async def test_half_the_persons_dead_then_all_then_all_back(tmp_path: Path, record_property: Record) -> None:
    config = busy(persons=FOUR, rate=400.0, symbols=12)
    async with staged(tmp_path, config, names=SIX) as stage:
        await all_spread(stage, FOUR)
        dead = FOUR[:2]
        lost = frozenset().union(*(carried_by(stage, person) for person in dead))
        spared = frozenset(stage.ids) - lost
        half = stage.mark()
        for person in dead:
            await stage.sim.fault("down", person=person)
        await stage.until(stage.any_lost, 5.0, "a sign of it")
        live = await stage.until(stage.all_live, FRESH_WITHIN_S + 1.0, "everything by the other half")
        assert live - half <= FRESH_WITHIN_S
        await stage.updates(100)
        seen = {each.freshness for each in stage.watchers[0].since(half) if each.quote["symbolId"] in spared}
        assert seen <= TRADABLE

        for person in FOUR[2:]:
            await stage.sim.fault("down", person=person)
        await stage.until(lambda: stage.watchers[0].views() == {"stale"}, 5.0, "everything stale")
        async with httpx.AsyncClient(base_url=stage.url, trust_env=False) as client:
            await asyncio.sleep(1.0)
            assert (await client.get("/ready")).status_code == 503
        await stage.sim.clear()
        back = time.time()
        live = await stage.until(stage.all_live, BACK_WITHIN_S, "everything back")
        record_property("recovery_s", round(live - back, 3))
        await stage.updates(100)
        stage.healed()
        await stage.until(lambda: sum(len(carried_by(stage, each)) for each in FOUR) >= len(SIX), 5.0, "streams")

        assert await stage.finish() > 300


async def test_all_logins_dead_and_replaced_by_the_operator(tmp_path: Path, record_property: Record) -> None:
    async with staged(tmp_path, busy(persons=TWO), logins_apart=True) as stage:
        stage.mark()
        await stage.sim.fault("refresh_expired")
        await stage.sim.fault("access_expired")
        await stage.until(lambda: all(stage.person(each)["needsOperator"] for each in TWO), 20.0, "both dead")
        await stage.until(lambda: stage.watchers[0].views() == {"stale"}, 5.0, "everything stale")
        assert stage.watchers[0].statuses[-1]["state"] == "error"
        assert stage.watchers[0].statuses[-1]["reason"] == "all_tokens_refused"

        stage.replace_token("bob")
        ended = time.time()
        live = await stage.until(stage.all_live, BACK_WITHIN_S, "everything by bob")
        record_property("recovery_s", round(live - ended, 3))
        stage.replace_token("alice")
        await stage.until(lambda: bool(stage.person("alice")["isActive"]), 15.0, "alice's login")
        await stage.updates(60)
        stage.healed()

        assert await stage.finish() > 60


async def test_new_symbols_go_to_who_can_still_ask(tmp_path: Path, record_property: Record) -> None:
    """One person's hour is used up: the stream they have goes on, and what is new is carried by the other."""
    async with staged(tmp_path, busy(persons=TWO, symbols=12)) as stage:
        await all_spread(stage, TWO)
        began = time.time()
        stage.troubled = (began, began)
        await stage.sim.fault("hour_spent", person="alice", category="market")
        new = tuple(stage.sim.world.universe.by_symbol[name].symbol_id for name in ("NVDA", "TD.TO", "AMZN", "ENB.TO"))
        watcher = Watcher(new)
        task = asyncio.create_task(watcher.run(stage.url))
        stage.watchers.append(watcher)
        live = await stage.until(stage.all_live, BACK_WITHIN_S, "the new symbols live")
        record_property("recovery_s", round(live - began, 3))
        await stage.updates(60)
        seen = {each.freshness for each in stage.watchers[0].since(began)}
        assert seen <= TRADABLE

        try:
            assert await stage.finish(refused=2) > 60
        finally:
            task.cancel()


async def test_one_silent_socket_of_two_is_noticed_alone(tmp_path: Path, record_property: Record) -> None:
    async with staged(tmp_path, busy(persons=TWO)) as stage:
        await all_spread(stage, TWO)
        lost = carried_by(stage, "alice")
        began = stage.mark()
        await stage.sim.fault("silent_socket", person="alice", seconds=5.0)
        await stage.until(stage.any_lost, 6.0, "a sign of it")
        await stage.until(lambda: not stage.sim.world.faults.active, 8.0, "its end")
        ended = time.time()
        live = await stage.until(stage.all_live, BACK_WITHIN_S, "every symbol live again")
        record_property("recovery_s", round(max(live - ended, 0.0), 3))
        stage.healed()
        await stage.updates(60)
        spared = set(stage.ids) - lost
        seen = {each.freshness for each in stage.watchers[0].since(began) if each.quote["symbolId"] in spared}
        assert seen <= TRADABLE

        assert await stage.finish(healthy=spared) > 100
        assert "watch:stream_mute" in stage.reasons


async def test_silence_of_a_closed_market_moves_nothing(tmp_path: Path) -> None:
    """After hours nothing comes for longer than every limit: no check, no new socket, and quotes say `closed`."""
    config = busy(start="2026-03-03T22:00:00-05:00")
    async with staged(tmp_path, config, settled="closed") as stage:
        before = stage.sim.stats(record=False)
        await asyncio.sleep(4.0)
        after = stage.sim.stats(record=False)
        assert after["calls"]["byPath"] == before["calls"]["byPath"]
        assert after["streams"]["opened"] == before["streams"]["opened"]
        assert stage.watchers[0].views() == {"closed"}
