"""The symbols one client wants: who reads each, what the gateway said of it, what must be sent. Pure.

A *reader* is one `quotes()` iterator. A *name* is what a caller wrote: text, or Questrade's id. Several names may mean
one symbol, and several readers may want one name; the gateway is asked once and told to stop when the last has left.

Commands are answered in order, so `unsubscribe` is held back while any `subscribe` is unanswered: the unanswered one
could mean the very symbol, under another name. `now` is monotonic seconds.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec

from quotewire.client.mailbox import Mailbox
from quotewire.market.quote import Freshness, Quote
from quotewire.wire.messages import Error, Subscribe, SymbolResult, Unsubscribe

SymbolName = str | int

ANSWER_TIMEOUT_S = 30.0  # a look-up may have to wait for the gateway's own rate budget
RETRY_DELAY_S = 5.0
ENVELOPE_BYTES = 256  # what a subscribe message has around its names


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
    """One iterator's place in the table: its mailbox, and what became of the names it asked for."""

    __slots__ = ("mailbox", "names", "refused", "undecided")

    def __init__(self, names: Sequence[SymbolName], capacity: int) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.mailbox = Mailbox(capacity)
        self.mailbox.reserve(len(self.names))
        self.undecided = set(self.names)
        self.refused: list[SymbolResult] = []

    @property
    def hopeless(self) -> bool:
        """True when every name was refused: nothing will ever come."""
        return not self.undecided and len(self.refused) >= len(self.names)


@dataclass(slots=True)
class _Entry:
    """One name. `symbol_id` is known once granted, and outlives the connection."""

    name: SymbolName
    readers: dict[Reader, None]
    progress: Progress = Progress.WANTED
    symbol_id: int | None = None
    retry_at: float = 0.0

    def step(self, step: Step) -> None:
        try:
            self.progress = TRANSITIONS[self.progress, step]
        except KeyError:
            raise RuntimeError(f"subscription: no {step.name} in state {self.progress.name}") from None


@dataclass(slots=True)
class _Symbol:
    """One symbol of the gateway: the names that mean it, what it is called, the last quote, and who reads it.

    `confirmed`: `latest` was heard since the last loss. `unseeded`: readers whose first quote is yet to come, because
    what was known when they came was not confirmed.
    """

    names: dict[SymbolName, None]
    text: str | None = None
    latest: Quote | None = None
    confirmed: bool = False
    readers: tuple[Reader, ...] = ()
    unseeded: dict[Reader, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Request:
    """One `subscribe` on its way: for each item of it, in order, the names that item answers."""

    items: tuple[tuple[SymbolName, ...], ...]
    deadline: float


Command = Subscribe | Unsubscribe


@dataclass(slots=True)
class Outcome:
    """What a change asks of the shell: commands to send, in order, and readers that have news."""

    send: list[Command]
    wake: dict[Reader, None]


class Subscriptions:
    """The table. Every method that changes it returns what is to be sent and whom to wake."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        """`new_id(prefix)` makes a request id that was never used before."""
        self._new_id = new_id
        self._entries: dict[SymbolName, _Entry] = {}
        self._symbols: dict[int, _Symbol] = {}
        self._requests: dict[str, _Request] = {}
        self._limit_bytes: int | None = None  # None: not connected

    # --- what the readers do ---

    def join(self, reader: Reader, now: float) -> Outcome:
        """A reader comes. Names the gateway serves already begin with the last quote known, others are asked for."""
        outcome = Outcome([], {})
        for name in reader.names:
            entry = self._entries.get(name)
            if entry is None:
                entry = self._entries[name] = _Entry(name, {})
            entry.readers[reader] = None
            if entry.symbol_id is not None:
                self._attach(entry, entry.symbol_id, outcome)
            if entry.progress in (Progress.LIVE, Progress.WAITING):
                reader.undecided.discard(name)
                outcome.wake[reader] = None
        self._flush(now, outcome)
        return outcome

    def leave(self, reader: Reader) -> Outcome:
        """A reader goes. Leaving twice is harmless."""
        outcome = Outcome([], {})
        for name in reader.names:
            entry = self._entries.get(name)
            if entry is None or reader not in entry.readers:
                continue
            del entry.readers[reader]
            if entry.symbol_id is not None:
                self._recount(self._symbols[entry.symbol_id])
        self._settle(outcome)
        return outcome

    # --- what the connection does ---

    def connected(self, max_message_bytes: int, now: float) -> Outcome:
        """The gateway welcomed us: everything wanted is asked for, by id where the id is known."""
        self._limit_bytes = max_message_bytes
        outcome = Outcome([], {})
        self._flush(now, outcome)
        return outcome

    def disconnected(self) -> None:
        """The connection is lost: nothing is granted any more, and nobody will answer what was asked."""
        self._limit_bytes = None
        self._requests.clear()
        for entry in self._entries.values():
            entry.step(Step.LOSE)
        self.doubt()
        self._settle(Outcome([], {}))

    def doubt(self) -> None:
        """The road to the gateway is broken: what is known is stale until it is heard again, at any position."""
        for symbol in self._symbols.values():
            symbol.confirmed = False
            if symbol.latest is not None:
                symbol.latest = msgspec.structs.replace(symbol.latest, freshness=Freshness.STALE)

    def answered(self, request_id: str | None, results: Sequence[SymbolResult], now: float) -> Outcome:
        """`subscribed` came. Results stand in the order asked; an answer to no known request changes nothing."""
        outcome = Outcome([], {})
        request = self._requests.pop(request_id or "", None)
        if request is None:
            return outcome
        unanswered = SymbolResult(ok=False, retryable=True)
        for names, result in itertools.zip_longest(request.items, results[: len(request.items)], fillvalue=None):
            for name in names or ():
                self._judge(name, result or unanswered, now, outcome)
        self._settle(outcome)
        return outcome

    def refused(self, error: Error, now: float) -> Outcome:
        """`error` came. If it answers a `subscribe`, every name of that shares the verdict."""
        request = self._requests.get(error.request_id or "")
        items = request.items if request else ()
        return self.answered(error.request_id, [_refusal(names[0], error) for names in items], now)

    def tick(self, now: float) -> Outcome:
        """Ask again for what was put off, and for what was never answered."""
        outcome = Outcome([], {})
        for request_id in [key for key, request in self._requests.items() if request.deadline <= now]:
            for name in itertools.chain.from_iterable(self._requests.pop(request_id).items):
                if (entry := self._entries.get(name)) and entry.progress is Progress.ASKED:
                    entry.step(Step.AGAIN)
        for entry in self._entries.values():
            if entry.progress is Progress.WAITING and entry.retry_at <= now:
                entry.step(Step.AGAIN)
        self._flush(now, outcome)
        self._settle(outcome)
        return outcome

    def deadline(self) -> float | None:
        """When `tick` is next needed, or None."""
        if self._limit_bytes is None:
            return None
        times = [request.deadline for request in self._requests.values()]
        times += [entry.retry_at for entry in self._entries.values() if entry.progress is Progress.WAITING]
        return min(times, default=None)

    def repeat(self, now: float) -> Outcome:
        """Ask again for everything granted, because nothing has come for too long."""
        outcome = Outcome([], {})
        for entry in self._entries.values():
            if entry.progress is Progress.LIVE:
                entry.step(Step.AGAIN)
        self._flush(now, outcome)
        return outcome

    # --- quotes ---

    def accept(self, quotes: Iterable[Quote]) -> dict[Reader, None]:
        """Hand quotes to their readers; drop those nobody wants and those not newer than the one known."""
        wake: dict[Reader, None] = {}
        for quote in quotes:
            symbol = self._symbols.get(quote.symbol_id)
            if symbol is None:
                continue
            latest = symbol.latest
            newer = latest is None or (quote.epoch, quote.sequence) > (latest.epoch, latest.sequence)
            if not newer and (symbol.confirmed or not _same_position(quote, latest)):
                continue
            readers = symbol.readers if newer else tuple(symbol.unseeded)
            symbol.latest, symbol.confirmed = quote, True
            symbol.unseeded.clear()
            for reader in readers:
                reader.mailbox.put(quote)
                wake[reader] = None
        return wake

    def polled(self, quotes: Sequence[Quote]) -> dict[Reader, None]:
        """Quotes fetched over HTTP. They also tell the ids of names no connection has resolved yet."""
        outcome = Outcome([], {})
        for quote in quotes:
            for name in (quote.symbol, quote.symbol_id):
                entry = self._entries.get(name)
                if entry is not None and entry.symbol_id is None:
                    self._attach(entry, quote.symbol_id, outcome).text = quote.symbol
        for entry in self._entries.values():
            for reader in entry.readers:
                reader.undecided.clear()  # what could not be polled is judged when the connection is back
        return {**outcome.wake, **self.accept(quotes)}

    def latest(self, name: SymbolName) -> Quote | None:
        """The last quote of a symbol that is being read; `stale` when the connection was lost after it."""
        entry = self._entries.get(name)
        symbol_id = entry.symbol_id if entry else name
        symbol = self._symbols.get(symbol_id) if isinstance(symbol_id, int) else None
        return symbol.latest if symbol else self._latest_by_text(name)

    # --- gauges ---

    @property
    def names(self) -> tuple[SymbolName, ...]:
        """What is wanted, as ids where they are known."""
        return tuple(dict.fromkeys(e.symbol_id or e.name for e in self._entries.values() if e.readers))

    @property
    def texts(self) -> tuple[str, ...]:
        """What is wanted, as symbols in text where they are known: the argument of a poll."""
        return tuple(str(name) for name in dict.fromkeys(self._text_of(name) for name in self.names))

    def _text_of(self, name: SymbolName) -> SymbolName:
        symbol = self._symbols.get(name) if isinstance(name, int) else None
        return name if symbol is None or symbol.text is None else symbol.text

    @property
    def count(self) -> int:
        """How many different symbols are wanted."""
        return len(self.names)

    @property
    def online(self) -> bool:
        """True between `connected` and `disconnected`."""
        return self._limit_bytes is not None

    @property
    def any_live(self) -> bool:
        """True while the gateway calls at least one symbol live: only then is silence abnormal."""
        return any(s.latest is not None and s.latest.freshness is Freshness.LIVE for s in self._symbols.values())

    @property
    def unanswered(self) -> int:
        """Commands the gateway has not answered yet."""
        return len(self._requests)

    # --- inside ---

    def _latest_by_text(self, name: SymbolName) -> Quote | None:
        quotes = (symbol.latest for symbol in self._symbols.values())
        return next((quote for quote in quotes if quote is not None and quote.symbol == name), None)

    def _flush(self, now: float, outcome: Outcome) -> None:
        """Send every wanted name, in as few messages as the gateway's limit allows."""
        if self._limit_bytes is None:
            return
        room = 0
        batches: list[list[_Entry]] = []
        for entry in self._entries.values():
            if entry.progress is not Progress.WANTED or not entry.readers:
                continue
            size = len(msgspec.json.encode(entry.symbol_id or entry.name)) + 1
            if not batches or size > room:
                batches.append([])
                room = self._limit_bytes - ENVELOPE_BYTES
            batches[-1].append(entry)
            room -= size
        outcome.send.extend(self._ask(batch, now) for batch in batches)

    def _ask(self, entries: list[_Entry], now: float) -> Subscribe:
        texts = [e.name for e in entries if e.symbol_id is None and isinstance(e.name, str)]
        ids: dict[int, list[SymbolName]] = {}
        for entry in entries:
            entry.step(Step.SEND)
            if (symbol_id := entry.symbol_id or entry.name) and isinstance(symbol_id, int):
                ids.setdefault(symbol_id, []).append(entry.name)
        request_id = self._new_id("sub")
        items = (*((text,) for text in texts), *(tuple(names) for names in ids.values()))
        self._requests[request_id] = _Request(items, now + ANSWER_TIMEOUT_S)
        return Subscribe(request_id=request_id, symbols=texts, ids=list(ids))

    def _judge(self, name: SymbolName, result: SymbolResult, now: float, outcome: Outcome) -> None:
        entry = self._entries.get(name)
        if entry is None or entry.progress is not Progress.ASKED:
            return
        if result.ok and result.symbol_id is not None:
            entry.step(Step.GRANT)
            self._attach(entry, result.symbol_id, outcome).text = result.symbol
        elif result.ok or result.retryable:
            entry.step(Step.DEFER)
            entry.retry_at = now + RETRY_DELAY_S
        else:
            entry.step(Step.REFUSE)
            self._forget(entry)
            for reader in entry.readers:
                reader.refused.append(result)
        for reader in entry.readers:
            reader.undecided.discard(name)
            outcome.wake[reader] = None

    def _attach(self, entry: _Entry, symbol_id: int, outcome: Outcome) -> _Symbol:
        """Bind a name to its symbol; readers new to the symbol begin with its last quote."""
        if entry.symbol_id not in (None, symbol_id):
            self._detach(entry)
        entry.symbol_id = symbol_id
        symbol = self._symbols.setdefault(symbol_id, _Symbol({}))
        symbol.names[entry.name] = None
        before = symbol.readers
        self._recount(symbol)
        for reader in symbol.readers:
            if reader in before:
                continue
            if symbol.latest is None or not symbol.confirmed:
                symbol.unseeded[reader] = None
                continue
            reader.mailbox.put(symbol.latest)
            outcome.wake[reader] = None
        return symbol

    def _detach(self, entry: _Entry) -> None:
        if entry.symbol_id is None:
            return
        symbol = self._symbols[entry.symbol_id]
        symbol.names.pop(entry.name, None)
        self._recount(symbol)
        if not symbol.names:
            del self._symbols[entry.symbol_id]

    def _forget(self, entry: _Entry) -> None:
        self._detach(entry)
        del self._entries[entry.name]

    def _recount(self, symbol: _Symbol) -> None:
        symbol.readers = tuple({r: None for name in symbol.names for r in self._entries[name].readers})
        symbol.unseeded = {reader: None for reader in symbol.unseeded if reader in symbol.readers}

    def _settle(self, outcome: Outcome) -> None:
        """Let go of what nobody reads, once no `subscribe` is unanswered."""
        if self._requests:
            return
        gone = [entry for entry in self._entries.values() if not entry.readers]
        granted = {e.symbol_id for e in gone if e.progress is Progress.LIVE and e.symbol_id is not None}
        for entry in gone:
            self._forget(entry)
        ids = sorted(granted - set(self._symbols))
        if ids and self._limit_bytes is not None:
            outcome.send.append(Unsubscribe(request_id=self._new_id("unsub"), ids=ids))


def _same_position(quote: Quote, known: Quote | None) -> bool:
    return known is not None and (quote.epoch, quote.sequence) == (known.epoch, known.sequence)


def _refusal(name: SymbolName, error: Error) -> SymbolResult:
    return SymbolResult(
        ok=False,
        symbol=name if isinstance(name, str) else None,
        symbol_id=name if isinstance(name, int) else None,
        code=error.code,
        reason=error.message,
        retryable=error.retryable,
    )
