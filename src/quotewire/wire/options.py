"""How a client wants a symbol delivered, where it stands in it, and what it cannot be given any more. Pure values.

PROTOCOL.md section 3 (`subscribe`) and section 4 (`gap`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from quotewire.market.quote import Quote


class Mode(StrEnum):
    """Which updates of a symbol are delivered."""

    ADAPTIVE = "adaptive"  # every one in order while the connection takes data, one slot a symbol when it does not
    LATEST = "latest"  # always one slot a symbol between flushes; those replaced are counted in `skipped`
    EVERY = "every"  # every one in order, in a bounded ring; what overflows becomes a gap, then it goes on


class Cause(StrEnum):
    """Why updates are missing for good."""

    HISTORY = "history"  # the position is older than what the gateway keeps
    EPOCH = "epoch"  # a new count began since, or the position is of a count this gateway never made
    SLOW = "slow"  # the connection did not take them in time, and the ring for it is full
    UPSTREAM = "upstream"  # the gateway itself missed them


@dataclass(frozen=True, slots=True)
class Options:
    """Delivery of one subscription.

    `fields`: wire names of a quote, in the order of `QUOTE_FIELDS` without those of `ALWAYS`; None: all of them.
    `max_rate`: updates a second and symbol, 0 for no limit; the newest is always delivered in the end. `delta`: only
    what changed since the last quote this client was sent of the symbol.
    """

    fields: tuple[str, ...] | None = None
    max_rate: float = 0.0
    delta: bool = False
    mode: Mode = Mode.ADAPTIVE


DEFAULT_OPTIONS: Final = Options()

QUOTE_FIELDS: Final = {field.encode_name: field.name for field in msgspec.structs.fields(Quote)}
"""Every field of a quote: its wire name, and its name in `Quote`."""

ALWAYS: Final = ("symbol", "symbolId", "epoch", "sequence", "freshness", "source", "delayed")
"""Wire names of what a whole quote always has, whatever `fields` says."""


class Position(NamedTuple):
    """The last update a client has of a symbol."""

    epoch: int
    sequence: int


class Gap(msgspec.Struct, frozen=True):
    """The updates `from_sequence` to `to_sequence` (both missing) of `epoch` will not come to this client.

    For `Cause.EPOCH`: `epoch` is the new one, and whatever the old one had after the client's position is missing too.
    `since` and `until` are milliseconds since 1970: when the gateway received the last update before the gap, and the
    first after it; None when it does not know.
    """

    symbol: str
    symbol_id: int = msgspec.field(name="symbolId")
    epoch: int
    from_sequence: int = msgspec.field(name="from")
    to_sequence: int = msgspec.field(name="to")
    since: int | None
    until: int | None
    cause: Cause
