"""Public fakes for your tests and ours.

`running_gateway()` starts a gateway and a simulator on free ports of this machine, over real sockets.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from quotewire import app, demo
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.tuning import DEFAULT, Tuning
from quotewire.upstream.world import REAL, World

__all__ = ["RunningGateway", "running_gateway"]


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A gateway that runs against a simulator. `url` is its base URL."""

    url: str
    simulator: Simulator
    gateway: app.Gateway


@contextlib.asynccontextmanager
async def running_gateway(
    config: SimulatorConfig | None = None,
    *,
    data_dir: Path | None = None,
    tuning: Tuning = DEFAULT,
    world: World = REAL,
    **environ: str,
) -> AsyncIterator[RunningGateway]:
    """Run both while the block runs. `environ` holds settings, such as `WS_PING_INTERVAL="100"`.

    `tuning` shortens (or lengthens) the waits of the upstream, `world` is what surrounds it.
    """
    simulated = config or SimulatorConfig(persons=("alice",), seed=1, rate=200.0, record=True)
    port = int(environ.pop("PORT", "0"))
    async with demo.running(simulated, environ, port=port, data_dir=data_dir, tuning=tuning, world=world) as running:
        yield RunningGateway(running.gateway.url, running.simulator, running.gateway)
