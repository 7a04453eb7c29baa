"""`quotewire serve --workers`: one gateway of several processes, any of which may be killed."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from quotewire.market.quote import Freshness
from tests.e2e.clients import Key, sent_by
from tests.e2e.programs import SimulatedQuestrade, Start
from tests.e2e.several import QUICK_DRAIN, Gateway, alive, hello, token, until
from tests.e2e.watching import Watcher, check_all_received, check_in_sequence

pytestmark = pytest.mark.slow

WATCHERS = 16
ADMIN = "an-admin-token-that-is-long-enough"


def directory_of(pid: int) -> Path:
    """Where a process finds the bus."""
    arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return Path(arguments[arguments.index("--directory") + 1])


def mode(directory: Path) -> int | None:
    """Who may enter; None when it is not there."""
    return directory.stat().st_mode & 0o777 if directory.exists() else None


@contextlib.asynccontextmanager
async def watching(gateway: Gateway, ids: Sequence[int], count: int = WATCHERS) -> AsyncIterator[list[Watcher]]:
    """Clients that listen while the block runs, spread over the workers."""
    watchers = [Watcher([ids[(number + step) % len(ids)] for step in range(5)]) for number in range(count)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(watcher.run(gateway.url)) for watcher in watchers]
        async with asyncio.timeout(60):
            await asyncio.gather(*(watcher.begun.wait() for watcher in watchers))
        yield watchers
        for task in tasks:
            task.cancel()


async def updates(watchers: Sequence[Watcher], count: int) -> None:
    """Wait until every client was given so many updates more."""
    before = [sum(map(len, watcher.items.values())) for watcher in watchers]
    await until(
        lambda: all(
            sum(map(len, watcher.items.values())) >= had + count for watcher, had in zip(watchers, before, strict=True)
        ),
        60,
    )


async def market_stops(questrade: SimulatedQuestrade, watchers: Sequence[Watcher]) -> dict[int, list[Key]]:
    """The market stands still, and everybody has heard the last of it; what was sent."""
    async with httpx.AsyncClient() as client:
        paused = await client.post(f"{questrade.control_url}/fault", json={"fault": "silent_socket", "seconds": 120})
        assert paused.status_code == 200, paused.text
    sent = await sent_by(questrade.control_url, "alice")
    await until(lambda: all(watcher.newest(each) == sent[each][-1] for watcher in watchers for each in watcher.ids), 20)
    return sent


async def test_a_killed_worker_is_replaced_and_its_clients_lose_nothing(gateway: Start) -> None:
    running, questrade = await gateway(2)
    async with watching(running, await running.ids()) as watchers:
        await updates(watchers, 20)
        homes = running.homes()
        assert set(homes) == {"worker 1", "worker 2"}, "the clients are not spread"

        running.kill("worker 1")
        await running.started_again("worker 1")
        await until(lambda: sum(watcher.reconnects > 0 for watcher in watchers) >= homes["worker 1"])
        await updates(watchers, 20)

        sent = await market_stops(questrade, watchers)
        assert min(check_all_received(watcher, sent) for watcher in watchers) > 20
    moved = [watcher for watcher in watchers if watcher.reconnects]
    assert len(moved) == homes["worker 1"], "clients of the other worker were disturbed"


async def test_workers_told_to_go_one_by_one_lose_nobody(gateway: Start) -> None:
    running, questrade = await gateway(2)
    async with watching(running, await running.ids()) as watchers:
        await updates(watchers, 10)
        before = running.pids()
        running.program.send(signal.SIGHUP)
        for who in ("worker 1", "worker 2"):
            await running.started_again(who)
        await updates(watchers, 20)
        sent = await market_stops(questrade, watchers)
        assert min(check_all_received(watcher, sent) for watcher in watchers) > 20

        running.kill("worker 2", signal.SIGTERM)  # one alone
        await running.started_again("worker 2", 3)
    after = running.pids()
    assert after["owner"] == before["owner"]
    assert not {after["worker 1"], after["worker 2"]} & set(before.values())
    assert not any("Traceback" in line for line in running.program.errors)


async def test_a_killed_owner_is_told_nothing_is_shown_as_live_and_clients_go_on(gateway: Start) -> None:
    running, _ = await gateway(2)
    async with watching(running, await running.ids()) as watchers:
        await updates(watchers, 10)
        (epoch,) = {quote.epoch for watcher in watchers for each in watcher.ids for quote in watcher.quotes(each)}
        running.kill("owner")
        await until(
            lambda: all(
                any(quote.epoch == epoch + 1 for quote in watcher.quotes(each))
                for watcher in watchers
                for each in watcher.ids
            )
        )
        assert all(watcher.reconnects == 0 for watcher in watchers), "they were told, not cut off"
        await running.started_again("owner")
        await until(
            lambda: all(
                quotes[-1].epoch > epoch + 1 and quotes[-1].tradable
                for watcher in watchers
                for quotes in (watcher.quotes(each) for each in watcher.ids)
            ),
            60,
        )
    for watcher in watchers:
        check_in_sequence(watcher, counts=3)
        for each in watcher.ids:
            between = [quote.freshness for quote in watcher.quotes(each) if quote.epoch == epoch + 1]
            assert between == [Freshness.STALE]


async def test_an_owner_that_stood_still_is_held_for_gone_and_ends_itself(gateway: Start) -> None:
    running, _ = await gateway(2)
    async with watching(running, await running.ids(), 4) as watchers:
        (epoch,) = {quote.epoch for watcher in watchers for each in watcher.ids for quote in watcher.quotes(each)}
        pid = running.kill("owner", signal.SIGSTOP)
        await until(
            lambda: all(
                watcher.quotes(each)[-1].freshness is Freshness.STALE for watcher in watchers for each in watcher.ids
            ),
            15,
        )
        os.kill(pid, signal.SIGCONT)
        await running.started_again("owner")
        await until(
            lambda: all(watcher.quotes(each)[-1].epoch > epoch + 1 for watcher in watchers for each in watcher.ids)
        )
    assert running.lines("bus.fenced"), "the owner did not end by itself"
    for watcher in watchers:
        check_in_sequence(watcher, counts=3)
        for each in watcher.ids:
            between = [quote.freshness for quote in watcher.quotes(each) if quote.epoch == epoch + 1]
            assert between == [Freshness.STALE]


async def test_sigterm_lets_all_go_and_leaves_nobody(gateway: Start) -> None:
    running, _ = await gateway(2)
    ids = await running.ids()
    async with watching(running, ids, 6) as watchers:
        await updates(watchers, 5)
        pids = running.pids()
        running.program.send(signal.SIGTERM)
        assert await running.program.ended(20) == 0
    assert len(pids) == 3
    assert not any(map(alive, pids.values()))
    assert not any("Traceback" in line for line in running.program.errors)


async def test_a_killed_parent_leaves_no_orphan_and_its_place_to_the_next(
    gateway: Start, start: Start, tmp_path: Path
) -> None:
    running, questrade = await gateway(2)
    pids = running.pids()
    directory = directory_of(pids["owner"])
    assert mode(directory) == 0o700
    async with watching(running, await running.ids(), 4) as watchers:
        running.program.send(signal.SIGKILL)
        await running.program.ended()
        await until(lambda: not any(map(alive, pids.values())), 10)
        assert mode(directory) is None

        port = running.url.rsplit(":", 1)[1]
        settings = {**questrade.environment(tmp_path), **QUICK_DRAIN, "PORT": port, "QUOTEWIRE_WORKERS": "2"}
        program = await start("serve", **settings)
        await program.line(r'"event":"serving"', stream="errors")
        await updates(watchers, 10)
        program.send(signal.SIGINT)
        assert await program.ended() == 0


async def test_a_worker_that_hangs_is_replaced(gateway: Start) -> None:
    running, _ = await gateway(2)
    pid = running.kill("worker 1", signal.SIGSTOP)
    await running.started_again("worker 1")
    assert not alive(pid)


async def test_limits_tokens_and_numbers_are_one_gateways(gateway: Start) -> None:
    running, _ = await gateway(3, MAX_CONNECTIONS_PER_IP="4", WS_HANDSHAKE_RATE_PER_IP="1000")
    await running.ready()
    one = await token(running.url)
    async with contextlib.AsyncExitStack() as stack:
        sockets = [await hello(running.url, one) for _ in range(4)]  # of any worker, with the token of one
        for socket in sockets:
            stack.push_async_callback(socket.close)
        for _ in range(12):
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"{running.url.replace('http', 'ws', 1)}/ws")
            assert refused.value.response.status_code == 429

        for _ in range(6):  # each on a connection of its own, so on any worker
            async with httpx.AsyncClient(base_url=running.url) as client:
                metrics = (await client.get("/metrics")).text
                health = (await client.get("/health")).json()
                upstream = (await client.get("/api/upstream")).json()
            assert re.search(r"^quotewire_connections 4\.0$", metrics, re.MULTILINE)
            assert re.search(r"^quotewire_connections_opened_total\{.*\} 4\.0$", metrics, re.MULTILINE)
            assert re.search(r"^quotewire_bus_nodes 3\.0$", metrics, re.MULTILINE)
            assert health["connections"] == 4
            assert upstream["data"]["persons"][0]["name"] == "alice"

        await sockets[0].close()
        await until_admitted(running.url, one, stack)


async def until_admitted(url: str, one: str, stack: contextlib.AsyncExitStack) -> None:
    async with asyncio.timeout(5):
        while True:
            with contextlib.suppress(InvalidStatus):
                stack.push_async_callback((await hello(url, one)).close)
                return


async def test_reports_of_a_client_count_once_whichever_worker_takes_them(gateway: Start) -> None:
    running, _ = await gateway(3)
    for count in range(1, 9):
        async with httpx.AsyncClient(base_url=running.url) as client:
            body = {"connectionId": "a", "messagesSent": count}
            assert (await client.post("/api/metrics/websocket", json=body)).status_code == 200
            summary = (await client.get("/api/metrics")).json()["data"]
    assert summary["messagesSent"] == 8
    assert summary["clients"] == 1


async def test_drain_asked_of_any_worker_ends_the_whole_gateway(gateway: Start) -> None:
    running, _ = await gateway(2, QUOTEWIRE_ADMIN_TOKEN=ADMIN)
    async with httpx.AsyncClient(base_url=running.url, headers={"Authorization": f"Bearer {ADMIN}"}) as client:
        answer = await client.post("/admin/drain")
        assert answer.status_code == 202, answer.text
    assert await running.program.ended(20) == 0


async def test_what_cannot_work_is_one_line_and_no_loop(start: Start, tmp_path: Path) -> None:
    program = await start("serve", "--workers", "2", PORT="0", QUOTEWIRE_DATA_DIR="/proc/nowhere")
    assert await program.ended() != 0
    said = [line for line in program.errors if not line.startswith("{")]
    assert len(said) == 1
    assert "QUOTEWIRE_DATA_DIR" in said[0]


async def test_a_number_that_is_none_is_refused(start: Start) -> None:
    program = await start("serve", "--workers", "0")
    assert await program.ended() == 2
    assert program.errors == ["quotewire serve: --workers: 0 is not valid; it accepts a number, 1 to 64"]
