"""Start simulator, gateway and the other commands as programs of their own."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.programs import Program, SimulatedQuestrade, Start, gather
from tests.e2e.several import QUICK_DRAIN, Gateway, alive, until


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start `quotewire <args>` with extra environment; whatever still runs at the end is killed, by its own pid."""
    started: list[Program] = []

    async def run(*args: str, **environ: str) -> Program:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("QUOTEWIRE_", "WS_"))}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quotewire",
            *args,
            env={**kept, "PYTHONUNBUFFERED": "1", **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=2**22,
        )
        assert process.stdout is not None
        assert process.stderr is not None
        program = Program(process, [], [], [])
        program._readers = [
            asyncio.create_task(gather(process.stdout, program.output)),
            asyncio.create_task(gather(process.stderr, program.errors)),
        ]
        started.append(program)
        return program

    yield run
    for program in started:
        if program.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                program.process.kill()
        await program.ended()


@pytest.fixture
def simulate(start: Start) -> Start:
    """Start `quotewire simulate <args>` and read its one line."""

    async def run(*args: str) -> SimulatedQuestrade:
        program = await start("simulate", "--port", "0", *args)
        await program.line(r"^\{.*login_url")
        told = json.loads(program.output[0])
        persons = {name: person["refresh_token"] for name, person in told["persons"].items()}
        return SimulatedQuestrade(program, told["login_url"], told["control_url"], persons)

    return run


@pytest.fixture
def serve(start: Start) -> Start:
    """Start `quotewire serve` against a simulator; returns the program and its URL."""

    async def run(questrade: SimulatedQuestrade, data_dir: Path, **environ: str) -> tuple[Program, str]:
        program = await start("serve", **{**questrade.environment(data_dir), **environ})
        found = await program.line(r'"url":"(http://[^"]+)"', stream="errors")
        return program, found.group(1)

    return run


@pytest.fixture
async def gateway(simulate: Start, start: Start, tmp_path: Path) -> AsyncIterator[Start]:
    """Start a simulator and a gateway of `workers` workers; no process of it is left at the end."""
    started: list[Gateway] = []

    async def run(workers: int = 2, **environ: str) -> tuple[Gateway, SimulatedQuestrade]:
        questrade = await simulate("--persons", "alice", "--seed", "7", "--rate", "200", "--record")
        settings = {**questrade.environment(tmp_path), **QUICK_DRAIN, "LOG_LEVEL": "debug", **environ}
        program = await start("serve", "--workers", str(workers), **settings)
        found = await program.line(r'"url":"(http://[^"]+)"', stream="errors")
        started.append(Gateway(program, found.group(1)))
        return started[-1], questrade

    yield run
    for each in started:
        if each.program.process.returncode is None:
            each.program.send(signal.SIGINT)
            await each.program.ended()
        await until(lambda each=each: not any(map(alive, each.pids().values())), 10)
