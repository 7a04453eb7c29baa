"""docs/simulator.md says what the code says."""

from pathlib import Path

from quotewire.simulator.config import settings
from quotewire.simulator.describe import FACTS, fault_tables, settings_table
from quotewire.simulator.faultlist import FAULTS

PAGE = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text(encoding="utf-8")


def test_the_page_has_todays_tables() -> None:
    for table in (settings_table(False), settings_table(True), fault_tables()):
        assert table in PAGE, "make the tables anew: .venv/bin/python scripts/simulator_docs.py"


def test_every_fault_and_setting_is_in_exactly_one_table() -> None:
    faults = fault_tables()
    for name, spec in FAULTS.items():
        assert faults.count(f"| `{name}` |") == 1
        assert spec.fact in FACTS
    both = settings_table(False) + settings_table(True)
    for each in settings():
        assert both.count(f"| `--{each.name.replace('_', '-')}` |") == 1
