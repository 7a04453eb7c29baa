"""The tables of docs/simulator.md, made from the settings and the list of faults. Pure."""

from collections.abc import Iterable
from dataclasses import Field
from typing import Any, Final

from quotewire.simulator.config import settings
from quotewire.simulator.faultlist import FAULTS
from quotewire.simulator.faults import FaultSpec, Seam

FACTS: Final = {
    "W": "seen on the wire",
    "D": "documented",
    "C": "from clients' code",
    "invented": "invented",
}
GROUPS: Final = (
    ("The login", (Seam.TOKEN,)),
    ("REST", (Seam.REST,)),
    ("Opening a socket", (Seam.UPGRADE, Seam.AUTH)),
    ("At once, on what is open", (Seam.NOW,)),
    ("While it lasts, on streams", (Seam.STREAM,)),
    ("What quotes say", (Seam.CONTENT,)),
    ("The market, and everything", (Seam.MARKET, Seam.DOWN)),
)


def settings_table(switch: bool) -> str:
    """The plain settings, or the switches for unverified facts, as a Markdown table."""
    rows = [_setting_row(each) for each in settings() if each.metadata["switch"] is switch]
    return _table(("option", "default", "what it does"), rows)


def fault_tables() -> str:
    """All faults as Markdown tables, one a group."""
    parts = []
    for title, seams in GROUPS:
        rows = [_fault_row(each) for each in FAULTS.values() if _group(each) == seams]
        parts.append(f"### {title}\n\n{_table(('fault', 'what happens', 'parameters (default)', 'basis'), rows)}")
    return "\n\n".join(parts)


def _group(spec: FaultSpec) -> tuple[Seam, ...]:
    return next(seams for _, seams in GROUPS if spec.seams & set(seams))


def _setting_row(setting: Field[Any]) -> tuple[str, ...]:
    text = setting.metadata["help"]
    if setting.metadata["choices"]:
        text += f" ({', '.join(f'`{each}`' for each in setting.metadata['choices'])})"
    return (f"`--{setting.name.replace('_', '-')}`", _value(setting.default), text)


def _fault_row(spec: FaultSpec) -> tuple[str, ...]:
    params = "; ".join(f"`{each.name}` {each.help} ({_value(each.default)})" for each in spec.params)
    return (f"`{spec.name}`", spec.help + ("" if spec.personal else " (everybody)"), params, FACTS[spec.fact])


def _value(value: Any) -> str:
    if value is None or value in ("", [], ()):
        return "none"
    if isinstance(value, tuple | list):
        return f"`{','.join(map(str, value))}`"
    return f"`{'on' if value is True else 'off' if value is False else value}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
