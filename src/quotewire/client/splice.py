"""Joins what two gateways bring of one symbol, while a client moves from one to the other. Pure.

Where both know one count, positions tell which update is which. Two gateways with logins of their own have counts of
their own: there the contents tell. The first connection brings the market up to some moment; what the second one brings
is held until it is found where that stands in the first, and what was seen already is left out. So nothing is missed
and nothing comes twice, whichever of the two is ahead.
"""

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.options import QUOTE_FIELDS, Gap

KEPT = 256
"""Updates of each symbol that are remembered of the first connection: far more than two gateways are apart."""

_OURS = frozenset({"symbol", "epoch", "sequence", "freshness", "source", "delayed", "receivedAt"})
_THEIRS = tuple(name for wire_name, name in QUOTE_FIELDS.items() if wire_name not in _OURS)

Content = tuple[object, ...]


@dataclass(slots=True)
class News:
    """What becomes of updates: `gaps` are told, `new` ones passed on; `known` ones have the content of the last."""

    gaps: list[Gap] = field(default_factory=list)
    new: list[Quote] = field(default_factory=list)
    known: list[Quote] = field(default_factory=list)


def content(quote: Quote) -> Content:
    """What Questrade said, which is the same at every gateway."""
    return tuple(getattr(quote, name) for name in _THEIRS)


class Strand:
    """One symbol: what the first connection brought, and what is held of the second."""

    __slots__ = ("behind", "expected", "gap", "held", "joined", "last", "origin", "seen")

    def __init__(self) -> None:
        self.seen: deque[Content] = deque(maxlen=KEPT)
        self.last: Quote | None = None  # what was passed on last
        self.origin: Quote | None = None  # what the first connection brought last
        self.held: list[Quote] = []
        self.gap: Gap | None = None  # held too: where the two can be joined, there is none
        self.joined = False
        self.expected: deque[Content] = deque()  # seen already, and still to come on the second
        self.behind: Content = ()  # where the second stands meanwhile

    def counts_alike(self, epoch: int) -> bool:
        """Whether positions tell which update is which."""
        return self.last is None or self.last.epoch == epoch

    def hear(self, quote: Quote) -> None:
        """The first connection brought it."""
        self.last = self.origin = quote
        told = content(quote)
        if not self.seen or self.seen[-1] != told:
            self.seen.append(told)

    def hold(self, quote: Quote) -> None:
        """The second connection brought it, and it has no place yet."""
        if self.held and not _steady(self.held[-1]):
            self.held.clear()  # what lies between it and this one the second gateway may have missed
        self.held.append(quote)

    def join(self, news: News) -> None:
        """Find where what is held stands in what was seen, and pass on what of it is new."""
        firsts = _changes(self.held)
        start = _overlap(list(self.seen), [told for told, _ in firsts])
        if start is None:
            return
        held, self.held, self.joined = self.held, [], True
        left = len(self.seen) - start
        self.expected.extend(list(self.seen)[start + len(firsts) :])
        if self.expected:
            self.behind = firsts[-1][0]
            return
        for quote in held[firsts[left][1] :] if left < len(firsts) else held[-1:]:
            self.pass_on(quote, news)

    def release(self, news: News, *, joining: bool) -> None:
        """Hold nothing any more. With `joining`, begin after the last that was seen before, if any was: no gap then."""
        held, self.held, self.joined = self.held, [], True
        known = set(self.seen) if joining else set()
        last = max((at for at, quote in enumerate(held) if content(quote) in known), default=-1)
        if self.gap is not None and last < 0:
            news.gaps.append(self.gap)
            news.new += held
            return
        for quote in held[max(last, 0) :]:
            self.pass_on(quote, news)

    def pass_on(self, quote: Quote, news: News) -> None:
        """An update of the second connection, from where it was joined on."""
        told = content(quote)
        trusted = quote.freshness in (Freshness.LIVE, Freshness.QUIET)
        if self.expected and trusted and told in (self.expected[0], self.behind):
            if told == self.expected[0]:
                self.behind = self.expected.popleft()
            if self.expected:
                return
        self.expected.clear()  # it goes another way, or the quote is not to be trusted: that must be known
        last, self.last = self.last, quote
        known = last is not None and content(last) == told and last.freshness is quote.freshness
        (news.known if known else news.new).append(quote)


def _steady(quote: Quote) -> bool:
    """Whether that gateway's own road to Questrade stands: what follows follows without a hole."""
    if quote.freshness in (Freshness.CLOSED, Freshness.HALTED):
        return True
    return quote.source is Source.STREAM and quote.freshness in (Freshness.LIVE, Freshness.QUIET)


def _changes(quotes: Sequence[Quote]) -> list[tuple[Content, int]]:
    """The contents that differ from the one before, each with where it first stands."""
    found: list[tuple[Content, int]] = []
    for at, quote in enumerate(quotes):
        told = content(quote)
        if not found or found[-1][0] != told:
            found.append((told, at))
    return found


def _overlap(seen: list[Content], held: list[Content]) -> int | None:
    """Where in `seen` what is `held` begins, as late as can be; None when it does not."""
    for start in reversed(range(len(seen))):
        length = min(len(seen) - start, len(held))
        if length and seen[start : start + length] == held[:length]:
            return start
    return None


class Splice:
    """All symbols of one client, from the moment it is asked to move."""

    __slots__ = ("_alike", "_strands")

    def __init__(self) -> None:
        self._strands: dict[int, Strand] = {}
        self._alike = False  # the second gateway has the counts of the first: positions tell all

    def first(self, quotes: Sequence[Quote]) -> None:
        """The first connection brought these."""
        for quote in self.unjoined(quotes):
            self._strands.setdefault(quote.symbol_id, Strand()).hear(quote)

    def unjoined(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        """Those of the first connection that still count: of a symbol that is joined, the second one brings all.

        Whoever took one of the first for such a symbol would take the same from the second for known, and lose it.
        """
        if self._alike:
            return quotes
        return [quote for quote in quotes if not self._is_joined(quote.symbol_id)]

    def _is_joined(self, symbol_id: int) -> bool:
        strand = self._strands.get(symbol_id)
        return strand is not None and strand.joined

    def second(self, quotes: Iterable[Quote]) -> News:
        """The second connection brought these."""
        news = News()
        for quote in quotes:
            strand = self._strands.get(quote.symbol_id)
            if strand is None or self._alike:
                news.new.append(quote)
            elif strand.counts_alike(quote.epoch):
                self._alike = not strand.joined
                news.new.append(quote)
            elif strand.joined:
                strand.pass_on(quote, news)
            else:
                strand.hold(quote)
        return news

    def gaps(self, gaps: Iterable[Gap]) -> list[Gap]:
        """The second connection told these; those that may be passed on at once."""
        fit: list[Gap] = []
        for gap in gaps:
            strand = self._strands.get(gap.symbol_id)
            if strand is None or self._alike or strand.joined or strand.counts_alike(gap.epoch):
                fit.append(gap)
            else:
                strand.gap = gap
        return fit

    def join(self) -> News:
        """Join what can be joined by now."""
        news = News()
        for strand in self._strands.values():
            if strand.joined:
                continue
            if self._alike:
                strand.release(news, joining=False)
            elif strand.held and _steady(strand.held[-1]):
                strand.join(news)
        return news

    def origins(self) -> list[Quote]:
        """What the first connection brought last: where its symbols go on if the second one is given up."""
        return [strand.origin for strand in self._strands.values() if strand.joined and strand.origin is not None]

    def waits(self, symbol_ids: Collection[int]) -> bool:
        """Whether any of these symbols is not brought by the second connection as it is by the first.

        A gateway that is cold says nothing of a symbol at first, and neither does one at which nothing was missed; only
        where the counts are seen to be alike is that silence an answer.
        """
        if self._alike:
            return False
        return any(not strand.joined and key in symbol_ids for key, strand in self._strands.items())

    def give_up(self) -> News:
        """Hold nothing any more."""
        news = News()
        for strand in self._strands.values():
            if not strand.joined:
                strand.release(news, joining=not self._alike)
        return news

    @property
    def over(self) -> bool:
        """Whether all goes on by itself: nothing is left out any more."""
        return self._alike or not any(strand.expected for strand in self._strands.values())
