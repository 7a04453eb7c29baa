"""The simulation by hand: `python -m tests.simulation --seeds 10000`, or `--seed 17` for one again with its log."""

import argparse
import sys
import time
from collections import Counter, defaultdict
from typing import Final

from tests.simulation.blocks import run_many
from tests.simulation.run import Result, simulate
from tests.simulation.timetables import timetable

GAPS: Final = {
    "G1": "streams that are up have room",
    "G2": "logins that can stream have room",
    "G3": "a login can be asked",
}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this one alone and print its log")
    parser.add_argument("--verbose", action="store_true", help="print failing seeds in full, or all of one's log")
    options = parser.parse_args()
    if options.seed is not None:
        result = simulate(timetable(options.seed))
        if options.verbose:
            print(*result.log, sep="\n")
        print(result)
        print(f"digest {result.digest}, well again {result.healed_s:.2f} s after the last fault")
        return 1 if result.breach else 0
    return many(options.first, options.seeds, options.verbose)


def many(first: int, count: int, verbose: bool) -> int:
    """Run seeds; what broke, how often, and how soon everything was well again."""
    began, virtual_s, updates, repairs = time.perf_counter(), 0.0, 0, 0
    broken: list[Result] = []
    healed: list[float] = []
    gaps: dict[str, list[float]] = defaultdict(list)
    for done, result in enumerate(run_many(first, first + count), 1):
        virtual_s += result.virtual_s
        updates += result.updates
        repairs += result.repairs
        for name, longest_s in result.gaps.items():
            gaps[GAPS[name]].append(longest_s)
        if result.breach is not None:
            broken.append(result)
            print(result if verbose or len(broken) == 1 else _line(result), flush=True)
        else:
            healed.append(result.healed_s)
        if done % 200 == 0 and sys.stderr.isatty():
            print(f"\r{done}/{count}", end="", file=sys.stderr, flush=True)
    took = time.perf_counter() - began
    print(f"{count} seeds in {took:.0f} s ({count / took:.0f} a second), {virtual_s / 3600:.1f} virtual hours,")
    print(f"{updates} updates checked, {repairs} logins renewed by hand after faults that can cost one")
    if healed:
        print(f"well again after the last fault: {spread(healed)}")
    for name, longest in sorted(gaps.items()):
        print(f"longest behind while {name}: {spread(longest)}")
    for invariant, number in Counter(result.breach.invariant for result in broken if result.breach).most_common():
        print(f"BROKEN {number} times: {invariant}")
    return 1 if broken else 0


def spread(values: list[float]) -> str:
    """Percentiles of seconds."""
    ordered = sorted(values)
    shown = ", ".join(f"p{share:g} {ordered[int(len(ordered) * share / 100)]:.1f} s" for share in (50, 90, 99))
    return f"{shown}, longest {ordered[-1]:.1f} s"


def _line(result: Result) -> str:
    kinds = ", ".join(fault.kind for fault in result.timetable.faults)
    return f"seed {result.timetable.seed}: {result.breach} [{kinds}]"


if __name__ == "__main__":
    sys.exit(main())
