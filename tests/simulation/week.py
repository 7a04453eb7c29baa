"""A trading week with a fault every few minutes: `python -m tests.simulation.week`, or `--hours 4` for a part of it.

Only faults that a gateway can come through without a person's help: an answer of the login server that is lost after
the refresh token was spent ends a login whatever anybody does, so those stay with the seeds.
"""

import argparse
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from quotewire.market.calendar import TORONTO, MarketPhase, phase_at
from tests.simulation.faults import HAZARDS, Fault, Kind, Nature, Timetable
from tests.simulation.market import DAY, EXCHANGE
from tests.simulation.run import Result, simulate
from tests.simulation.timetables import draw

HOUR_S: Final = 3600.0
MONDAY_MORNING_S: Final = -86_400.0 + 7 * HOUR_S  # the day of the simulation is a Tuesday
WEEK_S: Final = 4 * 86_400.0 + 13.5 * HOUR_S  # until Friday evening
LONGEST_S: Final = 60.0
BETWEEN_S: Final = (150.0, 300.0)
UNTIL_REPAIRED: Final = frozenset({Kind.STUCK_SYMBOL})
"""Faults that last until the gateway finds them: their time is that of finding, and told apart."""

NATURE: Final = Nature(
    persons=("alice", "bob", "carol"),
    symbols=9,
    wanted=9,
    least_wanted=9,
    pace_s=3.0,
    opening_s=MONDAY_MORNING_S,
    wants_change=False,
    acts_every_s=600.0,
)


def week(seed: int, lasts_s: float = WEEK_S, nature: Nature = NATURE) -> Timetable:
    """A timetable with a fault every few minutes."""
    chance = random.Random(f"week {seed}")
    kinds = [kind for kind in Kind if kind not in HAZARDS]
    faults: list[Fault] = []
    at = 60.0
    while at < lasts_s:
        kind = chance.choice(kinds)
        if kind in UNTIL_REPAIRED and not _is_regular(at, nature):
            continue  # a symbol that says nothing outside regular hours is not looked for
        fault = draw(chance, kind, at, LONGEST_S, nature.persons)
        faults.append(fault)
        at = fault.until + chance.uniform(*BETWEEN_S)
    return Timetable(seed, nature, tuple(faults), lasts_s)


def _is_regular(at: float, nature: Nature) -> bool:
    when = datetime.fromtimestamp(DAY + nature.opening_s + at, TORONTO)
    return phase_at(EXCHANGE, when) is MarketPhase.REGULAR


@dataclass(frozen=True, slots=True)
class Figures:
    """What a week amounts to; seconds."""

    faults: int
    p50: float
    p99: float
    longest: float
    stuck_longest: float

    @classmethod
    def of(cls, result: Result) -> "Figures":
        """Read them off a result."""
        ended = sorted(took for fault, took in result.healings if fault.kind not in UNTIL_REPAIRED)
        stuck = [took for fault, took in result.healings if fault.kind in UNTIL_REPAIRED]
        return cls(len(result.healings), share(ended, 0.5), share(ended, 0.99), ended[-1], max(stuck, default=0.0))


def share(ordered: list[float], part: float) -> float:
    """The value below which a part of them lies."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.week", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=WEEK_S / HOUR_S)
    options = parser.parse_args()
    began = time.perf_counter()
    result = simulate(week(options.seed, options.hours * HOUR_S))
    if result.breach is not None:
        begun = [fault for fault in result.timetable.faults if fault.at <= result.virtual_s]
        result.timetable = Timetable(options.seed, NATURE, tuple(begun[-4:]))
        print(result)
        return 1
    figures = Figures.of(result)
    print(f"{result.virtual_s / HOUR_S:.1f} hours in {time.perf_counter() - began:.0f} s, {figures.faults} faults")
    print(f"fresh again after a fault's end: p50 {figures.p50:.1f} s, p99 {figures.p99:.1f} s,", end=" ")
    print(f"longest {figures.longest:.1f} s; stuck symbols found and repaired within {figures.stuck_longest:.0f} s")
    print(f"{result.updates} updates checked; logins renewed by hand: {result.repairs}")
    print("token refreshes:", ", ".join(f"{who} {count}" for who, count in sorted(result.refreshes.items())))
    for (who, what, span), most in sorted(result.peaks.items()):
        print(f"most calls within {'an hour' if span > 1 else 'a second'}: {who} {what} {most}")
    by_kind: dict[str, list[float]] = defaultdict(list)
    for fault, took in result.healings:
        by_kind[fault.kind].append(took)
    for kind, times in sorted(by_kind.items(), key=lambda item: -max(item[1])):
        print(f"  {kind:15} {len(times):4} times, p50 {share(sorted(times), 0.5):5.1f} s, longest {max(times):5.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
