"""`quotewire simulate`: a Questrade to run against, on loopback."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from dataclasses import Field, replace
from typing import Any, Final

import uvloop

from quotewire.simulator.config import SimulatorConfig, settings
from quotewire.simulator.server import Simulator, ready

NAME: Final = "simulate"
HELP: Final = "serve a simulated Questrade: login, REST, streams, a market, and faults on request"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One option per setting of the simulator."""
    plain = parser.add_argument_group("settings")
    unverified = parser.add_argument_group("switches for facts that nobody has verified")
    for setting in settings():
        group = unverified if setting.metadata["switch"] else plain
        name = f"--{setting.name.replace('_', '-')}"
        text = f"{setting.metadata['help']} (default: {_shown(setting.default)})"
        if isinstance(setting.default, bool):
            group.add_argument(name, default=setting.default, help=text, action=argparse.BooleanOptionalAction)
        else:
            choices = setting.metadata["choices"] or None
            group.add_argument(name, type=_reader(setting), default=setting.default, choices=choices, help=text)


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; one JSON line on standard output when ready.

    Raises ConfigurationError for a malformed setting, PortError for a port that cannot be listened on.
    """
    uvloop.run(_serve(config_of(args)))
    return 0


def config_of(args: argparse.Namespace) -> SimulatorConfig:
    """The settings in parsed arguments. Raises ConfigurationError."""
    return replace(SimulatorConfig(), **{each.name: getattr(args, each.name) for each in settings()})


async def _serve(config: SimulatorConfig) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Simulator(config) as sim:
        print(json.dumps(ready(sim)), flush=True)
        print(f"simulated Questrade at {sim.login_url}, faults at {sim.control_url}; Ctrl-C ends it", file=sys.stderr)
        await _first(sim.run(), stop.wait())


async def _first(*waits: Coroutine[Any, Any, Any]) -> None:
    """Wait for the first; raises what it raised."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _reader(setting: Field[Any]) -> Any:
    if isinstance(setting.default, tuple):
        return _names
    return int if setting.name == "symbols" else type(setting.default)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _shown(value: Any) -> str:
    if value is None:
        return "the default list"
    return ",".join(value) if isinstance(value, tuple) else str(value).replace("%", "%%") or "none"
