"""`python -m benches [NAME ...] [--quick] [--rounds N]`: take the measures, print them, keep them, fill the table."""

import argparse
import sys
import time

from benches import report
from benches.loading import HERE, BenchError
from benches.measures import MEASURES
from benches.setting import Outcome, prepare


def main() -> int:
    """Measure; 1 when a measure could not be taken or what arrived was not what was sent."""
    parser = argparse.ArgumentParser(prog="benches", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which measures (default: all): {', '.join(MEASURES)}")
    parser.add_argument(
        "--quick", action="store_true", help="short and small, to see that all works; times mean nothing"
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of those measures that compare (default: 3)")
    parser.add_argument("--without-peers", action="store_true", help="install and measure no other server than C's")
    parser.add_argument(
        "--keep", action="store_true", help="write results and the table even when not all were measured"
    )
    args = parser.parse_args()
    unknown = set(args.names) - set(MEASURES)
    if unknown:
        parser.error(f"there is no measure named {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    setting = prepare(quick=args.quick, rounds=args.rounds, with_peers=not args.without_peers)
    outcomes: dict[str, Outcome] = {}
    begun, where = time.monotonic(), report.surroundings()
    for name in args.names or MEASURES:
        print(f"{name} ({time.monotonic() - begun:.0f} s)", flush=True)
        try:
            outcomes[name] = MEASURES[name](setting)
        except BenchError as error:
            outcomes[name] = Outcome(wrong=[f"{name} could not be measured: {error}"])
        report.show(outcomes[name])
    if not args.quick and (args.keep or not args.names):
        kept = report.write(outcomes, where, rounds=args.rounds, took_s=time.monotonic() - begun)
        print(f"kept in {kept.relative_to(HERE.parent)}, and in docs/performance.md")
    return 1 if any(outcome.wrong for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
