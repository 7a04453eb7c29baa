"""The simulated clock and the wire's time text. Pure: the caller's monotonic time comes in as a function."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from quotewire.errors import ConfigurationError
from quotewire.market.calendar import TORONTO, Hours

HoursOf = Callable[[str, date], Hours | None]


class MarketClock:
    """Seconds since 1970 UTC in the simulated market: `start` when made, then `speed` times real time."""

    def __init__(self, start: float, speed: float, monotonic: Callable[[], float]) -> None:
        self.start = start
        self.speed = speed
        self._monotonic = monotonic
        self._origin = monotonic()

    def now(self) -> float:
        """The simulated time, epoch seconds."""
        return self.start + (self._monotonic() - self._origin) * self.speed


class TorontoText:
    """Epoch seconds as Questrade writes times: ISO 8601, Toronto offset, six fraction digits (three used)."""

    def __init__(self) -> None:
        self._second = -1
        self._head = ""
        self._offset = ""

    def __call__(self, when: float) -> str:
        """The text of an epoch second; a fraction is cut, not rounded."""
        milliseconds = int(when * 1000)
        second, rest = divmod(milliseconds, 1000)
        if second != self._second:
            text = datetime.fromtimestamp(second, TORONTO).isoformat()
            self._second, self._head, self._offset = second, text[:19], text[19:]
        return f"{self._head}.{rest:03d}000{self._offset}"


def toronto_date(when: float) -> date:
    """The Toronto date of an epoch second."""
    return datetime.fromtimestamp(when, TORONTO).date()


def midnight(day: date) -> float:
    """Epoch seconds of a Toronto date's midnight."""
    return datetime(day.year, day.month, day.day, tzinfo=TORONTO).timestamp()


def start_time(text: str, wall: float, hours_of: HoursOf) -> float:
    """Epoch seconds for a `start` setting: `open`, `now`, or an ISO 8601 time (Toronto when it has no offset).

    `open` is 10:00 Toronto on the latest day, today included, on which both Toronto and New York trade.
    Raises ConfigurationError for anything else.
    """
    if text == "now":
        return wall
    if text == "open":
        day = toronto_date(wall)
        while hours_of("TSX", day) is None or hours_of("NASDAQ", day) is None:
            day -= timedelta(days=1)
        return datetime(day.year, day.month, day.day, 10, tzinfo=TORONTO).timestamp()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"the simulator's start is {text!r}: use open, now or an ISO 8601 time such as 2026-03-03T10:00"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=TORONTO)).astimezone(UTC).timestamp()
