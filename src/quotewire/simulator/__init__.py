"""A Questrade to run against: login, REST, streams and a market, on loopback, with every fault scriptable.

A product, not a test double: it is the default upstream of `quotewire demo` and what `quotewire simulate` serves.
Bottom to top: `prices` `chance` `listings` `universe` `activity` `instrument` `market` `candles` `options` (the market),
`tokens` `limits` `faults` `ledger` (the broker's books), `errors` `routes` `symbols` `answers` (what REST says): all pure.
`http` `oauth` `rest` `stream` `control` `server` touch the world. Use `Simulator(SimulatorConfig(...))`.
"""
