"""docs/state-machines.md is drawn from today's tables."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_todays() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "state_diagrams.py"))

    page = (ROOT / "docs" / "state-machines.md").read_text(encoding="utf-8")

    assert page == drawn["page"](), "run make docs"
