"""How a node stands with the owner: the table, walked."""

import pytest

from quotewire.bus.link import TRANSITIONS, Effect, Event, Link, step
from quotewire.errors import IllegalEventError


def walk(*events: Event) -> tuple[Link, list[Effect]]:
    link, effects = Link.AWAY, list[Effect]()
    for event in events:
        rule = step(link, event)
        link = rule.target
        effects += rule.effects
    return link, effects


def test_a_node_comes_up() -> None:
    link, effects = walk(Event.OPENED, Event.WELCOMED, Event.CAUGHT_UP)
    assert link is Link.LIVE
    assert effects == [Effect.GREET, Effect.TAKE_OVER, Effect.READY]


@pytest.mark.parametrize("before", [(Event.OPENED, Event.WELCOMED), (Event.OPENED, Event.WELCOMED, Event.CAUGHT_UP)])
def test_a_node_that_had_an_owner_and_lost_it_fences_its_count(before: tuple[Event, ...]) -> None:
    link, effects = walk(*before, Event.GONE)
    assert link is Link.AWAY
    assert effects[-1] is Effect.FENCE


def test_a_node_that_was_never_welcomed_has_nothing_to_fence() -> None:
    assert walk(Event.OPENED, Event.GONE) == (Link.AWAY, [Effect.GREET])


@pytest.mark.parametrize("link", [Link.GREETING, Link.CATCHING_UP, Link.LIVE])
def test_silence_is_hung_up_on_and_nothing_else(link: Link) -> None:
    assert step(link, Event.SILENT).effects == (Effect.HANG_UP,)
    assert step(link, Event.SILENT).target is link


def test_an_illegal_pair_names_machine_state_and_event() -> None:
    with pytest.raises(IllegalEventError, match=r"bus link.*live.*welcomed"):
        step(Link.LIVE, Event.WELCOMED)


def test_every_state_can_be_left_and_reached() -> None:
    assert {link for link, _ in TRANSITIONS} == set(Link)
    assert {rule.target for rule in TRANSITIONS.values()} == set(Link)
