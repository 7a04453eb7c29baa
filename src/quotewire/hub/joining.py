"""What a client is given when it begins to want symbols, before anything live: gaps, a snapshot, a replay. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from quotewire.hub.resume import Await, Replay, Restart, judge
from quotewire.market.history import History
from quotewire.wire.codec import EncodedQuote, Form, bodies
from quotewire.wire.options import Gap, Mode, Options, Position


@dataclass(frozen=True, slots=True)
class Joined:
    """Sent in this order: `gaps`, then `snapshot` (whole quotes, encoded), then `replay` (the same, oldest first).

    `skipped` counts what was missed and is not replayed, because the client wants only the newest. `awaited` are
    positions that the hub itself judges when the symbol is next published.
    """

    snapshot: list[bytes] = field(default_factory=list)
    replay: list[bytes] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    skipped: int = 0
    awaited: dict[int, Position] = field(default_factory=dict)


def join(
    form: Form,
    symbol_ids: Sequence[int],
    options: Options,
    positions: Mapping[int, Position],
    latest: Callable[[int], EncodedQuote | None],
    history: History[EncodedQuote] | None,
) -> Joined:
    """What a client that now wants these symbols is given; `positions` are those it comes back with."""
    if not positions:
        known = list(filter(None, map(latest, symbol_ids)))
        return Joined(bodies(known, form, options.fields))
    snapshot: list[EncodedQuote] = []
    missed: list[list[EncodedQuote]] = []
    gaps: list[Gap] = []
    awaited: dict[int, Position] = {}
    for symbol_id in symbol_ids:
        newest, position = latest(symbol_id), positions.get(symbol_id)
        if position is None:
            snapshot += [] if newest is None else [newest]
            continue
        verdict = judge(position, newest, history)
        match verdict:
            case Restart(gap):
                assert newest is not None, "only a symbol that is known starts again"
                snapshot.append(newest)
                gaps += [] if gap is None else [gap]
            case Await():
                awaited[symbol_id] = position
            case Replay([]) if options.delta:
                # It has no quote of this connection to change: its next one must be whole.
                awaited[symbol_id] = position
            case Replay(updates):
                missed.append(updates)
    skipped = 0
    if options.max_rate or options.mode is Mode.LATEST:
        skipped = sum(len(updates) - 1 for updates in missed if updates)
        missed = [updates[-1:] for updates in missed]
    fields = options.fields
    return Joined(
        bodies(snapshot, form, fields),
        bodies(_in_order(missed), form, fields),
        gaps,
        skipped,
        awaited,
    )


def _in_order(missed: list[list[EncodedQuote]]) -> list[EncodedQuote]:
    """By the time of arrival, as far as that leaves each symbol's own order alone."""
    timed: list[tuple[int, EncodedQuote]] = []
    for updates in missed:
        at = 0
        for update in updates:
            at = max(at, update.quote.received_at)
            timed.append((at, update))
    timed.sort(key=lambda entry: entry[0])
    return [update for _, update in timed]
