"""Each thing that happens upstream is one event: in the log, in the counts that become the metric, and never otherwise.

The log and the counts are compared with each other, and both with what the model saw happen: exchanges of tokens,
sockets that came up and ended, breakers that changed.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from quotewire.resilience.breaker import Breaker, BreakerReason, Circuit
from quotewire.testing.virtual import VirtualProcess
from quotewire.upstream.chronicle import Happening, Why
from quotewire.upstream.reasons import KNOWN
from quotewire.upstream.report import Reading

EXCHANGES: Final = frozenset({Why.STARTUP, Why.EXPIRY, Why.ACCESS_REFUSED, Why.HOST_UNREACHABLE, Why.REQUESTED})
UP: Final = "authenticated"
PREFIX: Final = "upstream."
REPLACED_S: Final = 30.0  # an end is told once it is known that no replacement comes
METRIC: Final = "quotewire_upstream_events_total"

Key = tuple[str, str]


class Watcher(Protocol):
    """What is needed of the watch."""

    now: Callable[[], float]

    def fail(self, invariant: str, detail: str) -> None:
        """An invariant is broken."""


class EventWatch(logging.Handler):
    """One gateway after another: what it logged, and what happened to it."""

    def __init__(self, watch: Watcher) -> None:
        super().__init__(logging.INFO)
        self._watch = watch
        self.logged: Counter[Key] = Counter()
        self.exchanges = 0  # that ended and were told to the gateway
        self.accepted = 0  # sockets whose token was taken, as far as the gateway knows
        self.read = 0  # of these, those it went on to read
        self.lost: list[float] = []  # when the other side ended some of these that nothing had replaced
        self.failed_calls = 0  # calls that failed for certain
        self.unsure_calls = 0  # calls that were given up
        self.breakers: Counter[str] = Counter()
        self._unwatched = Breaker._enter

    def emit(self, record: logging.LogRecord) -> None:
        """Count an event; a defect that was caught at a task's edge is a defect all the same."""
        if record.exc_info:
            self._watch.fail("X1 no exception escapes", f"{record.getMessage()}: {record.exc_info[1]!r}")
        event = str(record.__dict__.get("event", ""))
        if event.removeprefix(PREFIX) in set(Happening):
            reason = str(record.__dict__["reason"])
            self.logged[event.removeprefix(PREFIX), reason] += 1
            if reason not in KNOWN:
                self._watch.fail("E1 each event has a reason", f"{event} gives {reason!r}, which is not documented")

    # --- breakers tell nobody but their caller, so they are watched themselves ---

    def watch_breakers(self) -> None:
        """Count each change of a breaker."""
        unwatched, changes = self._unwatched, self.breakers

        def enter(breaker: Breaker, state: Circuit, reason: BreakerReason) -> None:
            if VirtualProcess.current() is not None:
                changes[reason.value] += 1
            unwatched(breaker, state, reason)

        Breaker._enter = enter  # type: ignore[assignment,method-assign]

    def unwatch_breakers(self) -> None:
        """Leave them alone."""
        Breaker._enter = self._unwatched  # type: ignore[method-assign]

    # --- the end of a gateway ---

    def settle(self, readings: Iterable[Reading]) -> None:
        """A gateway ends: its log, its metric and what happened have to agree."""
        told = Counter({(x.labels[0], x.labels[1]): int(x.value) for x in readings if x.name == METRIC})
        counted = Counter({(str(event), reason): count for (event, reason), count in told.items()})
        if counted != self.logged:
            self._fail("E2 the metric is the log", f"counted {counted - self.logged}, logged {self.logged - counted}")
        self._same("token", EXCHANGES, self.exchanges, "exchanges of tokens")
        for reason in BreakerReason:
            self._same("breaker", {reason.value}, self.breakers[reason.value], f"changes of breakers ({reason})")
        ups = self._count("stream", lambda reason: reason == UP) + self._count("reconnect")
        if not self.read <= ups <= self.accepted:
            self._fail("E3 each event once", f"{ups} streams told to be up, {self.accepted} were, {self.read} read")
        ends = self._count("stream", lambda reason: reason != UP) + self._count("reconnect")
        lost = sum(at < self._watch.now() - REPLACED_S for at in self.lost)
        if ends < lost:
            self._fail("E3 each event once", f"{ends} ends and failures told, {lost} streams were lost")
        calls = self._count("call")
        if not self.failed_calls <= calls <= self.failed_calls + self.unsure_calls:
            detail = f"{calls} failed calls told, {self.failed_calls} failed and {self.unsure_calls} were given up"
            self._fail("E3 each event once", detail)
        failovers = self._count("failover")
        if failovers > ends:
            self._fail("E3 each event once", f"{failovers} failovers told, and {ends} ends and failures")
        self.logged.clear()
        self.breakers.clear()
        self.lost.clear()
        self.exchanges = self.accepted = self.read = self.failed_calls = self.unsure_calls = 0

    def _same(self, event: str, reasons: Iterable[str], happened: int, what: str) -> None:
        known = set(map(str, reasons))
        told = self._count(event, lambda reason: reason in known)
        if told != happened:
            self._fail("E3 each event once", f"{told} {what} told, {happened} happened")

    def _count(self, event: str, which: Callable[[str], bool] = lambda reason: True) -> int:
        return sum(count for (happened, reason), count in self.logged.items() if happened == event and which(reason))

    def _fail(self, invariant: str, detail: str) -> None:
        self._watch.fail(invariant, detail)


def attach(events: EventWatch) -> Callable[[], Any]:
    """Have the gateway's log counted; call what is returned when the run is over."""
    logger = logging.getLogger("quotewire")
    own = logging.getLogger("quotewire.upstream")
    before = logger.level, logger.propagate, own.level
    logger.addHandler(events)
    logger.propagate = False
    logger.setLevel(logging.ERROR)
    own.setLevel(logging.INFO)
    events.watch_breakers()

    def detach() -> None:
        events.unwatch_breakers()
        logger.removeHandler(events)
        logger.setLevel(before[0])
        logger.propagate = before[1]
        own.setLevel(before[2])

    return detach
