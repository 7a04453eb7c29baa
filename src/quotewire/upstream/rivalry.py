"""Does another program use this login? Pure; durations in seconds.

Questrade gives each login one stream: who opens one ends the other. Two programs that both come back at once end each
other's streams for ever, and neither has quotes. One end tells nothing; several in a row of streams that worked, each
soon after it was opened, tell enough. Then we stay away, longer each time, and say so.

| the stream ended | counts as |
|---|---|
| a minute or more after it was opened | nobody's doing; a row starts over |
| sooner, with a code by which a server tells of trouble of its own | a short life |
| sooner, and streams of other logins at the same time | a short life |
| sooner, in any other way: an eviction has no known mark of its own | a short life that looks like an eviction |

`ROW` of the last, or `LONG_ROW` of both, are taken for another program. Where others have room for the symbols, the
login is left to it for long; where nobody has, a short while will do, since otherwise there would be no stream at all.
"""

from dataclasses import dataclass
from typing import Final

from quotewire.resilience.backoff import Backoff, Chance

SHORT_S: Final = 60.0
ROW: Final = 3
LONG_ROW: Final = 8
PEACE_S: Final = 600.0  # a stream that lived this long shows that the other program is gone
STAY_AWAY: Final = Backoff(base_s=30.0, cap_s=600.0)
MISSED: Final = Backoff(base_s=2.0, factor=3.0, cap_s=600.0)
"""The same where nobody else has room: seven tries in the first quarter of an hour, then one in ten minutes."""
OWN_TROUBLE: Final = frozenset({1001, 1011, 1012, 1013, 1014})
"""RFC 6455 and its registry: going away, internal error, service restart, try again later, bad gateway."""


@dataclass(slots=True)
class Rivalry:
    """One login's. `row` counts short lives since the last long one, `alike` those that look like an eviction,
    `rounds` how often we stayed away.

    Before `held_until` (monotonic seconds) the stream is not to be tried, and before `missed_at` not even when nobody
    else has room for its symbols.
    """

    row: int = 0
    alike: int = 0
    rounds: int = 0
    held_until: float = float("-inf")
    missed_at: float = float("-inf")
    _before: tuple[int, int, float, float] | None = None

    def ended(self, lived_s: float, code: int, now: float, chance: Chance, *, alone: bool = True) -> float | None:
        """A stream that worked was ended by the other side with this close code; for how long to stay away.

        `alone`: no other login's stream ended at the same time. None when nothing speaks for another program.
        """
        if lived_s >= PEACE_S:
            self.rounds = 0
        self._before = None
        if lived_s >= SHORT_S:
            self.row = self.alike = 0
            return None
        self._before = (self.alike, self.rounds, self.held_until, self.missed_at)
        self.row += 1
        is_alike = alone and code not in OWN_TROUBLE
        self.alike += is_alike
        if self.alike < ROW and self.row < LONG_ROW and not (self.rounds and is_alike):
            return None
        self.rounds += 1
        wait_s = STAY_AWAY.delay(self.rounds, chance)
        self.held_until = now + wait_s
        self.missed_at = now + min(MISSED.delay(self.rounds, chance), wait_s)
        return wait_s

    def pardon(self) -> None:
        """Streams of other logins ended with the last one of this: it looks less like an eviction than it did."""
        if self._before is not None and self.row < LONG_ROW:
            self.alike, self.rounds, self.held_until, self.missed_at = self._before
        self._before = None

    def words(self, person: str, wait_s: float) -> str:
        """What the operator is told."""
        return (
            f"another program seems to use {person}'s login: Questrade gives a login one stream, and {person}'s was"
            f" ended {self.row} times in a row within {SHORT_S:.0f} s of its opening. Trying again in {wait_s:.0f} s,"
            " sooner if no other login has room for its symbols."
            f" End the other program, or leave the stream to it with: quotewire persons stream {person} off"
        )
