"""Two thousand seeds of faults, in virtual time. A failing seed prints itself and how to replay it."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.simulation.blocks import run_block
from tests.simulation.faults import Kind
from tests.simulation.run import Result
from tests.simulation.timetables import timetable

SEEDS = 2000
BLOCKS = 40
SIZE = SEEDS // BLOCKS

pytestmark = pytest.mark.slow

Run = Callable[[int], list[Result]]


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a block: in this process where pytest has several, else in two beside it, all blocks under way at once."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        yield lambda block: run_block(block * SIZE, (block + 1) * SIZE)
        return
    asked = [block for item in request.session.items if (block := _block(item)) is not None]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        under_way = {block: pool.submit(run_block, block * SIZE, (block + 1) * SIZE) for block in asked}
        yield lambda block: under_way[block].result()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_invariant_breaks(block: int, run: Run) -> None:
    results = run(block)
    broken = [result for result in results if result.breach is not None]

    assert len(results) == SIZE
    assert sum(result.updates for result in results) > SIZE  # something was checked
    if broken:
        pytest.fail("\n\n".join(str(result) for result in broken[:3]), pytrace=False)


def test_the_timetables_hold_every_kind_of_fault_many_times() -> None:
    kinds = [fault.kind for seed in range(SEEDS) for fault in timetable(seed).faults]

    assert min(kinds.count(kind) for kind in Kind) >= 10


def _block(item: pytest.Item) -> int | None:
    """Which block a test is."""
    if not isinstance(item, pytest.Function) or item.originalname != "test_no_invariant_breaks":
        return None
    block = item.callspec.params["block"]
    assert isinstance(block, int)
    return block
