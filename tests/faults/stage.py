"""A gateway, the simulator and two native clients, all over loopback sockets; and the questions tests ask of them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import msgspec

from quotewire.market.quote import QuotePatch
from quotewire.questrade.rest import RestClient
from quotewire.questrade.stream import UPGRADE_S, QuoteSocket
from quotewire.questrade.tokens import RefreshPolicy
from quotewire.questrade.wire import Frame, QuotesFrame
from quotewire.resilience.backoff import Backoff
from quotewire.resilience.watchdog import WatchdogConfig
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.testing import running_gateway
from quotewire.upstream import redeemer
from quotewire.upstream.spawn import exchange
from quotewire.upstream.tuning import CONFIG, Tuning
from quotewire.upstream.vault import Vault
from quotewire.upstream.world import World
from tests.faults.checks import (
    FIELDS,
    Key,
    check_calls,
    check_delivery,
    check_freshness,
    check_handed_on,
    check_sequence,
    check_tokens,
    sent_rows,
)
from tests.faults.watcher import TRADABLE, Watcher

NAMES = ("AAPL", "MSFT", "SHOP.TO", "RY.TO")
OBSERVE_S = 0.2
TUNING = Tuning(
    lifecycle=replace(
        CONFIG,
        backoff=Backoff(base_s=0.4, cap_s=3.0),
        refreshed_delay_s=0.05,
        refresh_cooldown_s=0.5,
        prepare_timeout_s=3.0,
        upgrade_timeout_s=0.7,
        auth_timeout_s=0.7,
        nudge_spacing_s=0.5,
    ),
    watchdog=WatchdogConfig(
        step_every_s=0.25,
        mute_after_s=6.0,
        zombie_after_s=20.0,
        stream_check_after_s=1.5,
        stream_unknown_pace_s=0.5,
        symbol_factor=10.0,
        symbol_mute_after_s=1.5,
        symbol_mute_unknown_s=2.0,
        check_timeout_s=3.0,
        check_spacing_s=0.5,
        repair_timeout_s=1.5,
    ),
    refresh=RefreshPolicy(least_s=1.0, cool_down_s=0.5, longest_cool_down_s=8.0),
    unrisked=Backoff(base_s=0.3, cap_s=2.0),
    risked=Backoff(base_s=0.5, cap_s=4.0),
    rehost=Backoff(base_s=1.0, factor=2.0, cap_s=8.0),
    poll_patience_s=1.5,
)
"""The product's behaviour, its waits a tenth to a third as long."""


def impatient(errand: redeemer.Errand) -> redeemer.Errand:
    """An exchange that gives up on the login server soon, though not before a busy machine answers."""
    return msgspec.structs.replace(errand, answer_s=2.5, probe_s=2.5)


async def apart(errand: redeemer.Errand) -> redeemer.Report:
    """An exchange in a process of its own, as in the product."""
    return await exchange(impatient(errand))


async def inside(errand: redeemer.Errand) -> redeemer.Report:
    """The same exchange in this process, where a login is not what the test is about."""
    return await redeemer.run(impatient(errand))


class _TappedSocket(QuoteSocket):
    """A quote socket that tells what was read from it."""

    tap: "Tap"

    async def listen(self, take: Callable[[Frame], bool]) -> None:
        def tapped(frame: Frame) -> bool:
            if isinstance(frame, QuotesFrame):
                self.tap.take(frame.patches)
            return take(frame)

        await super().listen(tapped)


@dataclass
class Tap:
    """What the gateway has read from its streams, by symbol: when (epoch seconds), and the fields of `FIELDS`."""

    read: dict[int, list[tuple[float, Key]]] = field(default_factory=dict)

    async def open(self, url: str, *, timeout_s: float = UPGRADE_S) -> QuoteSocket:
        """A socket that is listened to."""
        socket = await _TappedSocket.open(url, timeout_s=timeout_s)
        assert isinstance(socket, _TappedSocket)
        socket.tap = self
        return socket

    def take(self, patches: Sequence[QuotePatch]) -> None:
        """A frame was read."""
        now = time.time()
        for patch in patches:
            key = (patch.volume, patch.bid_price, patch.ask_price, patch.last_trade_price)
            self.read.setdefault(patch.symbol_id, []).append((now, key))


@dataclass
class Stage:
    """`begin` marks the fault, `observed` is everything `GET /api/upstream` told since the start."""

    url: str
    sim: Simulator
    data_dir: Path
    ids: tuple[int, ...]
    watchers: list[Watcher]
    tap: Tap
    observed: dict[tuple[float, str, str, str | None], str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    troubled: tuple[float, float] = (float("inf"), float("-inf"))

    # --- asking ---

    @property
    def reasons(self) -> set[str]:
        """What happened and why, as `event:reason`."""
        return {f"{event}:{reason}" for _, event, reason, _ in self.observed}

    def person(self, name: str) -> dict[str, Any]:
        """One person as last told."""
        return next(each for each in self.report["persons"] if each["name"] == name)

    def all_live(self) -> bool:
        """Whether every client shows every symbol it wants as live."""
        return self.all_are("live")

    def all_are(self, freshness: str) -> bool:
        """Whether every client shows every symbol it wants so."""
        return all(watcher.views() == {freshness} for watcher in self.watchers)

    def any_lost(self) -> bool:
        """Whether some client shows some symbol as not to be traded on."""
        return any(watcher.views() - TRADABLE for watcher in self.watchers)

    async def until(self, condition: Callable[[], bool], within_s: float, what: str) -> float:
        """Wait for a condition; when it came (epoch seconds)."""
        deadline = time.monotonic() + within_s
        while not condition():
            views = [watcher.views() for watcher in self.watchers]
            assert time.monotonic() < deadline, f"{what}: not within {within_s} s; {views}; {sorted(self.reasons)}"
            await asyncio.sleep(0.01)
        return time.time()

    async def updates(self, count: int) -> None:
        """Wait until the first client got so many more updates."""

        def got() -> int:
            return sum(map(len, self.watchers[0].seen.values()))

        wanted = got() + count
        await self.until(lambda: got() >= wanted, 15.0, f"{count} updates")

    async def observe(self) -> None:
        """Read `GET /api/upstream` until cancelled."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            while True:
                await self._look(client)
                await asyncio.sleep(OBSERVE_S)

    async def look(self) -> None:
        """Read it once more."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            await self._look(client)

    async def _look(self, client: httpx.AsyncClient) -> None:
        self.report = (await client.get("/api/upstream")).json()["data"]
        for entry in self.report["last"]:
            self.observed[entry["at"], entry["event"], entry["reason"], entry["person"]] = entry["detail"]

    # --- doing ---

    def mark(self) -> float:
        """The fault begins now."""
        self.troubled = (time.time(), float("inf"))
        return self.troubled[0]

    def healed(self) -> None:
        """It is over now, and so is what it did."""
        self.troubled = (self.troubled[0], time.time())

    def replace_token(self, person: str) -> None:
        """What the operator does about a dead login: a token made by hand, and `quotewire persons add`."""
        token = self.sim.issue_token(person)
        with contextlib.closing(Vault.open(self.data_dir, None)) as vault:
            vault.add(person, token)

    async def finish(
        self, *, sends: int = 1, refused: int = 0, fields: Sequence[str] = FIELDS, healthy: Collection[int] = ()
    ) -> int:
        """Stop the data, let what is under way arrive, and check all that must hold; the updates compared.

        Updates may be missing from between `mark` and `healed`, but none of `healthy` symbols.
        """
        await self.sim.fault("silent_socket", seconds=60)
        stopped = time.time()
        sent = sent_rows(self.sim)
        await self.until(lambda: self._has_tail(sent, fields), 3.0, "the last of what was sent")
        await self.look()
        compared = 0
        for watcher in self.watchers:
            check_sequence(watcher)
            check_freshness(watcher, self.sim, sent, stopped)
            if fields == FIELDS:
                check_handed_on(watcher, self.tap.read)
            compared += check_delivery(watcher, sent, self.troubled, fields=fields, healthy=healthy)
        check_tokens(self.sim, sends)
        check_calls(self.sim, refused)
        return compared

    def _has_tail(self, sent: dict[int, list[Any]], fields: Sequence[str]) -> bool:
        return all(
            all(watcher.seen[i][-1].quote[name] == sent[i][-1].values[name] for name in fields)
            for watcher in self.watchers
            for i in watcher.ids
        )


def busy(**fields: Any) -> SimulatorConfig:
    """A small list that moves a lot, so that silence means something and losses would show."""
    return SimulatorConfig(**{"rate": 150.0, "halts_per_day": 0.0, "symbols": 8, "record": True, "seed": 3, **fields})


@contextlib.asynccontextmanager
async def staged(
    data_dir: Path,
    config: SimulatorConfig | None = None,
    *,
    tuning: Tuning = TUNING,
    logins_apart: bool = False,
    names: Sequence[str] = NAMES,
    settled: str = "live",
    **environ: str,
) -> AsyncIterator[Stage]:
    """Everything up, every symbol live at two clients: one wants all, one the first half.

    `logins_apart`: tokens are exchanged in processes of their own, as in the product. `environ`: settings.
    """
    tap = Tap()
    exchanges = apart if logins_apart else inside
    world = World(exchange=exchanges, rest=lambda: RestClient(read_s=1.5), open_socket=tap.open)
    async with running_gateway(config or busy(), data_dir=data_dir, tuning=tuning, world=world, **environ) as running:
        sim = running.simulator
        ids = tuple(sim.world.universe.by_symbol[name].symbol_id for name in names)
        stage = Stage(running.url, sim, data_dir, ids, [Watcher(ids), Watcher(ids[: len(ids) // 2])], tap)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(stage.observe())]
            await stage.until(lambda: bool(stage.report), 10.0, "an answer")
            await stage.until(
                lambda: all(each["isActive"] for each in stage.report["persons"]) and stage.report["persons"] != [],
                15.0,
                "every login",
            )
            tasks += [group.create_task(watcher.run(running.url)) for watcher in stage.watchers]
            await stage.until(lambda: stage.all_are(settled), 15.0, f"every symbol {settled}")
            if settled == "live":
                await stage.updates(40)
            try:
                yield stage
            finally:
                for task in tasks:
                    task.cancel()
