"""One process of a gateway of several: started by `parent.py` and by nobody else."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from quotewire import process, settings
from quotewire.errors import ConfigurationError, QuotewireError
from quotewire.settings import Settings
from quotewire.telemetry import logs
from quotewire.workers import child

FAILED, MISUSED = 1, 2


async def _own(chosen: Settings, directory: Path) -> None:
    from quotewire.workers.owner import own

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await own(chosen, directory, stop)
    finally:
        if child.orphaned.is_set():
            shutil.rmtree(directory, ignore_errors=True)


async def _work(chosen: Settings, directory: Path, number: int, port: int) -> None:
    from quotewire.workers.worker import work

    await work(chosen, directory, number, port)


def main(argv: Sequence[str]) -> int:
    """Be the owner or a worker; the exit code."""
    parser = argparse.ArgumentParser(prog="quotewire serve", add_help=False)
    parser.add_argument("role", choices=("owner", "worker"))
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args(argv)
    child.watch_parent()
    try:
        chosen = settings.load(os.environ)
        name = args.role if args.role == "owner" else f"worker {args.number}"
        secrets = logs.configure(chosen.log_level, process=name)
        for secret in (chosen.vault_key, chosen.admin_token, *chosen.persons.values()):
            if secret is not None:
                secrets.add(secret)
        part: Coroutine[Any, Any, None]
        if args.role == "owner":
            part = _own(chosen, args.directory)
        else:
            part = _work(chosen, args.directory, args.number, args.port)
        process.run(part)
    except QuotewireError as error:
        print(f"quotewire serve: {error}", file=sys.stderr)
        return MISUSED if isinstance(error, ConfigurationError) else FAILED
    except KeyboardInterrupt:  # before the loop listened
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
