"""`make conformance`: install the Autobahn test suite apart, convert it, run it against the edge, judge strictly."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.conformance.echo import echoing
from tests.conformance.port import convert

HERE = Path(__file__).parent
WORK = HERE.parents[1] / "var" / "conformance"
DEADLINE_S = 600.0


def install() -> Path:
    """Install the suite into a directory of its own, once; returns it."""
    site = WORK / "site"
    locks = [HERE / "requirements.lock", HERE / "suite.lock"]
    wanted, done = "".join(lock.read_text() for lock in locks), WORK / "installed"
    if not done.exists() or done.read_text() != wanted:
        pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "install", "--upgrade"]
        for lock in locks:
            command = [*pip, "--no-deps", "--require-hashes", "--no-compile", "--target", str(site), "-r", str(lock)]
            subprocess.run(command, check=True)
        done.write_text(wanted)
    return site


async def run() -> int:
    """Run all cases; returns a process exit code."""
    WORK.mkdir(parents=True, exist_ok=True)
    site = install()
    sys.path.append(str(site))  # for the converter, which is installed there too
    convert(site / "autobahntestsuite", WORK)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(site), str(WORK)))}
    async with echoing() as url:
        command = (str(HERE / "driver.py"), url, str(WORK / "results.json"))
        driver = await asyncio.create_subprocess_exec(sys.executable, *command, env=environment)
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await driver.wait()
        finally:
            if driver.returncode is None:
                driver.kill()
                await driver.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))
