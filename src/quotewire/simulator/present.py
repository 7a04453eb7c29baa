"""A quote as one person sees it: as it is, or bent by the content faults in force. Pure."""

from typing import Any

import msgspec

from quotewire.simulator.faults import ActiveFault, FaultBook, Seam
from quotewire.simulator.rows import QuoteRow

SIZES = frozenset({"bidSize", "askSize", "lastTradeSize", "volume"})


def present(row: QuoteRow, faults: FaultBook, person: str, now: float) -> QuoteRow | dict[str, Any]:
    """The quote to send: the row itself when no fault touches it. `now` is monotonic seconds."""
    if not faults.any_at(Seam.CONTENT):
        return row
    touching = [each for each in faults.standing(Seam.CONTENT, person, now) if _touches(each, row.symbol_id)]
    if not touching:
        return row
    shown: dict[str, Any] = msgspec.to_builtins(row)
    for fault in touching:
        _bend(shown, fault)
    return shown


def _touches(fault: ActiveFault, symbol_id: int) -> bool:
    ids = fault.params["symbols"]
    return not ids or symbol_id in ids


def _bend(shown: dict[str, Any], fault: ActiveFault) -> None:
    name, params = fault.spec.name, fault.params
    if name == "delayed":
        shown["delay"] = params["value"]
    elif name == "nulls":
        shown.update({key: 0 if key in SIZES else None for key in params["fields"]})
    elif name == "unknown_keys":
        shown.update(params["keys"])
    elif name == "missing_keys":
        for key in params["fields"]:
            shown.pop(key, None)
