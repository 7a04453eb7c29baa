"""What addresses and keys may have of the gateway, and what they have. Pure; `now` is seconds of a monotonic clock.

Two scopes: the address a connection comes from, and the key its token was made for. A rate is a token bucket: `burst`
at once, `per_s` from then on. What is kept of an address or key that has no connection is forgotten as soon as it makes
no difference, and the one heard longest ago first where too many are kept.
"""

from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from quotewire.settings import Settings

CAPACITY = 100_000
"""Addresses, and keys, that are kept without having a connection."""

COMMAND_BURST_S = 2.0
RATE_BURST_S = 2.0
FAULT_BURST_S = 5.0
SYMBOL_BURST_S = 10.0
"""A bucket holds what its rate gives in that time."""

PLACE_RETRY_S = 10.0
"""When to ask again for what somebody else has to give back first."""

ROUNDING = 1e-9
PASSED_OVER = 64
"""Accounts with connections that are passed over, at most, in search of one to forget."""


class Limit(StrEnum):
    """What there is a limit of."""

    CONNECTIONS = "connections"
    HANDSHAKES = "handshakes"
    COMMANDS = "commands"
    SYMBOLS = "symbols"
    SYMBOL_RATE = "symbol_rate"
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
    Limit.SYMBOL_RATE: "{whom} may name {allowed} symbols a second",
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
    symbol_rate: Rate
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
        most = 2 * settings.max_symbols_per_client  # as many as a connection that shares with nobody may name at once
        address = Allowance(
            connections=each,
            symbols=settings.max_symbols_per_ip or each * settings.max_symbols_per_client,
            handshakes=Rate.of(settings.handshake_rate_per_ip, at_least=each),
            commands=Rate.of(together, burst_s=COMMAND_BURST_S),
            symbol_rate=Rate.of(settings.symbol_rate_per_ip, burst_s=SYMBOL_BURST_S, at_least=most),
            tokens=tokens,
            faults=faults,
        )
        key = Allowance(
            connections=settings.max_connections_per_key,
            symbols=settings.max_symbols_per_key,
            handshakes=Rate.of(settings.handshake_rate_per_key),
            commands=Rate.of(settings.command_rate_per_key),
            symbol_rate=Rate.of(settings.symbol_rate_per_key, burst_s=SYMBOL_BURST_S, at_least=most),
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

    def take(self, rate: Rate, now: float, count: int = 1) -> float:
        """Take so many; 0.0 when there were as many, else none are taken: in how many seconds there are."""
        wait_s = self.wait_s(rate, now, count)
        if wait_s == 0.0:
            self._spent += count
        return wait_s

    def wait_s(self, rate: Rate, now: float, count: int = 1) -> float:
        """In how many seconds there are so many; 0.0 when there are now."""
        self._refill(rate, now)
        short = self._spent + count - rate.burst
        return short / rate.per_s if short > ROUNDING else 0.0

    def left(self, rate: Rate, now: float) -> int:
        """How many there are now; `spend` takes them."""
        self._refill(rate, now)
        return max(int(rate.burst - self._spent + ROUNDING), 0)

    def spend(self, count: int) -> None:
        """Take so many; a negative number puts them back."""
        self._spent = max(self._spent + count, 0.0)

    def full(self, rate: Rate, now: float) -> bool:
        """Whether it is as good as a new one."""
        self._refill(rate, now)
        return self._spent == 0.0

    def _refill(self, rate: Rate, now: float) -> None:
        if now > self._at:
            self._spent = max(0.0, self._spent - (now - self._at) * rate.per_s)
            self._at = now


def opened(account: "Account", scope: Scope, allowed: Allowance, now: float) -> Exceeded | None:
    """Count one more connection of that account, if it may have one; else why not."""
    wait_s = account.handshakes.take(allowed.handshakes, now)
    if wait_s:
        return Exceeded(Limit.HANDSHAKES, scope, allowed.handshakes.per_s, wait_s)
    if account.connections >= allowed.connections:
        return Exceeded(Limit.CONNECTIONS, scope, allowed.connections, PLACE_RETRY_S)
    account.connections += 1
    return None


class Account:
    """What one address or key has, and has used."""

    __slots__ = ("commands", "connections", "faults", "handshakes", "named", "symbols", "tokens")

    def __init__(self, now: float) -> None:
        self.connections = 0
        self.symbols = 0
        self.handshakes = Bucket(now)
        self.commands = Bucket(now)
        self.named: Bucket | None = None  # symbols, by commands
        self.tokens: Bucket | None = None
        self.faults: Bucket | None = None

    @property
    def holds(self) -> bool:
        """Whether anything of it is to be given back yet."""
        return self.connections > 0 or self.symbols > 0

    def idle(self, allowed: Allowance, now: float) -> bool:
        """Whether a new account would be no different."""
        return (
            not self.holds
            and self.handshakes.full(allowed.handshakes, now)
            and self.commands.full(allowed.commands, now)
            and (self.named is None or self.named.full(allowed.symbol_rate, now))
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
            elif account.holds:
                self._by_name.move_to_end(name)
            else:
                return  # its bucket fills still, and those after it were heard later

    def _make_room(self) -> None:
        """Forget the account that holds nothing and was heard longest ago, where too many are kept."""
        for _ in range(min(PASSED_OVER, len(self._by_name)) if len(self._by_name) >= self._capacity else 0):
            name, account = self._by_name.popitem(last=False)
            if not account.holds:
                return
            self._by_name[name] = account


class Held(msgspec.Struct, array_like=True, frozen=True):
    """What some connections hold of one address's or key's allowance; `messages` are drawn and not sent yet."""

    scope: Scope
    name: str
    connections: int = 0
    symbols: int = 0
    messages: int = 0


class Drawn(msgspec.Struct, array_like=True, frozen=True):
    """So many messages of a key may be served; none: ask again in `wait_s`."""

    messages: int
    wait_s: float
