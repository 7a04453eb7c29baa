"""The dashboard has a sentence for every reason code the upstream reports."""

import ast
import re
from pathlib import Path

import quotewire.upstream
from quotewire import errors
from quotewire.bus.subscriber import OWNER_LOST
from quotewire.resilience.breaker import BreakerReason
from quotewire.resilience.lifecycle_types import Reason
from quotewire.resilience.watchdog import WatchReason
from quotewire.upstream.chronicle import Why

ROOT = Path(__file__).parents[3]
UPSTREAM = Path(next(iter(quotewire.upstream.__path__)))


def sentences() -> dict[str, str]:
    """The dashboard's list: codes, or `event.code` where a code means something else in that event."""
    source = (ROOT / "web" / "src" / "upstream" / "reasons.ts").read_text()
    lines = re.findall(r'^  (?:"([\w.]+)"|(\w+)): "(.+)",$', source, re.MULTILINE)
    return {quoted or plain: text for quoted, plain, text in lines}


def verdicts() -> set[str]:
    """Reasons of the whole upstream, as written where verdicts are made."""
    found: set[str] = set()
    for path in UPSTREAM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Verdict":
                constants = [part.value for part in ast.walk(node.args[1]) if isinstance(part, ast.Constant)]
                found |= {value for value in constants if isinstance(value, str)}
    return found


def call_errors() -> set[str]:
    """Codes of the errors a call to Questrade can end with."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.UpstreamError)
    ]
    return {kind.code for kind in kinds}


def test_every_reason_has_a_sentence() -> None:
    codes = {str(code) for kind in (Reason, Why, BreakerReason, WatchReason) for code in kind}
    assert verdicts() >= {"streaming", "no_persons", "all_tokens_refused"}, "no verdicts were found"

    assert (codes | verdicts() | call_errors() | {OWNER_LOST}) - sentences().keys() == set()


def test_no_two_reasons_of_the_whole_upstream_read_alike() -> None:
    told = [sentences()[code] for code in verdicts()]

    assert len(told) == len(set(told))
