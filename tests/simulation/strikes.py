"""What each fault does when it begins and when it ends. Those that are not here the network looks up in `active`."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from quotewire.simulator.limits import ALLOWANCES
from quotewire.testing.virtual import VirtualProcess
from tests.simulation.faults import Fault, Kind, Point, Timetable
from tests.simulation.gateway import Gateway
from tests.simulation.network import Network
from tests.simulation.quotes import PACE_SLACK
from tests.simulation.watch import Watch


class Run(Protocol):
    """What faults act on."""

    table: Timetable
    start: float
    network: Network
    gateway: Gateway
    watch: Watch
    stopping: "asyncio.Task[None] | None"

    def persons(self, fault: Fault) -> tuple[str, ...]:
        """Whom a fault concerns."""

    def refresh_token(self, person: str) -> str:
        """What the vault holds."""

    def set_streaming(self, person: str, allowed: bool) -> None:
        """The operator says whether the person's login may carry a stream."""


def begin(run: Run, fault: Fault) -> None:
    """A fault begins."""
    run.network.active.append(fault)
    run.watch.gaps.spoil(fault)
    if fault.kind in DELAYING:
        run.watch.quotes.late_until = run.start + fault.until + LATE_S
    BEGIN.get(fault.kind, _nothing)(run, fault)


def end(run: Run, fault: Fault) -> None:
    """A fault ends."""
    run.network.active.remove(fault)
    run.watch.gaps.spoil(fault)
    END.get(fault.kind, _nothing)(run, fault)


def _nothing(run: Run, fault: Fault) -> None:
    """The network looks at `active` itself."""


def _end_sockets(run: Run, fault: Fault) -> None:
    _kill(run, fault.person)


DELAYING: Final = frozenset({Kind.LAG, Kind.BLACK_HOLE, Kind.PAUSE})
LATE_S: Final = 15.0
CLOSES: Final = (0, 0, 1000, 1001, 1005, 1006, 1008, 1011, 1012, 1013, 3000, 4000, 4001, 4002, 4008)
"""Close codes that a stream was ever ended with, and some that it was not; 0 and 1006 are no close at all."""


def _kill(run: Run, person: str | None, code: int | None = None) -> None:
    """End streams; with no code, in any way."""
    for wire in run.network.live(person):
        run.watch.note(f"{wire.person}'s stream is killed")
        run.watch.gaps.killed(wire.person or "?", run.network.loop.time() - (wire.accepted_at or 0.0))
        wire.end(run.network.chance.choice(CLOSES) if code is None else code)


def _again(run: Run, fault: Fault, work: "Callable[[Run, Fault, int], None]", count: int = 0) -> None:
    """Do it every few seconds while the fault lasts."""
    if fault in run.network.active:
        work(run, fault, count)
        run.network.later(0.4 + 6.0 * fault.amount, _again, run, fault, work, count + 1)


def _kill_one(run: Run, fault: Fault, count: int) -> None:
    _kill(run, fault.person or run.table.nature.persons[0])


def _kill_next(run: Run, fault: Fault, count: int) -> None:
    persons = run.table.nature.persons
    _kill(run, persons[count % len(persons)])


def _kill_others(run: Run, fault: Fault, count: int) -> None:
    persons = run.table.nature.persons
    for at, person in enumerate(persons):
        if at != count % len(persons):
            _kill(run, person)


def _spend_hour(run: Run, fault: Fault) -> None:
    """Nearly all of the hour's calls are gone; the hour ends with the fault."""
    for person in run.persons(fault):
        for category, bucket in run.network.broker.accounts[person].buckets.items():
            bucket.hour_ends = run.start + fault.until
            bucket.used = max(ALLOWANCES[category].per_hour - 1 - int(40 * fault.amount), bucket.used)


def _opt(run: Run, fault: Fault, *, allowed: bool) -> None:
    if allowed and run.network.struck(Kind.OPT_OUT, person=fault.person):
        return
    for person in run.persons(fault):
        run.set_streaming(person, allowed)


def _halt(run: Run, fault: Fault, *, halted: bool) -> None:
    ids, now = run.network.broker.market.ids, run.network.loop.time()
    run.network.broker.market.halt(ids[int(fault.amount * len(ids))], now, halted=halted)


def _evict(run: Run, fault: Fault) -> None:
    _kill(run, fault.person, run.table.nature.evict_code)


def _swallow(run: Run, fault: Fault) -> None:
    """A black hole kills half of the sockets; what the others say comes late."""
    for number, wire in enumerate(run.network.live(None)):
        wire.is_dead = (number + int(fault.amount * 2)) % 2 == 0


def _deaden(run: Run, fault: Fault) -> None:
    for wire in run.network.live(fault.person):
        wire.is_dead = True


def _stick(run: Run, fault: Fault) -> None:
    ids = run.network.broker.market.ids
    for wire in run.network.live(fault.person):
        wire.muted.add(ids[int(fault.amount * len(ids))])


def _change_port(run: Run, fault: Fault) -> None:
    for person in run.persons(fault):
        account = run.network.broker.accounts[person]
        account.port += 10
        if fault.amount < 0.5:
            run.network.broker.end_streams(person, 0)


def _change_host(run: Run, fault: Fault) -> None:
    for person in run.persons(fault):
        account = run.network.broker.accounts[person]
        account.next_host = run.network.broker.new_host()


def _lose_host(run: Run, fault: Fault) -> None:
    """The host dies; the next token names another."""
    for person in run.persons(fault):
        account = run.network.broker.accounts[person]
        run.network.gone_hosts.add(account.host)
        account.next_host = run.network.broker.new_host()
        run.network.broker.end_streams(person, 0)


def _kill_access(run: Run, fault: Fault) -> None:
    for person in run.persons(fault):
        run.network.broker.tokens.expire_access(person)
        if run.table.nature.refresh_ends_stream_s >= 0:
            run.network.broker.end_streams(person, 0)


def _short_lives(run: Run, fault: Fault) -> None:
    if fault in run.network.active:
        _kill_access(run, fault)
        run.network.later(3.0 + 20.0 * fault.amount, _short_lives, run, fault)


def _revoke(run: Run, fault: Fault) -> None:
    for person in run.persons(fault):
        run.watch.tokens.doomed(person, "revoked")
        run.network.broker.revoke(person, run.refresh_token(person), run.network.loop.time())


def _cap_hour(run: Run, fault: Fault) -> None:
    for person in run.persons(fault):
        for bucket in run.network.broker.accounts[person].buckets.values():
            bucket.capped_until = run.start + fault.until


def _crash(run: Run, fault: Fault) -> None:
    run.gateway.kill(children=False)


def _come_back(run: Run, fault: Fault) -> None:
    if run.gateway.process is None and not run.network.struck(Kind.CRASH, Kind.RESTART, Kind.CHILD_KILLED):
        run.gateway.start()


def _restart(run: Run, fault: Fault) -> None:
    async def stop() -> None:
        await run.gateway.stop()
        _come_back(run, fault)

    run.stopping = asyncio.create_task(stop())


def _arm(run: Run, fault: Fault) -> None:
    assert fault.point is not None

    def strike(child: VirtualProcess) -> None:
        for person in run.table.nature.persons:
            run.watch.tokens.doomed(person, f"killed at {fault.point}")
        run.watch.note(f"{child.name} dies at {fault.point}")
        if fault.amount < 0.5:
            run.gateway.kill_child(child)
        else:
            run.gateway.kill(children=True)
            run.network.later(2.0, _come_back, run, fault)

    run.network.armed[fault.point] = strike


def _disarm(run: Run, fault: Fault) -> None:
    run.network.armed.pop(fault.point or Point.KEPT, None)
    _come_back(run, fault)


def _pause(run: Run, fault: Fault) -> None:
    run.watch.quotes.pace_slack = 2 * PACE_SLACK  # who stood still has seen long gaps
    if run.gateway.process is not None:
        run.gateway.process.pause()


def _go_on(run: Run, fault: Fault) -> None:
    if run.gateway.process is not None and not run.network.struck(Kind.PAUSE):
        run.gateway.process.resume()


def _step_clock(run: Run, fault: Fault) -> None:
    run.watch.calls.is_clock_wrong = True
    run.gateway.clock_ahead_s += (fault.amount - 0.5) * 1200.0


BEGIN: Final[dict[Kind, Callable[[Run, Fault], None]]] = {
    Kind.DROP: _end_sockets,
    Kind.KILLS: partial(_again, work=_kill_one),
    Kind.KILLS_ROUND: partial(_again, work=_kill_next),
    Kind.KILLS_MANY: partial(_again, work=_kill_others),
    Kind.PORT_DEAD: _end_sockets,
    Kind.HOUR_SPENT: _spend_hour,
    Kind.OPT_OUT: partial(_opt, allowed=False),
    Kind.HALT: partial(_halt, halted=True),
    Kind.OUTAGE: _end_sockets,
    Kind.BLACK_HOLE: _swallow,
    Kind.EVICTED: _evict,
    Kind.DEAD_SOCKET: _deaden,
    Kind.STUCK_SYMBOL: _stick,
    Kind.PORT_CHANGE: _change_port,
    Kind.HOST_CHANGE: _change_host,
    Kind.HOST_GONE: _lose_host,
    Kind.ACCESS_KILLED: _kill_access,
    Kind.SHORT_LIVES: _short_lives,
    Kind.REVOKED: _revoke,
    Kind.REST_HOUR: _cap_hour,
    Kind.CRASH: _crash,
    Kind.RESTART: _restart,
    Kind.CHILD_KILLED: _arm,
    Kind.PAUSE: _pause,
    Kind.CLOCK_STEP: _step_clock,
}
END: Final[dict[Kind, Callable[[Run, Fault], None]]] = {
    Kind.CRASH: _come_back,
    Kind.RESTART: _come_back,
    Kind.CHILD_KILLED: _disarm,
    Kind.PAUSE: _go_on,
    Kind.OPT_OUT: partial(_opt, allowed=True),
    Kind.HALT: partial(_halt, halted=False),
}
