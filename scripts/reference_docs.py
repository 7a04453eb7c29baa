"""Write docs/settings.md and docs/metrics.md anew, from the code: `.venv/bin/python scripts/reference_docs.py`."""

from collections.abc import Sequence
from pathlib import Path

from quotewire.settings import VARIABLES, Variable
from quotewire.telemetry.catalogue import METRICS

DOCS = Path(__file__).parents[1] / "docs"

SETTINGS_HEAD = """# Settings

`quotewire serve` is set by environment variables alone. An empty variable counts as unset. A value that is malformed,
or a name that is almost one of these, stops the start with a line that names it and says what it accepts (exit code 2).
`.env.development.example` and `.env.production.example` are to start from. Times are in milliseconds.

`quotewire demo` reads the same variables, except those of logins and storage, which it chooses itself.
"""

METRICS_HEAD = """# Metrics

`GET /metrics`, in the Prometheus text format. Labels have few values each: persons, reasons,
never a client or a symbol.
`ENABLE_METRICS=false` takes the path away.
"""


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines) + "\n"


def default_of(variable: Variable) -> str:
    """The default as it is written, and the one of development where it differs."""
    told = f"`{variable.default}`" if variable.default else "none"
    return f"{told}; `{variable.development}` in development" if variable.development is not None else told


def settings_page() -> str:
    """docs/settings.md."""
    rows = [
        (f"`{v.name}`", default_of(v), v.accepts, v.purpose + (" Secret: never logged." if v.secret else ""))
        for v in VARIABLES
    ]
    return f"{SETTINGS_HEAD}\n{table(('variable', 'default', 'accepts', 'what it does'), rows)}"


def metrics_page() -> str:
    """docs/metrics.md."""
    rows = [(f"`{m.name}`", m.kind.value, ", ".join(f"`{label}`" for label in m.labels), m.help) for m in METRICS]
    return f"{METRICS_HEAD}\n{table(('metric', 'kind', 'labels', 'meaning'), rows)}"


PAGES = {"settings.md": settings_page, "metrics.md": metrics_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
