"""How long updates are gathered before they are written: not at all while it is calm, longer the busier it is.

One write costs about the same whether it carries one update or fifty, so gathering is what makes room under load; but
it is also what a client waits. The rule: writing may take a share of the time, and a little more for a short while.
A calm gateway stays below that, so that every update goes out at once. Under load the writing is done in slices with
pauses between them that keep it to its share; what is published meanwhile joins what waits, one write carries more,
and the two settle. As the slices go round the clients in turn, none waits longer than one round.
"""

SLICE_S = 0.0003
"""How long to write at a stretch: what comes in between is read no later than that."""

BURST_S = 0.002
"""How much more than its share writing may take before there are pauses."""

MIN_PAUSE_S = 0.0005
"""A pause shorter than this is none, any other is of at least a millisecond: what the loop's timers can tell apart."""


class Window:
    """Says how long to pause before the next slice. All times are seconds of one monotonic clock."""

    __slots__ = ("_at", "_max_s", "_over", "_share", "opened_s")

    def __init__(self, max_s: float, *, share: float) -> None:
        self._max_s = max_s
        self._share = share
        self._over = 0.0  # time spent writing beyond the share, as it stood then:
        self._at = float("-inf")
        self.opened_s = 0.0  # the last pause given

    def worked(self, began: float, ended: float) -> None:
        """A slice is done."""
        self._settle(ended)
        self._over += ended - began

    def pause(self, now: float, waiting_since: float) -> float:
        """How long to pause now, where updates have been waiting for so long."""
        self._settle(now)
        needed = (self._over - BURST_S) / self._share
        pause = min(needed, self._max_s - (now - waiting_since))
        self.opened_s = max(pause, 2 * MIN_PAUSE_S) if pause >= MIN_PAUSE_S else 0.0
        return self.opened_s

    def _settle(self, now: float) -> None:
        if self._over:
            self._over = max(0.0, self._over - self._share * (now - self._at))
        self._at = now
