"""A client comes back with the position it left a symbol at: what it missed, or what it cannot be given any more.

==============================================  ==================================================================
the position is                                 the client gets
==============================================  ==================================================================
the newest update                               nothing: it goes on from there
older, and all since is kept                    what it missed
older, and not all since is kept                a gap (history), and a snapshot
of another epoch, older or newer                a gap (epoch), and a snapshot
a little ahead of what is known here            nothing until that is passed: another node was faster than this one
far ahead                                       a gap (epoch), and a snapshot: the count it tells of is not ours
of a symbol nothing is known of                 nothing until there is an update, which is then judged by the position
==============================================  ==================================================================
"""

from dataclasses import dataclass

from quotewire.market.history import History
from quotewire.wire.codec import EncodedQuote
from quotewire.wire.options import Cause, Gap, Position

MAX_AHEAD = 1024
"""How many updates a node may be behind another it shares clients with."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What the client missed, oldest first; with nothing in it, the client is up to date."""

    updates: list[EncodedQuote]


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing can be said before the symbol's next update."""

    position: Position


@dataclass(frozen=True, slots=True)
class Restart:
    """The client needs a snapshot; `gap` is what it will never get, None when the snapshot is all it missed."""

    gap: Gap | None


Verdict = Replay | Await | Restart


def judge(position: Position, latest: EncodedQuote | None, history: History[EncodedQuote] | None) -> Verdict:
    """Say how a client at this position of a symbol goes on."""
    if latest is None:
        return Await(position)
    if position.epoch != latest.epoch or position.sequence > latest.sequence + MAX_AHEAD:
        return Restart(_gap(latest, 1, Cause.EPOCH))
    if position.sequence > latest.sequence:
        return Await(position)
    if position.sequence == latest.sequence:
        return Replay([])
    missed = None if history is None else history.since(latest.symbol_id, position.epoch, position.sequence)
    if missed and missed[-1].sequence == latest.sequence:
        return Replay(missed)
    first = position.sequence + 1
    return Restart(_gap(latest, first, Cause.HISTORY) if first < latest.sequence else None)


def _gap(latest: EncodedQuote, first: int, cause: Cause) -> Gap:
    """The gap from `first` up to the snapshot."""
    quote = latest.quote
    return Gap(quote.symbol, latest.symbol_id, latest.epoch, first, latest.sequence - 1, None, quote.received_at, cause)
