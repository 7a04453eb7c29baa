"""The gateway under test: the real upstream in a virtual process, its vault in memory, its exchanges beside it."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from quotewire.errors import QuotewireError, StorageError, UpstreamError
from quotewire.market.quote import Quote
from quotewire.questrade.tokens import Event, Granted, Token
from quotewire.settings import Settings, load
from quotewire.testing.virtual import VirtualLoop, VirtualProcess
from quotewire.upstream import redeemer
from quotewire.upstream.redeemer import Ending, Errand, Means, Report
from quotewire.upstream.spawn import START_S
from quotewire.upstream.supervisor import Upstream
from quotewire.upstream.vault import Vault
from quotewire.upstream.world import World
from quotewire.wire.messages import UpstreamState
from tests.simulation.faults import Kind, Nature, Point
from tests.simulation.network import Network, Rest

LOCK_LOOK_S: Final = 0.25
STOP_S: Final = 6.0
REASONS: Final = 100


class Killed(BaseException):
    """Unwinds the synchronous code of a process that has died in the middle of it."""


class SimulatedVault(Vault):
    """The real vault, with a disk that can be full and places where its process can die.

    The lock is the simulation's own (`Gateway._errand`): the real one would make the whole loop wait.
    """

    network: Network

    def begin_refresh(self, person: str, now: float) -> Token:
        """Die before it, perhaps."""
        self._perhaps_die(Point.LOCKED)
        return super().begin_refresh(person, now)

    def complete_refresh(self, person: str, outcome: Granted) -> Token:
        """Die after it, perhaps."""
        token = super().complete_refresh(person, outcome)
        self._perhaps_die(Point.KEPT)
        return token

    def persons(self) -> list[str]:
        """As the real one, if it can be read."""
        self._perhaps_locked()
        return super().persons()

    def streaming(self) -> dict[str, bool]:
        """As the real one, if it can be read."""
        self._perhaps_locked()
        return super().streaming()

    def _perhaps_locked(self) -> None:
        process = VirtualProcess.current()
        if process is not None and process.name in self.network.running and self.network.struck(Kind.VAULT_LOCKED):
            raise StorageError("the vault is locked by another program")

    def _step(self, person: str, event: Event) -> Token:
        if self.network.struck(Kind.DISK_FULL) is not None:
            raise StorageError("the disk is full")
        return super()._step(person, event)

    def _perhaps_die(self, point: Point) -> None:
        if self.network.strikes(point):
            raise Killed


class Gateway:
    """One gateway after another over the same data directory."""

    def __init__(
        self, loop: VirtualLoop, network: Network, nature: Nature, data_dir: Path, chance: random.Random, ahead_s: float
    ) -> None:
        self.loop = loop
        self.network = network
        self.nature = nature
        self.clock_ahead_s = 0.0
        self.wanted: frozenset[int] = frozenset()
        self.upstream: Upstream | None = None
        self.process: VirtualProcess | None = None
        self.graves: list[VirtualProcess] = []
        self.starts = 0
        self.reasons: list[str] = []  # newest first
        self._epoch = network.broker.market.epoch - ahead_s
        self._settings = _settings(data_dir, nature)
        self._chance = chance
        self._locks: dict[str, VirtualProcess] = {}
        self._children: dict[VirtualProcess, asyncio.Future[Report]] = {}
        self._vaults: list[Vault] = []
        self._clients: list[asyncio.Task[None]] = []
        self._stopping: VirtualProcess | None = None
        network.wall = self.wall
        self._means = Means(redeem=network.redeem, probe=network.probe, wall=self.wall, monotonic=loop.time)
        self.world = World(
            monotonic=loop.time,
            wall=self.wall,
            chance=chance.random,
            rest=lambda: Rest(network, self.wall),
            open_socket=network.open_socket,
            exchange=self.exchange,
        )

    @property
    def is_serving(self) -> bool:
        """Whether there is one that can tell its clients anything."""
        return self.process is not None and self.process is not self._stopping and not self.process.is_stopped

    def wall(self) -> float:
        """This machine's clock, epoch seconds."""
        return self._epoch + self.loop.time() + self.clock_ahead_s

    def open_vault(self) -> SimulatedVault:
        """The vault, as the gateway or the operator opens it."""
        return self._adopt(SimulatedVault.open(self._settings.data_dir, None))

    def _adopt(self, vault: Vault) -> SimulatedVault:
        assert isinstance(vault, SimulatedVault)
        vault.network = self.network
        self._vaults.append(vault)
        return vault

    # --- life ---

    def start(self) -> None:
        """Start a gateway."""
        assert self.process is None
        self.starts += 1
        self.process = self.loop.process(f"gateway {self.starts}")
        self.process.spawn(self._main(self.process))

    async def _main(self, process: VirtualProcess) -> None:
        watch = self.network.watch
        try:
            upstream = Upstream(
                self._settings,
                self.open_vault(),
                on_quotes=lambda quotes: self._quotes(process, quotes),
                on_state=lambda state: self._state(process, state),
                world=self.world,
            )
            self.upstream = upstream
            watch.quotes.want(self.wanted)
            upstream.want(self.wanted)
            self.network.later(2.0, self.network.running.add, process.name)
            await upstream.run()
        except Exception as error:
            watch.fail("X1 no exception escapes", f"the upstream ended with {error!r}")

    def kill(self, *, children: bool) -> None:
        """End it as SIGKILL does, alone or with its exchanges."""
        for child in list(self._children):
            if children:
                self.kill_child(child)
        if self.process is not None:
            self.process.kill()
            self._gone(self.process)

    def kill_child(self, child: VirtualProcess) -> None:
        """End an exchange."""
        child.kill()
        self.graves.append(child)
        report = self._children.pop(child)
        if not report.done():
            report.set_result(Report(ending=Ending.FAILED, reason="the refreshing process ended without a report"))

    async def stop(self) -> None:
        """End it as SIGTERM does; nothing of it may stay."""
        process, upstream, watch = self.process, self.upstream, self.network.watch
        if process is None or upstream is None or process.is_stopped:
            self.kill(children=False)
            return
        watch.died(process)  # clients are sent away first; what they would be told is not looked at any more
        self._stopping = process
        for task in self._clients:
            task.cancel()
        process.spawn(upstream.close(), name="close")
        for _ in range(int(STOP_S / 0.5)):
            await asyncio.sleep(0.5)
            if not process.tasks:
                break
        left = [task.get_name() for task in process.tasks]
        if left and not process.is_dead:
            watch.fail("X2 nothing is left behind", f"{left} still run {STOP_S} s after close()")
        if sockets := [wire for wire in self.network.peers if wire.process is process]:
            watch.fail("X2 nothing is left behind", f"{sockets} are still open after close()")
        process.kill()
        self._gone(process)

    def _gone(self, process: VirtualProcess) -> None:
        self._collect_reasons()
        self.graves.append(process)
        self.network.hang_up(process)
        self.network.watch.died(process)
        self.process = self.upstream = None

    def _collect_reasons(self) -> None:
        if self.upstream is None:
            return
        ahead_s = self.wall() - self.loop.time()
        entries = self.upstream.report()["last"]
        told = [f"{each['at'] - ahead_s:10.3f} {each['event']} {each['reason']}: {each['detail']}" for each in entries]
        self.reasons = (told + self.reasons)[:REASONS]
        self.network.watch.events.settle(self.upstream.readings())

    async def bury(self) -> None:
        """Tidy up after the run."""
        self.kill(children=True)
        for grave in self.graves:
            await grave.bury()
        for vault in self._vaults:
            vault.close()

    # --- what the gateway does for its clients ---

    def want(self, symbol_ids: frozenset[int]) -> None:
        """Clients want these now."""
        self.wanted = symbol_ids
        self.network.watch.quotes.want(symbol_ids)
        if self.upstream is not None and self.process is not None:
            self.in_process(self.upstream.want, symbol_ids)

    def in_process(self, work: Callable[..., Any], *args: Any) -> None:
        """Call something as the gateway's own code."""
        if self.process is not None:

            async def call() -> None:
                work(*args)

            self.process.spawn(call(), name="edge")

    def ask(self, what: str) -> None:
        """A client's request over REST."""
        if self.process is not None and self.upstream is not None and self.process is not self._stopping:
            self._clients = [task for task in self._clients if not task.done()]
            self._clients.append(self.process.spawn(self._ask(self.upstream, what), name=f"client {what}"))

    async def _ask(self, upstream: Upstream, what: str) -> None:
        ids = sorted(self.wanted)
        try:
            async with asyncio.timeout(60):
                match what:
                    case "resolve":
                        await upstream.resolve([f"sym{each}" for each in ids[:2]], ids)
                    case "snapshot":
                        await upstream.snapshot(ids)
                    case "search":
                        await upstream.search("SYM")
                    case "refresh":
                        await upstream.refresh(self._chance.choice(self.nature.persons), force=True)
                    case _:
                        upstream.report()
        except (UpstreamError, StorageError, TimeoutError):
            pass
        except Exception as error:
            self.network.watch.fail("X1 no exception escapes", f"{what} raised {error!r}")

    def _quotes(self, process: VirtualProcess, quotes: list[Quote]) -> None:
        if process is self.process and process is not self._stopping:
            self.network.watch.quotes.handed_on(quotes)

    def _state(self, process: VirtualProcess, state: UpstreamState) -> None:
        if process is self.process:
            self.network.watch.note(f"state {state.state} {state.reason}")

    # --- exchanges, each a process of its own ---

    async def exchange(self, errand: Errand) -> Report:
        """Stands for `spawn.exchange`."""
        child = self.loop.process(f"exchange {errand.person}")
        report: asyncio.Future[Report] = self.loop.create_future()
        self._children[child] = report
        child.spawn(self._child(child, errand, report))
        try:
            async with asyncio.timeout(START_S + errand.longest_s):
                ended = await asyncio.shield(report)
        except TimeoutError:
            ended = Report(ending=Ending.BUSY, reason="the refreshing process has not ended yet")
        self.network.watch.events.exchanges += 1
        return ended

    async def _child(self, child: VirtualProcess, errand: Errand, report: asyncio.Future[Report]) -> None:
        result = Report(ending=Ending.FAILED, reason="the refreshing process ended without a report")
        try:
            await asyncio.sleep(0.05 + 0.3 * self._chance.random())
            result = await self._errand(child, errand)
        except Killed:
            return
        except Exception as error:
            self.network.watch.fail("X1 no exception escapes", f"an exchange raised {error!r}")
        self._children.pop(child, None)
        if not report.done():
            report.set_result(result)

    async def _errand(self, child: VirtualProcess, errand: Errand) -> Report:
        vault = self._adopt(SimulatedVault.attach(Path(errand.data_dir), errand.master_key))
        try:
            async with asyncio.timeout(errand.lock_wait_s):
                while not self._lock(errand.person, child):
                    await asyncio.sleep(LOCK_LOOK_S)
        except TimeoutError as error:
            return Report(ending=Ending.BUSY, reason=str(error))
        try:
            return await redeemer.exchange(vault, errand, self._means)
        except QuotewireError as error:
            return Report(ending=Ending.FAILED, reason=str(error))
        finally:
            self._locks.pop(errand.person, None)
            vault.close()

    def _lock(self, person: str, child: VirtualProcess) -> bool:
        holder = self._locks.get(person)
        if holder is not None and not holder.is_dead:
            return False
        self._locks[person] = child
        return True


def _settings(data_dir: Path, nature: Nature) -> Settings:
    linger_ms = str(int(nature.linger_s * 1000))
    doubles = "on" if nature.doubles else "off"
    return load(
        {
            "QUOTEWIRE_DATA_DIR": str(data_dir),
            "PORT": "0",
            "QUOTEWIRE_LINGER": linger_ms,
            "QUOTEWIRE_AB": doubles,
            "QUOTEWIRE_SYMBOLS_PER_STREAM": str(nature.symbols_per_stream),
        }
    )
