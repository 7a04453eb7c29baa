"""Write the tables of docs/simulator.md anew: `.venv/bin/python scripts/simulator_docs.py`."""

from pathlib import Path

from quotewire.simulator.describe import fault_tables, settings_table

PAGE = Path(__file__).parents[1] / "docs" / "simulator.md"


def filled(page: str) -> str:
    """The page with its tables made anew between their marks."""
    tables = {"settings": settings_table(False), "switches": settings_table(True), "faults": fault_tables()}
    for name, table in tables.items():
        head, tail = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = page.partition(head)
        _, _, after = rest.partition(tail)
        page = f"{before}{head}{table}{tail}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
