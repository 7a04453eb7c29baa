"""The demo: a simulator and a gateway in one process, over loopback sockets, in a data directory of their own."""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from quotewire import app, settings
from quotewire.simulator import Simulator, SimulatorConfig
from quotewire.upstream.tuning import DEFAULT, Tuning
from quotewire.upstream.world import REAL, World

DEFAULTS = {
    "QUOTEWIRE_ENV": "development",
    # A stranger opens many tabs on one machine.
    "MAX_CONNECTIONS_PER_IP": "1000",
    "LOG_LEVEL": "warning",
}


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that runs."""

    gateway: app.Gateway
    simulator: Simulator


def settings_for(
    simulator: Simulator, environ: Mapping[str, str], data_dir: Path, *, port: int | None
) -> settings.Settings:
    """The gateway's settings: the environment's, pointed at the simulator."""
    persons = ",".join(f"{name}={token}" for name, token in simulator.refresh_tokens.items())
    forced = {
        "QUOTEWIRE_LOGIN_URL": simulator.login_url,
        "QUOTEWIRE_API_HOSTS": "127.0.0.1",
        "QUOTEWIRE_DATA_DIR": str(data_dir),
        "QUOTEWIRE_PERSONS": persons,
    }
    chosen = {} if port is None else {"PORT": str(port)}
    return settings.load({**DEFAULTS, **environ, **forced, **chosen})


@contextlib.asynccontextmanager
async def running(
    config: SimulatorConfig,
    environ: Mapping[str, str],
    *,
    port: int | None = None,
    data_dir: Path | None = None,
    tuning: Tuning = DEFAULT,
    world: World = REAL,
) -> AsyncIterator[Demo]:
    """Run both while the block runs; `tuning` and `world` are the upstream's.

    Raises ConfigurationError when a setting or the port cannot be had.
    """
    with contextlib.ExitStack() as stack:
        directory = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quotewire-demo-")))
        wanted = settings.load({**DEFAULTS, **environ, **({} if port is None else {"PORT": str(port)})})
        # Bound first: a port in use is said before anything else starts.
        listener = stack.enter_context(contextlib.closing(app.listen(wanted)))
        async with Simulator(config) as simulator:
            chosen = settings_for(simulator, environ, directory, port=port)
            async with app.running(chosen, listener, tuning=tuning, world=world) as gateway:
                yield Demo(gateway, simulator)
