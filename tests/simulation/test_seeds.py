"""Two thousand seeds of faults, in virtual time. A failing seed prints itself and how to replay it."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from tests.simulation.blocks import run_block
from tests.simulation.faults import Kind, timetable
from tests.simulation.run import Result

SEEDS = 2000
BLOCKS = 40
SIZE = SEEDS // BLOCKS

pytestmark = pytest.mark.slow

Blocks = dict[int, "Future[list[Result]]"]


@pytest.fixture(scope="module")
def blocks(request: pytest.FixtureRequest) -> Iterator[Blocks]:
    """The blocks that were asked for, under way in two processes."""
    asked = [item.callspec.params["block"] for item in request.session.items if _is_block(item)]  # type: ignore[attr-defined]
    before = os.environ.get("PYTHONHASHSEED")
    os.environ["PYTHONHASHSEED"] = "0"
    try:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            yield {block: pool.submit(run_block, block * SIZE, (block + 1) * SIZE) for block in asked}
    finally:
        if before is None:
            del os.environ["PYTHONHASHSEED"]
        else:
            os.environ["PYTHONHASHSEED"] = before


@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_no_invariant_breaks(block: int, blocks: Blocks) -> None:
    results = blocks[block].result()
    broken = [result for result in results if result.breach is not None]

    assert len(results) == SIZE
    assert sum(result.updates for result in results) > SIZE  # something was checked
    if broken:
        pytest.fail("\n\n".join(str(result) for result in broken[:3]), pytrace=False)


def test_the_timetables_hold_every_kind_of_fault_many_times() -> None:
    kinds = [fault.kind for seed in range(SEEDS) for fault in timetable(seed).faults]

    assert min(kinds.count(kind) for kind in Kind) >= 20


def _is_block(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.originalname == "test_no_invariant_breaks"
