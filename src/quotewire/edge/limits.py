"""What each connection takes of its address's and its key's allowance. Pure; `now` is seconds of a monotonic clock.

The rules are in `resilience/accounts.py`. What one connection may is judged before, by its session: what a client is
refused is not taken from its neighbours too.
"""

from collections import Counter

from quotewire.resilience.accounts import (
    CAPACITY,
    PLACE_RETRY_S,
    Account,
    Accounts,
    Allowance,
    Bucket,
    Exceeded,
    Limit,
    Limits,
    Rate,
    Scope,
    opened,
)

SWEPT_AT_ONCE = 1000


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
        return self.seated(account, address)

    def seated(self, account: Account, address: str) -> "Seat":
        """A seat of that account."""
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
        exceeded = opened(account, scope, allowed, now)
        if exceeded is not None:
            self.refused[exceeded.limit, scope] += 1
        return exceeded

    def spend(
        self, bucket: Bucket, rate: Rate, limit: Limit, scope: Scope, now: float, count: int = 1
    ) -> Exceeded | None:
        """Take so many out of that bucket."""
        wait_s = bucket.take(rate, now, count)
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

    async def enter(self) -> Exceeded | None:
        """Have a place in the whole gateway, where this process is one of several; none is let in without."""
        return None

    async def join(self, key: str, now: float) -> Exceeded | None:
        """`identify`, in the whole gateway."""
        return self.identify(key, now)

    async def reserve(self, symbols: int) -> None:
        """Ask the whole gateway for room for so many symbols in all. What comes of it, `claim` tells."""

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

    def unidentify(self) -> None:
        """Take the last `identify` back."""
        if self._key is not None:
            self._key.connections -= 1
            self._key = None

    def command(self, now: float, symbols: int = 0) -> str | None:
        """A message came that names so many symbols; a sentence when that is too much."""
        exceeded: Exceeded | None = None
        for account, scope, allowed in self._accounts():
            if account is not None and exceeded is None:
                exceeded = self._limiter.spend(account.commands, allowed.commands, Limit.COMMANDS, scope, now)
                if symbols and exceeded is None:
                    exceeded = self._name(symbols, account, scope, allowed, now)
        return None if exceeded is None else str(exceeded)

    def lacks(self, now: float, symbols: int) -> str | None:
        """Why a message that names so many symbols would be refused; nothing is taken."""
        for account, scope, allowed in self._accounts():
            if account is None:
                continue
            if account.commands.wait_s(allowed.commands, now):
                return str(self._limiter.exceeded(Limit.COMMANDS, scope, allowed.commands.per_s))
            if symbols and account.named is not None and account.named.wait_s(allowed.symbol_rate, now, symbols):
                return str(self._limiter.exceeded(Limit.SYMBOL_RATE, scope, allowed.symbol_rate.per_s))
        return None

    def _accounts(self) -> tuple[tuple[Account | None, Scope, Allowance], tuple[Account | None, Scope, Allowance]]:
        limits = self._limiter.limits
        return (self._address, Scope.ADDRESS, limits.address), (self._key, Scope.KEY, limits.key)

    def _name(self, symbols: int, account: Account, scope: Scope, allowed: Allowance, now: float) -> Exceeded | None:
        if account.named is None:
            account.named = Bucket(now)
        return self._limiter.spend(account.named, allowed.symbol_rate, Limit.SYMBOL_RATE, scope, now, symbols)

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
