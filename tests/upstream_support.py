"""A gateway as a process of its own, against a simulator in the test's loop; and the whole upstream in the loop."""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import httpx

from quotewire.market.quote import Quote
from quotewire.resilience.backoff import Backoff
from quotewire.settings import Settings, load
from quotewire.simulator import Simulator
from quotewire.upstream.supervisor import Upstream
from quotewire.upstream.tuning import CONFIG, Tuning
from quotewire.upstream.vault import Vault
from quotewire.wire.messages import UpstreamState

REDEEMER = "quotewire.upstream.redeemer"
EMPTY_TOKEN_USES = "malformed"


def environment(sim: Simulator, data_dir: Path, *, persons: bool = True) -> dict[str, str]:
    """What `serve` needs to use `sim`; without `persons` only the vault can tell who there is."""
    chosen = {
        "QUOTEWIRE_LOGIN_URL": sim.login_url,
        "QUOTEWIRE_API_HOSTS": "127.0.0.1,localhost",
        "QUOTEWIRE_DATA_DIR": str(data_dir),
        "PORT": "0",
    }
    if persons:
        chosen["QUOTEWIRE_PERSONS"] = ",".join(f"{name}={token}" for name, token in sim.refresh_tokens.items())
    return chosen


class GatewayProcess:
    """`quotewire serve`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.output: list[str] = []
        self.url = ""
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, variables: dict[str, str]) -> "GatewayProcess":
        clean = {name: value for name, value in os.environ.items() if not name.startswith("QUOTEWIRE_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "quotewire",
            "serve",
            env={**clean, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        return cls(process)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            text = line.decode(errors="replace")
            self.output.append(text)
            if not self.url and (found := re.search(r"http://127\.0\.0\.1:\d+", text)) and '"serving"' in text:
                self.url = found[0]

    def redeemers(self) -> list[int]:
        """The pids of processes that exchange tokens for this gateway."""
        return children(self.process.pid)

    async def kill(self) -> None:
        """SIGKILL, to this process alone."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        await self._reader

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(8):
                    await self.process.wait()
        await self.kill()

    async def persons(self) -> list[dict[str, object]]:
        """`GET /api/upstream`, its persons; empty while the gateway does not answer."""
        if not self.url:
            return []
        async with httpx.AsyncClient(trust_env=False) as client:
            try:
                answer = await client.get(f"{self.url}/api/upstream")
            except httpx.HTTPError:
                return []
        return list(answer.json()["data"]["persons"])


def children(pid: int) -> list[int]:
    """The exchanging processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid and REDEEMER in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
    return found


async def until(condition: Callable[[], bool], *, within_s: float = 10.0, every_s: float = 0.01) -> None:
    """Wait for a condition; fails with its name when it does not come."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {condition}"
        await asyncio.sleep(every_s)


def sends(sim: Simulator) -> Counter[str]:
    """How often each refresh token was presented; probes without a token are not counted."""
    uses = sim.stats(record=False)["tokens"]["uses"]
    return Counter(use["token"] for use in uses if use["person"] is not None)


class Watched:
    """What an upstream told: quotes and states, in order."""

    def __init__(self) -> None:
        self.quotes: list[Quote] = []
        self.states: list[UpstreamState] = []
        self.latest: dict[int, Quote] = {}

    def on_quotes(self, quotes: list[Quote]) -> None:
        self.quotes.extend(quotes)
        self.latest.update((quote.symbol_id, quote) for quote in quotes)

    def freshness(self, *ids: int) -> list[str]:
        return [self.latest[i].freshness.value if i in self.latest else "none" for i in ids]


def settings_for(sim: Simulator, data_dir: Path, **variables: str) -> Settings:
    return load({**environment(sim, data_dir), **variables})


QUICK = Tuning(lifecycle=replace(CONFIG, backoff=Backoff(base_s=0.5, cap_s=4.0), refreshed_delay_s=0.1))
"""Shorter waits between attempts, so that a test of many faults takes its time for the faults."""


@contextlib.asynccontextmanager
async def running_upstream(settings: Settings, tuning: Tuning = QUICK) -> AsyncIterator[tuple[Upstream, Watched]]:
    """An upstream in this loop."""
    vault = Vault.open(settings.data_dir, settings.vault_key)
    watched = Watched()
    upstream = Upstream(settings, vault, on_quotes=watched.on_quotes, on_state=watched.states.append, tuning=tuning)
    task = asyncio.create_task(upstream.run())
    try:
        yield upstream, watched
    finally:
        await upstream.close()
        await asyncio.gather(task, return_exceptions=True)
        vault.close()
