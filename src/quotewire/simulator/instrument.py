"""One symbol's life: its book, its trades, its day. Pure: chance and time come in.

Every change differs from the one before in at least one field, and within a trading day `volume` never falls and grows
with each trade, so that what was sent can be compared with what was received.
"""

import math
from dataclasses import dataclass
from typing import Final

from quotewire.market.calendar import MarketPhase
from quotewire.simulator.activity import Day, Sessions, share_done
from quotewire.simulator.chance import Chance, below
from quotewire.simulator.clock import TorontoText, midnight
from quotewire.simulator.prices import UNITS, number, on_grid, tick_at, tidy
from quotewire.simulator.rows import Change, QuoteRow
from quotewire.simulator.sizes import BOOK_LOTS, extra_volume_mean, trade_size
from quotewire.simulator.universe import Listing

TRADE_SHARE: Final = 0.35  # of a symbol's updates; the rest move the book (invented)
INSIDE_SHARE: Final = 0.12  # of trades, between bid and ask
BURST_CHANCE: Final = 0.004
BURST_SPEED: Final = 25.0
BURST_MEAN: Final = 20
BURST_INFLATION: Final = 1 + BURST_CHANCE * BURST_MEAN
CALM_DRIFT_S: Final = 600.0  # a quiet symbol's price does not run away during its silence
PULL: Final = 2e-5  # per second, back to the day's reference price, so that long runs stay plausible
SECONDS_A_DAY: Final = 23_400.0


@dataclass(slots=True)
class Bar:
    """One minute of trading; prices in units, `notional` in units times shares."""

    open: int
    high: int
    low: int
    close: int
    volume: int
    notional: int


class Instrument:
    """A symbol that moves. `rate` is its updates per second at mid-day."""

    def __init__(
        self, listing: Listing, sessions: Sessions, chance: Chance, rate: float, text: TorontoText, keep_bars: bool
    ) -> None:
        self.listing = listing
        self.sessions = sessions
        self.rate = rate / BURST_INFLATION
        self.bars: dict[int, Bar] = {}  # minute since 1970 -> bar, the current day only
        self._keep_bars = keep_bars
        self._chance = chance
        self._text = text
        self._sigma = (0.012 + 0.03 / (1 + listing.price / UNITS)) / math.sqrt(SECONDS_A_DAY)
        self._extra_mean = extra_volume_mean(listing.average_volume, self.rate * TRADE_SHARE)
        self._spread = 1 + int(4 / (1 + listing.average_volume / 400_000)) + listing.price // (400 * UNITS)
        self._fair = float(listing.price)
        self._at = 0.0
        self._burst_left = 0
        self._halt: str | None = None
        self.previous_close = listing.price
        self.high52 = on_grid(listing.ticks, listing.price * (1.05 + 0.35 * chance.random()))
        self.low52 = on_grid(listing.ticks, listing.price * (0.6 + 0.32 * chance.random()))
        self.bid = self.ask = self.bid_size = self.ask_size = 0
        self.last = self.last_regular = self.last_size = 0
        self.open = self.high = self.low = 0
        self.volume = self.regular_volume = self.notional = 0
        self.tick: str | None = None
        self.traded_at: str | None = None

    @property
    def never_trades(self) -> bool:
        """An option nobody has traded: nulls and zeros, for ever."""
        return self.listing.price == 0

    @property
    def halted(self) -> bool:
        """Trading is halted."""
        return self._halt is not None

    def begin(self, when: float) -> None:
        """Set up the day so far, as it might have gone until `when`."""
        self.day = self.sessions.latest_day(when)
        self._at = self.began = when
        if self.never_trades:
            self.traded_at = self._text(midnight(self.day.date))
        else:
            self._invent_day(self.day, when)
            self._quote(when)
        self.began_bar = self.today()
        self.row = self._row()

    def today(self) -> Bar:
        """The regular session so far as one bar."""
        return Bar(self.open, self.high, self.low, self.last_regular, self.regular_volume, self.notional)

    def next_at(self, when: float) -> float:
        """When this symbol changes next, after `when`. Draws from its chance: ask once per event."""
        work = self._chance.expovariate(1.0)
        if self._burst_left > 0:
            self._burst_left -= 1
            work /= BURST_SPEED
        elif self._chance.random() < BURST_CHANCE:
            self._burst_left = int(self._chance.expovariate(1 / BURST_MEAN))
        return self.sessions.after(when, work, self.rate)

    def change(self, when: float) -> Change | None:
        """The symbol's next change; None while it is halted."""
        if self._halt is not None:
            return None
        phase = self.sessions.segment(when).phase
        if when >= self.day.extended_end:
            self._roll(when)
        self._drift(when)
        opening = phase is MarketPhase.REGULAR and self.open == 0
        if opening or self.listing.is_index or self._chance.random() < TRADE_SHARE:
            self._trade(when, phase, opening)
        else:
            self._requote(phase)
        return self._publish(when)

    def halt(self, when: float, owner: str) -> Change | None:
        """Trading stops. `owner` alone can resume it. None when it is halted already."""
        if self._halt is not None:
            return None
        self._halt = owner
        return self._publish(when)

    def resume(self, when: float, owner: str) -> Change | None:
        """Trading goes on, if `owner` halted it."""
        if self._halt != owner:
            return None
        self._halt = None
        self._at = when
        return self._publish(when)

    # -- the moves

    def _drift(self, when: float) -> None:
        elapsed = min(when - self._at, CALM_DRIFT_S)
        self._at = when
        shock = self._sigma * math.sqrt(elapsed) * self._chance.gauss(0.0, 1.0)
        self._fair *= math.exp(shock)
        self._fair += (self.previous_close - self._fair) * min(1.0, PULL * elapsed)

    def _requote(self, phase: MarketPhase) -> None:
        before = (self.bid, self.ask, self.bid_size, self.ask_size)
        self._set_book(phase)
        if before == (self.bid, self.ask, self.bid_size, self.ask_size):
            self.bid_size = self.bid_size % BOOK_LOTS + 1

    def _set_book(self, phase: MarketPhase) -> None:
        if self.listing.is_index:
            return
        ticks = self.listing.ticks
        draw = self._chance.random()
        wide = self._spread + (0 if draw < 0.7 else 1 if draw < 0.92 else 2)
        if phase is not MarketPhase.REGULAR:
            wide *= 3
        tick = tick_at(ticks, self._fair)
        self.bid = on_grid(ticks, self._fair - wide * tick / 2)
        self.ask = max(on_grid(ticks, self.bid + wide * tick), self.bid + tick_at(ticks, self.bid))
        if draw < 0.5:
            self.bid_size = 1 + below(self._chance, BOOK_LOTS)
        else:
            self.ask_size = 1 + below(self._chance, BOOK_LOTS)

    def _trade(self, when: float, phase: MarketPhase, opening: bool) -> None:
        price = self._trade_price(opening)
        size = trade_size(self._chance, self.listing, price)
        done = size + int(self._chance.expovariate(1.0) * self._extra_mean)
        if opening:
            size = done = done + self.listing.average_volume // 100 // 100 * 100
            self.open = price
        self.tick = "Up" if price > self.last else "Down" if price < self.last else "Equal"
        self.last, self.last_size = price, size
        self.traded_at = self._text(when)
        self.volume += done
        if phase is MarketPhase.REGULAR:
            self._count_regular(price, done)
        self._record_bar(when, price, done)
        if self._chance.random() < 0.5 or self.bid == 0:
            self._set_book(phase)

    def _trade_price(self, opening: bool) -> int:
        if opening or self.listing.is_index or self.bid == 0:
            return on_grid(self.listing.ticks, self._fair)
        draw = self._chance.random()
        if draw < INSIDE_SHARE:
            return on_grid(self.listing.ticks, (self.bid + self.ask) / 2)
        return self.ask if draw < (1 + INSIDE_SHARE) / 2 else self.bid

    def _count_regular(self, price: int, shares: int) -> None:
        self.last_regular = price
        self.high = max(self.high, price)
        self.low = min(self.low or price, price)
        self.high52, self.low52 = max(self.high52, price), min(self.low52, price)
        self.regular_volume += shares
        self.notional += shares * price

    def _record_bar(self, when: float, price: int, shares: int) -> None:
        if not self._keep_bars:
            return
        minute = int(when // 60)
        bar = self.bars.get(minute)
        if bar is None:
            self.bars[minute] = Bar(price, price, price, price, shares, shares * price)
            return
        bar.high, bar.low, bar.close = max(bar.high, price), min(bar.low, price), price
        bar.volume += shares
        bar.notional += shares * price

    # -- the day

    def _roll(self, when: float) -> None:
        """A new trading day: yesterday's regular close is the reference, the counts start again."""
        self.day = self.sessions.latest_day(when)
        self.previous_close = self.last_regular or self.last
        self.began = self.day.extended_start
        self.open = self.high = self.low = 0
        self.volume = self.regular_volume = self.notional = 0
        self.bars.clear()

    def _invent_day(self, day: Day, when: float) -> None:
        chance, ticks, listing = self._chance, self.listing.ticks, self.listing
        self.previous_close = on_grid(ticks, listing.price * math.exp(0.006 * chance.gauss(0.0, 1.0)))
        self._fair = self.previous_close * math.exp(0.002 * chance.gauss(0.0, 1.0))
        self.last = self.last_regular = self.previous_close
        self.tick, self.last_size = "Equal", 100
        done = share_done(day, when)
        if done == 0:
            self.volume = below(chance, 1 + listing.average_volume // 500)
            self.traded_at = self._text(when if self.volume else self.sessions.previous_day(day.date).end - 1)
            return
        opened = on_grid(ticks, self._fair)
        self._fair *= math.exp(self._sigma * math.sqrt(done * SECONDS_A_DAY) * chance.gauss(0.0, 1.0))
        last = on_grid(ticks, self._fair)
        swing = self._sigma * math.sqrt(done * SECONDS_A_DAY) * 0.6
        high = on_grid(ticks, max(opened, last) * (1 + swing * abs(chance.gauss(0.0, 1.0))))
        low = on_grid(ticks, min(opened, last) * (1 - swing * abs(chance.gauss(0.0, 1.0))))
        self.open, self.last, self.last_regular = opened, last, last
        self.high, self.low = max(high, opened, last), min(low, opened, last)
        self.high52, self.low52 = max(self.high52, self.high), min(self.low52, self.low)
        self.volume = self.regular_volume = 100 + int(listing.average_volume * done * (0.7 + 0.6 * chance.random()))
        middle = (opened + last + self.high + self.low) / 4
        self.notional = int(self.regular_volume * middle)
        ended = min(when, day.extended_end)
        self.traded_at = self._text(ended - min(30.0, chance.expovariate(max(self.rate * TRADE_SHARE, 0.01))))

    def _quote(self, when: float) -> None:
        self.bid_size = 1 + below(self._chance, BOOK_LOTS)
        self.ask_size = 1 + below(self._chance, BOOK_LOTS)
        self._set_book(self.sessions.phase(when))
        if self.listing.is_index:
            self.bid_size = self.ask_size = 0

    # -- what is seen

    def _publish(self, when: float) -> Change:
        self.row = self._row()
        return Change(when, self.row)

    def _row(self) -> QuoteRow:
        return QuoteRow(
            self.listing.symbol,
            self.listing.symbol_id,
            "",
            number(self.bid) if self.bid else None,
            self.bid_size,
            number(self.ask) if self.ask else None,
            self.ask_size,
            number(self.last_regular) if self.last_regular else None,
            number(self.last) if self.last else None,
            self.last_size,
            self.tick,
            self.traded_at,
            self.volume,
            number(self.open),
            number(self.high),
            number(self.low),
            0,
            self._halt is not None,
            number(self.high52) if self.last else None,
            number(self.low52) if self.last else None,
            tidy(self.notional / self.regular_volume / UNITS, 6) if self.regular_volume else 0,
        )
