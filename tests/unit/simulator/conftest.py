"""Markets on a fixed day, and the randomness they draw on."""

import random
from collections.abc import Callable

import pytest

from quotewire.market.calendar import hours
from quotewire.simulator.chance import Chance, ChanceFor
from quotewire.simulator.clock import start_time
from quotewire.simulator.market import Market, MarketPlan
from quotewire.simulator.universe import build

MakeMarket = Callable[..., Market]


def chance_for(seed: int) -> ChanceFor:
    def make(key: str) -> Chance:
        return random.Random(f"{seed}:{key}")

    return make


@pytest.fixture
def make_market() -> MakeMarket:
    """A market by start (ISO), seed, number of symbols and rate."""

    def make(
        start: str = "2026-03-03T10:00",
        seed: int = 1,
        symbols: int | None = None,
        rate: float = 50.0,
        halts: float = 0.0,
    ) -> Market:
        plan = MarketPlan(start_time(start, 0.0, hours), rate, halts)
        return Market(build(symbols), plan, chance_for(seed), hours)

    return make
