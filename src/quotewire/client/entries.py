"""The rows of the subscription table: readers, names, symbols, and what was asked. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec

from quotewire.client.mailbox import Mailbox
from quotewire.client.wishes import covers, strongest
from quotewire.market.quote import Freshness, Quote
from quotewire.wire.messages import SymbolResult
from quotewire.wire.options import DEFAULT_OPTIONS, Cause, Gap, Mode, Options

SymbolName = str | int


class Progress(Enum):
    """Where one name stands."""

    WANTED = auto()  # to be sent when there is a connection
    ASKED = auto()  # sent, not answered
    LIVE = auto()  # granted on this connection
    WAITING = auto()  # refused for now; asked again later
    REFUSED = auto()  # refused for good


class Step(Enum):
    """What moves a name on."""

    SEND = auto()
    GRANT = auto()
    DEFER = auto()
    REFUSE = auto()
    AGAIN = auto()
    LOSE = auto()


TRANSITIONS: dict[tuple[Progress, Step], Progress] = {
    (Progress.WANTED, Step.SEND): Progress.ASKED,
    (Progress.WANTED, Step.LOSE): Progress.WANTED,
    (Progress.ASKED, Step.GRANT): Progress.LIVE,
    (Progress.ASKED, Step.DEFER): Progress.WAITING,
    (Progress.ASKED, Step.REFUSE): Progress.REFUSED,
    (Progress.ASKED, Step.AGAIN): Progress.WANTED,
    (Progress.ASKED, Step.LOSE): Progress.WANTED,
    (Progress.LIVE, Step.AGAIN): Progress.WANTED,
    (Progress.LIVE, Step.LOSE): Progress.WANTED,
    (Progress.WAITING, Step.AGAIN): Progress.WANTED,
    (Progress.WAITING, Step.LOSE): Progress.WANTED,
}


class Reader:
    """One iterator's place in the table: its mailbox, its wish, and what became of the names it asked for."""

    __slots__ = ("mailbox", "names", "refused", "undecided", "wish")

    def __init__(self, names: Sequence[SymbolName], capacity: int, wish: Options = DEFAULT_OPTIONS) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.wish = wish
        self.mailbox = Mailbox(capacity)
        self.mailbox.reserve(len(self.names))
        self.undecided = set(self.names)
        self.refused: list[SymbolResult] = []

    @property
    def hopeless(self) -> bool:
        """True when every name was refused: nothing will ever come."""
        return not self.undecided and len(self.refused) >= len(self.names)


@dataclass(slots=True)
class Entry:
    """One name. `symbol_id` is known once granted, and outlives the connection."""

    name: SymbolName
    readers: dict[Reader, None]
    progress: Progress = Progress.WANTED
    symbol_id: int | None = None
    retry_at: float = 0.0

    def step(self, step: Step) -> None:
        """Move on. Raises RuntimeError for a step that cannot follow: a defect of ours."""
        try:
            self.progress = TRANSITIONS[self.progress, step]
        except KeyError:
            raise RuntimeError(f"subscription: no {step.name} in state {self.progress.name}") from None


@dataclass(slots=True)
class Symbol:
    """One symbol of the gateway: the names that mean it, what it is called, the last quote, and who reads it.

    `confirmed`: `latest` is known to hold since the last loss; `heard`: because it came since then. `doubted`: the road
    to the gateway was lost since. `granted`: the wish last granted; `options`: the one in force, from its snapshot on;
    `carried`: the one that brought `latest`. `standing`: granted on this connection. `anew`: an epoch that was told to
    begin, be its number greater or not. `waiting`: readers whose first quote is yet to come, because what was known
    when they came was not confirmed, or was not what they wish.
    """

    names: dict[SymbolName, None]
    text: str | None = None
    latest: Quote | None = None
    confirmed: bool = False
    heard: bool = False
    doubted: bool = False
    standing: bool = False
    granted: Options = DEFAULT_OPTIONS
    options: Options = DEFAULT_OPTIONS
    carried: Options = DEFAULT_OPTIONS
    anew: int | None = None
    readers: tuple[Reader, ...] = ()
    waiting: dict[Reader, None] = field(default_factory=dict)

    @property
    def narrow(self) -> bool:
        """Whether `latest` lacks fields that are wanted now."""
        return self.latest is not None and not covers(self.carried, self.wish)

    def suits(self, reader: Reader) -> bool:
        """Whether what comes now is what that reader wishes: it has the fields, and nothing is left out."""
        complete = reader.wish.mode is not Mode.EVERY or (self.standing and self.options.mode is Mode.EVERY)
        return complete and covers(self.options, reader.wish)

    def without(self, gap: Gap) -> Gap | None:
        """What of a gap is missing here: it answers where we stood when we asked, and more may have come since."""
        latest = self.latest
        if gap.cause is Cause.EPOCH and latest is not None and latest.epoch != gap.epoch:
            self.anew = gap.epoch
            return gap
        if latest is None or latest.epoch < gap.epoch:
            return gap
        if latest.epoch > gap.epoch or latest.sequence >= gap.to_sequence:
            return None
        return msgspec.structs.replace(gap, from_sequence=max(gap.from_sequence, latest.sequence + 1))

    def take(self, quote: Quote, options: Options) -> None:
        """This came, and is where it stands."""
        self.latest, self.carried, self.confirmed, self.heard, self.doubted = quote, options, True, True, False
        self.anew = None

    def resume(self) -> None:
        """It stands where it stood."""
        self.confirmed, self.doubted = True, False

    def lose(self) -> None:
        """The connection is lost."""
        self.standing = self.heard = False

    def doubt(self) -> None:
        """What is known is stale until it is heard again, at any position."""
        self.confirmed, self.doubted = False, True

    @property
    def wish(self) -> Options:
        """What serves all its readers."""
        return strongest(reader.wish for reader in self.readers)

    @property
    def shown(self) -> Quote | None:
        """The last quote; `stale` while it is in doubt."""
        if self.latest is None or not self.doubted:
            return self.latest
        return msgspec.structs.replace(self.latest, freshness=Freshness.STALE)

    def newer(self, quote: Quote) -> bool:
        """Whether the quote is beyond the last one."""
        latest = self.latest
        if latest is None or (self.anew == quote.epoch and latest.epoch != quote.epoch):
            return True
        return (quote.epoch, quote.sequence) > (latest.epoch, latest.sequence)

    def same(self, quote: Quote) -> bool:
        """Whether the quote stands where the last one does."""
        latest = self.latest
        return latest is not None and (quote.epoch, quote.sequence) == (latest.epoch, latest.sequence)


@dataclass(slots=True)
class Request:
    """One `subscribe` on its way: for each item of it, in order, the names that item answers.

    `resuming`: symbols it gave a position of, and is to be given no snapshot of; `granted` is known with the answer.
    """

    items: tuple[tuple[SymbolName, ...], ...]
    deadline: float
    options: Options
    resuming: set[int]
    granted: set[int] = field(default_factory=set)
