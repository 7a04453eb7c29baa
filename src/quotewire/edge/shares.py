"""The limits where this process is one of several: the whole gateway counts, and is asked over `WholePort`.

Everything is counted here first, as in a gateway of one process: what is too much here is not asked for, and while
nobody can be asked, this count alone holds. Times are seconds of the event loop's clock.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from quotewire.edge.limits import Limiter, Seat
from quotewire.edge.ports import WholePort
from quotewire.errors import UpstreamError
from quotewire.resilience.accounts import CAPACITY, Account, Drawn, Exceeded, Held, Limit, Limits, Scope

AWAY_S: Final = 1.0
"""For so long, after the whole gateway could not be asked, messages are judged by this process's own count."""

DRY_S: Final = 0.02
"""For so long, at least, nobody asks again for messages that a key does not have."""

log = logging.getLogger("quotewire.edge.shares")


class Purse:
    """The messages of one key that this process has drawn, and the connections that wait for more."""

    __slots__ = ("_until", "_waiting", "away", "drawing", "key", "messages", "seats")

    def __init__(self, key: str) -> None:
        self.key = key
        self.messages = 0
        self.seats = 0
        self.drawing = False
        self.away = False
        self._until = 0.0  # until then nobody needs to ask: there are none, or nobody answers
        self._waiting: list[Callable[[], None]] = []

    def ready(self, now: float) -> bool:
        """Whether a message can be judged without asking."""
        return self.messages > 0 or now < self._until

    def take(self, now: float) -> float:
        """Take one; 0.0 when there was one, else in how many seconds to ask again."""
        if self.messages > 0:
            self.messages -= 1
            return 0.0
        return 0.0 if self.away else max(self._until - now, DRY_S)

    @property
    def waiting(self) -> int:
        """How many connections wait for the next answer."""
        return len(self._waiting)

    def wait(self, resume: Callable[[], None]) -> None:
        """Have `resume` called after the next answer."""
        self._waiting.append(resume)

    def fill(self, drawn: Drawn | None, now: float) -> list[Callable[[], None]]:
        """An answer, or none: who waited for it."""
        self.drawing = False
        self.away = drawn is None
        if drawn is None:
            self._until = now + AWAY_S
        elif drawn.messages:
            self.messages += drawn.messages
        else:
            self._until = now + max(drawn.wait_s, DRY_S)
        waited, self._waiting = self._waiting, []
        return waited


class SharedLimiter(Limiter):
    """All accounts of this process; `spawn` runs and owns what is asked for many connections at once."""

    def __init__(
        self,
        limits: Limits,
        whole: WholePort,
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        *,
        capacity: int = CAPACITY,
    ) -> None:
        super().__init__(limits, capacity=capacity)
        self.whole = whole
        self._spawn = spawn
        self._taken: set[SharedSeat] = set()
        self._purses: dict[str, Purse] = {}

    def seated(self, account: Account, address: str) -> Seat:
        """A seat of that account."""
        seat = SharedSeat(self, account, address)
        self._taken.add(seat)
        return seat

    def held(self) -> list[Held]:
        """All that connections hold, for an owner that knows of none: from now on all of it is counted there."""
        found: dict[tuple[Scope, str], list[int]] = {}
        for seat in self._taken:
            for each in seat.recounted():
                total = found.setdefault((each.scope, each.name), [0, 0])
                total[0] += each.connections
                total[1] += each.symbols
        return [Held(scope, name, *total) for (scope, name), total in found.items()]

    def forget(self, seat: "SharedSeat") -> None:
        """That connection is gone."""
        self._taken.discard(seat)

    # --- messages ---

    def purse(self, key: str) -> Purse:
        """The purse of a key, for one connection more."""
        purse = self._purses.get(key)
        if purse is None:
            purse = self._purses[key] = Purse(key)
        purse.seats += 1
        return purse

    def put_away(self, purse: Purse) -> None:
        """A connection of that key is gone; with the last one, what was drawn is given back."""
        purse.seats -= 1
        if purse.seats == 0:
            self._purses.pop(purse.key, None)
            self._give_back(purse)

    def draw(self, purse: Purse, resume: Callable[[], None]) -> None:
        """Call `resume` once a message of this purse's key can be judged."""
        purse.wait(resume)
        if not purse.drawing:
            purse.drawing = True
            self._spawn(self._draw(purse))

    async def _draw(self, purse: Purse) -> None:
        drawn: Drawn | None = None
        try:
            drawn = await self.whole.draw(purse.key, purse.waiting)
        except UpstreamError:
            pass  # this process's own count holds
        except Exception:
            log.exception("messages could not be drawn", extra={"event": "draw_failed"})
        waited = purse.fill(drawn, asyncio.get_running_loop().time())
        if purse.seats == 0:
            self._give_back(purse)
        for resume in waited:
            resume()

    def _give_back(self, purse: Purse) -> None:
        if purse.messages:
            self.whole.left([Held(Scope.KEY, purse.key, messages=purse.messages)])
            purse.messages = 0


class SharedSeat(Seat):
    """What one connection has, here and in the whole gateway."""

    __slots__ = ("_address_name", "_counted", "_key_name", "_purse", "_refusal", "_shared", "_told")

    def __init__(self, limiter: SharedLimiter, account: Account, address: str) -> None:
        super().__init__(limiter, account)
        self._shared = limiter
        self._address_name = address
        self._key_name: str | None = None
        self._counted: tuple[Scope, ...] = ()  # where the whole gateway counts this connection
        self._told = 0  # so many symbols it counts of this connection
        self._refusal: Exceeded | None = None  # of what was reserved last
        self._purse: Purse | None = None

    # --- asked of the whole gateway ---

    async def enter(self) -> Exceeded | None:
        """Have a place of its address."""
        return await self._count_in(Scope.ADDRESS, self._address_name)

    async def join(self, key: str, now: float) -> Exceeded | None:
        """Have a place of its key; from here on the key's limits bind it, too."""
        exceeded = self.identify(key, now)
        if exceeded is not None:
            return exceeded
        self._key_name = key
        exceeded = await self._count_in(Scope.KEY, key)
        if exceeded is None:
            if self._key is not None:
                self._purse = self._shared.purse(key)
        else:
            self._key_name = None
            self.unidentify()
        return exceeded

    async def reserve(self, symbols: int) -> None:
        """Have room for so many symbols in all. What comes of it, `claim` tells."""
        more = symbols - self._told
        if more <= 0 or self._is_gone():
            return
        try:
            exceeded = await self._shared.whole.claim(self._address_name, self._key_name, more)
        except UpstreamError:
            return
        if exceeded is not None:
            self._refusal = exceeded
        elif self._is_gone():
            self._shared.whole.left(self._symbols_held(more))
        else:
            self._told += more

    @property
    def reserved(self) -> int:
        """So many symbols can be claimed without asking."""
        return self._told

    async def _count_in(self, scope: Scope, name: str) -> Exceeded | None:
        try:
            exceeded = await self._shared.whole.admit(scope, name)
        except UpstreamError:
            return None
        if exceeded is not None:
            self._shared.refused[exceeded.limit, exceeded.scope] += 1
        elif self._is_gone():
            self._shared.whole.left([Held(scope, name, connections=1)])
        else:
            self._counted = (*self._counted, scope)
        return exceeded

    def can_send(self, now: float) -> bool:
        """Whether a message can be judged without asking; else `draw` first."""
        return self._purse is None or self._purse.ready(now)

    def draw(self, resume: Callable[[], None]) -> None:
        """Call `resume` once a message can be judged."""
        assert self._purse is not None
        self._shared.draw(self._purse, resume)

    # --- as every seat ---

    def command(self, now: float, symbols: int = 0) -> str | None:
        """A message came that names so many symbols; a sentence when that is too much."""
        refusal = super().command(now, symbols)
        if refusal is not None or self._purse is None:
            return refusal
        wait_s = self._purse.take(now)
        if wait_s == 0.0:
            return None
        allowed = self._shared.limits.key.commands.per_s
        return str(self._shared.exceeded(Limit.COMMANDS, Scope.KEY, allowed, wait_s))

    def claim(self, symbols: int) -> str | None:
        """The connection wants so many symbols in all; a sentence when they are too many. Fewer are always granted."""
        refused, self._refusal = self._refusal, None
        if refused is not None and symbols > self._symbols:
            refusal: str | None = str(self._shared.exceeded(refused.limit, refused.scope, refused.allowed))
        else:
            refusal = super().claim(symbols)
        surplus = self._told - self._symbols
        if surplus > 0 and not self._is_gone():
            self._told = self._symbols
            self._shared.whole.left(self._symbols_held(surplus))
        return refusal

    def leave(self) -> None:
        """The connection is gone."""
        if self._is_gone():
            return
        held = [Held(scope, name, int(scope in self._counted), self._told) for scope, name in self._names()]
        super().leave()
        self._shared.forget(self)
        self._shared.whole.left([each for each in held if each.connections or each.symbols])
        if self._purse is not None:
            self._shared.put_away(self._purse)
            self._purse = None

    def recounted(self) -> list[Held]:
        """All that this connection holds, which from now on is counted in the whole gateway."""
        self._counted = tuple(scope for scope, _ in self._names())
        self._told = self._symbols
        return [Held(scope, name, 1, self._symbols) for scope, name in self._names()]

    def _is_gone(self) -> bool:
        return self._address is None

    def _names(self) -> list[tuple[Scope, str]]:
        named = [(Scope.ADDRESS, self._address_name)]
        return named if self._key_name is None else [*named, (Scope.KEY, self._key_name)]

    def _symbols_held(self, symbols: int) -> list[Held]:
        return [Held(scope, name, symbols=symbols) for scope, name in self._names()]
