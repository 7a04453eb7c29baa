"""Which symbols a person's quote socket carries: the ids of the last REST call with `stream=true`. Pure.

Whether a second call replaces or adds, and whether it counts before a reconnect, is unverified: `second_get` chooses.
"""

from dataclasses import dataclass, field
from typing import Final

REPLACE: Final = "replace"
ADD: Final = "add"
RECONNECT: Final = "reconnect"


@dataclass(slots=True)
class Subscriptions:
    """Per person: the asked-for ids, in order, and the ids in force on the live socket."""

    second_get: str = REPLACE
    asked: dict[str, tuple[int, ...]] = field(default_factory=dict)
    live: dict[str, frozenset[int]] = field(default_factory=dict)

    def ask(self, person: str, ids: tuple[int, ...]) -> frozenset[int]:
        """A subscription call. Returns the ids new on the live socket (none when it counts after a reconnect)."""
        if self.second_get == ADD:
            ids = tuple(dict.fromkeys((*self.asked.get(person, ()), *ids)))
        self.asked[person] = ids
        if person not in self.live or self.second_get == RECONNECT:
            return frozenset()
        new = frozenset(ids) - self.live[person]
        self.live[person] = frozenset(ids)
        return new

    def open(self, person: str) -> tuple[int, ...]:
        """A socket of the person is authorized: the ids it begins with."""
        ids = self.asked.get(person, ())
        self.live[person] = frozenset(ids)
        return ids

    def close(self, person: str) -> None:
        """The person has no live socket any more."""
        self.live.pop(person, None)

    def carried(self, person: str) -> frozenset[int]:
        """The ids on the live socket."""
        return self.live.get(person, frozenset())
