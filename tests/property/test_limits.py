"""Whatever comes in whatever order: no share is ever exceeded, nothing is counted twice, and all is given back."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quotewire.edge.limits import Limiter, Seat
from quotewire.resilience.accounts import Allowance, Limits, Rate

NAMES = st.sampled_from(["a", "b", "c"])
CONNECTIONS, SYMBOLS = 3, 20
HANDSHAKES, COMMANDS, NAMED, TOKENS = Rate(2, 6.0), Rate(5, 10.0), Rate(10, 40.0), Rate(1, 2.0)


class Shares(RuleBasedStateMachine):
    """A limiter beside a plain count of what it let through."""

    @initialize(capacity=st.integers(1, 4))
    def begin(self, capacity: int) -> None:
        allowance = Allowance(CONNECTIONS, SYMBOLS, HANDSHAKES, COMMANDS, NAMED, TOKENS, TOKENS)
        self.limiter = Limiter(Limits(allowance, allowance), capacity=capacity)
        self.now = 0.0
        self.seats: list[tuple[Seat, str, str | None]] = []
        self.symbols: dict[int, int] = {}
        self.granted: dict[str, list[float]] = {}

    @rule(seconds=st.floats(-1.0, 5.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(address=NAMES)
    def opens(self, address: str) -> None:
        judged = self.limiter.enter(address, self.now)
        if isinstance(judged, Seat):
            self.seats.append((judged, address, None))
            self.symbols[id(judged)] = 0
        else:
            assert judged.retry_after_s > 0

    @precondition(lambda self: self.seats)
    @rule(data=st.data(), key=NAMES)
    def shows_a_key(self, data: st.DataObject, key: str) -> None:
        index = data.draw(st.integers(0, len(self.seats) - 1))
        judged, address, known = self.seats[index]
        if known is None and self.symbols[id(judged)] == 0 and judged.identify(key, self.now) is None:
            self.seats[index] = (judged, address, key)

    @precondition(lambda self: self.seats)
    @rule(data=st.data(), total=st.integers(0, SYMBOLS + 2))
    def wants(self, data: st.DataObject, total: int) -> None:
        judged, _, _ = data.draw(st.sampled_from(self.seats))
        before = self.symbols[id(judged)]
        refused = judged.claim(total)
        assert refused is None or total > before
        if refused is None:
            self.symbols[id(judged)] = total

    @precondition(lambda self: self.seats)
    @rule(data=st.data(), count=st.integers(1, 15))
    def sends(self, data: st.DataObject, count: int) -> None:
        judged, address, _ = data.draw(st.sampled_from(self.seats))
        passed = sum(judged.command(self.now) is None for _ in range(count))
        assert passed <= COMMANDS.burst
        self.granted.setdefault(address, []).extend([self.now] * passed)

    @precondition(lambda self: self.seats)
    @rule(data=st.data(), counts=st.lists(st.integers(1, 50), max_size=5))
    def names_symbols(self, data: st.DataObject, counts: list[int]) -> None:
        judged, _, _ = data.draw(st.sampled_from(self.seats))
        passed = [count for count in counts if judged.command(self.now, count) is None]
        assert sum(passed) <= NAMED.burst

    @precondition(lambda self: self.seats)
    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.seats) - 1))
        judged, _, _ = self.seats.pop(index)
        del self.symbols[id(judged)]
        judged.leave()

    @rule()
    def sweeps(self) -> None:
        self.limiter.sweep(self.now)

    @invariant()
    def nobody_has_more_than_their_share(self) -> None:
        if not hasattr(self, "limiter"):
            return
        of_address = Counter(address for _, address, _ in self.seats)
        of_key = Counter(key for _, _, key in self.seats if key is not None)
        assert max([*of_address.values(), *of_key.values(), 0]) <= CONNECTIONS
        assert self.limiter.seats == len(self.seats)
        for scope, owner in ((1, self.limiter.addresses), (2, self.limiter.keys)):
            for name, account in owner._by_name.items():
                mine = [seat for seat in self.seats if seat[scope] == name]
                assert account.connections == len(mine)
                assert account.symbols == sum(self.symbols[id(seat[0])] for seat in mine) <= SYMBOLS

    def teardown(self) -> None:
        if not hasattr(self, "limiter"):
            return
        for judged, _, _ in self.seats:
            judged.leave()
        later = max(self.now, 0.0) + 1000.0
        for _ in range(3):
            self.limiter.sweep(later)
        assert (self.limiter.seats, len(self.limiter.addresses), len(self.limiter.keys)) == (0, 0, 0)


Shares.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestShares = Shares.TestCase
