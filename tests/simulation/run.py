"""Run one seed: the upstream against the modelled Questrade, through its timetable of faults, in virtual time.

python -m tests.simulation.run --seeds 1000            many seeds, two processes
python -m tests.simulation.run --seed 17               one seed again, exactly, with its log
"""

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from quotewire.testing import virtual
from quotewire.testing.virtual import DeadlockError, LivelockError
from tests.simulation import strikes
from tests.simulation.broker import Broker
from tests.simulation.events import attach
from tests.simulation.faults import Fault, Kind, Timetable
from tests.simulation.gateway import Gateway
from tests.simulation.market import DAY, Market
from tests.simulation.network import Network
from tests.simulation.watch import Breach, Watch

LOOK_S: Final = 0.5
BOUND_S: Final = 150.0
"""After the last fault every wanted symbol is live again within this."""
STEADY_S: Final = 3.0
SILENT: Final = frozenset({Kind.DEAD_SOCKET, Kind.STUCK_SYMBOL, Kind.BLACK_HOLE})
HIDDEN_S: Final = 60.0  # a fault of silence that has shown nothing for so long shows nothing
OPERATES_S: Final = 2.0
REPAIR_S: Final = 5.0  # from a login's death to the operator's new token
MOST_TASKS: Final = 60
ACTS: Final = ("resolve", "snapshot", "search", "refresh", "report", "want", "want", "want")


@dataclass(slots=True)
class Result:
    """What a seed showed. `healings`: seconds from each fault's end until everything wanted was fresh."""

    timetable: Timetable
    breach: Breach | None
    digest: str
    healings: list[tuple[Fault, float]]
    virtual_s: float
    updates: int
    repairs: int
    peaks: dict[tuple[str, str, float], int]
    refreshes: Counter[str]
    calls: Counter[str] = field(default_factory=Counter)
    gaps: dict[str, float] = field(default_factory=dict)  # the longest by statement, seconds
    log: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    @property
    def healed_s(self) -> float:
        """From the last fault's end until everything wanted was fresh."""
        return self.healings[-1][1] if self.healings else 0.0

    def __str__(self) -> str:
        told = [str(self.timetable), "last events:", *(f"  {line}" for line in self.log[-40:])]
        told += ["last reasons, newest first:", *(f"  {reason}" for reason in self.reasons[:20])]
        told += [f"BROKEN {self.breach}", f"again: make simulate-faults SEED={self.timetable.seed}"]
        return "\n".join(told)


def simulate(table: Timetable) -> Result:
    """Run a timetable; the same one gives the same result, digest included."""
    base = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    data_dir = Path(tempfile.mkdtemp(prefix="quotewire-simulation-", dir=base))
    chance = random.Random(table.seed).random if table.nature.shuffles else None
    simulation: list[Simulation] = []
    trouble = ""
    try:
        with asyncio.Runner(loop_factory=lambda: virtual.VirtualLoop(start=100.0, chance=chance)) as runner:
            runner.run(_run(table, data_dir, simulation))
    except (DeadlockError, LivelockError) as error:
        trouble = str(error)
    finally:
        shutil.rmtree(data_dir)
    run = simulation[0]
    if trouble:
        run.watch.fail("X3 time goes on", trouble)
    return run.result()


async def _run(table: Timetable, data_dir: Path, made: list["Simulation"]) -> None:
    simulation = Simulation(table, data_dir)
    made.append(simulation)
    await simulation.run()


class Simulation:
    """One run."""

    def __init__(self, table: Timetable, data_dir: Path) -> None:
        nature, seed = table.nature, table.seed
        self.table = table
        self.loop = virtual.current_loop()
        self.start = self.loop.time()
        market = Market(
            nature.symbols,
            nature.pace_s,
            DAY + nature.opening_s - self.start,
            random.Random(f"{seed} market"),
            flicker=nature.flicker,
        )
        notes: list[Callable[[str], None]] = []
        broker = Broker(nature, market, random.Random(f"{seed} broker"), lambda text: notes[0](text))
        self.watch = Watch(broker, self.loop.time)
        notes.append(self.watch.note)
        self.network = Network(self.loop, broker, self.watch, random.Random(f"{seed} network"))
        self.gateway = Gateway(
            self.loop, self.network, nature, data_dir, random.Random(f"{seed} gateway"), nature.clock_ahead_s
        )
        self.chance = random.Random(f"{seed} clients")
        self.healings: list[tuple[Fault, float]] = []
        self.repairs = 0
        self.stopping: asyncio.Task[None] | None = None
        self._waiting: list[Fault] = []  # faults that ended, and not everything has been well since
        self._hidden: set[Fault] = set()  # faults of silence that nothing shows yet
        self._well_since: float | None = None
        self._dead_since: dict[str, float] = {}
        self._opted_out: set[str] = set()
        self._operates_at = 0.0
        self._vault = self.gateway.open_vault()
        self.network.stored = self.refresh_token

    @property
    def now(self) -> float:
        """Virtual seconds since the start."""
        return self.loop.time() - self.start

    # --- the run ---

    async def run(self) -> None:
        """All of it."""
        self.loop.set_exception_handler(self._escaped)
        detach = attach(self.watch.events)
        work: list[asyncio.Task[None]] = []
        try:
            for person in self.table.nature.persons:
                self._vault.add(person, self.network.broker.issue(person, self.loop.time()))
            self.gateway.wanted = self._choose()
            self.gateway.start()
            work = [asyncio.create_task(each) for each in (self._market(), self._conduct(), self._clients())]
            await self._observe()
            await self.gateway.stop()
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self.network.active.clear()
            await self.gateway.bury()
            detach()

    def result(self) -> Result:
        """What was seen."""
        return Result(
            timetable=self.table,
            breach=self.watch.breach,
            digest=self.watch.digest,
            healings=self.healings,
            peaks=self.watch.calls.peaks,
            refreshes=Counter({who: account.grants for who, account in self.network.broker.accounts.items()}),
            virtual_s=self.now,
            updates=self.watch.quotes.updates,
            repairs=self.repairs,
            calls=Counter({f"{who} {what}": count for (who, what), count in self.watch.calls.total.items()}),
            gaps=self.watch.gaps.longest,
            log=list(self.watch.log),
            reasons=self.gateway.reasons,
        )

    async def _observe(self) -> None:
        """Look twice a second until everything has been well for a while, or an invariant is broken."""
        while self.watch.breach is None:
            await asyncio.sleep(LOOK_S)
            self._look()
            if not self._waiting and self.now < self.table.last_end:
                self._well_since = None
                continue
            is_well = self._is_well()
            self._well_since = (self._well_since or self.now) if is_well else None
            if self._well_since is not None and self.now - self._well_since >= STEADY_S:
                self._healed(self._well_since)
                if not self._waiting and self.now > self.table.last_end + STEADY_S and self.now >= self.table.lasts_s:
                    return
            elif not is_well:
                self._hidden.clear()
            if self._waiting and not self.network.active and not is_well:
                last = max(fault.until for fault in self._waiting)
                if self.now > last + BOUND_S:
                    detail = f"{self._ill()} not fresh {BOUND_S:.0f} s after the last fault"
                    self.watch.fail("R1 everything heals", detail)

    def _healed(self, since: float) -> None:
        """Everything has been well since then."""
        hidden = [fault for fault in self._waiting if fault in self._hidden and self.now - fault.until < HIDDEN_S]
        for fault in self._waiting:
            if fault not in hidden:
                self._hidden.discard(fault)
                self.healings.append((fault, max(since - fault.until, 0.0)))
        self._waiting = hidden

    def _look(self) -> None:
        process = self.gateway.process
        if self.gateway.is_serving:
            self.watch.quotes.look(self.gateway.wanted)
            self.watch.gaps.look(self.gateway.wanted, self.network.active, self._barred())
            if not self.network.struck(Kind.VAULT_LOCKED):
                self.watch.streams.look(self._opted_out, LOOK_S)
        else:
            self.watch.gaps.stopped()
        self._operate()
        if process is not None and len(process.tasks) > MOST_TASKS:
            self.watch.fail("M1 bounded", f"{len(process.tasks)} tasks")

    def _ill(self) -> list[int]:
        quotes = self.watch.quotes
        return [each for each in sorted(self.gateway.wanted) if not quotes.is_fresh(each)]

    def _is_well(self) -> bool:
        nature, wanted = self.table.nature, self.gateway.wanted
        room = nature.symbols_per_stream * len(nature.persons)
        ill = self._ill()
        return len(ill) <= max(0, len(wanted) - room) and all(self.watch.quotes.is_polled(each) for each in ill)

    def _escaped(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.watch.fail("X1 no exception escapes", f"{context.get('message')}: {context.get('exception')!r}")

    # --- the world goes on ---

    async def _market(self) -> None:
        tick_s = self.table.nature.tick_s
        while True:
            await asyncio.sleep(tick_s)
            self.network.broker.tick(self.loop.time(), tick_s)

    async def _clients(self) -> None:
        nature = self.table.nature
        await asyncio.sleep(0.5)
        self.gateway.ask("resolve")
        while True:
            await asyncio.sleep(self.chance.uniform(min(2.0, nature.acts_every_s / 8), nature.acts_every_s))
            act = self.chance.choice(ACTS)
            if act != "want":
                self.watch.note(f"client {act}")
                self.gateway.ask(act)
            elif nature.wants_change and self.now < self.table.last_end:
                wanted = self._choose()
                self.watch.note(f"client wants {sorted(wanted)}")
                self.gateway.want(wanted)

    def _choose(self) -> frozenset[int]:
        ids = self.network.broker.market.ids
        return frozenset(
            self.chance.sample(ids, self.chance.randint(self.table.nature.least_wanted, self.table.nature.wanted))
        )

    def _operate(self) -> None:
        """What the operator does: a new token for who needs one, which nobody may without a cause."""
        if self.now < self._operates_at:
            return
        self._operates_at = self.now + OPERATES_S
        for person in self.table.nature.persons:
            token = self._vault.get(person)
            if token is None or not token.is_dead:
                self._dead_since.pop(person, None)
                continue
            if not self.watch.tokens.hazards.get(person):
                self.watch.fail("T4 no login dies without cause", f"{person}: {token.last_error}")
            if self.now - self._dead_since.setdefault(person, self.now) >= REPAIR_S:
                self._repair(person)

    def _repair(self, person: str) -> None:
        self.repairs += 1
        self.watch.note(f"operator gives {person} a new token")
        self._vault.add(person, self.network.broker.issue(person, self.loop.time()))
        self.watch.tokens.renewed(person)
        self._dead_since.pop(person, None)

    # --- faults ---

    async def _conduct(self) -> None:
        moments: list[tuple[float, int, Fault, bool]] = []
        for number, fault in enumerate(self.table.faults):
            moments.append((fault.at, number, fault, True))
            moments.append((fault.until, number, fault, False))
        for at, _, fault, begins in sorted(moments, key=lambda moment: (moment[0], moment[1], not moment[3])):
            await asyncio.sleep(max(at - self.now, 0.0))
            self.watch.note(f"{'begins' if begins else 'ends'} {fault.kind} {fault.person or ''} {fault.point or ''}")
            (strikes.begin if begins else strikes.end)(self, fault)
            if not begins:
                self._waiting.append(fault)
                if fault.kind in SILENT:
                    self._hidden.add(fault)
                self._well_since = None
        await asyncio.Event().wait()

    def refresh_token(self, person: str) -> str:
        """What the vault holds."""
        token = self._vault.get(person)
        return "" if token is None else token.refresh_token

    def _barred(self) -> set[str]:
        """Who may have no stream: who was told so, and who has no login."""
        return self._opted_out | self._dead_since.keys()

    def set_streaming(self, person: str, allowed: bool) -> None:
        """The operator says whether the person's login may carry a stream."""
        self._vault.set_streaming(person, allowed)
        (self._opted_out.discard if allowed else self._opted_out.add)(person)

    def persons(self, fault: Fault) -> tuple[str, ...]:
        """Whom a fault concerns."""
        return self.table.nature.persons if fault.person is None else (fault.person,)
