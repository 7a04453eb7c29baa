"""Every position a client can come back with."""

import pytest

from quotewire.hub.resume import MAX_AHEAD, Await, Replay, Restart, Verdict, judge
from quotewire.market.history import History
from quotewire.wire.codec import EncodedQuote
from quotewire.wire.options import Cause, Gap, Position
from tests.wire_samples import quote

HISTORY = 3


def known(count: int = 10, *, epoch: int = 7) -> tuple[EncodedQuote, History[EncodedQuote]]:
    history = History[EncodedQuote](depth=HISTORY)
    updates = [EncodedQuote(quote(1, s, epoch=epoch, received_at=s * 10)) for s in range(1, count + 1)]
    for update in updates:
        history.add(update)
    return updates[-1], history


def gap(first: int, last: int, cause: Cause, *, epoch: int = 7) -> Restart:
    return Restart(Gap("S1", 1, epoch, first, last, None, 100, cause))


@pytest.mark.parametrize(
    ("position", "verdict"),
    [
        (Position(7, 10), Replay([])),
        (Position(7, 6), gap(7, 9, Cause.HISTORY)),
        (Position(7, 0), gap(1, 9, Cause.HISTORY)),
        (Position(6, 10), gap(1, 9, Cause.EPOCH)),
        (Position(6, 2**52), gap(1, 9, Cause.EPOCH)),
        (Position(8, 1), gap(1, 9, Cause.EPOCH)),
        (Position(7, 11), Await(Position(7, 11))),
        (Position(7, 10 + MAX_AHEAD), Await(Position(7, 10 + MAX_AHEAD))),
        (Position(7, 11 + MAX_AHEAD), gap(1, 9, Cause.EPOCH)),
    ],
)
def test_without_a_replay(position: Position, verdict: Verdict) -> None:
    assert judge(position, *known()) == verdict


@pytest.mark.parametrize("sequence", [7, 8, 9])
def test_what_is_kept_is_replayed(sequence: int) -> None:
    verdict = judge(Position(7, sequence), *known())
    assert isinstance(verdict, Replay)
    assert [update.sequence for update in verdict.updates] == list(range(sequence + 1, 11))


def test_of_a_symbol_nothing_is_known_of() -> None:
    _, history = known()
    assert judge(Position(7, 3), None, history) == Await(Position(7, 3))


def test_without_a_history_there_is_a_gap_unless_the_snapshot_is_all_that_was_missed() -> None:
    latest, _ = known()
    assert judge(Position(7, 10), latest, None) == Replay([])
    assert judge(Position(7, 9), latest, None) == Restart(None)
    assert judge(Position(7, 8), latest, None) == gap(9, 9, Cause.HISTORY)


def test_a_history_that_ends_before_the_newest_is_of_no_use() -> None:
    _, history = known(10)
    newest = EncodedQuote(quote(1, 13, received_at=130))
    verdict = judge(Position(7, 8), newest, history)
    assert verdict == Restart(Gap("S1", 1, 7, 9, 12, None, 130, Cause.HISTORY))


def test_of_a_new_count_that_has_just_begun_even_nothing_missed_is_told() -> None:
    latest, history = known(1, epoch=8)
    verdict = judge(Position(7, 5), latest, history)
    assert verdict == Restart(Gap("S1", 1, 8, 1, 0, None, 10, Cause.EPOCH))
