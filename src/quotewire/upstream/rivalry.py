"""Does another program use this login? Pure; durations in seconds.

Questrade gives each login one stream: who opens one ends the other. Two programs that both come back at once end each
other's streams for ever, and neither has quotes. One end tells nothing; several in a row of streams that worked, each
soon after it was opened, tell enough. Then we stay away, longer each time, and say so.
"""

from dataclasses import dataclass
from typing import Final

from quotewire.resilience.backoff import Backoff, Chance

SHORT_S: Final = 60.0
ROW: Final = 3
PEACE_S: Final = 600.0  # a stream that lived this long shows that the other program is gone
STAY_AWAY: Final = Backoff(base_s=30.0, cap_s=600.0)


@dataclass(slots=True)
class Rivalry:
    """One login's. `row` counts short lives since the last long one, `rounds` how often we stayed away.

    `held_until` (monotonic seconds) is when the stream may be tried again.
    """

    row: int = 0
    rounds: int = 0
    held_until: float = float("-inf")

    def ended(self, lived_s: float, now: float, chance: Chance) -> float | None:
        """A stream that worked was ended by the other side; for how long to stay away.

        None when nothing speaks for another program.
        """
        if lived_s >= PEACE_S:
            self.rounds = 0
        if lived_s >= SHORT_S:
            self.row = 0
            return None
        self.row += 1
        if self.row < ROW and not self.rounds:
            return None
        self.rounds += 1
        wait_s = STAY_AWAY.delay(self.rounds, chance)
        self.held_until = now + wait_s
        return wait_s

    def words(self, person: str, wait_s: float) -> str:
        """What the operator is told."""
        return (
            f"another program seems to use {person}'s login: Questrade gives a login one stream, and {person}'s was"
            f" ended {self.row} times in a row within {SHORT_S:.0f} s of its opening. Trying again in {wait_s:.0f} s."
            f" End the other program, or leave the stream to it with: quotewire persons stream {person} off"
        )
