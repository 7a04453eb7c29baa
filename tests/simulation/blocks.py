"""Many seeds in several processes."""

import contextlib
import gc
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.simulation.run import Result, simulate
from tests.simulation.timetables import timetable

BLOCK = 20


def run_block(first: int, last: int) -> list[Result]:
    """Run some seeds; only those that broke something carry their log home."""
    results = []
    with _seldom_collecting():
        for seed in range(first, last):
            result = simulate(timetable(seed))
            if result.breach is None:
                result.log, result.reasons = [], []
            results.append(result)
    return results


@contextlib.contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Have the garbage collector leave alone what stays, and look at the rest less often: a tenth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def run_many(first: int, last: int, processes: int = 2) -> Iterator[Result]:
    """Run seeds in several processes, in order. Hashes of strings are fixed, so that sets have one order everywhere."""
    os.environ["PYTHONHASHSEED"] = "0"
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        starts = range(first, last, BLOCK)
        for block in pool.map(run_block, starts, [min(start + BLOCK, last) for start in starts]):
            yield from block
