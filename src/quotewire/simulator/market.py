"""The market: every symbol's changes in one order of time. Pure and deterministic.

The same seed (behind `chance_for`), start and list give the same changes, however `advance` is cut into steps: each
symbol draws from a chance of its own, and one heap orders all.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quotewire.market.calendar import MarketPhase
from quotewire.simulator.activity import Sessions
from quotewire.simulator.chance import ChanceFor, below
from quotewire.simulator.clock import HoursOf, TorontoText
from quotewire.simulator.instrument import Instrument
from quotewire.simulator.rows import Change, QuoteRow
from quotewire.simulator.sizes import LEVEL_SECONDS_A_DAY
from quotewire.simulator.universe import Listing, Universe

WEIGHT_POWER: Final = 0.6  # activity grows with average volume to this power (invented)
BURST_EVERY_S: Final = 90.0  # the whole list at once, on average, at mid-day (invented)
BURST_SHARE: Final = 0.8
HALT_SHORTEST_S: Final = 300.0
BARS_FOR: Final = 1000  # minute bars are kept for this many symbols; candles of the others are made up
INDEX_CALENDAR: Final = {"TSXI": "TSX", "SNP": "NYSE"}
MARKET: Final = "market"

Action = Callable[[float], list[Change]]


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What kind of market: mean updates per second of the whole list at mid-day, and halts per day."""

    start: float
    rate: float
    halts_per_day: float = 2.0


class Market:
    """All instruments and the queue of what happens next."""

    def __init__(self, universe: Universe, plan: MarketPlan, chance_for: ChanceFor, hours_of: HoursOf) -> None:
        self.now = plan.start
        self.changes = 0
        self._chance = chance_for(MARKET)
        self._text = TorontoText()
        self._sessions: dict[str, Sessions] = {}
        self._hours_of = hours_of
        self._instruments: list[Instrument] = []
        self._queue: list[tuple[float, int, Action]] = []
        self._ticket = 0
        rates = _rates(universe.listings, plan.rate)
        for index, listing in enumerate(universe.listings):
            sessions = self.sessions(listing.exchange)
            chance = chance_for(listing.symbol)
            self._add(Instrument(listing, sessions, chance, rates[index], self._text, index < BARS_FOR))
        self._by_id = {each.listing.symbol_id: each for each in self._instruments}
        self._busy = [each for each in self._instruments if each.rate > 0.02 and not each.listing.is_index]
        self._halts_per_day = plan.halts_per_day
        self._plan_burst(plan.start)
        self._plan_halt(plan.start)

    def sessions(self, exchange: str) -> Sessions:
        """The sessions of an exchange."""
        if exchange not in self._sessions:
            self._sessions[exchange] = Sessions(INDEX_CALENDAR.get(exchange, exchange), self._hours_of)
        return self._sessions[exchange]

    def advance(self, to: float, limit: int = 100_000) -> list[Change]:
        """Everything that changes up to and including `to`, in order; stops early after `limit` changes."""
        out: list[Change] = []
        queue = self._queue
        while queue and queue[0][0] <= to and len(out) < limit:
            at, _, action = heapq.heappop(queue)
            self.now = at
            out += action(at)
        if len(out) < limit:
            self.now = max(self.now, to)
        self.changes += len(out)
        return out

    def instrument(self, symbol_id: int) -> Instrument | None:
        """The instrument with an id, if it is one that moves."""
        return self._by_id.get(symbol_id)

    def row(self, symbol_id: int) -> QuoteRow | None:
        """The quote of an id now."""
        instrument = self._by_id.get(symbol_id)
        return None if instrument is None else instrument.row

    def halt(self, symbol_id: int, owner: str) -> list[Change]:
        """Halt a symbol now. Empty when it is halted already. Raises KeyError for an unknown id."""
        return _some(self._by_id[symbol_id].halt(self.now, owner))

    def resume(self, symbol_id: int, owner: str) -> list[Change]:
        """Resume a symbol that `owner` halted. Raises KeyError for an unknown id."""
        return _some(self._by_id[symbol_id].resume(self.now, owner))

    def burst(self, symbol_ids: frozenset[int] | None = None) -> list[Change]:
        """One change of every symbol (or of these) at this very moment; the closed and the halted stay as they are."""
        wanted = self._instruments if symbol_ids is None else [self._by_id[each] for each in sorted(symbol_ids)]
        return self._burst_of(wanted, self.now)

    # -- what happens next

    def _add(self, instrument: Instrument) -> None:
        instrument.begin(self.now)
        self._instruments.append(instrument)
        if instrument.rate <= 0:
            return

        def tick(at: float) -> list[Change]:
            change = instrument.change(at)
            self._push(instrument.next_at(at), tick)
            return _some(change)

        self._push(instrument.next_at(self.now), tick)

    def _push(self, at: float, action: Action) -> None:
        self._ticket += 1  # keeps equal times in the order they were planned
        heapq.heappush(self._queue, (at, self._ticket, action))

    def _plan_burst(self, after: float) -> None:
        def burst(at: float) -> list[Change]:
            self._plan_burst(at)
            chosen = [each for each in self._busy if self._chance.random() < BURST_SHARE]
            return self._burst_of(chosen, at)

        work = self._chance.expovariate(1.0)
        self._push(self.sessions("NASDAQ").after(after, work, 1 / BURST_EVERY_S), burst)

    def _plan_halt(self, after: float) -> None:
        if self._halts_per_day <= 0 or not self._busy:
            return

        def halt(at: float) -> list[Change]:
            self._plan_halt(at)
            chosen = self._busy[below(self._chance, len(self._busy))]
            length = HALT_SHORTEST_S + self._chance.expovariate(1 / HALT_SHORTEST_S)
            if chosen.sessions.phase(at) is not MarketPhase.REGULAR:
                return []
            self._push(at + length, lambda then: _some(chosen.resume(then, MARKET)))
            return _some(chosen.halt(at, MARKET))

        work = self._chance.expovariate(1.0)
        self._push(self.sessions("NASDAQ").after(after, work, self._halts_per_day / LEVEL_SECONDS_A_DAY), halt)

    def _burst_of(self, instruments: list[Instrument], at: float) -> list[Change]:
        out: list[Change] = []
        for each in instruments:
            if each.rate > 0 and each.sessions.phase(at) is MarketPhase.REGULAR:
                out += _some(each.change(at))
        return out


def _some(change: Change | None) -> list[Change]:
    return [] if change is None else [change]


def _rates(listings: tuple[Listing, ...], total: float) -> list[float]:
    weights = [each.average_volume**WEIGHT_POWER if each.price else 0.0 for each in listings]
    whole = sum(weights)
    return [total * weight / whole if whole else 0.0 for weight in weights]
