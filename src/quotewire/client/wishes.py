"""How an iterator wants its quotes delivered, and what that makes of a symbol several of them read. Pure."""

from collections.abc import Iterable
from typing import Literal

from quotewire.wire.commands import Problem
from quotewire.wire.messages import Subscribe
from quotewire.wire.options import DEFAULT_OPTIONS, QUOTE_FIELDS, Mode, Options
from quotewire.wire.wishes import add, options

ModeName = Literal["adaptive", "latest", "every"]

STRENGTH = (Mode.LATEST, Mode.ADAPTIVE, Mode.EVERY)
WIRE_NAMES = {name: wire_name for wire_name, name in QUOTE_FIELDS.items()}


def wish(fields: Iterable[str] | None, max_rate: float, delta: bool, mode: str) -> Options:
    """What was asked for, as the gateway takes it. `fields`: names of `Quote` or of the wire.

    Raises ValueError, naming what cannot be.
    """
    # Without the time of arrival there is no Quote.
    chosen = None if fields is None else [*(WIRE_NAMES.get(name, name) for name in fields), "receivedAt"]
    if mode not in set(Mode):
        raise ValueError(f"there is no mode {mode!r}; the modes are {', '.join(Mode)}")
    asked = Subscribe(fields=chosen, max_rate=float(max_rate), delta=delta, mode=Mode(mode))
    read = add(asked)
    if isinstance(read, Problem):
        raise ValueError(read.message)
    return read.options


def strongest(wishes: Iterable[Options]) -> Options:
    """What serves all of these: every field any of them wants, at the highest rate, in the strictest mode."""
    each = tuple(dict.fromkeys(wishes)) or (DEFAULT_OPTIONS,)
    if len(each) == 1:
        return each[0]
    mode = max((one.mode for one in each), key=STRENGTH.index)
    unlimited = mode is Mode.EVERY or any(one.max_rate == 0 for one in each)
    fields = None if any(one.fields is None for one in each) else [name for one in each for name in one.fields or ()]
    rate = 0.0 if unlimited else max(one.max_rate for one in each)
    return options(Subscribe(fields=fields, max_rate=rate, delta=any(one.delta for one in each), mode=mode))


def covers(held: Options, wanted: Options) -> bool:
    """Whether a quote delivered by `held` has all fields that `wanted` asks for."""
    return held.fields is None or (wanted.fields is not None and set(wanted.fields) <= set(held.fields))
