"""SIGKILL of a real gateway at many moments of a token exchange, and of the exchange itself."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from quotewire.questrade.tokens import TokenState
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.vault import Vault
from tests.upstream_support import GatewayProcess, children, environment, sends, until

ANSWER_S = 0.5


def vault_state(data_dir: Path) -> TokenState | None:
    vault = Vault.open(data_dir, None)
    try:
        token = vault.get("alice")
        return token.state if token else None
    finally:
        vault.close()


async def active(gateway: GatewayProcess, within_s: float = 20.0) -> bool:
    """Whether alice's login works before long."""
    for _ in range(int(within_s / 0.1)):
        if any(person["isActive"] for person in await gateway.persons()):
            return True
        await asyncio.sleep(0.1)
    return False


async def settled_state(gateway: GatewayProcess, *states: str, within_s: float = 20.0) -> dict[str, object]:
    for _ in range(int(within_s / 0.1)):
        for person in await gateway.persons():
            if person["tokenState"] in states:
                return person
        await asyncio.sleep(0.1)
    raise AssertionError(f"alice was not in {states} within {within_s} s: {await gateway.persons()}")


@pytest.mark.parametrize(
    ("kill_after_s", "spend"),
    [
        (0.0, "at_once"),
        (0.35, "at_once"),
        (0.55, "at_once"),
        (0.9, "at_once"),
        (0.3, "late"),
    ],
)
async def test_a_killed_gateway_comes_back_with_a_valid_token(tmp_path: Path, kill_after_s: float, spend: str) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault("token_slow", after_s=ANSWER_S, spend=spend)
        first = await GatewayProcess.start(environment(sim, tmp_path / "data"))
        await until(lambda: bool(first.redeemers()))
        await asyncio.sleep(kill_after_s)
        await first.kill()
        await sim.clear("token_slow")

        second = await GatewayProcess.start(environment(sim, tmp_path / "data", persons=False))
        try:
            assert await active(second), second.output
        finally:
            await second.stop()

        assert max(sends(sim).values()) == 1
        assert vault_state(tmp_path / "data") is TokenState.FRESH


async def test_a_gateway_that_dies_over_and_over_loses_no_token(tmp_path: Path) -> None:
    """Each life is killed in its own exchange: access tokens live for two seconds, so that each has one."""
    async with Simulator(SimulatorConfig(expires_in=2)) as sim:
        await sim.fault("token_slow", after_s=0.15, spend="at_once")
        for life, kill_after_s in enumerate((0.1, 0.25, 0.15)):
            gateway = await GatewayProcess.start(environment(sim, tmp_path / "data", persons=life == 0))
            await until(lambda gateway=gateway: bool(gateway.redeemers()), within_s=15)  # type: ignore[misc]
            await asyncio.sleep(kill_after_s)
            await gateway.kill()
        await sim.clear()

        last = await GatewayProcess.start(environment(sim, tmp_path / "data", persons=False))
        try:
            assert await active(last), last.output
        finally:
            await last.stop()

        assert max(sends(sim).values()) == 1


async def both_killed(sim: Simulator, data_dir: Path, *, spent: bool) -> None:
    """A power cut while the token is under way, or already `spent`: the gateway and the exchange end at once."""
    gateway = await GatewayProcess.start(environment(sim, data_dir))
    if spent:
        await until(lambda: bool(sends(sim)))
    else:
        await until(lambda: bool(gateway.redeemers()) and vault_state(data_dir) is TokenState.REFRESHING)
    exchanges = gateway.redeemers()
    assert exchanges
    for pid in exchanges:
        os.kill(pid, signal.SIGKILL)
    await gateway.kill()


async def test_after_a_power_cut_an_unspent_token_is_tried_once_more(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault("token_slow", after_s=3.0, spend="late")
        await both_killed(sim, tmp_path / "data", spent=False)
        await sim.clear()
        assert vault_state(tmp_path / "data") is TokenState.REFRESHING

        gateway = await GatewayProcess.start(environment(sim, tmp_path / "data", persons=False))
        try:
            assert await active(gateway), gateway.output
        finally:
            await gateway.stop()

        assert max(sends(sim).values()) <= 2


async def test_after_a_power_cut_a_spent_token_is_told_with_the_cure(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault("token_slow", after_s=3.0, spend="at_once")
        await both_killed(sim, tmp_path / "data", spent=True)
        await sim.clear()

        gateway = await GatewayProcess.start(environment(sim, tmp_path / "data", persons=False))
        try:
            person = await settled_state(gateway, "revoked")
            assert "quotewire persons add alice" in str(person["lastError"])
            assert "App Hub" in str(person["lastError"])
            uses = sends(sim)
            await asyncio.sleep(2.0)  # long enough for a gateway that would try again
            assert sends(sim) == uses
            assert max(uses.values()) == 2

            new = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quotewire",
                "persons",
                "add",
                "alice",
                env={**os.environ, **environment(sim, tmp_path / "data", persons=False)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            told, _ = await new.communicate(sim.issue_token("alice").encode())
            assert b"replaced" in told
            assert await active(gateway), "a running gateway takes up a new token by itself"
        finally:
            await gateway.stop()


async def test_the_exchange_ignores_the_signals_that_end_a_terminal_session(tmp_path: Path) -> None:
    async with Simulator(SimulatorConfig()) as sim:
        await sim.fault("token_slow", after_s=ANSWER_S, spend="at_once")
        gateway = await GatewayProcess.start(environment(sim, tmp_path / "data"))
        await until(lambda: bool(sends(sim)) or vault_state(tmp_path / "data") is TokenState.REFRESHING)
        (pid,) = gateway.redeemers()
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        assert os.getsid(pid) == pid
        try:
            assert await active(gateway), gateway.output
        finally:
            await gateway.stop()
        assert max(sends(sim).values()) == 1
        assert not children(os.getpid())
