"""Several streams of one symbol made one: what the first brings counts, what another brings again is left out. Pure.

Questrade numbers nothing, but every stream of a symbol brings the same contents in the same order. So the contents that
were passed on are kept for a while, and each stream has a *place* among them: that of what it brought last.

| a stream brings | then | verdict |
|---|---|---|
| what it brought last | it repeats itself | SEEN |
| what others brought after its place | it follows: its place moves there | SEEN |
| something else, its place is the newest | it leads | NEW |
| something else, and trades show that it is newer | it leads | NEW |
| something else, and trades show that it is older | the others did not get this one | SEEN |
| something else, and nothing tells | it waits | HELD |

A stream that joins begins with what is current when Questrade takes it up. So it cannot stand at a content of which we
had read the successor before it was asked for: what looks like that is new. At one that was current later it may stand,
or be ahead of all others with an equal one (a bid that goes to and fro); then it waits as well, until what it brings
next, or what others bring, tells. Who waits is heard in any case: when the others have been silent for `HOLD_S`, or for
`ALONE_S` where no other stream carries the symbol any more.

Two sockets of one login, one after the other, are two streams of one `owner`. Questrade ends the first when it takes up
the second, so that the second begins where the first ended, or after that. `now` is monotonic seconds.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from quotewire.market.book import compare
from quotewire.market.quote import Quote, QuotePatch

DEPTH: Final = 32  # contents kept of each symbol
HOLD_S: Final = 1.0
ALONE_S: Final = 0.15
LAG_S: Final = 1.0
"""So far behind the others no stream is taken to be for what merely looks like something they brought."""
BELIEVED_S: Final = 15.0
"""What came so long ago that no stream can be behind it: a volume that was lowered by a cancelled trade is believed."""
STREAMS: Final = 4  # places kept of each symbol
NEVER: Final = float("-inf")


class Heard(Enum):
    """What a stream's quote is."""

    NEW = auto()
    SEEN = auto()
    HELD = auto()


@dataclass(slots=True)
class _Place:
    """Where one stream is. `at` counts contents from the first one on; -1 is before all.

    While that is not certain, `is_sure` is false, `maybe` has where else it may be, and what it brought waits in
    `held`. `since` is when the stream was asked for the symbol.
    """

    since: float
    at: int = -1
    is_sure: bool = True
    maybe: list[int] = field(default_factory=list)
    last: QuotePatch | None = None
    held: deque[QuotePatch] = field(default_factory=lambda: deque(maxlen=DEPTH))
    held_at: float = 0.0

    def equal(self, maybe: list[int]) -> None:
        """What it brought last is equal to what was passed on last, so nothing waits: it is there, or may be."""
        if len(maybe) == 1:
            self.settle(maybe[0])
        self.maybe = maybe[-DEPTH:] if len(maybe) > 1 else []
        self.held.clear()

    def settle(self, at: int) -> None:
        """The stream is there for certain."""
        self.at, self.is_sure = at, True
        self.maybe.clear()
        self.held.clear()


@dataclass(slots=True)
class Thread:
    """One symbol. `count` is the number of all contents, the newest `DEPTH` of which are in `log`, with `times`."""

    log: deque[QuotePatch] = field(default_factory=lambda: deque(maxlen=DEPTH))
    times: deque[float] = field(default_factory=lambda: deque(maxlen=DEPTH))
    count: int = 0
    places: dict[Hashable, _Place] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The number of the oldest content kept."""
        return self.count - len(self.log)

    def after(self, place: int, patch: QuotePatch, now: float) -> int | None:
        """The content after a place if it is equal to `patch`, else the first one that is and was current of late."""
        if self.is_at(place + 1, patch):
            return place + 1
        return min((at for at in self.possible(patch, now - LAG_S) if at > place), default=None)

    def is_at(self, place: int, patch: QuotePatch) -> bool:
        """Whether a place has a content that is kept, and equal."""
        return self.first <= place < self.count and self.log[place - self.first] == patch

    def was_current(self, place: int, then: float) -> bool:
        """Whether the content of a place was not superseded before."""
        return place >= self.count - 1 or self.times[place + 1 - self.first] >= then

    def possible(self, patch: QuotePatch, since: float) -> list[int]:
        """The contents equal to `patch` that were current then or later, the newest first."""
        found, superseded_at = [], float("inf")
        for back, (had, time) in enumerate(zip(reversed(self.log), reversed(self.times), strict=True)):
            if superseded_at < since:
                break
            if had == patch:
                found.append(self.count - 1 - back)
            superseded_at = time
        return found

    def reaches_back_to(self, since: float) -> bool:
        """Whether everything that was current from then on is kept."""
        return not self.log or self.times[0] <= since


class Twins:
    """All symbols. A stream is any value that stands for one socket.

    `carries(stream, symbol_id)` tells whether a stream that brought something carries the symbol still, `owner(stream)`
    whose stream it is.
    """

    def __init__(
        self,
        carries: Callable[[Hashable, int], bool] = lambda stream, symbol_id: True,
        owner: Callable[[Hashable], Hashable] = lambda stream: stream,
    ) -> None:
        self._carries = carries
        self._owner = owner
        self._threads: dict[int, Thread] = {}
        self._holding: dict[tuple[int, Hashable], None] = {}
        self._ahead: list[QuotePatch] = []

    @property
    def is_holding(self) -> bool:
        """Whether something waits: `due` is to be asked every so often."""
        return bool(self._holding)

    def thread(self, symbol_id: int) -> Thread:
        """What is known of a symbol, from now until it is forgotten; to be given to `lead`."""
        thread = self._threads.get(symbol_id)
        if thread is None:
            thread = self._threads[symbol_id] = Thread()
        return thread

    def lead(self, thread: Thread, stream: Hashable, patch: QuotePatch, now: float, since: float = NEVER) -> bool:
        """The ordinary case of `hear`, by itself because nearly every quote is one: a stream that certainly stands at
        the newest content brings another one, which is new. In all other cases false, and nothing is done.
        """
        place = thread.places.get(stream)
        if place is None or place.at != thread.count - 1 or not place.is_sure:
            return False
        if place.since != since or place.last == patch:
            return False
        place.last = patch
        place.at = thread.count
        self._append(thread, patch, now)
        return True

    def hear(
        self, stream: Hashable, patch: QuotePatch, current: Quote | None, now: float, since: float = NEVER
    ) -> Heard:
        """A stream brought this, which was asked for the symbol at `since`; `current` is what clients have."""
        thread = self.thread(patch.symbol_id)
        if self.lead(thread, stream, patch, now, since):
            return Heard.NEW
        place = thread.places.get(stream)
        if place is None or place.since != since:
            floor = self._floor(thread, stream)
            return self._join(thread, self._begin(thread, stream, since), floor, stream, patch, current, now)
        if place.last == patch:
            return Heard.HELD if place.held else Heard.SEEN
        place.last = patch
        if not place.is_sure:
            return self._unsure(thread, place, stream, patch, current, now)
        found = thread.after(place.at, patch, now)
        if found is not None:
            place.at = found
            return Heard.SEEN
        return self._judge(thread, place, stream, patch, current, now)

    def is_placed(self, stream: Hashable, symbol_id: int) -> bool:
        """Whether it is certain where a stream stands, or it has said nothing yet."""
        thread = self._threads.get(symbol_id)
        place = thread.places.get(stream) if thread is not None else None
        return place is None or place.is_sure

    def is_newest(self, patch: QuotePatch) -> bool:
        """Whether this is what was passed on last."""
        thread = self._threads.get(patch.symbol_id)
        return thread is not None and bool(thread.log) and thread.log[-1] == patch

    def take_ahead(self) -> list[QuotePatch]:
        """After a verdict NEW: what had waited, comes before it and is new as well; told once."""
        ahead, self._ahead = self._ahead, []
        return ahead

    def told(self, patch: QuotePatch, now: float) -> None:
        """Clients got this by another way, such as a poll."""
        thread = self.thread(patch.symbol_id)
        if not thread.log or thread.log[-1] != patch:
            self._append(thread, patch, now)

    def due(self, now: float) -> list[QuotePatch]:
        """What has waited long enough, and nobody brought anything since."""
        ready: list[QuotePatch] = []
        for symbol_id, stream in list(self._holding):
            thread = self._threads.get(symbol_id)
            place = thread.places.get(stream) if thread is not None else None
            if thread is None or place is None or not place.held:
                del self._holding[symbol_id, stream]
            elif not self._carries(stream, symbol_id):
                del self._holding[symbol_id, stream]
                place.held.clear()  # should it carry the symbol again, others will have gone on
            elif now - place.held_at >= (ALONE_S if self._is_alone(thread, place, symbol_id) else HOLD_S):
                del self._holding[symbol_id, stream]
                ready += self._release(thread, place, now)
        return ready

    def forget(self, symbol_id: int) -> None:
        """Nobody wants it any more."""
        self._threads.pop(symbol_id, None)

    # --- inside ---

    def _begin(self, thread: Thread, stream: Hashable, since: float) -> _Place:
        thread.places.pop(stream, None)
        place = thread.places[stream] = _Place(since)
        while len(thread.places) > STREAMS:
            del thread.places[next(iter(thread.places))]
        return place

    def _join(
        self,
        thread: Thread,
        place: _Place,
        floor: int,
        stream: Hashable,
        patch: QuotePatch,
        current: Quote | None,
        now: float,
    ) -> Heard:
        """A stream's first word of a symbol, or the first after it was asked for it again; not from before `floor`."""
        place.last = patch
        newest = thread.count - 1
        possible = [at for at in thread.possible(patch, max(place.since, now - LAG_S)) if at >= floor]
        if not possible:
            if self._order(thread, patch, current, now) < 0:
                return Heard.SEEN
            is_later = floor == newest or thread.reaches_back_to(place.since)
            if is_later or self._order(thread, patch, current, now) > 0:
                return self._new(thread, place, patch, now)
        elif possible == [newest]:
            place.at = newest
            return Heard.SEEN
        place.is_sure, place.maybe = False, possible
        if newest in possible:
            return Heard.SEEN  # clients have an equal one
        if self._order(thread, patch, current, now) < 0:
            return Heard.SEEN
        return self._hold(thread, place, stream, patch, now)

    def _floor(self, thread: Thread, stream: Hashable) -> int:
        """Where this stream was last, or where the one before it of the same login ended; -1 when there was none."""
        owner = self._owner(stream)
        before = [x.at for each, x in thread.places.items() if self._owner(each) == owner and x.is_sure]
        return max(before, default=-1)

    def _unsure(
        self, thread: Thread, place: _Place, stream: Hashable, patch: QuotePatch, current: Quote | None, now: float
    ) -> Heard:
        """The next word of a stream whose place is not certain."""
        newest = thread.count - 1
        follows = [
            at + 1 for at in place.maybe if thread.is_at(at + 1, patch) and thread.was_current(at + 1, now - LAG_S)
        ]
        if not follows and (further := thread.after(min(place.maybe, default=-1), patch, now)) is not None:
            follows = [further]
        if thread.log[-1] == patch:
            place.equal(sorted({newest, *follows}))
            return Heard.SEEN
        order = self._order(thread, patch, current, now)
        if follows and order >= 0:
            place.maybe = follows
            return self._hold(thread, place, stream, patch, now)
        if order < 0:
            if follows:
                place.settle(follows[0])  # a trade is in between: there is only one place like that
            return Heard.SEEN
        if order == 0 and not self._is_alone(thread, place, patch.symbol_id):
            return self._hold(thread, place, stream, patch, now)
        self._ahead = self._fresh(thread, place)
        for waited in self._ahead:
            self._append(thread, waited, now)
        return self._new(thread, place, patch, now)

    def _judge(
        self, thread: Thread, place: _Place, stream: Hashable, patch: QuotePatch, current: Quote | None, now: float
    ) -> Heard:
        """Neither following nor leading."""
        order = self._order(thread, patch, current, now)
        if order > 0 or now - thread.times[-1] > BELIEVED_S:
            return self._new(thread, place, patch, now)
        if thread.log[-1] == patch:  # it has caught up
            place.settle(thread.count - 1)
            return Heard.SEEN
        if order < 0:
            return Heard.SEEN
        place.is_sure = False
        return self._hold(thread, place, stream, patch, now)

    def _order(self, thread: Thread, patch: QuotePatch, current: Quote | None, now: float) -> int:
        """Before or after what clients have, as far as trades tell; what is very old is not believed to be newer."""
        if current is None or not thread.times or now - thread.times[-1] > BELIEVED_S:
            return 0
        return compare(patch, current)

    def _hold(self, thread: Thread, place: _Place, stream: Hashable, patch: QuotePatch, now: float) -> Heard:
        if not place.held:
            place.held_at = now
        place.held.append(patch)
        self._holding[patch.symbol_id, stream] = None
        return Heard.HELD

    def _release(self, thread: Thread, place: _Place, now: float) -> list[QuotePatch]:
        """Nobody else has spoken: what waited is believed."""
        fresh = self._fresh(thread, place)
        for patch in fresh:
            self._append(thread, patch, now)
        place.settle(thread.count - 1)
        return fresh

    def _fresh(self, thread: Thread, place: _Place) -> list[QuotePatch]:
        """What waited, without what others brought meanwhile."""
        waited = list(place.held)
        if thread.log and thread.log[-1] in waited:
            last = len(waited) - 1 - waited[::-1].index(thread.log[-1])
            waited = waited[last + 1 :]
        return waited

    def _new(self, thread: Thread, place: _Place, patch: QuotePatch, now: float) -> Heard:
        self._append(thread, patch, now)
        place.settle(thread.count - 1)
        return Heard.NEW

    def _append(self, thread: Thread, patch: QuotePatch, now: float) -> None:
        """A content is passed on; who waits with it, or behind it, learns from that."""
        thread.log.append(patch)
        thread.times.append(now)
        thread.count += 1
        if self._holding:
            self._tell_waiting(thread, patch, now)

    def _tell_waiting(self, thread: Thread, patch: QuotePatch, now: float) -> None:
        for place in thread.places.values():
            if not place.held:
                continue
            if place.last == patch:
                place.equal([*place.maybe, thread.count - 1])
            elif patch in place.held:
                while place.held[0] != patch:
                    place.held.popleft()
                place.held.popleft()
                place.maybe = [thread.count - 1]
                place.held_at = now
            else:
                place.held_at = now
                while place.held and _is_older(place.held[0], patch):
                    place.held.popleft()

    def _is_alone(self, thread: Thread, place: _Place, symbol_id: int) -> bool:
        """Whether all others that carry the symbol, if there are any, wait with the same."""
        return all(
            other is place or (other.held and other.last == place.last) or not self._carries(stream, symbol_id)
            for stream, other in thread.places.items()
        )


def _is_older(one: QuotePatch, other: QuotePatch) -> bool:
    """Whether trades tell that one content comes before another."""
    volumes, times = (one.volume, other.volume), (one.last_trade_time, other.last_trade_time)
    if not (isinstance(volumes[0], int) and isinstance(volumes[1], int)):
        return False
    if not (isinstance(times[0], str) and isinstance(times[1], str)):
        return False
    days = times[0][:10], times[1][:10]
    return days[0] < days[1] or (days[0] == days[1] and volumes[0] < volumes[1])
