"""The same seed is the same run, to the last event; and a gateway that does wrong is found out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.faults import Nature
from tests.simulation.mutants import MUTANTS, make
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


def test_a_failing_seed_says_how_to_replay_it_and_the_replay_is_the_same_to_the_last_event(tmp_path: Path) -> None:
    make(next(each for each in MUTANTS if each.name == "one_update_in_many_is_dropped"), tmp_path)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path}"}

    def run(*options: str) -> str:
        command = [sys.executable, "-m", "tests.simulation", *options]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout

    seeds = run("--seeds", "40")
    (broken,) = set(re.findall(r"^BROKEN (.*: at .*)$", seeds, re.MULTILINE))
    (seed,) = re.findall(r"again: make simulate-faults SEED=(\d+)$", seeds, re.MULTILINE)
    once, again = run("--seed", seed), run("--seed", seed)

    assert f"BROKEN {broken}" in once
    assert once == again
    assert re.search(r"^digest [0-9a-f]{64}", once, re.MULTILINE)
