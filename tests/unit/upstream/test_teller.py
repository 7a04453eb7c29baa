"""A stream's story as events: one for each end, failure and reconnect, none for the steps between."""

import pytest

from quotewire.resilience.lifecycle_effects import Report
from quotewire.resilience.lifecycle_types import Reason, State
from quotewire.upstream.chronicle import Chronicle
from quotewire.upstream.teller import Teller


class Story:
    """A teller, its clock and what it told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.chronicle = Chronicle()
        self.teller = Teller("alice", self.chronicle, lambda: self.now)

    def goes(self, *steps: tuple[State, Reason]) -> list[tuple[str, str]]:
        before = len(self.chronicle.last())
        for state, reason in steps:
            self.now += 1.0
            self.teller.told(Report(state, reason))
        entries = self.chronicle.last()
        return [(entry["event"], entry["reason"]) for entry in reversed(entries[: len(entries) - before])]


UP = (State.CONNECTED, Reason.AUTHENTICATED)
CLIMB = (
    (State.CONNECTING, Reason.CONNECT_REQUESTED),
    (State.CONNECTING, Reason.PREPARED),
    (State.CONNECTING, Reason.OPENED),
    UP,
)


def test_the_first_way_up_is_one_event() -> None:
    assert Story().goes(*CLIMB) == [("stream", "authenticated")]


@pytest.mark.parametrize("reason", [Reason.CONNECTION_LOST, Reason.CLOSED_BY_PEER, Reason.ZOMBIE, Reason.TOKEN_REFUSED])
def test_a_reconnect_is_one_event_that_says_why_the_stream_had_ended(reason: Reason) -> None:
    story = Story()
    story.goes(*CLIMB)

    assert story.goes((State.CONNECTING, reason)) == [("stream", reason.value)]
    assert story.goes((State.CONNECTING, Reason.BACKOFF_OVER), *CLIMB[1:]) == [("reconnect", reason.value)]
    assert "back after 4.0 s" in story.chronicle.last()[0]["detail"]


def test_every_failed_attempt_is_one_event_with_what_is_known_of_it() -> None:
    story = Story()
    story.goes(*CLIMB[:2])
    story.teller.explain("nobody listens there")

    assert story.goes((State.CONNECTING, Reason.CONNECTION_LOST)) == [("stream", "connection_lost")]
    assert story.chronicle.last()[0]["detail"] == "nobody listens there"
    story.goes((State.CONNECTING, Reason.UPGRADE_TIMEOUT))
    assert "nobody" not in story.chronicle.last()[0]["detail"], "an explanation is for one report"


def test_we_may_know_the_reason_better_than_the_machine() -> None:
    story = Story()
    story.goes(*CLIMB)
    story.teller.explain("another program", instead="evicted")

    assert story.goes((State.CONNECTING, Reason.CONNECTION_LOST)) == [("stream", "evicted")]
    assert story.goes(*CLIMB) == [("reconnect", "evicted")]


def test_symbols_that_went_to_others_meanwhile_do_not_hide_why_the_stream_had_ended() -> None:
    story = Story()
    story.goes(*CLIMB)
    story.goes((State.CONNECTING, Reason.CONNECTION_LOST))

    assert story.goes((State.DISCONNECTED, Reason.DISCONNECT_REQUESTED)) == []
    assert story.goes(*CLIMB) == [("reconnect", "connection_lost")]


def test_a_stream_that_was_not_wanted_meanwhile_does_not_reconnect() -> None:
    story = Story()
    story.goes(*CLIMB)

    assert story.goes((State.DISCONNECTED, Reason.DISCONNECT_REQUESTED)) == [("stream", "disconnect_requested")]
    assert story.goes(*CLIMB) == [("stream", "authenticated")]
