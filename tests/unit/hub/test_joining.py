"""What comes before anything live: gaps, a snapshot, a replay."""

from collections.abc import Mapping

import msgspec

from quotewire.hub.joining import Joined, join
from quotewire.market.history import History
from quotewire.wire.codec import EncodedQuote, Form
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options, Position
from tests.wire_samples import quote


class Known:
    """Symbols 1 and 2 with ten updates each, published in turns; symbol 3 with one."""

    def __init__(self) -> None:
        self.history = History[EncodedQuote](depth=5)
        self.latest: dict[int, EncodedQuote] = {}
        for sequence in range(1, 11):
            for symbol_id in (1, 2):
                self.put(symbol_id, sequence, at=sequence * 10 + symbol_id)
        self.put(3, 1, at=5)

    def put(self, symbol_id: int, sequence: int, *, at: int) -> None:
        update = EncodedQuote(quote(symbol_id, sequence, received_at=at))
        self.latest[symbol_id] = update
        self.history.add(update)

    def join(
        self,
        positions: Mapping[int, Position],
        options: Options = DEFAULT_OPTIONS,
        form: Form = Form.NATIVE,
        ids: tuple[int, ...] = (1, 2, 3, 4),
    ) -> Joined:
        return join(form, ids, options, positions, self.latest.get, self.history)


def positions(bodies: list[bytes]) -> list[tuple[int, int]]:
    return [(q["symbolId"], q["sequence"]) for q in map(msgspec.json.decode, bodies)]


def test_without_positions_it_is_all_snapshot() -> None:
    joined = Known().join({})
    assert positions(joined.snapshot) == [(1, 10), (2, 10), (3, 1)]
    assert joined == Joined(joined.snapshot)


def test_what_was_missed_comes_in_the_order_it_was_published() -> None:
    joined = Known().join({1: Position(7, 8), 2: Position(7, 7)})
    assert positions(joined.snapshot) == [(3, 1)]
    assert positions(joined.replay) == [(2, 8), (1, 9), (2, 9), (1, 10), (2, 10)]


def test_a_clock_set_back_does_not_mix_up_a_symbol() -> None:
    known = Known()
    known.put(1, 11, at=1)
    joined = known.join({1: Position(7, 8)}, ids=(1,))
    assert positions(joined.replay) == [(1, 9), (1, 10), (1, 11)]


def test_what_cannot_be_resumed_is_a_gap_and_in_the_snapshot() -> None:
    joined = Known().join({1: Position(7, 2), 2: Position(6, 9), 3: Position(7, 1)})
    assert positions(joined.snapshot) == [(1, 10), (2, 10)]
    assert [(gap.symbol_id, gap.from_sequence, gap.to_sequence) for gap in joined.gaps] == [(1, 3, 9), (2, 1, 9)]
    assert (joined.replay, joined.awaited) == ([], {})


def test_what_cannot_be_judged_yet_is_awaited() -> None:
    joined = Known().join({3: Position(7, 2), 4: Position(7, 5)}, ids=(3, 4))
    assert (joined.snapshot, joined.replay, joined.gaps) == ([], [], [])
    assert joined.awaited == {3: Position(7, 2), 4: Position(7, 5)}


def test_one_who_wants_the_newest_is_replayed_the_newest() -> None:
    for options in (Options(mode=Mode.LATEST), Options(max_rate=1.0)):
        joined = Known().join({1: Position(7, 7), 2: Position(7, 10)}, options, ids=(1, 2))
        assert positions(joined.replay) == [(1, 10)]
        assert joined.skipped == 2


def test_one_who_wants_deltas_and_missed_nothing_begins_with_a_whole_quote() -> None:
    joined = Known().join({1: Position(7, 10)}, Options(delta=True), ids=(1,))
    assert (joined.snapshot, joined.replay) == ([], [])
    assert joined.awaited == {1: Position(7, 10)}


def test_fields_and_form_hold_for_all_of_it() -> None:
    joined = Known().join({1: Position(7, 9)}, Options(fields=("bidPrice",)), Form.MSGPACK, (1, 3))
    for body in (*joined.snapshot, *joined.replay):
        told = msgspec.msgpack.decode(body)
        assert "bidPrice" in told
        assert "askPrice" not in told
