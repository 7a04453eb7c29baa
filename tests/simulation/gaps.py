"""How long clients may be without fresh data, by what is at hand: streams, logins that could have one, polls.

A symbol is *behind* for as long as what a client has of it is not the exchange's newest; a symbol that does not change
is never behind. The model knows what is well: `G1` to `G3` hold what clients have against that. Where there is less
room than symbols wanted, as many may be late as have no room.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tests.simulation.broker import Broker
from tests.simulation.faults import KILLING, Fault, Kind, Nature

FRESH_S: Final = 2.0
"""From a stream's end until its symbols come over others that have room, beside the way there and back."""
TRIPS: Final = 10
"""One-way trips: an end is seen, a request in front of ours, ours, a socket, its token, data."""
REOPEN_S: Final = 3.5  # a server that takes no new symbols in place is found out in this time
UNSHOWN_S: Final = 3.0  # a stream that does not show new symbols at once is helped with one REST quote
RETURN_S: Final = 1.0  # a login whose stream was ended has it back, when others have no room
NEW_S: Final = 1.0  # a symbol that is new may have to wait until another has moved
NEW_BESIDE_ILL_S: Final = 10.0  # or until a stream it was given to is found to take nothing new
POLLED_S: Final = 12.0
"""What no stream carries is polled: 5 s of patience, 5 s between polls."""
SHORT_S: Final = 60.0
ROW: Final = 3  # short lives in a row are taken for another program's doing

HARMLESS: Final = KILLING | {Kind.HALT}
STREAMS_ONLY: Final = frozenset(
    {
        Kind.REFUSED,
        Kind.PORT_DEAD,
        Kind.UPGRADE_HANG,
        Kind.AUTH_HANG,
        Kind.AUTH_CLOSED,
        Kind.PORT_CHANGE,
        Kind.SILENT,
        Kind.MUTE_SYMBOL,
        Kind.LAG,
        Kind.GARBAGE,
        Kind.OPT_OUT,
        Kind.CRASH,
        Kind.RESTART,
        Kind.PAUSE,
    }
)
"""After these a stream that is up again is as good as any."""
AFTERWARDS_S: Final = 10.0
LONG_AFTERWARDS_S: Final = 130.0
"""After others a breaker may be open for a while, or a login is refreshed less often."""


class Socket(Protocol):
    """What is looked at of a socket."""

    person: str | None
    is_dead: bool
    muted: set[int]


class Streams(Protocol):
    """The sockets there are."""

    open: list[Any]


class Quotes(Protocol):
    """What clients have."""

    def behind_s(self, symbol_id: int) -> float | None:
        """For how long that has not been the newest; None when it is nothing."""


class Watcher(Protocol):
    """What all watches share."""

    broker: Broker
    now: Callable[[], float]

    @property
    def streams(self) -> Streams:
        """The sockets."""

    @property
    def quotes(self) -> Quotes:
        """The clients."""

    def fail(self, invariant: str, detail: str) -> None:
        """An invariant is broken."""


@dataclass(slots=True)
class Standing:
    """One person, by what the model knows. Times are virtual seconds; None: not now."""

    up_since: float | None = None  # a stream of theirs is up, and could take more symbols
    able_since: float | None = None  # a stream could be had
    asks_since: float | None = None  # calls are answered
    row: int = 0
    suspected: bool = False  # the gateway has reasons to leave the login alone
    spoilt_until: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})


class GapWatch:
    """The invariants G1 to G3."""

    def __init__(self, watch: Watcher, nature: Nature) -> None:
        self._watch = watch
        self._limit = nature.symbols_per_stream
        trip_s = nature.latency_s + nature.jitter_s
        self.up_bound_s = FRESH_S + TRIPS * trip_s
        self.up_bound_s += REOPEN_S if nature.second_get == "reconnect" else 0.0
        shows = nature.get_shows_new and nature.second_get != "add"  # that one never let go of what is asked for again
        self.up_bound_s += 0.0 if shows else UNSHOWN_S
        self.able_bound_s = self.up_bound_s + RETURN_S
        self.poll_bound_s = max(POLLED_S + TRIPS * trip_s, self.able_bound_s)
        self.longest: dict[str, float] = {}
        self._standings = {person: Standing() for person in nature.persons}
        self._wanted_since: dict[int, float] = {}
        self._ill_at = float("-inf")  # when a stream was up and not well
        self._hung_at = float("-inf")  # when somebody was out of order who had no stream, and may be waited for
        self._spoilt_at: dict[int, float] = {}
        self._swallowed: dict[int, int] = {}  # the newest versions that a stream should have told and did not
        self._counts: deque[tuple[float, int]] = deque()

    def killed(self, person: str, lived_s: float) -> None:
        """A stream that worked was ended by the other side."""
        standing = self._standings[person]
        standing.up_since = standing.able_since = None
        standing.row = standing.row + 1 if lived_s < SHORT_S else 0
        standing.suspected = standing.suspected or standing.row >= ROW

    def spoil(self, fault: Fault) -> None:
        """A fault begins or ends."""
        self._spoil(fault, self._watch.now())

    def swallowed(self, versions: dict[int, int]) -> None:
        """A stream that goes on should have told these versions. Nothing shows that until a symbol's own pace does,
        so it is not held against the gateway before the next change: to be fresh again in time is R1's affair.
        """
        self._swallowed.update(versions)

    def restarted(self) -> None:
        """A gateway ended: the next one suspects nobody yet."""
        for standing in self._standings.values():
            standing.row, standing.suspected = 0, False
        self.stopped()

    def stopped(self) -> None:
        """There is no gateway, or it stands still: what follows begins anew."""
        for standing in self._standings.values():
            standing.up_since = standing.able_since = standing.asks_since = None
        self._wanted_since.clear()
        self._counts.clear()

    def look(self, wanted: frozenset[int], active: Sequence[Fault], barred: Iterable[str]) -> None:
        """Look at everything; `barred` are persons who may not stream or have no login."""
        now = self._watch.now()
        self._want(wanted, now)
        for fault in active:
            self._spoil(fault, now)
        sound = self._sound(now)
        self._miss(now)
        out = set(barred)
        for person, standing in self._standings.items():
            up = person in sound and now >= standing.spoilt_until[True]
            able = now >= standing.spoilt_until[False] and not standing.suspected
            if person not in sound and now < standing.spoilt_until[True]:
                self._hung_at = now
            standing.up_since = _since(standing.up_since, up and person not in out, now)
            standing.able_since = _since(standing.able_since, (able or up) and person not in out, now)
            standing.asks_since = _since(standing.asks_since, now >= standing.spoilt_until[False], now)
        standings = list(self._standings.values())
        self._judge("G1 streams that are up carry what they can", self.up_bound_s, [x.up_since for x in standings])
        self._judge("G2 logins that can stream do", self.able_bound_s, [x.able_since for x in standings])
        self._judge("G3 what has no stream is polled", self.poll_bound_s, [x.asks_since for x in standings])

    def _want(self, wanted: frozenset[int], now: float) -> None:
        self._wanted_since = {each: self._wanted_since.get(each, now) for each in wanted}
        self._counts.append((now, len(wanted)))
        while self._counts[0][0] < now - self.poll_bound_s:
            self._counts.popleft()

    def _spoil(self, fault: Fault, now: float) -> None:
        if fault.kind in HARMLESS:
            return
        for person, standing in self._standings.items():
            if fault.concerns(person):
                for_streams = AFTERWARDS_S if fault.kind in STREAMS_ONLY else LONG_AFTERWARDS_S
                standing.spoilt_until[True] = max(standing.spoilt_until[True], now + for_streams)
                standing.spoilt_until[False] = max(standing.spoilt_until[False], now + LONG_AFTERWARDS_S)

    def _sound(self, now: float) -> set[str]:
        """Whose stream is up and well. What an ill one carries may be late: nobody knows that it is ill."""
        sound: set[str] = set()
        for wire in self._watch.streams.open:
            ill = wire.is_dead or wire.muted or now < self._standings[wire.person].spoilt_until[True]
            if ill:
                self._ill_at = now
                self._spoilt_at.update(dict.fromkeys(self._watch.broker.carries(wire), now))
            else:
                sound.add(wire.person)
        return sound

    def _miss(self, now: float) -> None:
        """What was swallowed is missed until the symbol changes again."""
        version = self._watch.broker.market.version
        self._swallowed = {each: missed for each, missed in self._swallowed.items() if missed == version(each)}
        self._spoilt_at.update(dict.fromkeys(self._swallowed, now))

    def _judge(self, name: str, bound_s: float, since: Sequence[float | None]) -> None:
        now = self._watch.now()
        began = now - bound_s
        well = sum(at is not None and at <= began for at in since)
        if name.startswith("G2") and self._hung_at >= began:
            return
        if not well:
            return
        most = max(count for at, count in self._counts if at >= began)
        excess = 0 if name.startswith("G3") else max(0, most - well * self._limit)
        behind = sorted(((self._behind_s(each, now), each) for each in self._judged(began)), reverse=True)
        if len(behind) <= excess:
            return
        longest_s = behind[excess][0]
        self.longest[name[:2]] = max(self.longest.get(name[:2], 0.0), longest_s)
        if longest_s > bound_s:
            late = {each: round(behind_s, 2) for behind_s, each in behind if behind_s > bound_s}
            detail = f"{late} s behind, {bound_s:.2f} s allowed; {well} logins of {self._limit}, {most} wanted"
            self._watch.fail(name, detail)

    def _judged(self, began: float) -> list[int]:
        """The symbols wanted for so long, that no ill stream carries, and of which none swallowed the newest."""
        return [
            each
            for each, since in self._wanted_since.items()
            if since <= began - (NEW_BESIDE_ILL_S if self._ill_at >= began else NEW_S)
            and self._spoilt_at.get(each, float("-inf")) < began
        ]

    def _behind_s(self, symbol_id: int, now: float) -> float:
        behind_s = self._watch.quotes.behind_s(symbol_id)
        return now - self._wanted_since[symbol_id] if behind_s is None else behind_s


def _since(before: float | None, holds: bool, now: float) -> float | None:
    """Since when something has held."""
    return (now if before is None else before) if holds else None
