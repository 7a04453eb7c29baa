"""A Questrade to run against: login, REST, streams and a market, on loopback, with every fault scriptable.

A product, not a test double: it is the default upstream of `quotewire demo` and what `quotewire simulate` serves.
Bottom to top. Pure:
- the market: `prices` `chance` `clock` `listings` `universe` `activity` `sizes` `instrument` `market` `candles`;
- the books: `config` `tokens` `limits` `subscriptions` `faults` `faultlist` `ledger` `world`;
- what REST says: `refusals` `arguments` `symbols` `options` `venues` `present` `call` `accounts` `answers` `notices`
  `routes` `describe`.
Touching the world: `ports` `http` `oauth` `rest` `sockets` `hub` `stream` `network` `acts` `control` `server`.
"""

from quotewire.simulator.config import SimulatorConfig
from quotewire.simulator.server import Simulator

__all__ = ["Simulator", "SimulatorConfig"]
