"""Does a stream take up new symbols in place, or only when it is opened anew? Pure: learned by watching.

Questrade does not say whether repeating the request that named a stream's symbols changes the stream that is open.
So it is asked first and watched: if data of a new symbol come, it does; if none come until the stream is opened anew
and then they do, it does not. What was learned holds for every stream.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

ADOPT_S: Final = 3.0
"""How long new symbols get to show data before the stream is opened anew."""


class Habit(StrEnum):
    """What is known of the server."""

    UNKNOWN = "unknown"
    IN_PLACE = "in_place"
    REOPEN = "reopen"


@dataclass(slots=True)
class Lesson:
    """What all streams have learned together."""

    habit: Habit = Habit.UNKNOWN


@dataclass(slots=True)
class Adoption:
    """One stream's new symbols, until they have shown data or their time is up. Times are monotonic seconds."""

    lesson: Lesson
    pending: set[int] = field(default_factory=set)
    due_at: float = float("inf")
    renewed: set[int] = field(default_factory=set)
    """Pending ones that the open socket was opened for: it carries them, and their data prove nothing in place."""
    early: set[int] = field(default_factory=set)
    """Symbols that have shown data before the open socket is known to carry them."""
    former: set[int] = field(default_factory=set)
    """Symbols the open socket was asked for before; their data teach nothing."""

    @property
    def unproven(self) -> frozenset[int]:
        """Symbols of which it cannot be said yet that the stream carries them."""
        return frozenset() if self.lesson.habit is Habit.IN_PLACE else frozenset(self.pending - self.renewed)

    def asked(self, added: Iterable[int], now: float) -> None:
        """The stream was asked in place to carry these too, or is about to be opened anew for them."""
        new = frozenset(added)
        if self.lesson.habit is not Habit.IN_PLACE and self.early & new - self.former:
            self.lesson.habit = Habit.IN_PLACE
        self.renewed -= new
        self.pending.update(new - self.early)
        self.due_at = now + ADOPT_S if self.pending else float("inf")

    def settled(self, ids: Iterable[int]) -> None:
        """The open socket was asked for exactly these: whether it carries them, other data than early ones tell."""
        settled = frozenset(ids)
        self.early -= settled
        self.pending &= settled
        self.renewed &= settled

    def opened_anew(self, now: float, surplus: Iterable[int] = ()) -> None:
        """The stream was opened anew with all its symbols, and with `surplus` ones that were dropped meanwhile."""
        self.early.clear()
        self.former = set(surplus)
        self.renewed = set(self.pending)
        self.due_at = now + ADOPT_S if self.pending else float("inf")

    def dropped(self, removed: Iterable[int], taken: Set[int] = frozenset()) -> None:
        """These are not wanted any more. Those that were `taken` may come nevertheless, as they did before; what has
        shown nothing yet stays unproven, until a request leaves it out.
        """
        gone = frozenset(removed)
        self.former |= gone
        for known in (self.early, self.pending, self.renewed):
            known -= gone - taken

    def heard(self, ids: Iterable[int]) -> bool:
        """Data of these came, which the stream is about to be asked for; whether that is news."""
        before = len(self.early)
        self.early.update(ids)
        return len(self.early) > before

    def seen(self, ids: Iterable[int]) -> None:
        """Data of these came. One new symbol proves the habit, if the open socket was not asked for it before."""
        shown = self.pending.intersection(ids)
        in_place = shown - self.renewed
        self.pending -= shown
        self.renewed -= shown
        if not shown - self.former:
            return
        if in_place - self.former:
            self.lesson.habit = Habit.IN_PLACE
        elif self.lesson.habit is Habit.UNKNOWN:
            self.lesson.habit = Habit.REOPEN

    def judge(self, now: float) -> bool:
        """Whether the stream must be opened anew now. Once judged, symbols still silent are nobody's pending any more:
        a symbol that shows nothing even then has nothing to show, or is for the watchdog.
        """
        if now < self.due_at:
            return False
        self.due_at = float("inf")
        if not self.unproven:
            self.pending.clear()
            self.renewed.clear()
            return False
        return True
