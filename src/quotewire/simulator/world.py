"""What REST answers and sockets look at: market, names, tokens, books. One value, owned by the Simulator. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quotewire.simulator.candles import CandleMaker
from quotewire.simulator.clock import TorontoText
from quotewire.simulator.config import SimulatorConfig
from quotewire.simulator.faults import FaultBook, FaultError
from quotewire.simulator.ledger import Ledger
from quotewire.simulator.limits import Limiter
from quotewire.simulator.market import Market
from quotewire.simulator.options import Contract
from quotewire.simulator.subscriptions import Subscriptions
from quotewire.simulator.tokens import TokenDesk
from quotewire.simulator.universe import Universe


@dataclass(slots=True)
class World:
    """Everything that is simulated. `market_now` is simulated, `real_now` and `monotonic` are the machine's."""

    config: SimulatorConfig
    universe: Universe
    market: Market
    candles: CandleMaker
    contracts: list[Contract]
    desk: TokenDesk
    limiter: Limiter
    faults: FaultBook
    ledger: Ledger
    subscriptions: Subscriptions
    market_now: Callable[[], float]
    real_now: Callable[[], float]
    monotonic: Callable[[], float]
    text: TorontoText = field(default_factory=TorontoText)
    orders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    executions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    last_rest: dict[str, float] = field(default_factory=dict)  # person -> monotonic time of the last REST call

    def ids(self, names: list[Any]) -> frozenset[int]:
        """Ids for a fault's `symbols`: names or ids. Raises FaultError naming the one that does not exist."""
        found = set()
        for name in names:
            listing = self.universe.by_id.get(name) if isinstance(name, int) else self.universe.by_symbol.get(str(name))
            if listing is None or self.market.instrument(listing.symbol_id) is None:
                raise FaultError(f"there is no moving symbol {name!r} in this simulation")
            found.add(listing.symbol_id)
        return frozenset(found)

    def account_number(self, person: str) -> str:
        """A person's one account: eight digits, the same every time."""
        return str(26_000_000 + (sorted(self.config.persons).index(person) + 1) * 1_117)
