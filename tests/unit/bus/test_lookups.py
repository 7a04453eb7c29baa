"""Look-ups a node remembers."""

from quotewire.bus.lookups import Lookups
from quotewire.bus.questions import Found
from quotewire.market.symbol import Symbol

AAPL = Found("AAPL", Symbol(symbol="AAPL", symbol_id=8049))


def test_what_was_found_is_known_for_a_while() -> None:
    lookups = Lookups(keep_s=10.0)
    lookups.learn([AAPL], 100.0)
    assert lookups.recall(["AAPL", "MSFT"], 109.9) == {"AAPL": AAPL}
    assert lookups.recall(["AAPL"], 110.0) == {}


def test_what_was_not_found_is_asked_for_again() -> None:
    lookups = Lookups()
    lookups.learn([Found("NO.SUCH", None, reason="unknown")], 0.0)
    assert lookups.recall(["NO.SUCH"], 1.0) == {}


def test_the_oldest_goes_when_full() -> None:
    lookups = Lookups(most=2)
    for number in (1, 2, 1, 3):
        lookups.learn([Found(number, AAPL.symbol)], 0.0)
    assert set(lookups.recall([1, 2, 3], 1.0)) == {1, 3}
    lookups.clear()
    assert len(lookups) == 0
