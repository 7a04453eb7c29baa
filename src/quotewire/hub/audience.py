"""Who gets the updates of which symbol. An index from symbols to the places their frames are put in.

Places that are gone are taken out when the symbol is next published, or when they are many: to go costs the same
whether ten or ten thousand want the symbol, and publishing walks a plain list.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Generic, TypeVar

from quotewire.hub.lane import Lane
from quotewire.hub.outbox import Outbox
from quotewire.hub.shape import Shape, shape_of
from quotewire.hub.wants import Wants, size, split
from quotewire.wire.options import Options

Append = Callable[[bytes], None]
"""The end of a lane's run."""

Slots = dict[int, bytes]
"""A lane's slots, for symbols in latest mode."""

SWEPT_AT_ONCE = 256
"""Symbols a place is taken out of in one go: some 50 microseconds, whoever goes."""

P = TypeVar("P")


class Places(Generic[P]):
    """The places of one symbol and shape."""

    __slots__ = ("gone", "here")

    def __init__(self) -> None:
        self.here: list[P] = []
        self.gone: set[int] | None = None

    def add(self, place: P) -> None:
        """Put frames there too."""
        if self.gone is not None and id(place) in self.gone:
            self.gone.discard(id(place))
        else:
            self.here.append(place)

    def remove(self, place: P) -> None:
        """Put no more frames there. It must be there."""
        if self.gone is None:
            self.gone = set()
        self.gone.add(id(place))
        if 2 * len(self.gone) > len(self.here):
            self.tidy()

    def tidy(self) -> None:
        """Take out those that are gone."""
        if self.gone:
            gone = self.gone
            self.here = [place for place in self.here if id(place) not in gone]
        self.gone = None


class Audience:
    """Who gets the updates of one symbol."""

    __slots__ = ("outboxes", "runs", "slots", "symbol_id")

    def __init__(self, symbol_id: int) -> None:
        self.symbol_id = symbol_id
        self.runs: dict[Shape, Places[Append]] = {}
        self.slots: dict[Shape, Places[Slots]] | None = None
        self.outboxes: dict[Outbox, Options] | None = None

    def lane_places(self) -> Iterator[int]:
        """The identities of all places in lanes."""
        for places in self.runs.values():
            yield from map(id, places.here)
        if self.slots is not None:
            for slots in self.slots.values():
                yield from map(id, slots.here)


class Audiences:
    """All audiences, and the set of symbols anyone wants."""

    def __init__(self) -> None:
        self._audiences: dict[int, Audience] = {}
        self._retired: deque[tuple[Lane | Outbox, Wants]] = deque()
        self._runs: dict[Shape, dict[int, Places[Append]]] = {}  # the same places, to be found in one step
        self.of = self._audiences.get
        """The audience of a symbol, or None."""

    def __len__(self) -> int:
        return len(self._audiences)

    def wanted(self) -> frozenset[int]:
        """The ids of all symbols anyone wants."""
        return frozenset(self._audiences)

    def same(self, symbol_ids: Iterable[int]) -> list[int]:
        """These ids without repeats, as the very objects in use already: then no client has copies of its own."""
        of = self.of
        return [
            symbol_id if (there := of(symbol_id)) is None else there.symbol_id
            for symbol_id in dict.fromkeys(symbol_ids)
        ]

    def add_lane(self, lane: Lane, wants: Wants) -> bool:
        """Put frames of these symbols in the lane; tells whether any symbol is newly wanted."""
        before = len(self._audiences)
        for options, symbol_ids in wants:
            shape = shape_of(lane.form, options, gaps=lane.gaps)
            if shape.latest:
                slots = lane.filled()
                for symbol_id in symbol_ids:
                    audience = self._audience(symbol_id)
                    if audience.slots is None:
                        audience.slots = {}
                    _add(audience.slots, shape, slots)
            else:
                self._add_run(lane.append, shape, symbol_ids)
        return len(self._audiences) > before

    def _add_run(self, append: Append, shape: Shape, symbol_ids: Collection[int]) -> None:
        if not symbol_ids:
            return  # an empty index would keep its shape for good
        # What subscribing costs is mostly this loop: nothing is called in it that need not be.
        index = self._runs.setdefault(shape, {})
        there = index.get
        for symbol_id in symbol_ids:
            places = there(symbol_id)
            if places is None:
                places = index[symbol_id] = self._audience(symbol_id).runs[shape] = Places()
            if places.gone is None:
                places.here.append(append)
            else:
                places.add(append)

    def remove_lane(self, lane: Lane, wants: Wants) -> bool:
        """Put no more frames of these symbols in the lane; tells whether any symbol is now wanted by nobody."""
        before = len(self._audiences)
        for options, symbol_ids in wants:
            shape = shape_of(lane.form, options, gaps=lane.gaps)
            if not shape.latest:
                self._remove_run(lane.append, shape, symbol_ids)
                continue
            for symbol_id in symbol_ids:
                audience = self._audiences[symbol_id]
                assert audience.slots is not None, "a lane in the index is in its symbols' audiences"
                _remove(audience.slots, shape, lane.filled())
                self._drop_if_unwanted(audience)
        return len(self._audiences) < before

    def _remove_run(self, append: Append, shape: Shape, symbol_ids: Iterable[int]) -> None:
        place, index = id(append), self._runs.get(shape, {})
        for symbol_id in symbol_ids:
            places = index[symbol_id]
            gone = places.gone
            if gone is None:
                places.gone = gone = {place}
            else:
                gone.add(place)
            if 2 * len(gone) > len(places.here):
                places.tidy()
                if not places.here:
                    del index[symbol_id]
                    audience = self._audiences[symbol_id]
                    del audience.runs[shape]
                    self._drop_if_unwanted(audience)
        if not index:
            self._runs.pop(shape, None)

    def add_outbox(self, outbox: Outbox, wants: Wants) -> bool:
        """Put updates of these symbols in the outbox; tells whether any symbol is newly wanted."""
        before = len(self._audiences)
        for options, symbol_ids in wants:
            for symbol_id in symbol_ids:
                audience = self._audience(symbol_id)
                if audience.outboxes is None:
                    audience.outboxes = {}
                audience.outboxes[outbox] = options
        return len(self._audiences) > before

    def remove_outbox(self, outbox: Outbox, wants: Wants) -> bool:
        """Put no more updates of these symbols in the outbox; tells whether any symbol is now wanted by nobody."""
        before = len(self._audiences)
        for _, symbol_ids in wants:
            for symbol_id in symbol_ids:
                audience = self._audiences[symbol_id]
                assert audience.outboxes is not None, "an outbox in the index is in its symbols' audiences"
                del audience.outboxes[outbox]
                if not audience.outboxes:
                    audience.outboxes = None
                self._drop_if_unwanted(audience)
        return len(self._audiences) < before

    # --- who is gone with all it wanted ---

    @property
    def tidy(self) -> bool:
        """Whether all that was retired is taken out."""
        return not self._retired

    def retire(self, place: Lane | Outbox, wants: Wants) -> bool:
        """Nobody reads there any more: take it out of its audiences, now if they are few, else by and by (`sweep`).

        Tells whether any symbol is now wanted by nobody.
        """
        if size(wants) <= SWEPT_AT_ONCE:
            return self._take_out(place, wants)
        self._retired.append((place, wants))
        return False

    def sweep(self) -> bool:
        """Take a part of what was retired out; tells whether any symbol is now wanted by nobody."""
        shrunk, left = False, SWEPT_AT_ONCE
        while self._retired and left > 0:
            place, wants = self._retired.popleft()
            if isinstance(place, Lane):
                place.forget()
            now, later = split(wants, left)
            shrunk = self._take_out(place, now) or shrunk
            left -= size(now)
            if later:
                self._retired.appendleft((place, later))
        return shrunk

    def _take_out(self, place: Lane | Outbox, wants: Wants) -> bool:
        return self.remove_lane(place, wants) if isinstance(place, Lane) else self.remove_outbox(place, wants)

    def _audience(self, symbol_id: int) -> Audience:
        """The audience of a symbol, made on first need."""
        audience = self._audiences.get(symbol_id)
        if audience is None:
            audience = self._audiences[symbol_id] = Audience(symbol_id)
        return audience

    def _drop_if_unwanted(self, audience: Audience) -> None:
        if not (audience.runs or audience.slots or audience.outboxes):
            del self._audiences[audience.symbol_id]


def _add(index: dict[Shape, Places[P]], shape: Shape, place: P) -> None:
    places = index.get(shape)
    if places is None:
        places = index[shape] = Places()
    places.add(place)


def _remove(index: dict[Shape, Places[P]], shape: Shape, place: P) -> None:
    places = index[shape]
    places.remove(place)
    if not places.here:
        del index[shape]
