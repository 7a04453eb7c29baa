"""A market small enough to simulate by the thousand: each symbol is a row of numbered versions, each with its time.

Every field of a quote follows from the symbol and what the version holds, so a quote seen anywhere can be checked for
being whole, and placed in the order in which the exchange made it. `volume` counts trades. Where bids flicker, versions
between two trades look alike in turns, as they do in truth: then a quote may be any of several versions.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from quotewire.market.calendar import TORONTO, MarketPhase, phase_at
from quotewire.market.quote import Quote

EXCHANGE: Final = "NASDAQ"
FIRST_ID: Final = 1001
LOT: Final = 100
DAY: Final = datetime(2026, 3, 3, tzinfo=TORONTO).timestamp()


def toronto(of_day_s: float) -> datetime:
    """A moment of the day of the simulation, or of one after it."""
    return datetime.fromtimestamp(DAY + of_day_s, TORONTO)


@dataclass(frozen=True, slots=True)
class Content:
    """What a version holds: how many trades there were, which of two bids, and whether the symbol is halted."""

    trades: int
    bid: int = 0
    halted: bool = False


class Market:
    """`now` is virtual seconds; `epoch` is what Questrade's clock says at zero (epoch seconds)."""

    def __init__(
        self, symbols: int, pace_s: float, epoch: float, chance: random.Random, *, flicker: float = 0.0
    ) -> None:
        self.ids = tuple(range(FIRST_ID, FIRST_ID + symbols))
        self.epoch = epoch
        self.pace_s = pace_s
        self.halted: set[int] = set()
        self._flicker = flicker
        self._chance = chance
        self._times: dict[int, list[float]] = {symbol_id: [0.0] for symbol_id in self.ids}
        self._contents: dict[int, list[Content]] = {symbol_id: [Content(0)] for symbol_id in self.ids}
        self._traded_at: dict[int, list[float]] = {symbol_id: [0.0] for symbol_id in self.ids}
        self._alike: dict[tuple[int, Content], list[int]] = {(each, Content(0)): [0] for each in self.ids}
        self._phased_at = float("-inf")
        self._phase = MarketPhase.CLOSED
        self._turned: set[int] = set()  # halted, or no more, since the last tick

    def phase(self, now: float) -> MarketPhase:
        """What the exchange is doing."""
        if now != self._phased_at:
            self._phased_at = now
            self._phase = phase_at(EXCHANGE, datetime.fromtimestamp(self.epoch + now, TORONTO))
        return self._phase

    def tick(self, now: float, step_s: float) -> list[int]:
        """The symbols that changed within the last `step_s`."""
        if self.phase(now) is MarketPhase.CLOSED:
            return []
        chance = self._chance.random
        share = min(step_s / self.pace_s, 0.95)
        changed = [symbol_id for symbol_id in self.ids if chance() < share and symbol_id not in self.halted]
        for symbol_id in changed:
            self._change(symbol_id, now)
        changed += [symbol_id for symbol_id in self._turned if symbol_id not in changed]
        self._turned.clear()
        return changed

    def halt(self, symbol_id: int, now: float, *, halted: bool) -> None:
        """Halt a symbol, or let it trade again; streams tell at the next tick."""
        if halted is (symbol_id in self.halted) or self.phase(now) is MarketPhase.CLOSED:
            return
        (self.halted.add if halted else self.halted.discard)(symbol_id)
        last = self._contents[symbol_id][-1]
        self._add(symbol_id, Content(last.trades, last.bid, halted), now)
        self._turned.add(symbol_id)

    def _change(self, symbol_id: int, now: float) -> None:
        last = self._contents[symbol_id][-1]
        if self._flicker and self._chance.random() < self._flicker:
            self._add(symbol_id, Content(last.trades, 1 - last.bid), now)
        else:
            self._traded_at[symbol_id].append(now)
            self._add(symbol_id, Content(last.trades + 1), now)

    def _add(self, symbol_id: int, content: Content, now: float) -> None:
        self._times[symbol_id].append(now)
        self._contents[symbol_id].append(content)
        self._alike.setdefault((symbol_id, content), []).append(self.version(symbol_id))

    def version(self, symbol_id: int) -> int:
        """The newest version; the first is 0."""
        return len(self._times[symbol_id]) - 1

    def version_at(self, symbol_id: int, at: float) -> int:
        """What the newest version was at a past moment."""
        return max(bisect_right(self._times[symbol_id], at) - 1, 0)

    def made_at(self, symbol_id: int, version: int) -> float:
        """When a version was made."""
        return self._times[symbol_id][version]

    def is_alike(self, symbol_id: int, one: int, other: int) -> bool:
        """Whether two versions hold the same."""
        return self._contents[symbol_id][one] == self._contents[symbol_id][other]

    def is_same_trade(self, symbol_id: int, one: int, other: int) -> bool:
        """Whether nobody traded in between."""
        return self._contents[symbol_id][one].trades == self._contents[symbol_id][other].trades

    def first_alike(self, symbol_id: int, version: int) -> int:
        """The oldest version that holds the same."""
        return self._alike[symbol_id, self._contents[symbol_id][version]][0]

    def last_alike(self, symbol_id: int, version: int) -> int:
        """The newest version that holds the same."""
        return self._alike[symbol_id, self._contents[symbol_id][version]][-1]

    def is_halted(self, symbol_id: int, version: int) -> bool:
        """Whether the symbol was halted then."""
        return self._contents[symbol_id][version].halted

    def versions_of(self, quote: Quote) -> Sequence[int]:
        """Which versions a quote may be, oldest first; none when its fields do not belong together."""
        if quote.volume is None or quote.volume % LOT or quote.bid_size is None:
            return ()
        trades = quote.volume // LOT
        content = Content(trades, quote.bid_size - trades % 50 - 1, quote.is_halted)
        versions = self._alike.get((quote.symbol_id, content), ())
        last = price(quote.symbol_id, trades)
        whole = quote.last_trade_price == last == quote.vwap and quote.symbol == name(quote.symbol_id)
        return versions if whole and quote.bid_price == bid(last, content) else ()

    def row(self, symbol_id: int, version: int | None = None) -> dict[str, Any]:
        """A quote object as Questrade writes it, of the newest version or another."""
        number = self.version(symbol_id) if version is None else version
        content = self._contents[symbol_id][number]
        last = price(symbol_id, content.trades)
        return {
            "symbol": name(symbol_id),
            "symbolId": symbol_id,
            "tier": "",
            "bidPrice": bid(last, content),
            "bidSize": content.trades % 50 + 1 + content.bid,
            "askPrice": round(last + 0.01, 2),
            "askSize": 3,
            "lastTradePriceTrHrs": last,
            "lastTradePrice": last,
            "lastTradeSize": LOT,
            "lastTradeTick": "Up",
            "lastTradeTime": self.clock_text(self._traded_at[symbol_id][content.trades]),
            "volume": content.trades * LOT,
            "openPrice": 10,
            "highPrice": 120,
            "lowPrice": 9,
            "delay": 0,
            "isHalted": content.halted,
            "high52w": 120,
            "low52w": 9,
            "VWAP": last,
        }

    def clock_text(self, now: float) -> str:
        """Questrade's clock as it writes it."""
        return datetime.fromtimestamp(self.epoch + now, TORONTO).isoformat(timespec="microseconds")


def name(symbol_id: int) -> str:
    """The symbol's name."""
    return f"SYM{symbol_id}"


def price(symbol_id: int, trades: int) -> float:
    """The last price after so many trades."""
    return round(20 + symbol_id % 17 + (trades * 7 % 1000) * 0.01, 2)


def bid(last: float, content: Content) -> float:
    """The bid that goes with a last price."""
    return round(last - 0.01 - 0.01 * content.bid, 2)


def symbol_row(symbol_id: int) -> dict[str, Any]:
    """A row of `symbols`."""
    return {
        "symbol": name(symbol_id),
        "symbolId": symbol_id,
        "prevDayClosePrice": 20,
        "description": f"Simulated {symbol_id}",
        "securityType": "Stock",
        "listingExchange": EXCHANGE,
        "isTradable": True,
        "isQuotable": True,
        "hasOptions": False,
        "currency": "USD",
        "minTicks": [{"pivot": 0, "minTick": 0.0001}, {"pivot": 1, "minTick": 0.01}],
    }
