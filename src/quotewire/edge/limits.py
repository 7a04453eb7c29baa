"""How much a connection, an address and a key may have of the gateway, judged without a clock of its own. Pure.

Two scopes: the address a connection comes from, and the key its token was made for. What one connection may is judged
before, by its session: what a client is refused is not taken from its neighbours too. A rate is a token bucket: `burst`
at once, `per_s` from then on. `now` is in seconds of a monotonic clock. What is kept of an address or key that has no
connection is forgotten as soon as it makes no difference, and the one heard longest ago first where too many are kept.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import StrEnum

from quotewire.settings import Settings

CAPACITY = 100_000
"""Addresses, and keys, that are kept without having a connection."""

COMMAND_BURST_S = 2.0
RATE_BURST_S = 2.0
FAULT_BURST_S = 5.0
"""A bucket holds what its rate gives in that time."""

PLACE_RETRY_S = 10.0
"""When to ask again for what somebody else has to give back first."""

ROUNDING = 1e-9
SWEPT_AT_ONCE = 1000
PASSED_OVER = 64
"""Accounts with connections that are passed over, at most, in search of one to forget."""


class Limit(StrEnum):
    """What there is a limit of."""

    CONNECTIONS = "connections"
    HANDSHAKES = "handshakes"
    COMMANDS = "commands"
    SYMBOLS = "symbols"
    TOKENS = "tokens"
    FAULTS = "faults"


class Scope(StrEnum):
    """Who shares it."""

    ADDRESS = "ip"
    KEY = "key"


_SAID = {
    Limit.CONNECTIONS: "{allowed} connections of {whom} are open already",
    Limit.HANDSHAKES: "{whom} may open {allowed} connections a second",
    Limit.COMMANDS: "{whom} may send {allowed} messages a second",
    Limit.SYMBOLS: "{whom} may want {allowed} symbols",
    Limit.TOKENS: "{whom} may ask for {allowed} tokens a second",
    Limit.FAULTS: "connections of {whom} end by the client's fault more than {allowed} times a second; wait",
}
_WHOM = {Scope.ADDRESS: "this address", Scope.KEY: "this key"}


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A limit that was reached: which, whose, how much is allowed, and when to ask again."""

    limit: Limit
    scope: Scope
    allowed: int
    retry_after_s: float

    def __str__(self) -> str:
        return _SAID[self.limit].format(allowed=self.allowed, whom=_WHOM[self.scope])


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and so many at once."""

    per_s: int
    burst: float

    @classmethod
    def of(cls, per_s: int, *, burst_s: float = RATE_BURST_S, at_least: int = 1) -> "Rate":
        """That rate, with `burst_s` seconds of it at once, or `at_least` so many."""
        return cls(per_s, max(per_s * burst_s, float(at_least)))


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one address, or one key, may have."""

    connections: int
    symbols: int
    handshakes: Rate
    commands: Rate
    tokens: Rate
    faults: Rate


@dataclass(frozen=True, slots=True)
class Limits:
    """What each address and each key may have."""

    address: Allowance
    key: Allowance

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """The limits that the settings say."""
        each, rate = settings.max_connections_per_ip, settings.command_rate_per_client
        together = settings.command_rate_per_ip or each * rate
        tokens = Rate.of(settings.token_rate_per_ip, at_least=each)
        faults = Rate.of(settings.fault_rate_per_ip, burst_s=FAULT_BURST_S)
        address = Allowance(
            connections=each,
            symbols=settings.max_symbols_per_ip or each * settings.max_symbols_per_client,
            handshakes=Rate.of(settings.handshake_rate_per_ip, at_least=each),
            commands=Rate.of(together, burst_s=COMMAND_BURST_S),
            tokens=tokens,
            faults=faults,
        )
        key = Allowance(
            connections=settings.max_connections_per_key,
            symbols=settings.max_symbols_per_key,
            handshakes=Rate.of(settings.handshake_rate_per_key),
            commands=Rate.of(settings.command_rate_per_key),
            tokens=tokens,
            faults=faults,
        )
        return cls(address, key)


class Bucket:
    """What is left of a rate. Starts full."""

    __slots__ = ("_at", "_spent")

    def __init__(self, now: float) -> None:
        self._spent = 0.0
        self._at = now

    def take(self, rate: Rate, now: float) -> float:
        """Take one; 0.0 when there was one, else in how many seconds there is."""
        wait_s = self.wait_s(rate, now)
        if wait_s == 0.0:
            self._spent += 1.0
        return wait_s

    def wait_s(self, rate: Rate, now: float) -> float:
        """In how many seconds there is one; 0.0 when there is one now."""
        self._refill(rate, now)
        short = self._spent + 1.0 - rate.burst
        return short / rate.per_s if short > ROUNDING else 0.0

    def full(self, rate: Rate, now: float) -> bool:
        """Whether it is as good as a new one."""
        self._refill(rate, now)
        return self._spent == 0.0

    def _refill(self, rate: Rate, now: float) -> None:
        if now > self._at:
            self._spent = max(0.0, self._spent - (now - self._at) * rate.per_s)
            self._at = now


class Account:
    """What one address or key has, and has used."""

    __slots__ = ("commands", "connections", "faults", "handshakes", "symbols", "tokens")

    def __init__(self, now: float) -> None:
        self.connections = 0
        self.symbols = 0
        self.handshakes = Bucket(now)
        self.commands = Bucket(now)
        self.tokens: Bucket | None = None
        self.faults: Bucket | None = None

    def idle(self, allowed: Allowance, now: float) -> bool:
        """Whether a new account would be no different."""
        return (
            self.connections == 0
            and self.handshakes.full(allowed.handshakes, now)
            and self.commands.full(allowed.commands, now)
            and (self.tokens is None or self.tokens.full(allowed.tokens, now))
            and (self.faults is None or self.faults.full(allowed.faults, now))
        )


class Accounts:
    """The accounts of one scope, by name; what was heard longest ago stands first."""

    def __init__(self, allowed: Allowance, capacity: int) -> None:
        self.allowed = allowed
        self._capacity = capacity
        self._by_name: OrderedDict[str, Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_name)

    def of(self, name: str, now: float) -> Account:
        """The account of that name, heard now."""
        account = self._by_name.get(name)
        if account is None:
            self.sweep(now, 2)
            self._make_room()
            account = self._by_name[name] = Account(now)
        else:
            self._by_name.move_to_end(name)
        return account

    def sweep(self, now: float, most: int) -> None:
        """Look at up to `most` of those heard longest ago, and forget the idle ones."""
        for _ in range(min(most, len(self._by_name))):
            name, account = next(iter(self._by_name.items()))
            if account.idle(self.allowed, now):
                del self._by_name[name]
            elif account.connections:
                self._by_name.move_to_end(name)
            else:
                return  # its bucket fills still, and those after it were heard later

    def _make_room(self) -> None:
        """Forget the account without connections that was heard longest ago, where too many are kept."""
        for _ in range(min(PASSED_OVER, len(self._by_name)) if len(self._by_name) >= self._capacity else 0):
            name, account = self._by_name.popitem(last=False)
            if account.connections == 0:
                return
            self._by_name[name] = account


class Limiter:
    """All accounts; what was refused, by limit and scope; and `seats`, the connections that have one."""

    def __init__(self, limits: Limits, *, capacity: int = CAPACITY) -> None:
        self.limits = limits
        self.addresses = Accounts(limits.address, capacity)
        self.keys = Accounts(limits.key, capacity)
        self.refused: Counter[tuple[str, str]] = Counter()
        self.seats = 0

    def enter(self, address: str, now: float) -> "Seat | Exceeded":
        """A connection of that address opens. It has a seat until the seat is left."""
        account, allowed = self.addresses.of(address, now), self.limits.address
        wait_s = 0.0 if account.faults is None else account.faults.wait_s(allowed.faults, now)
        if wait_s:
            return self.exceeded(Limit.FAULTS, Scope.ADDRESS, allowed.faults.per_s, wait_s)
        exceeded = self.open(account, Scope.ADDRESS, allowed, now)
        if exceeded is not None:
            return exceeded
        self.seats += 1
        return Seat(self, account)

    def ask_token(self, address: str, now: float) -> Exceeded | None:
        """A client of that address asks for a token."""
        account = self.addresses.of(address, now)
        if account.tokens is None:
            account.tokens = Bucket(now)
        return self.spend(account.tokens, self.limits.address.tokens, Limit.TOKENS, Scope.ADDRESS, now)

    def sweep(self, now: float) -> None:
        """Forget what makes no difference; call now and then."""
        self.addresses.sweep(now, SWEPT_AT_ONCE)
        self.keys.sweep(now, SWEPT_AT_ONCE)

    def open(self, account: Account, scope: Scope, allowed: Allowance, now: float) -> Exceeded | None:
        """Count one more connection of that account, if it may have one."""
        exceeded = self.spend(account.handshakes, allowed.handshakes, Limit.HANDSHAKES, scope, now)
        if exceeded is None and account.connections >= allowed.connections:
            exceeded = self.exceeded(Limit.CONNECTIONS, scope, allowed.connections)
        if exceeded is None:
            account.connections += 1
        return exceeded

    def spend(self, bucket: Bucket, rate: Rate, limit: Limit, scope: Scope, now: float) -> Exceeded | None:
        """Take one out of that bucket."""
        wait_s = bucket.take(rate, now)
        return None if wait_s == 0.0 else self.exceeded(limit, scope, rate.per_s, wait_s)

    def exceeded(self, limit: Limit, scope: Scope, allowed: int, wait_s: float = PLACE_RETRY_S) -> Exceeded:
        """Count a refusal."""
        self.refused[limit, scope] += 1
        return Exceeded(limit, scope, allowed, wait_s)


class Seat:
    """What one connection has. Left once; asked after that, it refuses nothing and counts nothing."""

    __slots__ = ("_address", "_key", "_limiter", "_symbols")

    def __init__(self, limiter: Limiter, address: Account) -> None:
        self._limiter = limiter
        self._address: Account | None = address
        self._key: Account | None = None
        self._symbols = 0

    def identify(self, key: str, now: float) -> Exceeded | None:
        """The connection showed a token of that key, once; from here on the key's limits bind it, too."""
        limiter = self._limiter
        if self._address is None or self._key is not None:
            return None
        account = limiter.keys.of(key, now)
        exceeded = limiter.open(account, Scope.KEY, limiter.limits.key, now)
        if exceeded is None:
            self._key = account
        return exceeded

    def command(self, now: float) -> str | None:
        """A message came; a sentence when it is one too many."""
        exceeded: Exceeded | None = None
        limiter, limits = self._limiter, self._limiter.limits
        for account, scope, allowed in (
            (self._address, Scope.ADDRESS, limits.address),
            (self._key, Scope.KEY, limits.key),
        ):
            if account is not None and exceeded is None:
                exceeded = limiter.spend(account.commands, allowed.commands, Limit.COMMANDS, scope, now)
        return None if exceeded is None else str(exceeded)

    def claim(self, symbols: int) -> str | None:
        """The connection wants so many symbols in all; a sentence when they are too many. Fewer are always granted."""
        limiter, limits = self._limiter, self._limiter.limits
        more = symbols - self._symbols
        for account, scope, allowed in (
            (self._address, Scope.ADDRESS, limits.address.symbols),
            (self._key, Scope.KEY, limits.key.symbols),
        ):
            if account is not None and more > 0 and account.symbols + more > allowed:
                return str(limiter.exceeded(Limit.SYMBOLS, scope, allowed))
        self._count(more)
        return None

    def fault(self, now: float) -> None:
        """The connection ends because of what its client did."""
        account = self._address
        if account is not None:
            if account.faults is None:
                account.faults = Bucket(now)
            account.faults.take(self._limiter.limits.address.faults, now)

    def leave(self) -> None:
        """The connection is gone."""
        self._count(-self._symbols)
        self._limiter.seats -= self._address is not None
        for account in (self._address, self._key):
            if account is not None:
                account.connections -= 1
        self._address = self._key = None

    def _count(self, more: int) -> None:
        self._symbols += more
        for account in (self._address, self._key):
            if account is not None:
                account.symbols += more
