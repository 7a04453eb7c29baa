"""The invariants see what they are for: a gateway that is made to do wrong is found out."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from msgspec.structs import replace as copy

from quotewire.market.quote import Freshness, Quote
from quotewire.questrade.tokens import Token
from quotewire.testing.virtual import VirtualProcess
from quotewire.upstream import redeemer, tape
from quotewire.upstream.allowance import Allowance, Grant
from quotewire.upstream.poller import Poller
from quotewire.upstream.session import StreamSession
from quotewire.upstream.supervisor import Upstream
from tests.simulation.faults import Fault, Kind, Nature, Timetable
from tests.simulation.gateway import Gateway, SimulatedVault
from tests.simulation.run import Simulation, simulate
from tests.simulation.wire import Wire

CALM = Nature(persons=("alice", "bob"), symbols=6, wanted=6, least_wanted=6, wants_change=False)
QUIET = Timetable(1, CALM, (Fault(Kind.LAG, 5.0, 20.0, "bob", 0.1),))
DROPPED = Timetable(1, CALM, (Fault(Kind.REFUSED, 5.0, 20.0), Fault(Kind.DROP, 6.0, 6.0)))


def broken(table: Timetable) -> str:
    result = simulate(table)
    return "" if result.breach is None else result.breach.invariant


def test_a_calm_day_breaks_nothing() -> None:
    assert broken(QUIET) == broken(DROPPED) == ""


def spoiled(change: Callable[[list[Quote]], list[Quote]]) -> Any:
    hand_on = Gateway._quotes

    def spoil(self: Gateway, process: VirtualProcess, quotes: list[Quote]) -> None:
        hand_on(self, process, change(quotes))

    return spoil


def torn(quotes: list[Quote]) -> list[Quote]:
    return [copy(quote, volume=(quote.volume or 0) + 700) for quote in quotes]


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        (lambda quotes: quotes[1:], "Q"),
        (lambda quotes: quotes + quotes[-1:], "Q2 sequences grow by one"),
        (torn, "Q1 a quote is whole"),
    ],
    ids=["lost", "twice", "torn"],
)
def test_updates_lost_doubled_or_torn(
    change: Callable[[list[Quote]], list[Quote]], invariant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gateway, "_quotes", spoiled(change))

    assert broken(QUIET).startswith(invariant)


def test_everything_called_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "judge", lambda **_: Freshness.LIVE)

    assert broken(DROPPED).startswith("F")


def test_a_token_sent_again_after_it_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    send = redeemer._send

    async def twice(vault: Any, errand: Any, token: Token, means: Any) -> Any:
        await means.redeem(errand.login_url, token.refresh_token, answer_s=5.0)
        return await send(vault, errand, token, means)

    monkeypatch.setattr(redeemer, "_send", twice)
    assert broken(QUIET) == "T1 no token is sent again"


def test_a_pair_that_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    complete = SimulatedVault.complete_refresh

    def keep_the_old(self: SimulatedVault, person: str, outcome: Any) -> Token:
        stale = replace(outcome, grant=replace(outcome.grant, refresh_token="never-issued"))
        return complete(self, person, stale)

    monkeypatch.setattr(SimulatedVault, "complete_refresh", keep_the_old)
    assert broken(replace_nature(QUIET, expires_in=12)).startswith("T")


def replace_nature(table: Timetable, **fields: Any) -> Timetable:
    return replace(table, nature=replace(table.nature, **fields))


async def storm(self: Simulation) -> None:
    """Clients that all want something at once."""
    await asyncio.sleep(4)
    for _ in range(45):
        self.gateway.ask("search")
    await asyncio.sleep(1000)


def test_a_gateway_that_does_not_count_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Simulation, "_clients", storm)
    assert broken(QUIET) == ""

    monkeypatch.setattr(Allowance, "ask", lambda *_: Grant())
    assert broken(QUIET) == "B1 never over budget"


def test_a_stream_that_never_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = StreamSession._turned

    def give_up(self: StreamSession) -> None:
        turned(self)
        if not self.is_live:
            self._group = None

    monkeypatch.setattr(StreamSession, "_turned", give_up)
    assert broken(DROPPED) in {"R1 everything heals", "X1 no exception escapes"}


def test_changes_that_are_lost_after_one_that_a_fault_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    muted = Fault(Kind.MUTE_SYMBOL, 30.05, 40.05, None, 0.36)
    table = Timetable(3, CALM, (muted, Fault(Kind.HALT, 90.0, 91.0, None, 0.9)))
    assert broken(table) == ""

    send = Wire.send

    def lose(self: Wire, data: bytes, versions: dict[int, int]) -> None:
        if 1003 not in versions or self._network.loop.time() < self._network.start + 41.0:
            send(self, data, versions)

    monkeypatch.setattr(Wire, "send", lose)
    assert broken(table) == "G1 streams that are up carry what they can"


def test_tasks_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Upstream) -> None:
        """Close nothing."""

    monkeypatch.setattr(Upstream, "close", nothing)
    stopped = Timetable(1, CALM, (Fault(Kind.RESTART, 5.0, 12.0),))
    assert broken(stopped) == "X2 nothing is left behind"


def test_a_loop_that_spins(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spin(self: Poller) -> None:
        while True:
            await asyncio.sleep(0)

    monkeypatch.setattr(Poller, "run", spin)
    assert broken(QUIET) == "X3 time goes on"
