"""What clients are told, held against what the model sent: nothing lost, nothing twice, nothing old called new."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from quotewire.market.calendar import MarketPhase
from quotewire.market.freshness import DEFAULT_THRESHOLDS, EXTENDED, live_window_s
from quotewire.market.quote import Freshness, Quote, Source
from tests.simulation.broker import Broker

TRUSTED: Final = frozenset({Freshness.LIVE, Freshness.QUIET})
HANDED_ON_S: Final = 0.25  # from a frame read to the update handed on
JOINED_S: Final = 3.0
"""So long after another stream first spoke of a symbol, it may be unknown which of several equal contents it means."""
UNTOLD_S: Final = 4.5
"""The same, for what may be passed over: two streams go on side by side for 3 s while that is not known, and what the
one that is left brings may still look like what the other brought within a second before."""
BOTH_JOINED_S: Final = 0.5  # the same, while two begin together
HELD_S: Final = 1.5  # what comes then and looks like what clients had before may wait so long, or be passed over
ROAD_S: Final = 3.0  # a symbol without a socket may be called live or quiet for this long, while it moves to another
PACE_SLACK: Final = 4.0  # a symbol's learned pace may be off the true mean by this factor
LATE_S: Final = 6.0  # by so much a stream is late at most, unless everything stands still
PACED: Final = 4  # before so many data a pace is not known, or by chance
OTHER_DELAY_S: Final = 1.0
POLLED_S: Final = 15.0


class Bearer(Protocol):
    """What is looked at of a socket."""

    @property
    def person(self) -> str | None:
        """Whose it is."""


class Streams(Protocol):
    """The sockets there are."""

    def carriers(self, symbol_id: int) -> list[Bearer]:
        """The sockets that carry a symbol, as far as the gateway can know."""


class Watcher(Protocol):
    """What all watches share."""

    broker: Broker
    now: Callable[[], float]

    @property
    def roads(self) -> Streams:
        """The sockets there are."""

    def note(self, text: str) -> None:
        """Write the log."""

    def fail(self, invariant: str, detail: str) -> None:
        """An invariant is broken."""


@dataclass(slots=True)
class Seen:
    """What a client has of one symbol. `version` is the oldest that it can be, where several look alike."""

    quote: Quote
    version: int
    roadless_since: float | None = None


@dataclass(frozen=True, slots=True)
class Nobody:
    """Stands for a socket that has to begin anew."""

    person: str | None = None


_NOBODY: Final = Nobody()


@dataclass(frozen=True, slots=True)
class Owed:
    """A version that has come and was not handed on yet. `is_doubtful`: it may be one that clients had before."""

    version: int
    at: float
    is_doubtful: bool
    wire: Bearer  # who brought it


@dataclass(slots=True)
class QuoteWatch:
    """What clients are told, against what the model sent."""

    watch: Watcher
    seen: dict[int, Seen] = field(default_factory=dict)
    _wanted: frozenset[int] = frozenset()
    _owed: dict[int, deque[Owed]] = field(default_factory=dict)
    _speakers: dict[int, dict[int, Bearer]] = field(default_factory=dict)  # sockets that have spoken of a symbol
    _joined_at: dict[int, float] = field(default_factory=dict)
    _epochs: dict[int, int] = field(default_factory=dict)
    _brought: dict[int, set[int]] = field(default_factory=dict)
    _newest: dict[int, int] = field(default_factory=dict)
    _polled_at: dict[int, float] = field(default_factory=dict)
    _heard: Counter[int] = field(default_factory=Counter)  # data that streams brought
    _streamed: dict[int, int] = field(default_factory=dict)  # the newest that a stream brought
    _data_at: dict[int, float] = field(default_factory=dict)
    updates: int = 0
    pace_slack: float = PACE_SLACK
    late_until: float = 0.0  # until then a stream may be seconds behind another

    def forget(self) -> None:
        """The gateway ended: clients will get a new epoch."""
        for symbol_id, seen in self.seen.items():
            self._epochs[symbol_id] = max(self._epochs.get(symbol_id, 0), seen.quote.epoch)
        self.seen.clear()
        self._owed.clear()
        self._speakers.clear()
        self._joined_at.clear()
        self._brought.clear()
        self._newest.clear()
        self._heard.clear()
        self._polled_at.clear()
        self._streamed.clear()
        self._data_at.clear()

    def want(self, symbol_ids: frozenset[int]) -> None:
        """Clients want these now; of others they are owed nothing."""
        for symbol_id in self._wanted - symbol_ids:
            self._owed.pop(symbol_id, None)
        self._wanted = symbol_ids

    def delivered(self, wire: Bearer, versions: dict[int, int]) -> None:
        """The gateway has read a frame."""
        now = self.watch.now()
        asked = self.watch.broker.accounts[wire.person].asked if wire.person else frozenset()
        for symbol_id, version in versions.items():
            newest = self._newest.get(symbol_id, -1)
            is_polled = newest > self._streamed.get(symbol_id, -1)
            self._streamed[symbol_id] = max(self._streamed.get(symbol_id, -1), version)
            self._bring(symbol_id, version)
            if symbol_id not in asked:  # it may be handed on and need not
                continue
            self._data_at[symbol_id] = now
            self._heard[symbol_id] += 1
            self._speaks(wire, symbol_id, now)
            if symbol_id in self.seen:
                self.seen[symbol_id].roadless_since = None
            if version > newest and symbol_id in self._wanted:
                self._owe(wire, symbol_id, version, now, newest if is_polled else None)

    def asked_anew(self, person: str, symbol_ids: Iterable[int]) -> None:
        """The person's stream was asked for these again, after it was not for a while: it joins once more."""
        for symbol_id in symbol_ids:
            speakers = self._speakers.get(symbol_id, {})
            for key in [key for key, wire in speakers.items() if wire.person == person]:
                speakers[key] = _NOBODY
                self._joined_at[symbol_id] = self.watch.now()

    def ended(self, wire: Bearer) -> None:
        """A socket ended: what it brought last and may be what clients had before waits for nobody any more."""
        for owed in self._owed.values():
            while owed and owed[-1].is_doubtful and owed[-1].wire is wire:
                owed.pop()

    def polled(self, versions: dict[int, int]) -> None:
        """The gateway has read a REST answer."""
        for symbol_id, version in versions.items():
            self._data_at[symbol_id] = self._polled_at[symbol_id] = self.watch.now()
            self._bring(symbol_id, version)

    def _bring(self, symbol_id: int, version: int) -> None:
        self._brought.setdefault(symbol_id, set()).add(version)
        self._newest[symbol_id] = max(self._newest.get(symbol_id, -1), version)

    def _speaks(self, wire: Bearer, symbol_id: int, now: float) -> None:
        speakers = self._speakers.setdefault(symbol_id, {})
        if speakers.get(id(wire)) is not wire:
            if speakers:
                self._joined_at[symbol_id] = now
            speakers[id(wire)] = wire

    def _owe(self, wire: Bearer, symbol_id: int, version: int, now: float, polled: int | None) -> None:
        """It is the newest of all that came, so clients have to get it, unless it looks like what they have. `polled`
        is what was the newest before, if only a poll had brought it.
        """
        market, seen = self.watch.broker.market, self.seen.get(symbol_id)
        owed = self._owed.setdefault(symbol_id, deque())
        has_joined = now - self._joined_at.get(symbol_id, float("-inf")) < UNTOLD_S
        has_joined = has_joined or now < self.late_until
        is_doubtful = has_joined and market.first_alike(symbol_id, version) < version
        is_doubtful = is_doubtful or (polled is not None and market.is_same_trade(symbol_id, polled, version))
        if owed and market.is_alike(symbol_id, owed[-1].version, version):
            owed[-1] = replace(owed[-1], version=version)
        elif seen is not None and market.is_alike(symbol_id, seen.version, version) and _all_doubtful(owed):
            seen.version = seen.version if is_doubtful or owed else version
            owed.clear()
        else:
            owed.append(Owed(version, now, is_doubtful, wire))

    def handed_on(self, quotes: list[Quote]) -> None:
        """Clients are told."""
        for quote in quotes:
            self.updates += 1
            self._one(quote)

    def _one(self, quote: Quote) -> None:
        watch, symbol_id = self.watch, quote.symbol_id
        versions = watch.broker.market.versions_of(quote)
        if not versions:
            watch.fail("Q1 a quote is whole", f"the fields of {quote} do not belong together")
            return
        before = self.seen.get(symbol_id)
        version = self._placed(symbol_id, versions, before)
        watch.note(f"quote {symbol_id} {quote.sequence} v{version} {quote.freshness} {quote.source}")
        self._in_order(quote, version, before)
        self._accounted_for(quote, version, before)
        if quote.is_halted and quote.freshness in TRUSTED:
            watch.fail("H1 halted is told", f"{symbol_id} is halted and called {quote.freshness}")
        if before is None or version != before.version:
            self._data_at[symbol_id] = watch.now()
        self.seen[symbol_id] = Seen(quote, version, before.roadless_since if before else None)

    def _placed(self, symbol_id: int, versions: Sequence[int], before: Seen | None) -> int:
        """Which version an update is, where several look alike: what it was, what is owed, or the next that came."""
        if before is not None and before.version in versions:
            return before.version
        owed = self._owed.get(symbol_id)
        for each in owed or ():
            if each.version in versions:
                return each.version
            if not each.is_doubtful:
                break
        brought = self._brought.get(symbol_id, set())
        came = [version for version in versions if version in brought]
        known = before.version if before is not None else -1
        return next((version for version in came if version > known), came[-1] if came else versions[-1])

    def _in_order(self, quote: Quote, version: int, before: Seen | None) -> None:
        fail, symbol_id = self.watch.fail, quote.symbol_id
        if before is None:
            if quote.epoch <= self._epochs.get(symbol_id, 0):
                fail("Q2 epochs grow", f"{symbol_id}: epoch {quote.epoch} after {self._epochs[symbol_id]}")
            return
        expected = (before.quote.epoch, before.quote.sequence + 1)
        if (quote.epoch, quote.sequence) != expected:
            fail("Q2 sequences grow by one", f"{symbol_id}: {(quote.epoch, quote.sequence)}, expected {expected}")
        if version < before.version and not self._is_undecidable(before, version):
            fail("Q3 no update goes back", f"{symbol_id}: version {version} after {before.version} ({quote.source})")
        same = version == before.version and quote.freshness is before.quote.freshness
        if same and quote.source is before.quote.source:
            fail("Q4 no update comes twice", f"{symbol_id}: version {version} {quote.freshness} {quote.source}")

    def _is_undecidable(self, before: Seen, version: int) -> bool:
        """Whether nothing tells that a version is older: nobody traded since, and what clients have was brought by a
        poll, or by a stream that ended before the only one that is there now had said anything; or one stream is
        seconds behind another.
        """
        symbol_id = before.quote.symbol_id
        if not self.watch.broker.market.is_same_trade(symbol_id, before.version, version):
            return False
        joined_s = self.watch.now() - self._joined_at.get(symbol_id, float("-inf"))
        is_alone = len(self.watch.roads.carriers(symbol_id)) <= 1
        has_joined = joined_s < (JOINED_S if is_alone else BOTH_JOINED_S)
        is_late = self.watch.now() < max(self.late_until, self._polled_at.get(symbol_id, float("-inf")) + JOINED_S)
        return before.version > self._streamed.get(symbol_id, -1) or has_joined or is_late

    def _accounted_for(self, quote: Quote, version: int, before: Seen | None) -> None:
        fail, symbol_id = self.watch.fail, quote.symbol_id
        if before is not None and version == before.version:
            return
        owed = self._owed.get(symbol_id)
        while owed and owed[0].version < version and owed[0].is_doubtful:
            owed.popleft()
        if owed and owed[0].version == version:
            owed.popleft()
        elif owed and owed[0].version < version and quote.source is Source.STREAM:
            fail("Q5 no update is lost", f"{symbol_id}: version {version} handed on, {owed[0].version} was not")
        elif version in self._brought.get(symbol_id, ()):
            while owed and owed[0].version <= version:
                owed.popleft()
        else:
            fail("Q6 nothing is made up", f"{symbol_id}: version {version} came by no road ({quote.source})")

    # --- once a second ---

    def look(self, wanted: frozenset[int]) -> None:
        """What must hold between updates."""
        now = self.watch.now()
        held_s = HELD_S + (LATE_S if now < self.late_until else 0.0)
        for symbol_id, owed in self._owed.items():
            if owed and now - owed[0].at > (held_s if owed[0].is_doubtful else HANDED_ON_S):
                self.watch.fail("Q5 no update is lost", f"{symbol_id}: version {owed[0].version} of {owed[0].at:.3f} s")
        for symbol_id, seen in self.seen.items():
            if symbol_id in wanted:
                self._honest(symbol_id, seen, now)
            else:
                seen.roadless_since = None

    def _honest(self, symbol_id: int, seen: Seen, now: float) -> None:
        watch, label = self.watch, seen.quote.freshness
        market = watch.broker.market
        seen.roadless_since = None if watch.roads.carriers(symbol_id) else seen.roadless_since or now
        if label not in TRUSTED:
            return
        if seen.roadless_since is not None and now - seen.roadless_since > ROAD_S:
            watch.fail("F1 live needs a road", f"{symbol_id} is {label}, without a stream since {seen.roadless_since}")
        if label is not Freshness.LIVE:
            return
        phase = market.phase(now)
        pace = market.pace_s * self.pace_slack
        if self._heard[symbol_id] < PACED:
            pace = max(pace, DEFAULT_THRESHOLDS.unknown_pace_s)
        if phase in EXTENDED:  # where it is not known yet, it is guessed long
            pace = max(pace, DEFAULT_THRESHOLDS.unknown_pace_extended_s)
        window = live_window_s(phase, pace) + OTHER_DELAY_S
        age = now - self._data_at.get(symbol_id, now)
        if age > window:
            watch.fail("F2 live is young", f"{symbol_id} is live, {age:.1f} s after its last data")
        nature = watch.broker.nature
        window += nature.latency_s + nature.jitter_s + (LATE_S if now < self.late_until else 0.0)
        if market.version_at(symbol_id, now - window) > market.last_alike(symbol_id, seen.version):
            watch.fail("F3 live is the newest", f"{symbol_id} is live at version {seen.version}")

    def is_polled(self, symbol_id: int) -> bool:
        """Whether polls bring the symbol."""
        return self.watch.now() - self._data_at.get(symbol_id, float("-inf")) < POLLED_S

    def is_fresh(self, symbol_id: int) -> bool:
        """Whether a client has the newest value of a moment ago, and is told so."""
        seen, market, now = self.seen.get(symbol_id), self.watch.broker.market, self.watch.now()
        if seen is None:
            return False
        version = market.last_alike(symbol_id, seen.version)
        if market.phase(now) is MarketPhase.CLOSED:
            return seen.quote.freshness is Freshness.CLOSED and version == market.version(symbol_id)
        if version < market.version_at(symbol_id, now - OTHER_DELAY_S) or seen.quote.source is not Source.STREAM:
            return False
        if market.is_halted(symbol_id, version):
            return seen.quote.freshness is Freshness.HALTED
        return seen.quote.freshness in TRUSTED

    def behind_s(self, symbol_id: int) -> float | None:
        """For how long what a client has has not been the exchange's newest; None when there is nothing."""
        seen, market = self.seen.get(symbol_id), self.watch.broker.market
        if seen is None:
            return None
        version = market.last_alike(symbol_id, seen.version)
        if version == market.version(symbol_id):
            return 0.0
        return self.watch.now() - market.made_at(symbol_id, version + 1)


def _all_doubtful(owed: Iterable[Owed]) -> bool:
    """Whether all of it may be passed over."""
    return all(each.is_doubtful for each in owed)
