"""Every reason code is known, documented, and bounded as a metric's label."""

import ast
import re
from pathlib import Path

from quotewire import errors
from quotewire.resilience.breaker import BreakerReason
from quotewire.resilience.lifecycle_types import Reason
from quotewire.resilience.watchdog import WatchReason
from quotewire.upstream import reasons
from quotewire.upstream.chronicle import OTHER, Chronicle, Happening, Why

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "upstream.md").read_text(encoding="utf-8")
UPSTREAM = Path(reasons.__file__).parent


def verdicts() -> set[str]:
    """Reasons of the whole upstream, where they are written."""
    found: set[str] = set()
    for path in UPSTREAM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Verdict":
                parts = [part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant)]
                found |= {part for part in parts if isinstance(part, str)}
    return found


def call_errors() -> set[str]:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return {kind.code for kind in kinds if issubclass(kind, errors.UpstreamError)}


def test_the_list_is_whole_and_holds_nothing_else() -> None:
    codes = {str(code) for kind in (Reason, Why, BreakerReason, WatchReason) for code in kind}
    assert len(verdicts()) >= 8

    assert codes | verdicts() | call_errors() | {OTHER} == reasons.KNOWN


def test_no_code_is_listed_twice() -> None:
    listed = [code for group in reasons.MEANINGS.values() for code in group]

    assert len(listed) == len(set(listed))


def test_the_page_has_every_reason_with_its_meaning() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE[PAGE.index("### ") :], re.MULTILINE))

    assert told == {code: text for group in reasons.MEANINGS.values() for code, text in group.items()}


def test_the_page_has_every_kind_of_event() -> None:
    table = PAGE[PAGE.index("| event |") : PAGE.index("### ")]

    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {event.value for event in Happening}


def test_a_code_that_is_not_listed_is_counted_as_other_and_told_in_full() -> None:
    chronicle = Chronicle(known=reasons.KNOWN)
    chronicle.note(Happening.CALL, "from outer space")
    chronicle.note(Happening.CALL, errors.UpstreamUnavailableError.code)

    assert set(chronicle.counts) == {(Happening.CALL, "other"), (Happening.CALL, "upstream_unavailable")}
    assert chronicle.last()[1]["reason"] == "from outer space"
