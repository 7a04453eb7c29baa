"""Logins over real sockets and with real exchanging processes, against the simulator's login faults."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quotewire.questrade.tokens import RefreshPolicy
from quotewire.settings import load
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.report import PersonState
from quotewire.upstream.supervisor import Upstream
from tests.upstream_support import QUICK, environment, running_upstream, sends, settings_for, until


def person(upstream: Upstream, name: str = "alice") -> PersonState:
    return next(state for state in upstream.persons() if state.name == name)


def works(upstream: Upstream) -> bool:
    return any(state.name == "alice" and state.is_active for state in upstream.persons())


def revoked(upstream: Upstream) -> bool:
    return any(state.name == "alice" and state.token_state == "revoked" for state in upstream.persons())


@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("token_500", {}),
        ("token_hang", {"after_s": 0.5}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
async def test_a_login_that_fails_for_a_while_costs_no_token(
    tmp_path: Path, fault: str, params: dict[str, Any]
) -> None:
    """From the start; what the login can do later is in tests/faults."""
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault(fault, seconds=3.0, **params)
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: works(upstream), within_s=25)

            assert max(sends(sim).values()) <= 2
            assert person(upstream).last_error == ""


async def test_a_spent_token_is_sent_once_and_never_again(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault("token_spent", seconds=600)
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: revoked(upstream))
            await upstream.refresh("alice", force=True)
            await asyncio.sleep(1.5)

            assert list(sends(sim).values()) == [1]
            assert "App Hub" in person(upstream).last_error


async def test_the_next_person_serves_when_the_first_is_refused(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig(persons=("alice", "bob"))) as sim:
        await sim.fault("token_spent", person="alice", seconds=600)
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, watched):
            await until(lambda: upstream.state.state == "connected" and upstream.state.person == "bob")
            (found,) = await upstream.resolve(["AAPL"], [])
            assert found.symbol is not None
            upstream.want({found.symbol.symbol_id})
            await until(lambda: watched.freshness(8049) == ["live"])

            assert revoked(upstream)


async def test_short_lives_are_honoured_and_each_token_is_used_once(tmp_path: Path) -> None:
    """Access tokens of three seconds: several rotations, each before the end, none of a token that was used."""
    tuning = replace(QUICK, refresh=RefreshPolicy(least_s=1.0))
    async with Simulator(SimulatorConfig(expires_in=3)) as sim:
        async with running_upstream(settings_for(sim, tmp_path), tuning) as (upstream, _):
            await until(lambda: works(upstream))
            gaps = 0
            for _ in range(75):
                await asyncio.sleep(0.1)
                gaps += not works(upstream)
        uses = sends(sim)

        assert 3 <= len(uses) <= 4
        assert max(uses.values()) == 1
        assert gaps <= 12, "a token is replaced before it ends"


async def test_a_storm_of_refused_access_tokens_makes_no_storm_of_refreshes(tmp_path: Path) -> None:
    """As when another program refreshes the same login over and over: VIV's incident made hundreds of refreshes."""
    async with Simulator(SimulatorConfig()) as sim:
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: works(upstream))
            for _ in range(60):
                await sim.fault("access_expired")
                await asyncio.gather(
                    *(upstream.refresh("alice", force=True) for _ in range(5)),
                    upstream.resolve([], [8049]),
                    upstream.search("A"),
                    return_exceptions=True,
                )
                await asyncio.sleep(0.1)
        assert sum(sends(sim).values()) <= 3


async def test_an_api_server_that_is_not_allowed_gets_no_token(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        stranger = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        calls: list[bytes] = []

        async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            calls.append(await reader.read(1000))
            writer.close()

        stranger.close()
        stranger = await asyncio.start_server(note, "127.0.0.2", 0)
        port = stranger.sockets[0].getsockname()[1]
        await sim.fault("api_server", value=f"http://127.0.0.2:{port}/", count=1)
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: bool(upstream.persons()) and "127.0.0.2" in person(upstream).last_error)
            await asyncio.sleep(0.5)

            assert not person(upstream).is_active
            assert "QUOTEWIRE_API_HOSTS" in person(upstream).last_error
        stranger.close()
        await stranger.wait_closed()

        assert calls == []


async def test_a_restart_uses_the_token_that_is_still_good(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        for _ in range(3):
            async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
                await until(lambda upstream=upstream: upstream.state.state == "connected")  # type: ignore[misc]

        assert sum(sends(sim).values()) == 1


async def test_a_new_token_in_the_environment_replaces_a_dead_one_only(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: works(upstream))
        good = sim.issue_token("alice")
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: works(upstream))
        assert sum(sends(sim).values()) == 1, "a login that works is not replaced"

        await sim.fault("refresh_expired")
        await sim.fault("access_expired")
        tuning = replace(QUICK, refresh=RefreshPolicy(cool_down_s=0.5))
        async with running_upstream(settings_for(sim, tmp_path), tuning) as (upstream, _):
            await until(lambda: revoked(upstream), within_s=20)
        assert good == sim.refresh_tokens["alice"]
        sim.issue_token("alice")
        async with running_upstream(settings_for(sim, tmp_path)) as (upstream, _):
            await until(lambda: works(upstream))


async def test_without_persons_the_state_says_so(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        settings = load(environment(sim, tmp_path, persons=False))
        async with running_upstream(settings) as (upstream, watched):
            await until(lambda: bool(watched.states))

            assert (upstream.state.state, upstream.state.reason) == ("error", "no_persons")
            (found,) = await upstream.resolve(["AAPL"], [])
            assert (found.code, found.retryable) == ("upstream_unavailable", True)
