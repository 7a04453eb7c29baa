"""A market small enough to simulate by the thousand: each symbol is a row of numbered versions, each with its time.

Every field of a quote follows from the symbol and the version, `volume` names the version, so a quote seen anywhere can
be checked for being whole, and placed in the order in which the exchange made it.
"""

import random
from bisect import bisect_right
from datetime import datetime
from typing import Any

from quotewire.market.calendar import TORONTO, MarketPhase, phase_at
from quotewire.market.quote import Quote

EXCHANGE = "NASDAQ"
FIRST_ID = 1001
LOT = 100
WINTER = "-05:00"


class Market:
    """`now` is virtual seconds; `epoch` is what Questrade's clock says at zero (epoch seconds)."""

    def __init__(self, symbols: int, pace_s: float, epoch: float, chance: random.Random) -> None:
        self.ids = tuple(range(FIRST_ID, FIRST_ID + symbols))
        self.epoch = epoch
        self.pace_s = pace_s
        self._chance = chance
        self._times: dict[int, list[float]] = {symbol_id: [0.0] for symbol_id in self.ids}

    def phase(self, now: float) -> MarketPhase:
        """What the exchange is doing."""
        return phase_at(EXCHANGE, datetime.fromtimestamp(self.epoch + now, TORONTO))

    def tick(self, now: float, step_s: float) -> list[int]:
        """The symbols that changed within the last `step_s`."""
        if self.phase(now) is MarketPhase.CLOSED:
            return []
        chance = self._chance.random
        share = min(step_s / self.pace_s, 0.95)
        changed = [symbol_id for symbol_id in self.ids if chance() < share]
        for symbol_id in changed:
            self._times[symbol_id].append(now)
        return changed

    def version(self, symbol_id: int) -> int:
        """The newest version; the first is 0."""
        return len(self._times[symbol_id]) - 1

    def version_at(self, symbol_id: int, at: float) -> int:
        """What the newest version was at a past moment."""
        return max(bisect_right(self._times[symbol_id], at) - 1, 0)

    def made_at(self, symbol_id: int, version: int) -> float:
        """When a version was made."""
        return self._times[symbol_id][version]

    def row(self, symbol_id: int, version: int | None = None) -> dict[str, Any]:
        """A quote object as Questrade writes it, of the newest version or another."""
        number = self.version(symbol_id) if version is None else version
        last = price(symbol_id, number)
        return {
            "symbol": name(symbol_id),
            "symbolId": symbol_id,
            "tier": "",
            "bidPrice": round(last - 0.01, 2),
            "bidSize": number % 50 + 1,
            "askPrice": round(last + 0.01, 2),
            "askSize": 3,
            "lastTradePriceTrHrs": last,
            "lastTradePrice": last,
            "lastTradeSize": LOT,
            "lastTradeTick": "Up",
            "lastTradeTime": self.clock_text(self._times[symbol_id][number]),
            "volume": number * LOT,
            "openPrice": 10,
            "highPrice": 120,
            "lowPrice": 9,
            "delay": 0,
            "isHalted": False,
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


def price(symbol_id: int, version: int) -> float:
    """The last price of a version."""
    return round(20 + symbol_id % 17 + (version * 7 % 1000) * 0.01, 2)


def version_of(quote: Quote) -> int | None:
    """Which version a quote is; None when its fields do not belong together."""
    if quote.volume is None or quote.volume % LOT:
        return None
    version = quote.volume // LOT
    last = price(quote.symbol_id, version)
    whole = quote.last_trade_price == last == quote.vwap and quote.bid_price == round(last - 0.01, 2)
    return version if whole and quote.bid_size == version % 50 + 1 and quote.symbol == name(quote.symbol_id) else None


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
