"""What every process of the gateway does with itself: its loop, its collector, and the hold on the data directory."""

import asyncio
import contextlib
import fcntl
import gc
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import uvloop

from quotewire.errors import ConfigurationError, StorageError

LOCK_FILE = "gateway.lock"


@contextlib.contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: two gateways with the same logins would cut each other's streams.

    Raises ConfigurationError while another holds it. The lock goes with the process, however it ends.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data_dir / LOCK_FILE).open("a")
    except OSError as error:
        raise StorageError(f"QUOTEWIRE_DATA_DIR: {data_dir} cannot be used: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = f"QUOTEWIRE_DATA_DIR: another gateway uses {data_dir}; stop it, or choose another directory"
            raise ConfigurationError(told) from None
        yield


def tune_collector() -> None:
    """Have the garbage collector look at what may be garbage, not at all there is.

    Connections, quotes and lanes go by reference counts; what is left to the collector is little and in no hurry, while
    a look at everything many clients have takes longer than they should wait for a quote.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on uvloop."""
    tune_collector()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
