"""What happened upstream and why: one log line, one count and one entry in the list of last events each (R58)."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Container
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

KEPT: Final = 50
OTHER: Final = "other"

log = logging.getLogger("quotewire.upstream")


class Happening(StrEnum):
    """Kinds of events."""

    TOKEN = "token"  # noqa: S105  a refresh ended, or a person's login changed
    STREAM = "stream"  # a person's stream came up, ended, or could not be had
    RECONNECT = "reconnect"  # a stream that ended is back, or was replaced by another; the reason is why
    FAILOVER = "failover"  # a person's symbols went to others
    ASSIGNMENT = "assignment"  # how symbols are spread over persons changed
    CALL = "call"  # a REST call failed
    BREAKER = "breaker"  # an endpoint is left alone for a person, or tried again
    WATCH = "watch"  # a silent symbol was checked or repaired
    BACKFILL = "backfill"  # what was missed in a gap is asked for
    UPSTREAM = "upstream"  # the whole upstream changed its state


class Why(StrEnum):
    """Reasons of our own doing; those of connections are in `resilience.lifecycle_types.Reason`."""

    STARTUP = "startup"
    EXPIRY = "expiry"
    ACCESS_REFUSED = "access_refused"
    HOST_UNREACHABLE = "host_unreachable"
    REQUESTED = "requested"
    NEW_TOKEN = "new_token"  # noqa: S105
    REMOVED = "removed"
    PERSON_FAILED = "person_failed"
    TOKEN_ROTATED = "token_rotated"  # noqa: S105
    SYMBOLS_CHANGED = "symbols_changed"
    NOT_ADOPTED = "not_adopted"
    STILL_MUTE = "still_mute"
    STREAM_MUTE = "stream_mute"
    WOKE = "woke"
    UNTRUSTED_HOST = "untrusted_host"
    EVICTED = "evicted"
    GAP = "gap"
    DOUBLED = "doubled"
    NOT_DOUBLED = "not_doubled"
    STREAMING_OFF = "streaming_off"
    STREAMING_ON = "streaming_on"
    ROW_UNREADABLE = "row_unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One event; `at` is epoch seconds."""

    at: float
    event: Happening
    reason: str
    person: str | None
    detail: str


class Chronicle:
    """The one place that reports events of the upstream."""

    def __init__(self, now: Callable[[], float] = time.time, known: Container[str] | None = None) -> None:
        self._now = now
        self._known = known  # codes that may be counted by name: metric labels have to be few
        self._last: deque[Entry] = deque(maxlen=KEPT)
        self.counts: Counter[tuple[Happening, str]] = Counter()

    def note(
        self, event: Happening, reason: str, *, person: str | None = None, detail: str = "", level: int = logging.INFO
    ) -> None:
        """Report one event. `reason` is a stable code, `detail` a sentence without secrets."""
        reason = str(reason)
        entry = Entry(self._now(), event, reason, person, detail)
        self._last.append(entry)
        self.counts[event, reason if self._known is None or reason in self._known else OTHER] += 1
        extra = {"event": f"upstream.{event}", "person": person, "reason": reason}
        log.log(level, "%s", detail or f"{event}: {reason}", extra=extra)

    def last(self) -> list[dict[str, Any]]:
        """The newest events, newest first."""
        return [asdict(entry) for entry in reversed(self._last)]
