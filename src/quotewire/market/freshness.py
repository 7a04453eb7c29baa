"""How far a quote can be trusted now (R65). Pure: everything it depends on comes in, ages in seconds.

The first row that matches decides. `road` is the way the symbol's data takes, not the process's connection as a whole:
a symbol under repair alone has `RECOVERING` though its stream is up.

| road | market | other condition | freshness | why |
|---|---|---|---|---|
| any but UP | closed | the close was seen | CLOSED | nothing can have been missed |
| DOWN | any | | STALE | the last value known, whatever it was called before |
| RECOVERING | any | | RECOVERING | the road is back, the symbol's data are not |
| POLLING | any | no poll within `poll_max_age_s` | STALE | the fallback fails as well |
| POLLING | open | halted | HALTED | told by the latest poll |
| POLLING | any | | RECOVERING | a repair is going on; between two polls the price may have moved |
| UP | any | nothing since the road came up, close not seen | RECOVERING | what is held is from before the outage |
| UP | closed | | CLOSED | |
| UP | open | halted | HALTED | |
| UP | open | newer than the live window | LIVE | |
| UP | open | | QUIET | the stream is up, nothing changed for a while |

The *live window* is the symbol's usual pace times `live_factor`, within `live_min_s` and the phase's maximum. Extended
hours (PRE, POST) count as open, but slow: their maximum is larger, and a pace is learned for each phase apart. LIVE and
QUIET, the two that may be traded on, appear only in rows whose road is UP.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from quotewire.market.calendar import MarketPhase
from quotewire.market.quote import Freshness


class Road(StrEnum):
    """The way a symbol's data takes from the exchange to here."""

    UP = "up"  # a healthy stream carries it
    RECOVERING = "recovering"  # a stream was opened or repaired; this symbol's first data are awaited
    POLLING = "polling"  # no stream can be had: REST polls stand in
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Limits of `judge` and defaults of `Pace`, in seconds."""

    live_factor: float = 5.0
    live_min_s: float = 5.0
    live_max_s: float = 60.0
    live_max_extended_s: float = 300.0
    unknown_pace_s: float = 5.0  # until a symbol's own pace in REGULAR hours is known
    unknown_pace_extended_s: float = 30.0
    poll_max_age_s: float = 75.0  # two polls of 30 s, and some


DEFAULT_THRESHOLDS: Final = Thresholds()
EXTENDED: Final = frozenset({MarketPhase.PRE, MarketPhase.POST})

# For `judge_now`: in Python 3.11 a member is ten times as far away in its enum as in a module.
_MARKET_CLOSED: Final = MarketPhase.CLOSED
_CLOSED, _HALTED, _LIVE = Freshness.CLOSED, Freshness.HALTED, Freshness.LIVE


def live_window_s(phase: MarketPhase, expected_s: float | None, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> float:
    """How old the data of a symbol with this usual pace (None: unknown) may be and still be LIVE."""
    extended = phase in EXTENDED
    if expected_s is None:
        expected_s = thresholds.unknown_pace_extended_s if extended else thresholds.unknown_pace_s
    ceiling = thresholds.live_max_extended_s if extended else thresholds.live_max_s
    return max(thresholds.live_min_s, min(ceiling, expected_s * thresholds.live_factor))


def judge(
    *,
    road: Road,
    phase: MarketPhase,
    age_s: float | None,
    road_up_s: float = float("inf"),
    is_halted: bool = False,
    expected_s: float | None = None,
    close_seen: bool = True,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
) -> Freshness:
    """The freshness of one symbol by the table above.

    `age_s` is how long ago its last data came (None: never), `road_up_s` for how long its road has been up,
    `close_seen` whether its data were complete when its market closed (false after an outage over the close, until
    data come again).
    """
    closed = phase is MarketPhase.CLOSED
    if road is not Road.UP and closed and close_seen and age_s is not None:
        return Freshness.CLOSED
    if road is Road.DOWN:
        return Freshness.STALE
    if road is Road.RECOVERING:
        return Freshness.RECOVERING
    if road is Road.POLLING:
        return _judge_polled(age_s, closed, is_halted, thresholds)
    if age_s is None or (age_s > road_up_s and not (closed and close_seen)):
        return Freshness.RECOVERING
    if closed:
        return Freshness.CLOSED
    if is_halted:
        return Freshness.HALTED
    return Freshness.LIVE if age_s <= live_window_s(phase, expected_s, thresholds) else Freshness.QUIET


def judge_now(phase: MarketPhase, is_halted: bool) -> Freshness:
    """`judge` for a symbol whose data came over a stream this very moment: the last five rows, where no age matters."""
    if phase is _MARKET_CLOSED:
        return _CLOSED
    return _HALTED if is_halted else _LIVE


def _judge_polled(age_s: float | None, closed: bool, is_halted: bool, thresholds: Thresholds) -> Freshness:
    if age_s is None or age_s > thresholds.poll_max_age_s:
        return Freshness.STALE
    return Freshness.HALTED if is_halted and not closed else Freshness.RECOVERING


class Pace:
    """The usual time between two updates of one symbol, learned for each market phase apart.

    An exponentially weighted mean of the gaps. A gap over an outage or from one phase to another teaches nothing, and
    one long pause (lunch, a halt) counts as `longest_s` at most, so that it does not hide a mute symbol for hours.
    """

    __slots__ = ("_last_at", "_mean_s", "_means_s", "_phase", "_weight", "longest_s")

    def __init__(self, *, weight: float = 0.1, longest_s: float = 600.0) -> None:
        self._weight = weight
        self.longest_s = longest_s
        self._means_s: dict[MarketPhase, float | None] = {}  # of the phases before
        self._phase: MarketPhase | None = None
        self._mean_s: float | None = None  # of this one
        self._last_at = 0.0

    def observe(self, phase: MarketPhase, at: float) -> None:
        """Data came at `at` (monotonic seconds)."""
        if phase is not self._phase:
            self.interrupt()
            self._phase, self._mean_s, self._last_at = phase, self._means_s.get(phase), at
            return
        gap, mean = at - self._last_at, self._mean_s
        if not 0.0 <= gap <= self.longest_s:
            gap = min(max(gap, 0.0), self.longest_s)
        self._mean_s = gap if mean is None else mean + self._weight * (gap - mean)
        self._last_at = at

    def interrupt(self) -> None:
        """The road broke: the gap until the next data is not the symbol's doing."""
        if self._phase is not None:
            self._means_s[self._phase] = self._mean_s
            self._phase = None

    def expected_s(self, phase: MarketPhase) -> float | None:
        """The usual gap in this phase; None until one has been seen."""
        return self._mean_s if phase is self._phase else self._means_s.get(phase)
