"""The guard of one stream: feeds its watchdog, and tells whether a REST quote knows what the stream does not."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from msgspec import UNSET

from quotewire.market.quote import Quote, QuotePatch
from quotewire.resilience.watchdog import Effect, Watchdog, WatchdogConfig
from quotewire.upstream.tuning import DEFAULT

TELLING: Final = ("volume", "last_trade_price", "last_trade_time", "bid_price", "ask_price")
"""Fields of which a difference shows that the stream missed something."""


class Guard:
    """Watches what one stream carries. `now` is monotonic seconds, `when` Questrade's time."""

    def __init__(self, exchange_of: Callable[[int], str], config: WatchdogConfig = DEFAULT.watchdog) -> None:
        self.watchdog = Watchdog(config)
        self._exchange_of = exchange_of
        self._watched: frozenset[int] = frozenset()
        self._brought: dict[int, QuotePatch] = {}
        self._is_up = False

    @property
    def is_doubted(self) -> bool:
        """Whether the stream is up and its silence could not be explained."""
        return self._is_up and self.watchdog.is_doubted

    def follow(self, carried: frozenset[int], *, is_live: bool, now: float) -> None:
        """The stream came up, went down, or carries other symbols."""
        for symbol_id in self._watched - carried if is_live else ():
            self.watchdog.unwatch(symbol_id)
            self._brought.pop(symbol_id, None)
        for symbol_id in carried - self._watched:
            self.watchdog.watch(symbol_id, self._exchange_of(symbol_id), now)
        if is_live:
            self._watched = carried
        if is_live and not self._is_up:
            self.watchdog.stream_up(now)
        elif self._is_up and not is_live:
            self.watchdog.stream_down()
        self._is_up = is_live

    def heard(self, patches: Sequence[QuotePatch], now: float) -> None:
        """Data came over the stream."""
        for patch in patches:
            self._brought[patch.symbol_id] = patch
        self.watchdog.heard(patches, now)

    def knows(self, patch: QuotePatch, newest: Quote | None) -> bool:
        """Whether the stream brought what REST tells; `newest` goes for a symbol it has not spoken of.

        Another stream may have brought it: that does not make this one any less mute.
        """
        return not is_newer(patch, self._brought.get(patch.symbol_id, newest))

    def step(self, now: float, when: datetime) -> list[Effect]:
        """What has to be looked into."""
        return self.watchdog.step(now, when) if self._is_up else []


def is_newer(patch: QuotePatch, known: Quote | QuotePatch | None) -> bool:
    """Whether a REST quote tells something else than the newest quote the stream brought."""
    if known is None:
        return True
    values = ((getattr(patch, name), getattr(known, name)) for name in TELLING)
    return any(told is not UNSET and had is not UNSET and told != had for told, had in values)
