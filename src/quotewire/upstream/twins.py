"""Several streams of one symbol made one: what the first brings counts, what another brings again is left out. Pure.

Questrade numbers nothing, but every stream of a symbol brings the same contents in the same order. So the contents that
were passed on are kept for a while, and each stream has a *place* among them: that of what it brought last.

| a stream brings | then | verdict |
|---|---|---|
| what it brought last | it repeats itself | SEEN |
| what another brought after its place | it follows: its place moves there | SEEN |
| something else, its place is the newest | it leads | NEW |
| something else, and trades show that it is newer | it leads | NEW |
| something else, and trades show that it is older | the others did not get this one | SEEN |
| something else, and nothing tells | it waits; if no other speaks for `HOLD_S`, it and what followed are | NEW |

A stream that begins with a content that is known more than once may stand at any of them; for `ALIGN_S` what is known
already waits as well. Two sockets of one person, one after the other, are two streams. `now` is monotonic seconds.
"""

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Final

from quotewire.market.book import compare
from quotewire.market.quote import Quote, QuotePatch

DEPTH: Final = 32  # contents kept of each symbol
HOLD_S: Final = 1.0
ALIGN_S: Final = 2.0
ALONE_S: Final = 15.0
"""What came so long ago that no stream can be behind it: a volume that was lowered by a cancelled trade is believed."""
STREAMS: Final = 4  # places kept of each symbol


class Heard(Enum):
    """What a stream's quote is."""

    NEW = auto()
    SEEN = auto()
    HELD = auto()


@dataclass(slots=True)
class _Place:
    """Where one stream is. `at` counts contents from the first one on; -1 is before all."""

    at: int = -1
    unsure_until: float = float("-inf")
    last: QuotePatch | None = None
    held: deque[QuotePatch] = field(default_factory=lambda: deque(maxlen=DEPTH))
    held_at: float = 0.0
    held_behind: int = 0


@dataclass(slots=True)
class _Line:
    """One symbol. `count` is the number of all contents, the newest `DEPTH` of which are in `log`."""

    log: deque[QuotePatch] = field(default_factory=lambda: deque(maxlen=DEPTH))
    count: int = 0
    newest_at: float = float("-inf")
    places: dict[Hashable, _Place] = field(default_factory=dict)

    def after(self, place: int, patch: QuotePatch) -> int | None:
        """The first content equal to `patch` after a place."""
        first = self.count - len(self.log)
        skip = max(place + 1 - first, 0)
        return next((first + at for at, had in enumerate(islice(self.log, skip, None), skip) if had == patch), None)

    def last(self, patch: QuotePatch) -> int | None:
        """The last content equal to `patch`."""
        return next((self.count - 1 - back for back, had in enumerate(reversed(self.log)) if had == patch), None)


class Twins:
    """All symbols. A stream is any value that stands for one socket."""

    def __init__(self) -> None:
        self._lines: dict[int, _Line] = {}
        self._holding: dict[tuple[int, Hashable], None] = {}

    def hear(self, stream: Hashable, patch: QuotePatch, current: Quote | None, now: float) -> Heard:
        """A stream brought this; `current` is what clients have."""
        line = self._lines.get(patch.symbol_id)
        if line is None:
            line = self._lines[patch.symbol_id] = _Line()
        place = line.places.get(stream)
        if place is None:
            place = self._begin(line, stream)
            found = line.last(patch)
            if line.log.count(patch) > 1:
                place.unsure_until = now + ALIGN_S
        elif place.last == patch:
            return self._seen(place, place.at, patch, now)
        else:
            found = line.after(place.at, patch) if place.at < line.count - 1 else None
        if found is not None:
            return self._seen(place, found, patch, now)
        if place.at == line.count - 1 and (now >= place.unsure_until or line.last(patch) is None):
            return self._new(line, place, patch, now)
        return self._judge(line, place, stream, patch, current, now)

    def due(self, now: float) -> list[QuotePatch]:
        """What has waited long enough, and nobody brought anything since."""
        ready: list[QuotePatch] = []
        for key in list(self._holding):
            line = self._lines.get(key[0])
            place = line.places.get(key[1]) if line is not None else None
            if line is None or place is None or not place.held:
                del self._holding[key]
            elif now - place.held_at >= HOLD_S:
                del self._holding[key]
                waited = list(place.held)
                place.held.clear()
                if line.count == place.held_behind:
                    for patch in waited:
                        self._new(line, place, patch, now)
                    ready += waited
        return ready

    def forget(self, symbol_id: int) -> None:
        """Nobody wants it any more."""
        self._lines.pop(symbol_id, None)

    def _begin(self, line: _Line, stream: Hashable) -> _Place:
        place = line.places[stream] = _Place()
        while len(line.places) > STREAMS:
            del line.places[next(iter(line.places))]
        return place

    def _seen(self, place: _Place, at: int, patch: QuotePatch, now: float) -> Heard:
        place.at, place.last = at, patch
        place.held.clear()
        return Heard.SEEN

    def _new(self, line: _Line, place: _Place, patch: QuotePatch, now: float) -> Heard:
        line.log.append(patch)
        line.count += 1
        line.newest_at = now
        place.at, place.last = line.count - 1, patch
        place.held.clear()
        return Heard.NEW

    def _judge(
        self, line: _Line, place: _Place, stream: Hashable, patch: QuotePatch, current: Quote | None, now: float
    ) -> Heard:
        """Neither following nor leading."""
        order = 0 if current is None else compare(patch, current)
        if order > 0 or not line.count or now - line.newest_at > ALONE_S:
            return self._new(line, place, patch, now)
        place.last = patch
        if line.log[-1] == patch:  # it has caught up
            return self._seen(place, line.count - 1, patch, now)
        if order < 0:
            return Heard.SEEN
        if not place.held or place.held_behind != line.count:
            place.held.clear()
            place.held_at, place.held_behind = now, line.count
        place.held.append(patch)
        self._holding[patch.symbol_id, stream] = None
        return Heard.HELD
