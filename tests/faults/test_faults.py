"""Each fault of the simulator's list, over real sockets: what clients see, what is told, and how soon all is well."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from quotewire.simulator.faultlist import FAULTS
from tests.faults.stage import Stage, busy, staged
from tests.faults.table import CASES, HIDDEN, SHOWN, Case, Harm
from tests.faults.watcher import TRADABLE

SEEN_S = 10.0
SETTLED_UPDATES = 60


async def strike(stage: Stage, case: Case) -> None:
    """Bring the fault about."""
    if case.fault == "resume":
        await stage.sim.fault("halt", symbols=["AAPL"])
        await stage.until(lambda: "halted" in stage.watchers[0].views(stage.ids[0]), 5.0, "a halt")
    stage.mark()
    await stage.sim.fault(case.fault, person=case.person, **case.params)
    for trigger in case.trigger:
        await stage.sim.fault(trigger, person=case.person)
    if case.asks:
        async with httpx.AsyncClient(base_url=stage.url, trust_env=False) as client:
            await client.post("/api-market/quotes/batch", json={"symbols": ["AMD"]})


async def over(stage: Stage, case: Case) -> float:
    """Wait for the fault's end; when it came."""
    if case.lasts_s is not None:
        await asyncio.sleep(max(stage.troubled[0] + case.lasts_s - time.time(), 0.0))
        await stage.sim.clear()
    await stage.until(lambda: not stage.sim.world.faults.active, 10.0, "the fault's end")
    ended = time.time()
    if case.harm is Harm.OPERATOR:
        await stage.until(lambda: bool(stage.person("alice")["needsOperator"]), 15.0, "the call for the operator")
        assert "quotewire persons add alice" in stage.person("alice")["lastError"]
        await stage.until(lambda: stage.watchers[0].views() == {"stale"}, 5.0, "everything stale")
        stage.replace_token("alice")
        ended = time.time()
    return ended


def quotes_since(stage: Stage, matches: Callable[[Mapping[str, Any]], bool]) -> bool:
    """Whether some client was sent such a quote since the fault began."""
    return any(matches(seen.quote) for watcher in stage.watchers for seen in watcher.since(stage.troubled[0]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_fault(case: Case, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    config = busy(persons=case.persons)
    async with staged(tmp_path, config, logins_apart=case.login) as stage:
        opened = stage.sim.stats(record=False)["streams"]["opened"]["quotes"]
        await strike(stage, case)
        if case.harm in (Harm.LOST, Harm.OPERATOR):
            await stage.until(stage.any_lost, SEEN_S, "a sign of the fault")
        elif case.lasts_s is None:
            await stage.updates(SETTLED_UPDATES)
        if case.fault in SHOWN:
            await stage.until(lambda: quotes_since(stage, SHOWN[case.fault]), SEEN_S, "what it shows")
        ended = await over(stage, case)
        live = await stage.until(stage.all_live, case.within_s, "every symbol live again")
        record_property("recovery_s", round(max(live - ended, 0.0), 3))
        stage.healed()
        await stage.updates(SETTLED_UPDATES)

        assert case.fault not in HIDDEN or not quotes_since(stage, HIDDEN[case.fault])
        if case.fault == "expires_in":
            left_s = stage.person("alice")["expiresAt"] / 1000 - time.time()
            assert 280 < left_s < 300, "the token's life is what the answer said"
        if case.harm is Harm.NONE:
            began = stage.troubled[0]
            views = {seen.freshness for watcher in stage.watchers for seen in watcher.since(began)}
            assert views <= TRADABLE or case.fault == "resume", f"clients saw {views}"
            stage.troubled = (began, began)  # nothing may have been lost
            assert stage.sim.stats(record=False)["streams"]["opened"]["quotes"] == opened, "no stream was replaced"
        compared = await stage.finish(sends=case.sends, refused=case.refused, fields=case.fields)
        assert compared > SETTLED_UPDATES
        assert {each["lastError"] for each in stage.report["persons"]} == {""}
        assert case.reasons <= stage.reasons, f"not told: {case.reasons - stage.reasons} of {stage.reasons}"


def test_every_fault_of_the_simulator_has_a_case() -> None:
    assert {case.fault for case in CASES} == set(FAULTS)


async def test_the_simulator_lists_the_same_faults(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage, httpx.AsyncClient(trust_env=False) as client:
        told = (await client.get(f"{stage.sim.control_url}/faults")).json()["faults"]
    assert {each["fault"] for each in told} == {case.fault for case in CASES}
