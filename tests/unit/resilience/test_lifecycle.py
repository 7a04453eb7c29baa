"""The connection machine: every scenario of spec/vectors, and the promises of its table."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from quotewire.errors import IllegalEventError
from quotewire.resilience import lifecycle_events as on
from quotewire.resilience.backoff import Backoff, Jitter
from quotewire.resilience.lifecycle import ACTIONS, Lifecycle
from quotewire.resilience.lifecycle_table import TIMEOUTS, TRANSITIONS
from quotewire.resilience.lifecycle_types import (
    FALLBACK_STATES,
    PUBLIC_STATES,
    Fallback,
    LifecycleConfig,
    Link,
    Reason,
    State,
    Timer,
)

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "spec" / "vectors").glob("lifecycle-*.json"))
SCENARIOS: dict[str, dict[str, Any]] = {
    f"{path.stem.removeprefix('lifecycle-')}: {scenario['name']}": scenario
    for path in FILES
    for scenario in json.loads(path.read_text(encoding="utf-8"))["scenarios"]
}
EVENT_TYPES: tuple[type[on.Event], ...] = get_args(on.Event)


def snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda match: "_" + match[0].lower(), name)


def config_of(given: dict[str, Any]) -> LifecycleConfig:
    """The scenario's settings: camel case keys, jitter off unless asked for, lists as sets."""
    values: dict[str, Any] = {
        snake(key): frozenset(value) if isinstance(value, list) else value for key, value in given.items()
    }
    backoff = {snake(key): value for key, value in values.pop("backoff", {}).items()}
    backoff["jitter"] = Jitter(backoff.get("jitter", "off"))
    return LifecycleConfig(backoff=Backoff(**backoff), **values)


def plain(value: Any) -> Any:
    return json.loads(msgspec.json.encode(value))


def close_to(value: Any) -> Any:
    """Numbers within a millionth, everything else exactly."""
    if isinstance(value, dict):
        return {key: close_to(item) for key, item in value.items()}
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return pytest.approx(value, abs=1e-6)
    return value


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_scenario(scenario: dict[str, Any]) -> None:
    draws = iter(scenario.get("chance", ()))
    machine = Lifecycle(
        config_of(scenario["config"]), persons=tuple(scenario["persons"]), chance=lambda: float(next(draws))
    )

    for number, step in enumerate(scenario["steps"]):
        event: on.Event = msgspec.convert(step["event"], on.Event)
        effects = plain(machine.step(event, step["at"]))
        shown = plain(machine.snapshot())

        where = f"step {number} at {step['at']} s"
        assert effects == [close_to(effect) for effect in step["effects"]], where
        assert {key: shown[key] for key in step["expect"]} == close_to(step["expect"]), where


def test_the_scenarios_cover_what_they_must() -> None:
    covered = {name for scenario in SCENARIOS.values() for name in scenario["requirements"]}
    steps = [step for scenario in SCENARIOS.values() for step in scenario["steps"]]
    reasons = {effect["reason"] for step in steps for effect in step["effects"] if effect["type"] == "report"}
    links = {step["expect"].get("link") for step in steps}
    events = {step["event"]["type"] for step in steps}

    assert covered >= {"R1", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R16", "R18"}
    assert reasons == {reason.value for reason in Reason} - {"none"}
    assert links >= {link.value for link in Link}
    assert events == {each.__struct_config__.tag for each in EVENT_TYPES}


def test_every_row_of_the_tables_has_a_rule_and_every_rule_a_row() -> None:
    named = {rule.action for rule in (*TRANSITIONS.values(), *TIMEOUTS.values())}

    assert set(ACTIONS) == named
    assert {link for link, _ in TRANSITIONS} == set(Link)
    assert {event for _, event in TRANSITIONS} == set(EVENT_TYPES)
    assert {timer for _, timer in TIMEOUTS} == set(Timer)


def test_every_pair_of_regions_has_a_public_state() -> None:
    undecided = set(Link) - set(PUBLIC_STATES)

    assert undecided == {Link.PREPARING, Link.OPENING, Link.AUTHENTICATING, Link.REFRESHING, Link.WAITING}
    assert set(FALLBACK_STATES) == set(Fallback)
    assert set(PUBLIC_STATES.values()) | set(FALLBACK_STATES.values()) == set(State)


@pytest.mark.parametrize(
    ("event", "link"), [(on.Opened(1), "preparing"), (on.Authenticated(1), "preparing"), (on.Prepared(2), "preparing")]
)
def test_what_no_correct_host_can_send_is_refused(event: on.Event, link: str) -> None:
    machine = Lifecycle(LifecycleConfig(), persons=("alice",), chance=lambda: 0.0)
    machine.step(on.ConnectRequested(("AAPL",)), 0.0)
    before = machine.snapshot()

    with pytest.raises(IllegalEventError, match=rf"lifecycle machine in state {link} .* {type(event).__name__}"):
        machine.step(event, 1.0)

    assert machine.snapshot() == before


def test_a_message_is_answered_by_nothing_at_all() -> None:
    machine = Lifecycle(LifecycleConfig(), persons=("alice",), chance=lambda: 0.0)
    for event in (on.ConnectRequested(("AAPL",)), on.Prepared(1), on.Opened(1), on.Authenticated(1)):
        machine.step(event, 0.0)

    assert [machine.step(on.Message(1), 0.01 * number) for number in range(1000)] == [[]] * 1000
    assert machine.snapshot().last_update == pytest.approx(9.99)


def test_the_machine_prints_its_state() -> None:
    machine = Lifecycle(LifecycleConfig(), persons=("alice",), chance=lambda: 0.0)
    machine.step(on.ConnectRequested(("AAPL",)), 0.0)

    assert repr(machine) == "<Lifecycle connecting link=preparing reason=connect_requested person=alice>"


def test_pings_sent_more_often_than_their_pong_is_due_do_not_hide_its_loss() -> None:
    config = LifecycleConfig(ping_interval_s=1.0, pong_timeout_s=5.0, mute_after_s=None, zombie_after_s=None)
    machine = Lifecycle(config, persons=("alice",), chance=lambda: 0.0)
    machine.step(on.ConnectRequested(("AAPL",)), 0.0)
    for event in (on.Prepared, on.Opened, on.Authenticated):
        assert machine.socket is not None
        machine.step(event(machine.socket), 0.0)
    assert machine.state is State.CONNECTED

    lost_at = next(second for second in range(1, 60) if _ticked_out(machine, float(second)))

    assert lost_at == 6
    assert machine.snapshot().reason is Reason.PONG_TIMEOUT


def _ticked_out(machine: Lifecycle, now: float) -> bool:
    machine.step(on.Tick(), now)
    return machine.state is not State.CONNECTED
