"""Write docs/state-machines.md anew, from the machines' own tables: `.venv/bin/python scripts/state_diagrams.py`."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from quotewire.bus import link
from quotewire.edge import drain
from quotewire.questrade import tokens
from quotewire.resilience import breaker, lifecycle_table
from quotewire.resilience.lifecycle_types import Link
from quotewire.wire import session
from quotewire.workers import supervision

PAGE = Path(__file__).parents[1] / "docs" / "state-machines.md"

HEAD = """# State machines

Drawn from the tables the code runs on; a test fails when this page and they differ. A pair that is not in a table is
illegal and raises, naming machine, state and event. What the states mean is told where each machine lives.
"""

Edge = tuple[str, str, str]


def diagram(initial: str, edges: Iterable[Edge]) -> str:
    """A Mermaid state diagram; edges between the same states share an arrow, their labels in order."""
    labels: dict[tuple[str, str], list[str]] = defaultdict(list)
    for start, end, label in edges:
        if label and label not in labels[start, end]:
            labels[start, end].append(label)
        labels.setdefault((start, end), [])
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {initial}"]
    for (start, end), names in labels.items():
        told = f": {', '.join(names)}" if names else ""
        lines.append(f"    {start} --> {end}{told}")
    return "\n".join([*lines, "```", ""])


def lifecycle_edges() -> list[Edge]:
    """Where each event and each time-out may lead the connection; staying is left out, and so is what a tick may do."""
    edges = [
        (link.value, target.value, event.__name__)
        for (link, event), rule in lifecycle_table.TRANSITIONS.items()
        if event.__name__ != "Tick"
        for target in sorted(rule.targets - {link})
    ]
    return edges + [
        (link.value, target.value, f"{timer.value} time-out")
        for (link, timer), rule in lifecycle_table.TIMEOUTS.items()
        for target in sorted(rule.targets - {link})
    ]


def token_edges() -> list[Edge]:
    """Where each event leads a token."""
    return [
        (state.value.replace("-", "_"), target.value.replace("-", "_"), event.__name__)
        for (state, event), target in tokens.TRANSITIONS.items()
    ]


def session_edges() -> list[Edge]:
    """Which phase of a client session may follow which."""
    return [
        (phase.value, target.value, "")
        for phase, targets in session.MOVES.items()
        for target in sorted(targets, key=lambda each: each.value)
        if target is not phase
    ]


def drain_edges() -> list[Edge]:
    """Where each event may lead a gateway that leaves; staying is left out."""
    return [
        (phase.value, target.value, event.__name__)
        for (phase, event), rule in drain.TRANSITIONS.items()
        for target in sorted(rule.targets)
        if target is not phase
    ]


def process_edges() -> list[Edge]:
    """Where each event may lead a process of the gateway; staying is left out."""
    return [
        (phase.value, target.value, event.__name__)
        for (phase, event), rule in supervision.TRANSITIONS.items()
        for target in sorted(rule.targets, key=lambda each: each.value)
        if target is not phase
    ]


def bus_edges() -> list[Edge]:
    """Where each event leads a worker towards the owner; staying is left out."""
    return [
        (state.value.replace("-", "_"), rule.target.value.replace("-", "_"), event.value)
        for (state, event), rule in link.TRANSITIONS.items()
        if rule.target is not state
    ]


def breaker_table() -> str:
    """What a breaker does with each event in each state."""
    rows = ["| state | event | does |", "|---|---|---|"]
    for (state, event), action in breaker.TRANSITIONS.items():
        rows.append(f"| {state.value} | {event.__name__} | {action.__name__.strip('_').replace('_', ' ')} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            HEAD,
            "## Connection lifecycle (`resilience/lifecycle.py`, used upstream and in the SDK)\n",
            "[spec/lifecycle.md](../spec/lifecycle.md) says what each link and event means.\n",
            diagram(Link.IDLE.value, lifecycle_edges()),
            "## Token (`questrade/tokens.py`)\n",
            "Lost and unsent exchanges lead to `spent_unknown` while an earlier answer is still missing.\n",
            diagram(tokens.TokenState.EXPIRING.value, token_edges()),
            "## Breaker (`resilience/breaker.py`)\n",
            breaker_table(),
            "## Client session, the server's side (`wire/session.py`)\n",
            diagram(session.Phase.AUTHENTICATING.value, session_edges()),
            "## Drain (`edge/drain.py`)\n",
            "`Asked` is SIGTERM or `POST /admin/drain`, `Hastened` a second SIGTERM or SIGINT, `Looked` the passing of"
            " time.\n",
            diagram(drain.Phase.SERVING.value, drain_edges()),
            "## A process of the gateway (`workers/supervision.py`)\n",
            "With `--workers`: the owner and each worker, as the parent sees them. `Tick` is the passing of time.\n",
            diagram(supervision.Phase.WAITING.value, process_edges()),
            "## A worker towards the owner (`bus/link.py`)\n",
            diagram(link.Link.AWAY.value, bus_edges()),
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
