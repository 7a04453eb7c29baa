"""How many shares: sizes in the book, sizes of trades, and the volume between two updates. Pure; all invented."""

from typing import Final

from quotewire.simulator.chance import Chance, below
from quotewire.simulator.prices import UNITS
from quotewire.simulator.universe import CANADIAN, Listing

BOOK_LOTS: Final = 60
MEAN_TRADE: Final = 250
LEVEL_SECONDS_A_DAY: Final = 27_600.0  # the integral of the activity level over a regular session


def board_lot(listing: Listing, price: int) -> int:
    """Shares in a round lot. Canada: 100 from a dollar up, 500 from ten cents, 1000 below."""
    if listing.option is not None:
        return 1
    if listing.exchange not in CANADIAN or price >= UNITS:
        return 100
    return 500 if price >= UNITS // 10 else 1000


def trade_size(chance: Chance, listing: Listing, price: int) -> int:
    """Shares of one trade: mostly a few round lots, some odd lots, now and then a block."""
    lot = board_lot(listing, price)
    draw = chance.random()
    if draw < 0.72 or lot == 1:
        return lot * (1 + below(chance, 5))
    return lot * (10 + below(chance, 90)) if draw > 0.97 else 1 + below(chance, lot - 1)


def extra_volume_mean(average_volume: int, trades_per_second: float) -> float:
    """Shares traded between two updates, on average, so that the day comes near the symbol's average volume."""
    trades = trades_per_second * LEVEL_SECONDS_A_DAY
    return max(0.0, average_volume / trades - MEAN_TRADE) if trades > 0 else 0.0
