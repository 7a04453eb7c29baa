"""How long updates are gathered before they are written: not at all while it is calm, longer the busier it is.

One write costs about the same whether it carries one update or fifty, so gathering is what makes room under load; but
it is also what a client waits. The rule: after a pass over the clients, rest for as long as a share of what the pass
cost. A calm gateway's passes are short and far apart, so that every update finds the rest long over and goes out at
once. Under load passes grow with what they carry, the rests grow with them, and the two settle where writing takes no
more than its share of the time.
"""

MIN_WINDOW_S = 0.001
"""Below what the event loop's timers can tell apart, there is no point in waiting."""


class Window:
    """Says when the next pass may be. All times are seconds of one monotonic clock."""

    __slots__ = ("_max_s", "_rest", "_rested_at", "opened_s")

    def __init__(self, max_s: float, *, rest: float) -> None:
        self._max_s = max_s
        self._rest = rest
        self._rested_at = float("-inf")
        self.opened_s = 0.0  # the last delay given

    def delay(self, now: float) -> float:
        """How long to gather what begins to come now."""
        left = min(self._rested_at - now, self._max_s)
        self.opened_s = left if left >= MIN_WINDOW_S else 0.0
        return self.opened_s

    def passed(self, began: float, ended: float) -> None:
        """A pass is done."""
        self._rested_at = ended + self._rest * (ended - began)
