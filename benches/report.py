"""What was measured, shown, kept as JSON, and written into docs/performance.md."""

from benches.setting import Outcome, Setting


def show(outcome: Outcome) -> None:
    """Print the rows and what is wrong."""
    for row in outcome.rows:
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"  {row.measure} | {row.target} | {row.measured} | {verdict} {row.note}".rstrip(), flush=True)
    for wrong in outcome.wrong:
        print(f"  WRONG: {wrong}", flush=True)


def write(outcomes: dict[str, Outcome], setting: Setting) -> None:
    """Keep it."""
