"""How patient the upstream is: its waits and thresholds in one value. The defaults are the product's.

Tests shorten them, so that they wait for what happens and not for the clock. Nothing here changes what is decided, only
how soon.
"""

from dataclasses import dataclass, field
from typing import Final

from quotewire.questrade.tokens import DEFAULT_POLICY, RefreshPolicy
from quotewire.resilience.backoff import Backoff
from quotewire.resilience.lifecycle_types import LifecycleConfig
from quotewire.resilience.watchdog import WatchdogConfig

CONFIG: Final = LifecycleConfig(
    ping_interval_s=None, polling=False, final_closes=frozenset(), max_attempts=10, refreshed_delay_s=0.1
)
"""Whether Questrade answers pings is not known, and its close codes mean nothing certain."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """`lifecycle` of every stream, `watchdog` of silence, `refresh` of tokens. Durations in seconds.

    A failed exchange is repeated as `unrisked` says when no token was risked in it, else as `risked` says; `rehost` is
    between exchanges made only to learn another API host.
    """

    lifecycle: LifecycleConfig = CONFIG
    watchdog: WatchdogConfig = field(default_factory=WatchdogConfig)
    refresh: RefreshPolicy = DEFAULT_POLICY
    unrisked: Backoff = field(default_factory=lambda: Backoff(base_s=1.0, cap_s=10.0))
    risked: Backoff = field(default_factory=Backoff)
    rehost: Backoff = field(default_factory=lambda: Backoff(base_s=30.0, factor=4.0, cap_s=1800.0))
    poll_patience_s: float = 5.0  # how long a symbol waits for a stream before it is polled


DEFAULT: Final = Tuning()
