"""How what is wanted becomes `subscribe` messages: alike wishes together, none longer than the gateway takes. Pure."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from quotewire.client.entries import Entry, Symbol, SymbolName
from quotewire.client.wishes import strongest
from quotewire.wire.messages import Subscribe
from quotewire.wire.options import DEFAULT_OPTIONS, Options

ENVELOPE_BYTES = 256  # what a subscribe message has around its symbols and its options


class Asker:
    """What one message asks for, as it is put together."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.texts: dict[str, None] = {}
        self.ids: dict[int, list[SymbolName]] = {}
        self.positions: dict[int, tuple[int, int, int]] = {}
        self.entries: list[Entry] = []

    def add(self, entry: Entry, symbol: Symbol | None, *, resume: bool) -> None:
        """Ask for this one too: by position, else by id, else by name."""
        self.entries.append(entry)
        symbol_id = entry.symbol_id or (entry.name if isinstance(entry.name, int) else None)
        if symbol_id is None:
            self.texts[str(entry.name)] = None
            return
        self.ids.setdefault(symbol_id, []).append(entry.name)
        if resume and (position := position_of(symbol)) is not None:
            self.positions[symbol_id] = position

    @property
    def items(self) -> tuple[tuple[SymbolName, ...], ...]:
        """The names that each result will answer, in order: `symbols`, `ids`, `resume`."""
        plain = (tuple(names) for symbol_id, names in self.ids.items() if symbol_id not in self.positions)
        return (*((text,) for text in self.texts), *plain, *(tuple(self.ids[each]) for each in self.positions))

    def message(self, request_id: str) -> Subscribe:
        """The message."""
        options = self.options
        return Subscribe(
            request_id=request_id,
            symbols=list(self.texts),
            ids=[symbol_id for symbol_id in self.ids if symbol_id not in self.positions],
            fields=None if options.fields is None else list(options.fields),
            max_rate=options.max_rate,
            delta=options.delta,
            mode=options.mode,
            resume=list(self.positions.values()),
        )


def position_of(symbol: Symbol | None) -> tuple[int, int, int] | None:
    """Where a subscription to it may go on, as the wire has it.

    Where more fields are wanted than the last quote has, one before it: the replay begins with that quote, whole.
    """
    if symbol is None or symbol.latest is None:
        return None
    latest = symbol.latest
    return latest.symbol_id, latest.epoch, max(0, latest.sequence - symbol.narrow)


def _size(options: Options) -> int:
    return 0 if options == DEFAULT_OPTIONS else len(msgspec.json.encode(options))


def ask(entries: Iterable[Entry], symbols: Mapping[int, Symbol], *, limit_bytes: int, resume: bool) -> Iterator[Asker]:
    """Put these in as few messages as can be."""
    open_: dict[Options, tuple[Asker, int]] = {}
    for entry in entries:
        symbol = symbols.get(entry.symbol_id) if entry.symbol_id is not None else None
        options = strongest(reader.wish for reader in entry.readers) if symbol is None else symbol.wish
        asked: object = position_of(symbol) if resume else None
        size = len(msgspec.json.encode(asked or entry.symbol_id or entry.name)) + 1
        asker, room = open_.get(options, (None, 0))
        if asker is None or size > room:
            if asker is not None:
                yield asker
            asker, room = Asker(options), limit_bytes - ENVELOPE_BYTES - _size(options)
        asker.add(entry, symbol, resume=resume)
        open_[options] = asker, room - size
    for asker, _ in open_.values():
        yield asker
