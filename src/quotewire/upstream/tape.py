"""The tape: what the streams and polls bring becomes stamped quotes, each with its freshness. Waits for nothing.

It owns the book. For every symbol it knows the road its data takes, when data last came, and its usual pace; freshness
is judged from these when data come, when a road changes, and once a second. `mono` is monotonic seconds, `ms` is
milliseconds since 1970 of this machine's clock, `market` is Questrade's time.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import msgspec

from quotewire.market.book import Book
from quotewire.market.calendar import TORONTO, MarketPhase, phase_at
from quotewire.market.freshness import Pace, Road, judge, judge_now
from quotewire.market.quote import Freshness, Quote, QuotePatch, Source
from quotewire.upstream.twins import Heard, Thread, Twins

NEVER: Final = float("-inf")
OVERTAKEN_S: Final = 15.0
"""For so long after a poll, what a stream brings may be older than what the poll brought."""

CATCHING_UP_S: Final = 2.0
"""What comes so soon after the process stood still has waited in the socket, nobody knows how long."""

TRUSTED: Final = frozenset({Freshness.LIVE, Freshness.QUIET})
NOTHING: Final[Mapping[int, float]] = {}

# For what runs for every quote: in Python 3.11 a member is ten times as far away in its enum as in a module.
UP: Final = Road.UP
STREAM: Final = Source.STREAM


class Moment(msgspec.Struct, frozen=True, gc=False):
    """One instant on the three clocks; `market_s` is epoch seconds of Questrade's."""

    mono: float
    ms: int
    market_s: float

    @property
    def market(self) -> datetime:
        """Questrade's time as a date and time of day, made when asked for: most who are told the time do not."""
        return datetime.fromtimestamp(self.market_s, TORONTO)


@dataclass(frozen=True, slots=True)
class Gap:
    """For how long a symbol had no stream; monotonic seconds."""

    since: float
    until: float


class Phases(dict[str, MarketPhase]):
    """What each exchange does at one instant, looked up when it is first asked for: the calendar is not free."""

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self.moment = moment

    def __missing__(self, exchange: str) -> MarketPhase:
        phase = self[exchange] = phase_at(exchange, self.moment.market)
        return phase


@dataclass(slots=True)
class Line:
    """What is known of one symbol's data beside its quote. Times are monotonic seconds."""

    exchange: str
    thread: Thread
    road: Road = Road.DOWN
    road_since: float = 0.0
    lost_at: float | None = None  # when its stream ended, until a stream speaks of it again
    data_at: float | None = None
    polled_at: float = float("-inf")
    close_seen: bool = True
    was_open: bool = False
    pace: Pace = field(default_factory=Pace)

    def look(self, phase: MarketPhase) -> None:
        """See whether the market closed since the last look. Without a stream then, or with one that had not spoken of
        the symbol, the close was not seen.
        """
        is_open = phase is not MarketPhase.CLOSED
        if self.was_open and not is_open and (self.road is not UP or (self.data_at or NEVER) < self.road_since):
            self.close_seen = False
        self.was_open = is_open


class Tape:
    """Book, roads and paces of all symbols. `carries(stream, symbol_id)` tells whether a stream still does,
    `owner(stream)` whose it is.
    """

    def __init__(
        self,
        epoch: int,
        exchange_of: Callable[[int], str],
        carries: Callable[[Hashable, int], bool] = lambda stream, symbol_id: True,
        owner: Callable[[Hashable], Hashable] = lambda stream: stream,
    ) -> None:
        self.book = Book(epoch)
        self.updates = 0
        self._exchange_of = exchange_of
        self._twins = Twins(carries, owner)
        self._lines: dict[int, Line] = {}
        self._doubted: frozenset[int] = frozenset()
        self._phases: Phases | None = None
        self._behind_until = NEVER

    def __len__(self) -> int:
        return len(self._lines)

    def learn(self, symbol_id: int, name: str, exchange: str) -> None:
        """What the directory knows of a symbol."""
        self.book.learn(symbol_id, name)
        if (line := self._lines.get(symbol_id)) is not None:
            line.exchange = exchange

    def road(self, symbol_id: int) -> Road:
        """The road a symbol's data takes now."""
        line = self._lines.get(symbol_id)
        return Road.DOWN if line is None else line.road

    def data_at(self, symbol_id: int) -> float | None:
        """When data of the symbol last came (monotonic seconds)."""
        line = self._lines.get(symbol_id)
        return None if line is None else line.data_at

    def phase(self, symbol_id: int, moment: Moment) -> MarketPhase:
        """What the symbol's exchange is doing."""
        return self._phases_at(moment)[self._line(symbol_id).exchange]

    def pace_s(self, symbol_id: int, moment: Moment) -> float | None:
        """The symbol's usual time between two updates in the phase its market is in; None when not known."""
        line = self._line(symbol_id)
        return line.pace.expected_s(self._phases_at(moment)[line.exchange])

    def is_placed(self, stream: Hashable, symbol_id: int) -> bool:
        """Whether it is certain what the stream has brought of a symbol, beside others."""
        return self._twins.is_placed(stream, symbol_id)

    @property
    def is_holding(self) -> bool:
        """Whether something that a stream brought waits for another to bring it too: `due` is to be asked soon."""
        return self._twins.is_holding

    def streamed(
        self,
        stream: Hashable,
        patches: Iterable[QuotePatch],
        moment: Moment,
        since: float = NEVER,
        later: Mapping[int, float] = NOTHING,
    ) -> list[Quote]:
        """Take what a stream brought; the quotes that changed. `stream` stands for one socket, `since` tells when it
        was asked for its symbols, `later` when for those it was asked for after that.

        What another stream of the symbol brought before is left out; it shows that the stream works all the same.
        """
        changed: list[Quote] = []
        lines, lead, now, phases = self._lines, self._twins.lead, moment.mono, self._phases_at(moment)
        for patch in patches:
            symbol_id = patch.symbol_id
            line = lines.get(symbol_id) or self._line(symbol_id)
            asked_at = later.get(symbol_id, since) if later else since
            if lead(line.thread, stream, patch, now, asked_at):
                self._advance(changed, line, patch, moment, phases)
            else:
                self._hear(changed, line, stream, patch, moment, asked_at)
        return changed

    def _hear(
        self, changed: list[Quote], line: Line, stream: Hashable, patch: QuotePatch, moment: Moment, asked_at: float
    ) -> None:
        """Take what a stream brought that does not lead alone."""
        current = self.book.get(patch.symbol_id)
        heard = self._twins.hear(stream, patch, current, moment.mono, asked_at)
        is_polled = current is not None and current.source is not Source.STREAM
        if heard is Heard.HELD or (heard is Heard.SEEN and is_polled and not self._twins.is_newest(patch)):
            return
        if heard is Heard.NEW or is_polled:
            for fresh in (*self._twins.take_ahead(), patch):
                self._advance(changed, line, fresh, moment, self._phases_at(moment))
            return
        if line.road is not Road.UP:
            self._turn(line, Road.UP, moment)
        line.data_at, line.close_seen, line.lost_at = moment.mono, True, None
        self._judge_into(changed, patch.symbol_id, line, moment)

    def _advance(self, changed: list[Quote], line: Line, patch: QuotePatch, moment: Moment, phases: Phases) -> None:
        """Put what a stream brought this moment into the book. Runs for nearly every quote there is."""
        now = moment.mono
        if line.road is not UP:
            self._turn(line, UP, moment)
        line.data_at, line.close_seen, line.lost_at = now, True, None
        phase = phases[line.exchange]
        line.pace.observe(phase, now)
        halted = patch.is_halted
        freshness = judge_now(phase, halted if isinstance(halted, bool) else self._was_halted(patch))
        if now < self._behind_until and freshness in TRUSTED:
            freshness = Freshness.RECOVERING
        may_be_older = now - line.polled_at < OVERTAKEN_S
        quote = self.book.apply(patch, STREAM, moment.ms, freshness, may_be_older)
        if quote is not None:
            changed.append(quote)
            self.updates += 1

    def polled(self, patches: Iterable[QuotePatch], moment: Moment) -> list[Quote]:
        """Take what a REST call brought; the quotes that changed.

        What a healthy stream carries is not taken. Until a stream that is back has spoken of a symbol, a REST quote is
        taken as a backfill: labelled so, and still `recovering`, because the stream is not proved to carry it.
        """
        changed: list[Quote] = []
        for patch in patches:
            line = self._line(patch.symbol_id)
            if line.road is Road.UP and line.data_at is not None and line.data_at >= line.road_since:
                continue
            line.polled_at = moment.mono
            if line.road is Road.DOWN:
                self._turn(line, Road.POLLING, moment)
            source = Source.POLL if line.road is Road.POLLING else Source.BACKFILL
            self._fill_in(changed, line, patch, source, moment)
        return changed

    def _fill_in(self, changed: list[Quote], line: Line, patch: QuotePatch, source: Source, moment: Moment) -> None:
        """Put a REST quote into the book. Streams and polls overtake each other: for a while the older is left out."""
        phase = self._phases_at(moment)[line.exchange]
        is_halted = patch.is_halted if isinstance(patch.is_halted, bool) else self._was_halted(patch)
        line.close_seen = True
        if source is not Source.BACKFILL:
            line.data_at = moment.mono
        elif line.data_at is None:
            line.data_at = NEVER  # there is a quote, though the stream has brought none
        quote = self.book.apply(
            patch,
            source=source,
            received_at_ms=moment.ms,
            freshness=self._judge(line, phase, moment, is_halted),
            reject_older=moment.mono - line.polled_at < OVERTAKEN_S,
        )
        if quote is not None:
            changed.append(quote)
            self.updates += 1
            self._twins.told(patch, moment.mono)

    def turn(self, symbol_ids: Iterable[int], road: Road, moment: Moment) -> list[Quote]:
        """These symbols' data take another road from now on; the quotes whose freshness changed by that."""
        changed: list[Quote] = []
        for symbol_id in symbol_ids:
            line = self._line(symbol_id)
            if line.road is not road:
                self._turn(line, road, moment)
                self._judge_into(changed, symbol_id, line, moment)
        return changed

    def doubt(self, symbol_ids: frozenset[int], moment: Moment) -> list[Quote]:
        """Exactly these are carried by streams of which nobody knows whether they work; the quotes that changed."""
        changed: list[Quote] = []
        before, self._doubted = self._doubted, symbol_ids
        for symbol_id in before ^ symbol_ids:
            if (line := self._lines.get(symbol_id)) is not None:
                self._judge_into(changed, symbol_id, line, moment)
        return changed

    def stood_still(self, moment: Moment) -> None:
        """This process did not run until now: what comes next is old, and for a while nothing of it is trusted."""
        self._behind_until = moment.mono + CATCHING_UP_S

    def due(self, moment: Moment) -> list[Quote]:
        """What has waited long enough for another stream to bring it too; the quotes that changed."""
        changed: list[Quote] = []
        for patch in self._twins.due(moment.mono):
            self._advance(changed, self._line(patch.symbol_id), patch, moment, self._phases_at(moment))
        return changed

    def symbols(self) -> list[int]:
        """All symbols of which anything is known."""
        return list(self._lines)

    def judge(self, symbol_ids: Iterable[int], moment: Moment) -> list[Quote]:
        """Judge these anew, those that are known; the quotes that changed by the mere passing of time."""
        changed: list[Quote] = []
        phases = self._phases_at(moment)
        for symbol_id in symbol_ids:
            line = self._lines.get(symbol_id)
            if line is None:
                continue
            line.look(phases[line.exchange])
            self._judge_into(changed, symbol_id, line, moment)
        return changed

    def gaps(self) -> dict[int, Gap]:
        """Symbols whose stream is back after a gap and has not spoken of them, where that keeps them recovering; and
        those of which a stream has said nothing since it was first asked for them.
        """
        found: dict[int, Gap] = {}
        for symbol_id, line in self._lines.items():
            if line.road is not Road.UP:
                continue
            quote = self.book.get(symbol_id)
            if quote is None:
                found[symbol_id] = Gap(line.road_since, line.road_since)
            elif line.lost_at is not None and quote.freshness is Freshness.RECOVERING:
                found[symbol_id] = Gap(line.lost_at, line.road_since)
        return found

    def forget(self, symbol_ids: Iterable[int]) -> None:
        """Drop what is known of these."""
        for symbol_id in symbol_ids:
            self._lines.pop(symbol_id, None)
            self._twins.forget(symbol_id)
            self.book.drop(symbol_id)

    def idle(self, before: float) -> list[int]:
        """Symbols on no road for which nothing has come since `before` (monotonic seconds)."""
        roadless = (Road.DOWN, Road.POLLING)
        return [i for i, x in self._lines.items() if x.road in roadless and (x.data_at or x.road_since) < before]

    def _line(self, symbol_id: int) -> Line:
        line = self._lines.get(symbol_id)
        if line is None:
            line = Line(self._exchange_of(symbol_id), self._twins.thread(symbol_id))
            self._lines[symbol_id] = line
        return line

    def _turn(self, line: Line, road: Road, moment: Moment) -> None:
        if self._phases is None or self._phases.moment is not moment:
            self._phases = Phases(moment)  # the market may have closed within this second
        line.look(self._phases[line.exchange])
        if road is not Road.UP:
            line.pace.interrupt()
            if line.road is Road.UP and line.lost_at is None:
                line.lost_at = moment.mono
        line.road, line.road_since = road, moment.mono

    def _judge_into(self, changed: list[Quote], symbol_id: int, line: Line, moment: Moment) -> None:
        current = self.book.get(symbol_id)
        if current is None:
            return
        phase = self._phases_at(moment)[line.exchange]
        freshness = self._judge(line, phase, moment, current.is_halted)
        if symbol_id in self._doubted and freshness in TRUSTED:
            freshness = Freshness.RECOVERING
        quote = self.book.judge(symbol_id, freshness, at_ms=moment.ms)
        if quote is not None:
            changed.append(quote)
            self.updates += 1

    def _judge(self, line: Line, phase: MarketPhase, moment: Moment, is_halted: bool) -> Freshness:
        freshness = judge(
            road=line.road,
            phase=phase,
            age_s=None if line.data_at is None else moment.mono - line.data_at,
            road_up_s=moment.mono - line.road_since,
            is_halted=is_halted,
            expected_s=line.pace.expected_s(phase),
            close_seen=line.close_seen,
        )
        is_behind = moment.mono < self._behind_until and freshness in TRUSTED
        return Freshness.RECOVERING if is_behind else freshness

    def _was_halted(self, patch: QuotePatch) -> bool:
        current = self.book.get(patch.symbol_id)
        return current is not None and current.is_halted

    def _phases_at(self, moment: Moment) -> Phases:
        """Looked up once a second for each exchange."""
        if self._phases is None or not 0.0 <= moment.mono - self._phases.moment.mono < 1.0:
            self._phases = Phases(moment)
        return self._phases
