"""The ledger: bounded, counted, ready for JSON."""

from collections.abc import Callable

import msgspec

from quotewire.simulator.ledger import RECENT, Ledger
from quotewire.simulator.market import Market
from quotewire.simulator.rows import Change


def test_lists_are_bounded_and_counts_are_not() -> None:
    ledger = Ledger()
    for index in range(RECENT + 10):
        ledger.call(float(index), "alice", "GET", f"symbols/{index}", "symbols/{id}", 200, None, None)
        ledger.stream(float(index), "opened", index, None, "quotes")
        ledger.token_use(float(index), None, "secret-token", "unknown", "GET")
    report = ledger.report()
    assert len(report["calls"]["recent"]) == len(report["streams"]["log"]) == len(report["tokens"]["uses"]) == RECENT
    assert report["calls"]["byPath"] == {"symbols/{id}": RECENT + 10}
    assert report["streams"]["opened"] == {"quotes": RECENT + 10}
    assert b"secret-token" not in msgspec.json.encode(report)


def test_quotes_are_counted_always_and_kept_on_request(make_market: Callable[..., Market]) -> None:
    row = make_market(symbols=1).row(8049)
    assert row is not None
    ledger = Ledger()
    ledger.frame("alice", [Change(1.0, row)])
    assert ledger.report()["quotes"]["record"] == {}
    ledger.recording(True)
    ledger.frame("alice", [Change(2.0, row)])
    report = ledger.report()
    assert report["quotes"]["sent"] == {"alice": {"8049": 2}}
    assert report["quotes"]["record"] == {
        "alice": [(8049, row.volume, row.bid_price, row.ask_price, row.last_trade_price, 2.0)]
    }
    ledger.recording(False)
    assert len(ledger.report()["quotes"]["record"]["alice"]) == 1, "stopping keeps what there is"
    ledger.recording(True)
    assert ledger.report()["quotes"]["record"] == {}
