"""The same seed is the same run, to the last event; and a gateway that does wrong is found out."""

import subprocess
import sys

import pytest

from tests.simulation.faults import Nature
from tests.simulation.run import simulate
from tests.simulation.timetables import timetable

CALM = Nature(persons=("alice", "bob"), symbols=6, wanted=6, least_wanted=6, wants_change=False)


@pytest.mark.parametrize("seed", [3, 17, 208, 216, 802])
def test_a_seed_gives_the_same_events_twice(seed: int) -> None:
    assert simulate(timetable(seed)).digest == simulate(timetable(seed)).digest


def test_another_process_with_other_hashes_gives_the_same_events() -> None:
    program = "from tests.simulation.run import *; from tests.simulation.timetables import *; "
    program += "print(*(simulate(timetable(seed)).digest for seed in (5, 53, 443)))"
    told = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": hashes}, capture_output=True, check=True, text=True
        ).stdout
        for hashes in ("1", "2")
    }

    assert len(told) == 1
    assert told.pop().split() == [simulate(timetable(seed)).digest for seed in (5, 53, 443)]


def test_other_seeds_are_other_runs() -> None:
    assert len({simulate(timetable(seed)).digest for seed in range(6)}) == 6
