"""`quotewire demo`: the gateway, the simulator and the dashboard, with nothing to set up."""

import argparse
import os

from quotewire import app, demo, process
from quotewire.settings import VARIABLES, load
from quotewire.simulator import SimulatorConfig
from quotewire.telemetry import logs

NAME = "demo"
HELP = "run the gateway against the built-in simulator, with the dashboard"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to simulate, and where to serve."""
    default = next(variable.default for variable in VARIABLES if variable.name == "PORT")
    parser.add_argument("--port", type=int, default=None, metavar="N", help=f"port to serve on (default {default})")
    parser.add_argument("--persons", default="alice,bob", metavar="A,B", help="persons to simulate (default alice,bob)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same market (default 1)")
    parser.add_argument("--symbols", type=int, default=None, metavar="N", help="symbols in the market")
    parser.add_argument("--rate", type=float, default=50.0, metavar="Q", help="mean updates a second (default 50)")


def run(args: argparse.Namespace) -> int:
    """Run the demo until SIGTERM or SIGINT."""
    logs.configure(load({**demo.DEFAULTS, **os.environ}).log_level)
    persons = tuple(name.strip() for name in args.persons.split(",") if name.strip())
    config = SimulatorConfig(persons=persons, seed=args.seed, symbols=args.symbols, rate=args.rate)
    process.run(_serve(config, args.port))
    return 0


async def _serve(config: SimulatorConfig, port: int | None) -> None:
    signals = app.StopSignals()
    async with demo.running(config, os.environ, port=port) as running:
        print(f"dashboard   {running.gateway.url}/")
        print(f"API         {running.gateway.url}/docs")
        print(f"simulator   {running.simulator.control_url}/faults", flush=True)
        print("Ctrl-C stops it.", flush=True)
        await running.gateway.until(signals.reach(running.gateway.services.gate.drain))
