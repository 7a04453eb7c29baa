"""Tells a stream's story: what its machine reports, as one event each for every end, failure and reconnect (R58).

The steps on the way up (a port is known, a socket is open) are nobody's news; they are logged at debug level only.
"""

import logging
from collections.abc import Callable
from typing import Final

from quotewire.resilience.lifecycle_effects import Report
from quotewire.resilience.lifecycle_types import Reason, State
from quotewire.upstream.chronicle import Chronicle, Happening

STEPS: Final = frozenset(
    {
        Reason.PREPARED,
        Reason.OPENED,
        Reason.BACKOFF_OVER,
        Reason.CONNECT_REQUESTED,
        Reason.DISCONNECT_REQUESTED,  # of a stream that is down: others carry its symbols
        Reason.TOKEN_REFRESHED,
        Reason.NUDGED,
    }
)
CALM: Final = frozenset({Reason.DISCONNECT_REQUESTED, Reason.DATA_RESUMED})

log = logging.getLogger("quotewire.upstream")


class Teller:
    """One stream's. `now` is monotonic seconds."""

    def __init__(self, person: str, chronicle: Chronicle, now: Callable[[], float]) -> None:
        self._person = person
        self._chronicle = chronicle
        self._now = now
        self._is_up = False
        self._lost: tuple[str, float] | None = None  # why and when the stream ended that is not back yet
        self._detail = ""
        self._instead: str | None = None

    def explain(self, detail: str, *, instead: str | None = None) -> None:
        """More about what the machine is about to report; `instead` is a reason we know better than it."""
        self._detail, self._instead = detail, instead

    def told(self, report: Report) -> None:
        """The machine reports."""
        detail, instead, self._detail, self._instead = self._detail, self._instead, "", None
        reason = instead or report.reason.value
        was_up, self._is_up = self._is_up, report.state is State.CONNECTED
        if self._is_up and not was_up:
            self._up()
        elif not was_up and instead is None and report.reason in STEPS:
            log.debug("%s's stream: %s", self._person, reason)
        else:
            if was_up and not self._is_up and report.reason is not Reason.DISCONNECT_REQUESTED:
                self._lost = (reason, self._now())
            level = logging.INFO if report.reason in CALM else logging.WARNING
            self._note(
                Happening.STREAM, reason, detail or f"{self._person}'s stream is {report.state} ({reason})", level
            )

    def _up(self) -> None:
        if self._lost is None:
            self._note(Happening.STREAM, Reason.AUTHENTICATED, f"{self._person}'s stream is up", logging.INFO)
            return
        (reason, at), self._lost = self._lost, None
        detail = f"{self._person}'s stream is back after {self._now() - at:.1f} s ({reason})"
        self._note(Happening.RECONNECT, reason, detail, logging.INFO)

    def _note(self, event: Happening, reason: str, detail: str, level: int) -> None:
        self._chronicle.note(event, reason, person=self._person, detail=detail, level=level)
