"""Reads how a `subscribe` wants its symbols delivered: every value checked, each bad one named."""

from typing import Final

from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Add, Problem
from quotewire.wire.messages import Subscribe
from quotewire.wire.options import ALWAYS, DEFAULT_OPTIONS, QUOTE_FIELDS, Mode, Options, Position

MIN_RATE: Final = 0.01
MAX_RATE: Final = 1000.0
_CHOSEN = tuple(name for name in QUOTE_FIELDS if name not in ALWAYS)


def add(message: Subscribe) -> Add | Problem:
    """Turn `subscribe` into a command, or say which of its values cannot be."""
    wrong = _wrong_fields(message.fields) or _wrong_rate(message) or _wrong_resume(message)
    if wrong is not None:
        return Problem(ErrorCode.INVALID_MESSAGE, wrong, message.request_id, message.timestamp)
    ids = tuple(message.ids)
    positions: dict[int, Position] = {}
    if message.resume:
        positions = {symbol_id: Position(epoch, sequence) for symbol_id, epoch, sequence in message.resume}
        named = set(ids)
        ids += tuple([symbol_id for symbol_id in positions if symbol_id not in named])
    return Add(tuple(message.symbols), ids, message.request_id, message.timestamp, options(message), positions)


def options(message: Subscribe) -> Options:
    """How the symbols are delivered; equal wishes are equal values, however they are written."""
    fields = message.fields
    if fields is None and not message.max_rate and not message.delta and message.mode is Mode.ADAPTIVE:
        return DEFAULT_OPTIONS
    chosen = None if fields is None else tuple(name for name in _CHOSEN if name in fields)
    return Options(None if chosen == _CHOSEN else chosen, message.max_rate, message.delta, message.mode)


def _wrong_fields(fields: list[str] | None) -> str | None:
    for at, name in enumerate(fields or ()):
        if name not in QUOTE_FIELDS:
            return f"a quote has no field {name[:40]!r} - at `$.fields[{at}]`; it has {', '.join(QUOTE_FIELDS)}"
    return None


def _wrong_rate(message: Subscribe) -> str | None:
    rate = message.max_rate
    if not (rate == 0 or MIN_RATE <= rate <= MAX_RATE):  # written so that a NaN is wrong too
        return f"updates a second are 0 for no limit, or {MIN_RATE:g} to {MAX_RATE:g} - at `$.maxRate`"
    if rate and message.mode is Mode.EVERY:
        return 'mode "every" delivers every update, which no rate can limit - at `$.maxRate`'
    return None


def _wrong_resume(message: Subscribe) -> str | None:
    seen: set[int] = set()
    for at, (symbol_id, _, _) in enumerate(message.resume):
        if symbol_id in seen:
            return f"symbol {symbol_id} has two positions - at `$.resume[{at}]`"
        seen.add(symbol_id)
    return None
