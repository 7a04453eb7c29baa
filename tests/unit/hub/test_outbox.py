"""What one client is owed that is not served with its lane: by mode, by rate, by position."""

from typing import Any

import pytest

from quotewire.hub.outbox import CALM_S, Outbox
from quotewire.hub.wants import Wants
from quotewire.wire.codec import EncodedQuote, Form
from quotewire.wire.options import DEFAULT_OPTIONS, Gap, Mode, Options, Position
from tests.hub_clients import messages
from tests.wire_samples import quote

EVERY, LATEST = Options(mode=Mode.EVERY), Options(mode=Mode.LATEST)


class Box:
    """An outbox that is fed updates by symbol and sequence, each based on the one before it."""

    def __init__(self, options: Options = DEFAULT_OPTIONS, *, form: Form = Form.NATIVE, gaps: bool = True) -> None:
        wants: Wants = ((options, (1, 2, 3)),)
        self.outbox = Outbox(form, wants, gaps=gaps, ring_size=4)
        self.options = options
        self.before: dict[int, EncodedQuote] = {}

    def put(self, symbol_id: int, *sequences: int, now: float = 0.0, hole: Gap | None = None, **fields: Any) -> None:
        for sequence in sequences:
            update = EncodedQuote(quote(symbol_id, sequence, **fields))
            self.outbox.put(update, self.before.get(symbol_id), self.options, now, hole=hole)
            self.before[symbol_id] = update

    def take(self, now: float = 0.0, *, slots: bool = True) -> list[Any]:
        """What was owed, in short: (symbol, sequence) of quotes, what was skipped, and gaps."""
        told: list[Any] = []
        for message in messages(b"".join(self.outbox.take(now, slots=slots))):
            if message.get("skipped") or message.get("lagMs"):
                told.append({name: message[name] for name in ("skipped", "lagMs") if message.get(name)})
            told += [(q["symbolId"], q["sequence"]) for q in message.get("quotes", ())]
            told += [f"{g['symbolId']}: {g['from']}-{g['to']} {g['cause']}" for g in message.get("gaps", ())]
        return told


def test_while_the_socket_takes_data_everything_goes_out_in_order() -> None:
    box = Box()
    box.put(1, 1)
    box.put(2, 1)
    box.put(1, 2)
    assert len(box.outbox) == 3
    assert box.take() == [(1, 1), (2, 1), (1, 2)]
    assert box.take() == []


def test_once_it_does_not_the_newest_of_each_symbol_is_kept_and_the_rest_counted() -> None:
    box = Box()
    box.put(1, 1)
    box.outbox.block()
    box.put(1, 2)
    box.put(2, 1, 2)
    box.put(1, 3, 4)
    assert box.outbox.blocked
    assert len(box.outbox) == 3
    box.outbox.unblock(0.0)
    assert box.take() == [{"skipped": 3}, (1, 1), (2, 2), (1, 4)]
    assert box.outbox.total_skipped == 3
    assert box.take() == []


def test_in_latest_mode_there_is_one_slot_a_symbol_always() -> None:
    box = Box(LATEST)
    box.put(1, 1, 2, 3)
    box.put(2, 1)
    assert box.take() == [{"skipped": 2}, (1, 3), (2, 1)]


def test_in_every_mode_what_the_ring_has_no_room_for_is_told_as_a_gap() -> None:
    box = Box(EVERY)
    box.outbox.block()
    box.put(1, *range(1, 8))
    assert len(box.outbox) == 4
    box.outbox.unblock(0.0)
    assert box.take() == ["1: 1-3 slow", (1, 4), (1, 5), (1, 6), (1, 7)]
    assert (box.outbox.gapped, box.outbox.total_skipped) == (3, 0)
    box.put(1, 8)
    assert box.take() == [(1, 8)]


def test_a_client_that_takes_no_gaps_is_told_how_many_it_skipped() -> None:
    box = Box(EVERY, gaps=False)
    box.outbox.block()
    box.put(1, *range(1, 8))
    assert box.take() == [{"skipped": 3}, (1, 4), (1, 5), (1, 6), (1, 7)]


def test_a_plain_client_is_told_nothing_in_words_it_does_not_know() -> None:
    box = Box(form=Form.PLAIN, gaps=False)
    box.outbox.block()
    box.put(1, 1, 2)
    assert box.take(5.0) == [(1, 2)]


def test_how_long_the_oldest_waited_is_told_after_the_socket_took_nothing() -> None:
    box = Box()
    box.put(1, 1, now=10.0)
    assert box.take(10.5) == [(1, 1)]
    box.outbox.block()
    box.put(1, 2, now=11.0)
    box.put(1, 3, now=12.0)
    box.outbox.unblock(13.25)
    assert box.take(13.25) == [{"skipped": 1, "lagMs": 2250}, (1, 3)]
    box.put(1, 4, now=14.0)
    assert box.take(15.0) == [(1, 4)]


def test_a_maximum_rate_holds_the_newest_until_its_time() -> None:
    box = Box(Options(max_rate=2.0))
    box.put(1, 1, now=1.0)
    assert box.take(1.0) == [(1, 1)]
    box.put(1, 2, 3, now=1.1)
    box.put(2, 1, now=1.1)
    assert box.take(1.1) == [{"skipped": 1}, (2, 1)]
    assert box.outbox.next_due() == pytest.approx(1.5)
    assert box.take(1.4) == []
    assert box.take(1.5) == [(1, 3)]
    assert box.outbox.next_due() is None
    assert not box.outbox.is_calm(1e9)


def test_what_was_skipped_is_not_told_alone_while_the_newest_waits() -> None:
    box = Box(Options(max_rate=1.0))
    box.put(1, 1, now=0.0)
    assert box.take(0.0) == [(1, 1)]
    for step in range(1, 10):
        box.put(1, step + 1, now=step / 10)
        assert box.take(step / 10) == []
    assert box.take(1.0) == [{"skipped": 8}, (1, 10)]


def test_a_delta_is_based_on_what_the_client_was_sent_however_much_was_skipped() -> None:
    box = Box(Options(delta=True))
    box.put(1, 1, bid_price=1.0, volume=1)
    box.take()
    box.outbox.block()
    box.put(1, 2, bid_price=2.0, volume=1)
    box.put(1, 3, bid_price=1.0, volume=5)
    (told,) = [m for m in messages(b"".join(box.outbox.take(0.0))) if m["quotes"]]
    (delta,) = told["quotes"]
    assert delta == {"symbolId": 1, "epoch": 7, "sequence": 3, "delta": True, "volume": 5}


def test_a_delta_after_a_gap_is_based_on_what_came_before_it() -> None:
    box = Box(Options(delta=True, mode=Mode.EVERY))
    box.put(1, 1, bid_price=1.0, volume=1)
    box.take()
    box.outbox.block()
    for sequence in range(2, 9):
        box.put(1, sequence, bid_price=float(sequence), volume=1 if sequence == 5 else 3)
    told = messages(b"".join(box.outbox.take(0.0)))
    assert [(g["from"], g["to"]) for g in told[0]["gaps"]] == [(2, 4)]
    first = told[1]["quotes"][0]
    assert (first["sequence"], first["bidPrice"], "volume" in first) == (5, 5.0, False)


def test_the_first_update_of_another_epoch_is_whole() -> None:
    box = Box(Options(delta=True))
    box.put(1, 9)
    box.put(1, 1, epoch=8)
    (one, two) = messages(b"".join(box.outbox.take(0.0)))
    assert "delta" not in one["quotes"][0]
    assert "delta" not in two["quotes"][0]


class TestPositions:
    def test_what_the_client_has_already_is_not_owed(self) -> None:
        box = Box()
        box.outbox.expect(1, Position(7, 3))
        box.put(1, 2, 3, 4, 5)
        assert box.take() == [(1, 4), (1, 5)]

    def test_what_is_missing_when_the_count_goes_on_is_told(self) -> None:
        box = Box()
        box.outbox.expect(1, Position(7, 3))
        box.put(1, 6)
        assert box.take() == ["1: 4-5 history", (1, 6)]

    def test_another_count_is_told_even_from_its_first_update(self) -> None:
        box = Box(EVERY)
        box.outbox.expect(1, Position(6, 3))
        box.put(1, 1)
        assert box.take() == ["1: 1-0 epoch", (1, 1)]

    def test_the_first_quote_is_whole(self) -> None:
        box = Box(Options(delta=True))
        box.put(1, 3)
        box.take()
        box.outbox.expect(1, Position(7, 3))
        box.put(1, 4, 5)
        first, second = (m["quotes"][0] for m in messages(b"".join(box.outbox.take(0.0))))
        assert "delta" not in first
        assert second["delta"]

    def test_a_client_that_waits_for_its_position_is_not_calm(self) -> None:
        box = Box()
        box.outbox.expect(1, Position(7, 3))
        assert not box.outbox.is_calm(1e9)
        box.outbox.drop([1])
        assert box.outbox.is_calm(1e9)


def test_what_the_gateway_missed_is_told_in_its_place() -> None:
    hole = Gap("S1", 1, 7, 2, 4, 1, 2, "upstream")  # type: ignore[arg-type]
    box = Box(EVERY)
    box.put(1, 1)
    box.put(1, 5, hole=hole)
    assert box.take() == [(1, 1), "1: 2-4 upstream", (1, 5)]
    deaf = Box(EVERY, gaps=False)
    deaf.put(1, 5, hole=hole)
    assert deaf.take() == [{"skipped": 3}, (1, 5)]
    blocked = Box()
    blocked.outbox.block()
    blocked.put(1, 5, hole=hole)
    assert blocked.take() == [{"skipped": 3}, (1, 5)]


def test_dropped_symbols_are_owed_no_more() -> None:
    box = Box(LATEST)
    for symbol_id in (1, 2, 3):
        box.put(symbol_id, 1)
    box.outbox.drop((1, 3, 99))
    assert box.take() == [(2, 1)]


def test_slots_can_stay_while_what_is_in_order_goes() -> None:
    box = Box()
    box.put(1, 1)
    box.outbox.block()
    box.put(1, 2, 3)
    assert box.take(slots=False) == [{"skipped": 1}, (1, 1)]
    assert box.take() == [(1, 3)]


def test_what_the_lane_held_goes_first() -> None:
    box = Box()
    box.outbox.carry([EncodedQuote(quote(1, 1)).frame(Form.NATIVE)], 0.0)
    box.outbox.block()
    box.put(1, 2)
    box.outbox.unblock(2.0)
    assert box.take(2.0) == [{"lagMs": 2000}, (1, 1), (1, 2)]


def test_a_client_is_calm_a_while_after_its_socket_takes_data_again() -> None:
    box = Box()
    assert box.outbox.is_calm(0.0)
    box.outbox.block()
    assert not box.outbox.is_calm(100.0)
    box.outbox.unblock(100.0)
    assert not box.outbox.is_calm(100.0 + CALM_S / 2)
    assert box.outbox.is_calm(100.0 + CALM_S)
    box.put(1, 1)
    assert not box.outbox.is_calm(200.0)
