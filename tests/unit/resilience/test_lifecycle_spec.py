"""spec/lifecycle.md says what the machine does: its tables are read and compared."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from quotewire.resilience import lifecycle_effects as do
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.lifecycle_table import TIMEOUTS, TRANSITIONS, Rule
from quotewire.resilience.lifecycle_types import (
    FALLBACK_STATES,
    FINAL_CLOSES,
    LOST_CLOSES,
    PUBLIC_STATES,
    TOKEN_CLOSES,
    LifecycleConfig,
    Link,
    Reason,
    State,
)
from quotewire.wire.codes import should_reconnect

SPEC = (Path(__file__).parents[3] / "spec" / "lifecycle.md").read_text(encoding="utf-8")
EVENTS: dict[str, type[on.Event]] = {str(each.__struct_config__.tag): each for each in get_args(on.Event)}


def table(first_column: str) -> list[list[str]]:
    """The rows of the table whose first heading this is, without the heading."""
    found = re.search(rf"^\| {first_column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", SPEC, re.MULTILINE)
    assert found is not None
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def links(cell: str) -> frozenset[Link]:
    if cell == "any":
        return frozenset(Link)
    return frozenset(Link(name) for name in cell.split(", ") if name)


def camel(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


@pytest.mark.parametrize(("heading", "rules"), [("event", TRANSITIONS), ("timer", TIMEOUTS)])
def test_transitions(heading: str, rules: dict[tuple[Link, Any], Rule]) -> None:
    written = {
        (link, EVENTS[name.strip("`")] if heading == "event" else name.strip("`")): Rule(
            action.replace(" ", "_"), links(targets)
        )
        for name, where, action, targets in table(heading)
        for link in links(where)
    }

    assert written == dict(rules)


def test_links_states_and_reasons() -> None:
    assert [name for name, _ in table("link")] == [link.value for link in Link]
    assert {name for name, _ in table("state")} == {state.value for state in State}
    assert {*PUBLIC_STATES.values(), *FALLBACK_STATES.values()} == set(State)
    assert [name.strip("`") for name, _ in table("reason")] == [reason.value for reason in Reason]


def test_settings() -> None:
    written = {name.strip("`"): default for name, default in table("setting")}
    fields = {camel(field.name): field.default for field in dataclasses.fields(LifecycleConfig)}

    assert list(written) == list(fields)
    for name in fields.keys() - {"backoff", "finalCloses"}:
        assert json.loads(written[name].split(" (")[0]) == fields[name], name
    backoff = LifecycleConfig().backoff
    assert written["backoff"] == (
        f"`baseS` {backoff.base_s:g}, `factor` {backoff.factor:g}, `capS` {backoff.cap_s:g}, `jitter` {backoff.jitter}"
    )


def test_close_codes() -> None:
    token, final, lost, _ = (cells[0] for cells in table("close code"))

    assert codes(token) == TOKEN_CLOSES
    assert codes(final) == FINAL_CLOSES
    assert codes(lost) == LOST_CLOSES


def test_the_final_codes_are_those_of_the_protocol() -> None:
    assert {code for code in range(1000, 5000) if not should_reconnect(code)} == FINAL_CLOSES


def codes(cell: str) -> frozenset[int]:
    bounds = [part.split("-") for part in cell.split(", ")]
    return frozenset(code for part in bounds for code in range(int(part[0]), int(part[-1]) + 1))


def test_effects() -> None:
    sentence = SPEC[SPEC.index("Effects: ") : SPEC.index("Within one step")]

    assert re.findall(r"`(\w+)`", sentence) == [each.__struct_config__.tag for each in get_args(do.Effect)]
