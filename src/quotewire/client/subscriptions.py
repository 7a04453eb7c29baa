"""The symbols one client wants: who reads each, what the gateway said of it, what must be sent. Pure.

A *reader* is one `quotes()` iterator. A *name* is what a caller wrote: text, or Questrade's id. Several names may mean
one symbol, and several readers may want one name; the gateway is asked once, for what serves them all, and told to stop
when the last has left. After a loss each symbol goes on from the position of its last quote.

Commands are answered in order, so `unsubscribe` is held back while any `subscribe` is unanswered: the unanswered one
could mean the very symbol, under another name. `now` is monotonic seconds.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from quotewire.client.asking import Asker, ask
from quotewire.client.entries import Entry, Progress, Reader, Request, Step, Symbol, SymbolName
from quotewire.client.moves import Move
from quotewire.client.wishes import covers
from quotewire.market.quote import Freshness, Quote
from quotewire.wire.messages import Error, Subscribe, SymbolResult, Unsubscribe
from quotewire.wire.options import DEFAULT_OPTIONS, Gap, Mode, Options

ANSWER_TIMEOUT_S = 30.0  # a look-up may have to wait for the gateway's own rate budget
RETRY_DELAY_S = 5.0

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
        self._entries: dict[SymbolName, Entry] = {}
        self._symbols: dict[int, Symbol] = {}
        self._requests: dict[str, Request] = {}
        self._granted: dict[str, Request] = {}  # answered, but for their snapshots
        self._limit_bytes: int | None = None  # None: not connected
        self._resume = False
        self._moving = False
        self.gaps = 0

    # --- what the readers do ---

    def join(self, reader: Reader, now: float) -> Outcome:
        """A reader comes. Names the gateway serves already begin with the last quote known, others are asked for."""
        outcome = Outcome([], {})
        for name in reader.names:
            entry = self._entries.get(name)
            if entry is None:
                entry = self._entries[name] = Entry(name, {})
            entry.readers[reader] = None
            if entry.symbol_id is not None:
                self._attach(entry, entry.symbol_id, outcome)
            if entry.progress in (Progress.LIVE, Progress.WAITING):
                reader.undecided.discard(name)
                outcome.wake[reader] = None
        self._flush(now, outcome)
        return outcome

    def leave(self, reader: Reader, now: float) -> Outcome:
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
        self._flush(now, outcome)
        return outcome

    # --- what the connection does ---

    def connected(self, max_message_bytes: int, now: float, *, resume: bool = False) -> Outcome:
        """The gateway welcomed us: everything wanted is asked for, by position or id where one is known.

        `resume`: whether this gateway serves positions.
        """
        self._limit_bytes = max_message_bytes
        self._resume = resume
        outcome = Outcome([], {})
        self._flush(now, outcome)
        return outcome

    def disconnected(self) -> None:
        """The connection is lost: nothing is granted any more, and nobody will answer what was asked."""
        self._limit_bytes = None
        self._moving = False
        self._requests.clear()
        self._granted.clear()
        for entry in self._entries.values():
            entry.step(Step.LOSE)
        for symbol in self._symbols.values():
            symbol.lose()
        self.doubt()
        self._settle(Outcome([], {}))

    def doubt(self) -> None:
        """The road to the gateway is broken: what is known is stale until it is heard again, at any position."""
        for symbol in self._symbols.values():
            symbol.doubt()

    def answered(self, request_id: str | None, results: Sequence[SymbolResult], now: float) -> Outcome:
        """`subscribed` came. Results stand in the order asked; an answer to no known request changes nothing."""
        outcome = Outcome([], {})
        request = self._requests.pop(request_id or "", None)
        if request is None:
            return outcome
        unanswered = SymbolResult(ok=False, retryable=True)
        for names, result in itertools.zip_longest(request.items, results[: len(request.items)], fillvalue=None):
            for name in names or ():
                self._judge(name, result or unanswered, request.options, now, outcome)
            if result is not None and result.ok and result.symbol_id is not None:
                request.granted.add(result.symbol_id)
        self._granted[request_id or ""] = request
        self._settle(outcome)
        self._flush(now, outcome)
        return outcome

    def snapshot(self, request_id: str | None, quotes: Sequence[Quote], *, more: bool = False) -> dict[Reader, None]:
        """The snapshot of a `subscribe` came. What was resumed and is not in it goes on from where it was.

        `more`: a part of it came, and says nothing of the symbols that are not in it.
        """
        if more:
            return self._part(self._granted.get(request_id or ""), quotes)
        request = self._granted.pop(request_id or "", None)
        ids = request.granted if request is not None else ()
        granted = [symbol for symbol_id in ids if (symbol := self._symbols.get(symbol_id)) is not None]
        for symbol in granted:
            symbol.options, symbol.standing = request.options if request is not None else symbol.options, True
        wake = self.accept(quotes)
        resumed = request.resuming - {quote.symbol_id for quote in quotes} if request is not None else set()
        for symbol in granted:
            if symbol.latest is not None and symbol.latest.symbol_id in resumed:
                symbol.resume()
                self._seed(symbol, wake)
        return wake

    def _part(self, request: Request | None, quotes: Sequence[Quote]) -> dict[Reader, None]:
        """A part of a snapshot. Quotes of its symbols may come before the last part does, and of those that did not
        stand here nothing comes before their part: what comes of them from now on is what was asked for.
        """
        if request is not None:
            told = {quote.symbol_id for quote in quotes}
            request.resuming -= told
            for symbol_id in request.granted:
                symbol = self._symbols.get(symbol_id)
                if symbol is not None and (symbol_id in told or not symbol.standing):
                    symbol.options, symbol.standing = request.options, True
        return self.accept(quotes)

    def missed(self, gaps: Iterable[Gap]) -> dict[Reader, None]:
        """`gap` came: its readers learn of it between the quotes before and after it."""
        wake: dict[Reader, None] = {}
        for told in gaps:
            for request in self._granted.values():
                request.resuming.discard(told.symbol_id)
            symbol = self._symbols.get(told.symbol_id)
            gap = None if symbol is None else symbol.without(told)
            if symbol is None or gap is None:
                continue
            self.gaps += 1
            for reader in symbol.readers:
                if reader not in symbol.waiting:
                    reader.mailbox.put(gap)
                    wake[reader] = None
        return wake

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

    def restart(self, symbol_ids: Iterable[int], now: float) -> Outcome:
        """These brought a delta that stands on nothing: ask for them again, to be given a whole quote."""
        outcome = Outcome([], {})
        for symbol_id in symbol_ids:
            self._ask_again(self._symbols.get(symbol_id))
        self._flush(now, outcome)
        return outcome

    def repeat(self, now: float) -> Outcome:
        """Ask again for everything granted, because nothing has come for too long."""
        outcome = Outcome([], {})
        for entry in self._entries.values():
            if entry.progress is Progress.LIVE:
                entry.step(Step.AGAIN)
        self._flush(now, outcome)
        return outcome

    # --- moving to another connection ---

    def move(self, max_message_bytes: int, *, resume: bool) -> Move:
        """Another connection is welcomed, and the one in use still stands: what is granted is to be asked for there.

        Until `moved` or `stay` nothing else is asked for.
        """
        self._moving = True
        live = [e for e in self._entries.values() if e.progress is Progress.LIVE and e.readers]
        askers = ask(live, self._symbols, limit_bytes=max_message_bytes, resume=resume)
        return Move(askers, self._new_id, limit_bytes=max_message_bytes, resume=resume)

    def moved(self, move: Move, now: float) -> Outcome:
        """The other connection is the one in use from here on: ask there for what `move` did not bring over."""
        self._limit_bytes, self._resume, self._moving = move.limit_bytes, move.resume, False
        self._requests.clear()
        self._granted.clear()
        for symbol_id, symbol in self._symbols.items():
            symbol.standing = symbol_id in move.granted
            symbol.granted = symbol.options = move.options.get(symbol_id, symbol.granted)
        for entry in self._entries.values():
            if entry.progress is Progress.ASKED:
                entry.step(Step.LOSE)
            elif entry.progress is Progress.LIVE and not self._brought(entry):
                entry.step(Step.AGAIN)
        self._settle(Outcome([], {}))
        outcome = Outcome([], {})
        self._flush(now, outcome)
        left = sorted(move.granted - set(self._symbols))
        if left:
            outcome.send.append(Unsubscribe(request_id=self._new_id("unsub"), ids=left))
        return outcome

    def _brought(self, entry: Entry) -> bool:
        symbol = self._symbols.get(entry.symbol_id or 0)
        return symbol is not None and symbol.standing and not (symbol.waiting and symbol.latest is not None)

    def stay(self, now: float) -> Outcome:
        """The other connection is given up: what was not asked for meanwhile is asked for here."""
        self._moving = False
        outcome = Outcome([], {})
        self._flush(now, outcome)
        return outcome

    def renumber(self, quotes: Iterable[Quote]) -> dict[Reader, None]:
        """These have the content of what is known already, in the count of another gateway: nobody is told."""
        wake: dict[Reader, None] = {}
        for quote in quotes:
            if (symbol := self._symbols.get(quote.symbol_id)) is not None:
                symbol.take(quote, symbol.options)
                self._seed(symbol, wake)
        return wake

    def count_anew(self, quotes: Iterable[Quote]) -> None:
        """These begin counts of another gateway, be their numbers greater or not."""
        for quote in quotes:
            symbol = self._symbols.get(quote.symbol_id)
            if symbol is not None and symbol.latest is not None and symbol.latest.epoch != quote.epoch:
                symbol.anew = quote.epoch

    def known(self) -> list[Quote]:
        """The last quotes heard on this connection."""
        return [each.latest for each in self._symbols.values() if each.latest is not None and each.heard]

    # --- quotes ---

    def accept(self, quotes: Iterable[Quote], options: Options | None = None) -> dict[Reader, None]:
        """Hand quotes to their readers; drop those nobody wants and those not newer than the one known.

        `options`: the wish they were got by, where that is not the one in force.
        """
        wake: dict[Reader, None] = {}
        for quote in quotes:
            symbol = self._symbols.get(quote.symbol_id)
            if symbol is None:
                continue
            if symbol.newer(quote):
                symbol.take(quote, options or symbol.options)
                for reader in symbol.readers:
                    if reader not in symbol.waiting:
                        reader.mailbox.put(quote)
                        wake[reader] = None
            elif symbol.same(quote) and (not symbol.confirmed or symbol.waiting):
                symbol.take(quote, options or symbol.options)
            if symbol.waiting and symbol.same(quote):
                self._seed(symbol, wake, polled=options is not None)
        return wake

    def _seed(self, symbol: Symbol, wake: dict[Reader, None], *, polled: bool = False) -> None:
        """Let those who wait begin with the last quote, if it is what they wish."""
        assert symbol.latest is not None
        for reader in tuple(symbol.waiting):
            if polled or (symbol.suits(reader) and covers(symbol.carried, reader.wish)):
                del symbol.waiting[reader]
                reader.mailbox.put(symbol.latest)
                wake[reader] = None

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
        # A reader of every update is better served by the replay, once the connection is back.
        held = {key for key, each in self._symbols.items() if each.latest is not None and each.wish.mode is Mode.EVERY}
        fit = [quote for quote in quotes if quote.symbol_id not in held]
        return {**outcome.wake, **self.accept(fit, DEFAULT_OPTIONS)}

    def latest(self, name: SymbolName) -> Quote | None:
        """The last quote of a symbol that is being read; `stale` when the connection was lost after it."""
        entry = self._entries.get(name)
        symbol_id = entry.symbol_id if entry else name
        symbol = self._symbols.get(symbol_id) if isinstance(symbol_id, int) else None
        return symbol.shown if symbol else self._latest_by_text(name)

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
        shown = (symbol.shown for symbol in self._symbols.values())
        return any(quote is not None and quote.freshness is Freshness.LIVE for quote in shown)

    @property
    def unanswered(self) -> int:
        """Commands the gateway has not answered yet."""
        return len(self._requests)

    # --- inside ---

    def _latest_by_text(self, name: SymbolName) -> Quote | None:
        quotes = (symbol.shown for symbol in self._symbols.values())
        return next((quote for quote in quotes if quote is not None and quote.symbol == name), None)

    def _flush(self, now: float, outcome: Outcome) -> None:
        """Send every wanted name, in as few messages as the gateway's limit allows."""
        if self._limit_bytes is None or self._moving:
            return
        for symbol in self._symbols.values():
            if symbol.readers and symbol.wish != symbol.granted:
                self._ask_again(symbol)
        wanted = [e for e in self._entries.values() if e.progress is Progress.WANTED and e.readers]
        for asker in ask(wanted, self._symbols, limit_bytes=self._limit_bytes, resume=self._resume):
            request_id = self._new_id("sub")
            for entry in asker.entries:
                entry.step(Step.SEND)
            self._requests[request_id] = _request(asker, now)
            outcome.send.append(asker.message(request_id))

    def _ask_again(self, symbol: Symbol | None) -> None:
        """Have one name of it asked for anew, where it is granted now."""
        names = symbol.names if symbol is not None else {}
        live = [entry for name in names if (entry := self._entries[name]).progress is Progress.LIVE]
        if live and not any(self._entries[name].progress in (Progress.WANTED, Progress.ASKED) for name in names):
            live[0].step(Step.AGAIN)

    def _judge(self, name: SymbolName, result: SymbolResult, options: Options, now: float, outcome: Outcome) -> None:
        entry = self._entries.get(name)
        if entry is None or entry.progress is not Progress.ASKED:
            return
        if result.ok and result.symbol_id is not None:
            entry.step(Step.GRANT)
            symbol = self._attach(entry, result.symbol_id, outcome)
            symbol.text, symbol.granted = result.symbol or symbol.text, options
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

    def _attach(self, entry: Entry, symbol_id: int, outcome: Outcome) -> Symbol:
        """Bind a name to its symbol; readers new to the symbol begin with its last quote, if it has what they want."""
        if entry.symbol_id not in (None, symbol_id):
            self._detach(entry)
        entry.symbol_id = symbol_id
        symbol = self._symbols.setdefault(symbol_id, Symbol({}))
        symbol.names[entry.name] = None
        before = symbol.readers
        self._recount(symbol)
        for reader in symbol.readers:
            if reader not in before:
                symbol.waiting[reader] = None
        if symbol.waiting and symbol.latest is not None and symbol.confirmed:
            self._seed(symbol, outcome.wake)
        return symbol

    def _detach(self, entry: Entry) -> None:
        if entry.symbol_id is None:
            return
        symbol = self._symbols[entry.symbol_id]
        symbol.names.pop(entry.name, None)
        self._recount(symbol)
        if not symbol.names:
            del self._symbols[entry.symbol_id]

    def _forget(self, entry: Entry) -> None:
        self._detach(entry)
        del self._entries[entry.name]

    def _recount(self, symbol: Symbol) -> None:
        symbol.readers = tuple({r: None for name in symbol.names for r in self._entries[name].readers})
        symbol.waiting = {reader: None for reader in symbol.waiting if reader in symbol.readers}

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


def _request(asker: Asker, now: float) -> Request:
    return Request(asker.items, now + ANSWER_TIMEOUT_S, asker.options, set(asker.positions))


def _refusal(name: SymbolName, error: Error) -> SymbolResult:
    return SymbolResult(
        ok=False,
        symbol=name if isinstance(name, str) else None,
        symbol_id=name if isinstance(name, int) else None,
        code=error.code,
        reason=error.message,
        retryable=error.retryable,
    )
