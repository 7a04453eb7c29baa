"""Programs started as a user would start them."""

import asyncio
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 30.0


@dataclass
class Program:
    """A quotewire process of its own. `output` and `errors` gather what it printed."""

    process: asyncio.subprocess.Process
    output: list[str]
    errors: list[str]
    _readers: list[asyncio.Task[None]]

    async def line(self, pattern: str, *, stream: str = "output", deadline_s: float = START_S) -> re.Match[str]:
        """Wait until a line that holds `pattern` was printed."""
        lines = self.output if stream == "output" else self.errors
        async with asyncio.timeout(deadline_s):
            while True:
                for line in lines:
                    found = re.search(pattern, line)
                    if found:
                        return found
                if self.process.returncode is not None and all(reader.done() for reader in self._readers):
                    raise AssertionError(f"ended with {self.process.returncode}: {self.output} {self.errors}")
                await asyncio.sleep(0.02)

    async def ended(self, deadline_s: float = START_S) -> int:
        """Wait for its end; returns the exit code."""
        async with asyncio.timeout(deadline_s):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)


async def gather(stream: asyncio.StreamReader, into: list[str]) -> None:
    async for line in stream:
        into.append(line.decode().rstrip("\n"))


Start = Callable[..., Any]


@dataclass(frozen=True)
class SimulatedQuestrade:
    """A simulator that runs as a program of its own."""

    program: Program
    login_url: str
    control_url: str
    persons: dict[str, str]

    def environment(self, data_dir: Path) -> dict[str, str]:
        """What `quotewire serve` needs to use it."""
        return {
            "PORT": "0",
            "QUOTEWIRE_LOGIN_URL": self.login_url,
            "QUOTEWIRE_API_HOSTS": "127.0.0.1",
            "QUOTEWIRE_DATA_DIR": str(data_dir),
            "QUOTEWIRE_PERSONS": ",".join(f"{name}={token}" for name, token in self.persons.items()),
            "MAX_CONNECTIONS_PER_IP": "1000",
        }
