"""The invariants, checked all the time. docs/invariants.md lists them by these names.

The first that breaks ends the run. Nothing here asks the upstream what it thinks of itself: the model knows better.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from quotewire.questrade.requests import ApiRequest, Endpoint
from quotewire.questrade.tokens import Declined, Granted, Lost, Outcome, Refused, Unsent
from quotewire.resilience.budget import LIMITS, SHARES, Category, Priority
from quotewire.testing.virtual import VirtualProcess
from tests.simulation.broker import Broker, Reply
from tests.simulation.events import EventWatch
from tests.simulation.gaps import GapWatch
from tests.simulation.quotes import Bearer, QuoteWatch

MOST_SENDS: Final = 2
OPENS_A_MINUTE: Final = 20
REFRESHES: Final = ((60.0, 5), (600.0, 15))
"""At most so many in so many seconds, beside those that the life of the tokens asks for."""
RESERVED_S: Final = 1.0  # calls under way when little was found to be left
OFF_S: Final = 10.0
"""From the operator's word until a stream has ended: the vault is read every 2 s, and others get 5 s to take over."""


class Wire(Protocol):
    """What is looked at of a socket."""

    person: str | None
    process: VirtualProcess | None
    accepted_at: float | None
    is_dead: bool
    end_seen_at: float | None
    muted: set[int]
    fixed: frozenset[int]

    @property
    def backlog(self) -> int:
        """Frames unread."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken invariant."""

    invariant: str
    at: float
    detail: str

    def __str__(self) -> str:
        return f"{self.invariant}: at {self.at:.3f} s: {self.detail}"


class Watch:
    """All of it. `now` is virtual seconds."""

    def __init__(self, broker: Broker, now: Callable[[], float]) -> None:
        self.broker = broker
        self.now = now
        self.breach: Breach | None = None
        self.tokens = TokenWatch(self)
        self.calls = CallWatch(self)
        self.streams = StreamWatch(self)
        self.quotes = QuoteWatch(self)
        self.gaps = GapWatch(self, broker.nature)
        self.events = EventWatch(self)
        self.log: deque[str] = deque(maxlen=4000)
        self._digest = hashlib.sha256()

    @property
    def roads(self) -> "StreamWatch":
        """The sockets there are."""
        return self.streams

    @property
    def digest(self) -> str:
        """Of everything that happened."""
        return self._digest.hexdigest()

    def note(self, text: str) -> None:
        """Write the log."""
        line = f"{self.now():10.3f} {text}"
        self.log.append(line)
        self._digest.update(line.encode())

    def fail(self, invariant: str, detail: str) -> None:
        """An invariant is broken; the first one counts."""
        self.note(f"BROKEN {invariant}: {detail}")
        if self.breach is None:
            self.breach = Breach(invariant, self.now(), detail)

    def died(self, process: VirtualProcess) -> None:
        """A gateway ended, however."""
        self.quotes.forget()
        self.gaps.restarted()
        self.calls.forget()
        self.note(f"{process.name} ended")


# --- tokens ---


@dataclass(slots=True)
class Sending:
    """One time that a refresh token left."""

    person: str | None
    token: str
    at: float
    process: VirtualProcess | None
    is_over: bool = False
    known: bool = False  # the sender lived to learn what became of it


class TokenWatch:
    """Refresh tokens: how often each was sent, and whether two were under way."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.sends: list[Sending] = []
        self.unknown: Counter[str] = Counter()
        self.finished: dict[str, str] = {}
        self.hazards: dict[str, list[str]] = {}
        self.granted: list[tuple[str, str]] = []  # access and refresh tokens that came together, as they came
        self._used: set[str] = set()
        self._renewed_at: dict[str | None, float] = {}

    def doomed(self, person: str | None, why: str) -> None:
        """The person may need a new token, and that is nobody's fault here."""
        self.hazards.setdefault(person or "?", []).append(f"{self._watch.now():.2f} {why}")

    def sender(self, token: str | None) -> VirtualProcess | None:
        """Who sent a token last."""
        return next((each.process for each in reversed(self.sends) if each.token == token), None)

    def sending(self, person: str | None, token: str) -> Sending:
        """A token leaves."""
        watch, now = self._watch, self._watch.now()
        watch.note(f"refresh of {person} sent")
        if token in self.finished:
            watch.fail("T1 no token is sent again", f"{person}'s token was sent though it was {self.finished[token]}")
        if self.unknown[token] >= MOST_SENDS:
            watch.fail("T1 no token is sent again", f"{person}'s token was sent for the third time without an answer")
        for other in self.sends:
            if other.person == person and not other.is_over and other.process is not None and not other.process.is_dead:
                watch.fail("T2 one refresh at a time", f"{person}'s refresh of {other.at:.2f} s is still under way")
        for span_s, allowed in REFRESHES:
            since = max(now - span_s, self._renewed_at.get(person, 0.0))
            recent = sum(each.person == person and each.at > since for each in self.sends)
            if recent >= allowed + int(span_s / (0.6 * watch.broker.nature.expires_in)):
                watch.fail("T3 no refresh storm", f"{person}: {recent} refreshes within {span_s:.0f} s")
        made = Sending(person, token, now, VirtualProcess.current())
        self.unknown[token] += 1  # until the answer is known
        self.sends.append(made)
        return made

    def heard(self, sending: Sending, outcome: Outcome) -> None:
        """What became of it is known to the exchange."""
        sending.is_over = sending.known = True
        self._watch.note(f"refresh of {sending.person} {type(outcome).__name__}")
        match outcome:
            case Granted():
                self.finished[sending.token] = "granted"
                self.granted.append((outcome.grant.access_token, outcome.grant.refresh_token))
            case Refused():
                self.finished[sending.token] = "refused"
            case Declined() | Unsent():
                self.unknown[sending.token] -= 1
            case Lost():
                self._give_up(sending)

    def unheard(self, sending: Sending) -> None:
        """The exchange ended without learning it."""
        sending.is_over = True
        self._give_up(sending)

    def _give_up(self, sending: Sending) -> None:
        """Two sends without an answer are the end of a token, as they have to be."""
        if self.unknown[sending.token] >= MOST_SENDS:
            self.doomed(sending.person, "sent twice without an answer")

    def renewed(self, person: str) -> None:
        """The operator gave the person a new token."""
        self._renewed_at[person] = self._watch.now()

    def used(self, person: str, access_token: str, stored: Callable[[], str]) -> None:
        """A call is made with an access token; at its first use the disk has to hold what came with it, or later."""
        if access_token in self._used:
            return
        self._used.add(access_token)
        came = [access for access, _ in self.granted]
        kept = {refresh for _, refresh in self.granted[came.index(access_token) :]} if access_token in came else set()
        if stored() not in kept:
            self._watch.fail("T5 kept before use", f"{person}'s access token is used, its refresh token is not kept")


# --- calls ---


class CallWatch:
    """Calls by category: never more than a person may make."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._second: dict[tuple[str, str], deque[float]] = {}
        self._hour: dict[tuple[str, str], deque[float]] = {}
        self._barred: dict[tuple[str, str], float] = {}
        self.total: Counter[tuple[str, str]] = Counter()
        self.limited: Counter[str] = Counter()
        self.peaks: dict[tuple[str, str, float], int] = {}
        self._low: dict[tuple[str, str], tuple[float, float]] = {}  # since when little is left of the hour, and its end
        self.is_clock_wrong = False  # the machine's clock was set: when an hour ends is a guess where no date says it

    def forget(self) -> None:
        """A new gateway knows nothing of earlier 429s."""
        self._barred.clear()
        self._low.clear()

    def sent(self, person: str, request: ApiRequest[Any]) -> None:
        """A call leaves."""
        watch, now = self._watch, self._watch.now()
        key = (person, request.category.value)
        limit = LIMITS[Category(request.category.value)]
        watch.note(f"call {person} {request.endpoint} {request.params.get('ids', '')}")
        self.total[key] += 1
        for window, span, most in (
            (self._second.setdefault(key, deque()), 1.0, limit.per_second),
            (self._hour.setdefault(key, deque()), 3600.0, limit.per_hour),
        ):
            window.append(now)
            while window[0] <= now - span:
                window.popleft()
            self.peaks[(*key, span)] = max(self.peaks.get((*key, span), 0), len(window))
            if len(window) > most:
                watch.fail("B1 never over budget", f"{person}: {len(window)} {key[1]} calls within {span:.0f} s")
        if now < self._barred.get(key, 0.0) and not self.is_clock_wrong:
            watch.fail("B2 a 429 is obeyed", f"{person}: {request.endpoint} before {self._barred[key]:.2f} s")
        low_at, hour_ends = self._low.get(key, (now, 0.0))
        kept_back = request.endpoint is Endpoint.QUOTES and now - low_at > RESERVED_S and now < hour_ends - 2.0
        if kept_back and not self.is_clock_wrong:
            watch.fail("B3 the rest is for streams", f"{person}: {request.endpoint}, and little is left of the hour")

    def answered(self, person: str, request: ApiRequest[Any], reply: Reply) -> None:
        """An answer came."""
        watch, key = self._watch, (person, request.category.value)
        watch.note(f"answer {person} {request.endpoint} {reply.status}")
        watch.events.failed_calls += reply.status != 200 or not reply.is_whole
        self._count_left(key, reply)
        if reply.status == 429:
            self.limited[person] += 1
            hourly = reply.headers.get("X-RateLimit-Remaining") == "0"
            reset = float(reply.headers.get("X-RateLimit-Reset", "0")) - watch.broker.market.epoch
            self._barred[key] = max(watch.now() + 1.0, reset - 2.0 if hourly else 0.0)
        if reply.status == 200 and request.endpoint is Endpoint.STREAM_PORT:
            asked = frozenset(int(each) for each in request.params["ids"].split(","))
            watch.quotes.asked_anew(person, asked - watch.broker.accounts[person].asked)
            watch.broker.accounts[person].asked = asked
        if reply.status == 200 and request.endpoint is Endpoint.QUOTES:
            watch.quotes.polled(reply.versions)

    def _count_left(self, key: tuple[str, str], reply: Reply) -> None:
        left = reply.headers.get("X-RateLimit-Remaining")
        if left is None:
            return
        most = LIMITS[Category(key[1])].per_hour
        if int(left) > most * (1 - SHARES[Priority.LOOKUP]):
            self._low.pop(key, None)
        elif key not in self._low:
            ends = float(reply.headers["X-RateLimit-Reset"]) - self._watch.broker.market.epoch
            self._low[key] = (self._watch.now(), ends)

    def unanswered(self, person: str, request: ApiRequest[Any], *, given_up: bool) -> None:
        """No answer came."""
        self._watch.note(f"unanswered {person} {request.endpoint}")
        self._watch.events.unsure_calls += given_up
        self._watch.events.failed_calls += not given_up


# --- streams ---


class StreamWatch:
    """Sockets: how many, how often, and what they carry."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.open: list[Wire] = []
        self._opened: deque[float] = deque()
        self.opened = 0
        self._off_s: dict[str, float] = {}

    def opening(self, wire: Wire) -> None:
        """A socket is being opened."""
        now = self._watch.now()
        self.opened += 1
        self._opened.append(now)
        while self._opened[0] <= now - 60:
            self._opened.popleft()
        most = OPENS_A_MINUTE * len(self._watch.broker.accounts)
        if len(self._opened) > most:
            self._watch.fail("S1 no reconnect storm", f"{len(self._opened)} sockets were opened within a minute")

    def look(self, off: Iterable[str], passed_s: float) -> None:
        """So much later; `off` are those whose logins may carry no stream."""
        held = {wire.person for wire in self.open}
        self._off_s = {person: self._off_s.get(person, 0.0) + passed_s for person in off}
        for person, off_s in self._off_s.items():
            if off_s > OFF_S and person in held:
                self._watch.fail("O2 an opt-out is obeyed", f"{person} still streams after {off_s:.1f} s")

    def accepted(self, wire: Wire) -> None:
        """The gateway read that its token was taken."""
        self._watch.note(f"stream {wire.person} accepted")
        self._watch.events.accepted += 1
        self.open.append(wire)
        mine = [each for each in self.open if each.person == wire.person and each.process is wire.process]
        if len(mine) > 2:
            self._watch.fail("S2 one stream a person", f"{wire.person} has {len(mine)} sockets")

    def ended(self, wire: Wire) -> None:
        """The gateway knows that it ended."""
        if wire in self.open:
            self.open.remove(wire)
            self._watch.quotes.ended(wire)
            self._watch.note(f"stream {wire.person} ended")

    def carriers(self, symbol_id: int) -> list[Bearer]:
        """The sockets that carry a symbol, as far as the gateway can know."""
        carries: Callable[[Any], frozenset[int]] = self._watch.broker.carries
        return [wire for wire in self.open if symbol_id in carries(wire)]
