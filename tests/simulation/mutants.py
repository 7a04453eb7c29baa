"""The seeds find what they are for: the product broken in many small ways, each in a copy, and the seed that shows it.

    python -m tests.simulation.mutants              all of them, two at a time
    python -m tests.simulation.mutants opt_out      those whose name begins so

Each mutant is one text of the product replaced by another. Seeds run over it from the first on until one breaks; then
that one is run once more, in another process, and has to give the same events. docs/invariants.md has the table.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation.run import simulate
from tests.simulation.timetables import timetable

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = Path("src/quotewire")
LONGEST_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Mutant:
    """`before` occurs once in `file` and becomes `after`; a statement whose name begins with `finds` has to break."""

    name: str
    file: str
    before: str
    after: str
    finds: tuple[str, ...]


MUTANTS: Final = (
    Mutant(
        "dropped_streams_rest_though_there_is_no_room",
        "upstream/fleet.py",
        "return Rank.TRYING if record.is_trying else Rank.EAGER",
        "return Rank.RESTING",
        ("G2",),
    ),
    Mutant(
        "lingering_symbols_take_the_room_of_wanted_ones",
        "upstream/fleet.py",
        "self._wanted, self._lingering = frozenset(symbol_ids), frozenset(lingering)",
        "self._wanted, self._lingering = frozenset(symbol_ids) | frozenset(lingering), frozenset()",
        ("G1",),
    ),
    Mutant("nothing_is_polled", "upstream/poller.py", "for ids in self.take_due():", "for ids in ():", ("G3", "R1")),
    Mutant(
        "an_opt_out_at_run_time_is_not_seen",
        "upstream/keeper.py",
        "return self._streaming.get(person, person not in self._settings.no_stream)",
        "return person not in self._settings.no_stream",
        ("O2",),
    ),
    Mutant(
        "what_is_lost_stays_live",
        "upstream/supervisor.py",
        "self._emit(self._tape.turn(lost - renewing, Road.DOWN, moment))",
        "pass",
        ("F",),
    ),
    Mutant(
        "live_never_ages",
        "market/freshness.py",
        "return Freshness.LIVE if age_s <= live_window_s(phase, expected_s, thresholds) else Freshness.QUIET",
        "return Freshness.LIVE",
        ("F",),
    ),
    Mutant(
        "halted_is_called_live",
        "market/freshness.py",
        "    return _HALTED if is_halted else _LIVE",
        "    return _LIVE",
        ("H1",),
    ),
    Mutant(
        "a_server_that_takes_nothing_in_place_is_believed_to",
        "upstream/adoption.py",
        "        if not shown - self.former:\n            return\n        if in_place - self.former:\n",
        "        if in_place:\n",
        ("F1", "G1"),
    ),
    Mutant(
        "every_stream_leads",
        "upstream/tape.py",
        "        if heard is Heard.NEW or is_polled:\n",
        "        if True:\n",
        ("Q",),
    ),
    Mutant(
        "one_update_in_many_is_dropped",
        "upstream/reader.py",
        "                if patches:\n",
        "                if patches and self.frames % 97:\n",
        ("Q5", "G1", "F3"),
    ),
    Mutant(
        "a_pair_is_used_before_it_is_kept",
        "upstream/vault.py",
        '        """Keep a new pair; on the disk when this returns."""\n',
        "        from dataclasses import replace\n"
        "        outcome = replace(outcome, grant=replace(outcome.grant, refresh_token='another'))\n",
        ("T",),
    ),
    Mutant(
        "a_token_is_sent_a_third_time",
        "questrade/tokens.py",
        "MAX_DOUBTFUL_SENDS: Final = 2",
        "MAX_DOUBTFUL_SENDS: Final = 3",
        ("T1",),
    ),
    Mutant(
        "a_declined_token_counts_as_lost",
        "upstream/redeemer.py",
        "            return vault.fail_refresh(person, outcome)\n",
        "            unheard = outcome if isinstance(outcome, Refused) else Lost('no answer')\n"
        "            return vault.fail_refresh(person, unheard)\n",
        ("T4",),
    ),
    Mutant(
        "a_refused_access_token_is_replaced_at_once",
        "questrade/tokens.py",
        "    return token.obtained_at + wait\n",
        "    return token.obtained_at\n",
        ("T3",),
    ),
    Mutant(
        "polls_use_up_the_hour",
        "resilience/budget.py",
        "            self._wait_hour(share, now),\n"
        "            0.0 if priority is Priority.STREAM else self._wait_spread(now),\n",
        "            self._wait_hour(1.0, now),\n",
        ("B",),
    ),
    Mutant(
        "a_429_is_not_obeyed",
        "upstream/allowance.py",
        "if isinstance(error, RateLimitedError):\n            left",
        "if isinstance(error, RateLimitedError) and not error.hourly:\n            left",
        ("B2",),
    ),
    Mutant(
        "a_breakers_change_is_not_told",
        "upstream/allowance.py",
        "return Grant(tuple(effect for effect in effects if isinstance(effect, Changed)))",
        "return Grant()",
        ("E3",),
    ),
    Mutant(
        "an_event_is_counted_and_not_logged",
        "upstream/chronicle.py",
        "        log.log(level,",
        "        if event is not Happening.RECONNECT or self.counts[event, reason] > 1:\n            log.log(level,",
        ("E2",),
    ),
    Mutant(
        "a_refresh_is_told_twice",
        "upstream/keeper.py",
        '            self._note(person, why, f"{person}\'s token was refreshed ({why})")\n',
        '            self._note(person, why, f"{person}\'s token was refreshed ({why})")\n' * 2,
        ("E3",),
    ),
    Mutant(
        "a_silent_stream_is_never_looked_after",
        "upstream/patrol.py",
        "        for effect in guard.step(moment.mono, moment.market):\n",
        "        for effect in ():\n",
        ("R1", "G"),
    ),
    Mutant(
        "a_socket_is_left_open",
        "upstream/session.py",
        "            if self._socket is not None:\n                await self._socket.close()\n",
        "",
        ("X2",),
    ),
)


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of a mutant."""

    mutant: Mutant
    seed: int | None = None
    statement: str = ""
    replays: bool = False

    @property
    def is_good(self) -> bool:
        """Whether it was caught for what it is, and that can be seen again."""
        return self.replays and self.statement.startswith(self.mutant.finds)

    def __str__(self) -> str:
        if self.seed is None:
            return f"NOT FOUND  {self.mutant.name}"
        again = "replays" if self.replays else "DOES NOT REPLAY"
        told = "found" if self.is_good else "OTHERWISE"
        return f"{told:10} {self.mutant.name}: seed {self.seed}, {self.statement}, {again}"


def make(mutant: Mutant, place: Path) -> None:
    """Copy what runs to `place`, with one text replaced. Raises ValueError when that text is not there once."""
    ignored = shutil.ignore_patterns("__pycache__", "static*")
    shutil.copytree(ROOT / PRODUCT, place / PRODUCT, ignore=ignored)
    shutil.copytree(ROOT / "tests/simulation", place / "tests/simulation", ignore=ignored)
    file = place / PRODUCT / mutant.file
    text = file.read_text()
    if text.count(mutant.before) != 1:
        raise ValueError(f"{mutant.name}: its text occurs {text.count(mutant.before)} times in {mutant.file}")
    file.write_text(text.replace(mutant.before, mutant.after))


def run_in(place: Path, first: int, last: int) -> tuple[int, str, str] | None:
    """The first seed that breaks there, the statement, and the digest of its events."""
    environment = {**os.environ, "PYTHONPATH": f"{place / 'src'}{os.pathsep}{place}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.simulation.mutants", "--inside", str(first), str(last)]
    done = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found = json.loads(done.stdout.splitlines()[-1])
    return None if found is None else (found[0], found[1], found[2])


def catch(mutant: Mutant, seeds: int) -> Catch:
    """Run seeds over a mutant until one breaks, and that one again."""
    with tempfile.TemporaryDirectory(prefix="quotewire-mutant-") as made:
        place = Path(made)
        make(mutant, place)
        found = run_in(place, 0, seeds)
        if found is None:
            return Catch(mutant)
        seed, statement, _ = found
        return Catch(mutant, seed, statement, run_in(place, seed, seed + 1) == found)


def inside(first: int, last: int) -> None:
    """In a mutant's own process: print the first seed that breaks."""
    for seed in range(first, last):
        result = simulate(timetable(seed))
        if result.breach is not None:
            print(json.dumps((seed, result.breach.invariant, result.digest)))
            return
    print("null")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="only those whose names begin so")
    parser.add_argument("--seeds", type=int, default=2000, help="so many are tried on each")
    parser.add_argument("--inside", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        inside(*options.inside)
        return 0
    chosen = [each for each in MUTANTS if not options.names or each.name.startswith(tuple(options.names))]
    bad = 0
    with ThreadPoolExecutor(2) as pool:
        for caught in pool.map(lambda mutant: catch(mutant, options.seeds), chosen):
            print(caught, flush=True)
            bad += not caught.is_good
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
