"""The table of wanted symbols: who is asked, who is woken, what is let go, what a reconnect repeats."""

from collections.abc import Iterator

import msgspec
import pytest

from quotewire.client.entries import Reader
from quotewire.client.subscriptions import ANSWER_TIMEOUT_S, RETRY_DELAY_S, Outcome, Subscriptions
from quotewire.market.quote import Freshness, Quote, Source
from quotewire.wire.codes import ErrorCode
from quotewire.wire.messages import Error, Subscribe, SymbolResult, Unsubscribe
from quotewire.wire.options import Cause, Gap, Mode, Options

AAPL, SHOP = 8049, 7
BIG = 262_144


def quote(symbol_id: int, sequence: int, epoch: int = 1, freshness: Freshness = Freshness.LIVE) -> Quote:
    return Quote(
        symbol={AAPL: "AAPL", SHOP: "SHOP.TO"}[symbol_id],
        symbol_id=symbol_id,
        epoch=epoch,
        sequence=sequence,
        freshness=freshness,
        source=Source.STREAM,
        delayed=False,
        received_at=0,
    )


def good(symbol: str, symbol_id: int) -> SymbolResult:
    return SymbolResult(ok=True, symbol=symbol, symbol_id=symbol_id)


def bad(symbol: str, *, retryable: bool = False) -> SymbolResult:
    return SymbolResult(ok=False, symbol=symbol, code=ErrorCode.UNKNOWN_SYMBOL, reason=symbol, retryable=retryable)


@pytest.fixture
def table() -> Subscriptions:
    numbers: Iterator[int] = iter(range(1, 1000))
    return Subscriptions(lambda prefix: f"{prefix}-{next(numbers)}")


def online(table: Subscriptions) -> Subscriptions:
    table.connected(BIG, 0.0)
    return table


def asked(outcome: Outcome) -> Subscribe:
    (command,) = outcome.send
    assert isinstance(command, Subscribe)
    return command


def granted(table: Subscriptions, reader: Reader, *results: SymbolResult) -> None:
    command = asked(table.join(reader, 0.0))
    table.answered(command.request_id, results, 0.0)
    table.snapshot(command.request_id, [])


def taken(reader: Reader) -> list[tuple[int, int]]:
    items = []
    while (item := reader.mailbox.get()) is not None:
        assert isinstance(item, Quote)
        items.append((item.symbol_id, item.sequence))
    return items


def test_names_and_ids_are_asked_for_in_one_message(table: Subscriptions) -> None:
    command = asked(online(table).join(Reader(["AAPL", 7, "AAPL"], 8), 0.0))
    assert (command.symbols, command.ids) == (["AAPL"], [7])


def test_nothing_is_sent_before_the_welcome(table: Subscriptions) -> None:
    assert table.join(Reader(["AAPL"], 8), 0.0).send == []
    assert asked(table.connected(BIG, 0.0)).symbols == ["AAPL"]


def test_quotes_reach_their_readers_once_and_in_order(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    assert reader.undecided == set()
    assert table.accept([quote(AAPL, 4), quote(AAPL, 5)]) == {reader: None}
    assert table.accept([quote(AAPL, 5), quote(AAPL, 3), quote(SHOP, 1)]) == {}
    assert taken(reader) == [(AAPL, 4), (AAPL, 5)]


def test_a_new_epoch_starts_over(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    table.accept([quote(AAPL, 9), quote(AAPL, 1, epoch=2), quote(AAPL, 10)])
    assert taken(reader) == [(AAPL, 9), (AAPL, 1)]


def test_a_second_reader_asks_nobody_and_begins_with_what_is_known(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    second = Reader(["AAPL"], 8)
    outcome = table.join(second, 0.0)
    assert (outcome.send, outcome.wake) == ([], {second: None})
    assert taken(second) == [(AAPL, 4)]


def test_only_the_last_reader_lets_go(table: Subscriptions) -> None:
    first, second = Reader(["AAPL"], 8), Reader(["AAPL"], 8)
    granted(online(table), first, good("AAPL", AAPL))
    table.join(second, 0.0)
    assert table.leave(first, 0.0).send == []
    (command,) = table.leave(second, 0.0).send
    assert isinstance(command, Unsubscribe)
    assert command.ids == [AAPL]
    assert table.leave(second, 0.0).send == []
    assert table.accept([quote(AAPL, 9)]) == {}
    assert table.count == 0


def test_two_names_of_one_symbol_count_as_one(table: Subscriptions) -> None:
    by_name, by_id = Reader(["AAPL"], 8), Reader([AAPL], 8)
    granted(online(table), by_name, good("AAPL", AAPL))
    granted(table, by_id, good("AAPL", AAPL))
    assert table.count == 1
    assert table.leave(by_name, 0.0).send == []
    table.accept([quote(AAPL, 1)])
    assert taken(by_id) == [(AAPL, 1)]
    assert len(table.leave(by_id, 0.0).send) == 1


def test_letting_go_waits_for_what_is_unanswered(table: Subscriptions) -> None:
    """The unanswered name could be the very symbol: an `unsubscribe` behind it would silence its reader."""
    first, second = Reader([AAPL], 8), Reader(["AAPL"], 8)
    granted(online(table), first, good("AAPL", AAPL))
    request = asked(table.join(second, 0.0))
    assert table.leave(first, 0.0).send == []
    outcome = table.answered(request.request_id, [good("AAPL", AAPL)], 0.0)
    assert outcome.send == []
    table.accept([quote(AAPL, 1)])
    assert taken(second) == [(AAPL, 1)]


def test_a_reader_that_left_before_the_answer_leaves_nothing_behind(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    request = asked(online(table).join(reader, 0.0))
    assert table.leave(reader, 0.0).send == []
    (command,) = table.answered(request.request_id, [good("AAPL", AAPL)], 0.0).send
    assert isinstance(command, Unsubscribe)
    assert table.count == 0


def test_refusals_are_told_and_forgotten(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "NOPE"], 8)
    granted(online(table), reader, good("AAPL", AAPL), bad("NOPE"))
    assert [result.symbol for result in reader.refused] == ["NOPE"]
    assert not reader.hopeless
    assert table.names == (AAPL,)
    assert asked(table.join(Reader(["NOPE"], 8), 0.0)).symbols == ["NOPE"]


def test_what_cannot_be_looked_up_now_is_asked_again(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, bad("AAPL", retryable=True))
    assert (reader.undecided, reader.refused) == (set(), [])
    assert table.deadline() == RETRY_DELAY_S
    assert table.tick(RETRY_DELAY_S - 0.1).send == []
    assert asked(table.tick(RETRY_DELAY_S)).symbols == ["AAPL"]


def test_an_answer_that_never_comes_is_asked_for_again(table: Subscriptions) -> None:
    first = asked(online(table).join(Reader(["AAPL"], 8), 0.0))
    again = asked(table.tick(ANSWER_TIMEOUT_S))
    assert again.symbols == ["AAPL"]
    assert again.request_id != first.request_id
    assert table.answered(first.request_id, [good("AAPL", AAPL)], 0.0).wake == {}


def test_an_answer_that_is_too_short_leaves_the_rest_for_later(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "SHOP.TO"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    assert asked(table.tick(RETRY_DELAY_S)).symbols == ["SHOP.TO"]


def test_an_error_for_the_whole_command_refuses_all_of_it(table: Subscriptions) -> None:
    reader = Reader(["AAPL", SHOP], 8)
    request = asked(online(table).join(reader, 0.0))
    error = Error(request_id=request.request_id, code=ErrorCode.TOO_MANY_SYMBOLS, message="too many")
    table.refused(error, 0.0)
    assert reader.hopeless
    assert {result.code for result in reader.refused} == {ErrorCode.TOO_MANY_SYMBOLS}
    assert [(r.symbol, r.symbol_id) for r in reader.refused] == [("AAPL", None), (None, SHOP)]


def test_an_error_about_something_else_refuses_nothing(table: Subscriptions) -> None:
    online(table).join(Reader(["AAPL"], 8), 0.0)
    assert table.refused(Error(code=ErrorCode.INTERNAL_ERROR, message="x"), 0.0).wake == {}
    assert table.unanswered == 1


def test_a_reconnect_asks_for_everything_by_id_and_goes_on_where_it_was(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "SHOP.TO"], 8)
    granted(online(table), reader, good("AAPL", AAPL), good("SHOP.TO", SHOP))
    table.accept([quote(AAPL, 4), quote(SHOP, 2)])
    taken(reader)
    table.disconnected()
    command = asked(table.connected(BIG, 1.0))
    assert (command.symbols, command.ids) == ([], [AAPL, SHOP])
    table.answered(command.request_id, [good("AAPL", AAPL), good("SHOP.TO", SHOP)], 1.0)
    table.accept([quote(AAPL, 4), quote(SHOP, 5)])
    assert taken(reader) == [(SHOP, 5)]


def test_two_names_of_one_symbol_are_asked_for_once_after_a_reconnect(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    granted(table, Reader([AAPL], 8), good("AAPL", AAPL))
    table.disconnected()
    command = asked(table.connected(BIG, 1.0))
    assert command.ids == [AAPL]
    table.answered(command.request_id, [good("AAPL", AAPL)], 1.0)
    assert asked(table.repeat(2.0)).ids == [AAPL]


def test_what_was_asked_but_not_answered_is_asked_again_after_a_reconnect(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    online(table).join(reader, 0.0)
    table.disconnected()
    assert table.unanswered == 0
    assert reader.undecided == {"AAPL"}
    assert asked(table.connected(BIG, 1.0)).symbols == ["AAPL"]


def test_while_disconnected_nothing_is_live(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    assert table.any_live
    table.disconnected()
    latest = table.latest("AAPL")
    assert latest is not None
    assert latest.freshness is Freshness.STALE
    assert not table.any_live


def test_a_reader_that_comes_while_disconnected_begins_with_the_next_snapshot(table: Subscriptions) -> None:
    first, second = Reader(["AAPL"], 8), Reader(["AAPL"], 8)
    granted(online(table), first, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    taken(first)
    table.disconnected()
    table.join(second, 0.0)
    assert taken(second) == []
    command = asked(table.connected(BIG, 1.0))
    table.answered(command.request_id, [good("AAPL", AAPL)], 1.0)
    table.accept([quote(AAPL, 4)])
    assert (taken(first), taken(second)) == ([], [(AAPL, 4)])
    latest = table.latest(AAPL)
    assert latest is not None
    assert latest.freshness is Freshness.LIVE


def test_large_sets_are_split_by_the_limit_of_the_gateway(table: Subscriptions) -> None:
    table.join(Reader([f"SYMBOL{n:04}" for n in range(200)], 400), 0.0)
    commands = table.connected(1024, 0.0).send
    assert len(commands) > 2
    assert sum(len(command.symbols) for command in commands if isinstance(command, Subscribe)) == 200


def test_polled_quotes_tell_the_ids_of_names(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "SHOP.TO"], 8)
    table.join(reader, 0.0)
    assert table.texts == ("AAPL", "SHOP.TO")
    assert table.polled([quote(AAPL, 4)]) == {reader: None}
    assert taken(reader) == [(AAPL, 4)]
    assert reader.undecided == set()
    assert asked(table.connected(BIG, 1.0)).ids == [AAPL]


def test_the_argument_of_a_poll_is_text_where_it_is_known(table: Subscriptions) -> None:
    granted(online(table), Reader([AAPL, 5], 8), good("AAPL", AAPL), good("X", 5))
    table.join(Reader([6], 8), 0.0)
    assert table.texts == ("AAPL", "X", "6")


def test_latest_is_found_by_any_name(table: Subscriptions) -> None:
    granted(online(table), Reader([AAPL], 8), good("AAPL", AAPL))
    assert table.latest(AAPL) is None
    table.accept([quote(AAPL, 1)])
    assert table.latest("AAPL") == table.latest(AAPL) == quote(AAPL, 1)
    assert table.latest("SHOP.TO") is None


# --- going on where it was ---


def resumed(table: Subscriptions, now: float = 1.0) -> Subscribe:
    table.disconnected()
    return asked(table.connected(BIG, now, resume=True))


def gap(symbol_id: int, first: int, last: int, cause: Cause = Cause.HISTORY) -> Gap:
    return Gap("X", symbol_id, 1, first, last, None, None, cause)


def test_after_a_loss_a_symbol_goes_on_from_its_last_position(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "SHOP.TO"], 8)
    granted(online(table), reader, good("AAPL", AAPL), good("SHOP.TO", SHOP))
    table.accept([quote(AAPL, 4)])
    taken(reader)
    command = resumed(table)
    assert (command.symbols, command.ids, command.resume) == ([], [SHOP], [(AAPL, 1, 4)])
    table.answered(command.request_id, [good("SHOP.TO", SHOP), good("AAPL", AAPL)], 1.0)
    latest = table.latest(AAPL)
    assert latest is not None
    assert latest.freshness is Freshness.STALE
    table.snapshot(command.request_id, [quote(SHOP, 1)])
    assert table.latest(AAPL) == quote(AAPL, 4)
    table.accept([quote(AAPL, 5), quote(AAPL, 6)])
    assert taken(reader) == [(SHOP, 1), (AAPL, 5), (AAPL, 6)]


def test_a_reader_that_came_while_disconnected_begins_with_what_was_resumed(table: Subscriptions) -> None:
    first, second = Reader(["AAPL"], 8), Reader([AAPL], 8)
    granted(online(table), first, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    table.disconnected()
    table.join(second, 0.0)
    command = asked(table.connected(BIG, 1.0, resume=True))
    table.answered(command.request_id, [good("AAPL", AAPL)], 1.0)
    assert taken(second) == []
    assert table.snapshot(command.request_id, []) == {second: None}
    assert taken(second) == [(AAPL, 4)]


def test_what_is_told_as_a_gap_is_not_taken_for_resumed(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    taken(reader)
    command = resumed(table)
    table.answered(command.request_id, [good("AAPL", AAPL)], 1.0)
    assert table.missed([gap(AAPL, 5, 8)]) == {reader: None}
    table.snapshot(command.request_id, [])
    latest = table.latest(AAPL)
    assert latest is not None
    assert latest.freshness is Freshness.STALE
    assert reader.mailbox.get() == gap(AAPL, 5, 8)
    assert table.gaps == 1


def test_a_symbol_refused_after_a_loss_is_not_taken_for_resumed(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    command = resumed(table)
    table.answered(command.request_id, [bad("AAPL", retryable=True)], 1.0)
    table.snapshot(command.request_id, [])
    latest = table.latest(AAPL)
    assert latest is not None
    assert latest.freshness is Freshness.STALE


def test_a_gateway_without_positions_is_asked_by_id(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    table.disconnected()
    command = asked(table.connected(BIG, 1.0, resume=False))
    assert (command.ids, command.resume) == ([AAPL], [])


def test_one_who_reads_every_update_is_not_given_polled_quotes(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8, Options(mode=Mode.EVERY))
    granted(online(table), reader, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    taken(reader)
    table.disconnected()
    table.polled([quote(AAPL, 9)])
    assert taken(reader) == []
    assert asked(table.connected(BIG, 1.0, resume=True)).resume == [(AAPL, 1, 4)]


def test_a_large_set_of_positions_is_split_by_the_limit_of_the_gateway(table: Subscriptions) -> None:
    ids = list(range(1000, 1200))
    reader = Reader(ids, 400)
    granted(online(table), reader, *(good(f"S{i}", i) for i in ids))
    table.accept([msgspec.structs.replace(quote(AAPL, 4), symbol_id=i) for i in ids])
    table.disconnected()
    commands = table.connected(1024, 1.0, resume=True).send
    assert len(commands) > 2
    assert all(len(msgspec.json.encode(command)) <= 1024 for command in commands)
    resuming = [position for c in commands if isinstance(c, Subscribe) for position in c.resume]
    assert resuming == [(i, 1, 4) for i in ids]


# --- wishes ---


def test_alike_wishes_are_asked_for_together_and_others_apart(table: Subscriptions) -> None:
    online(table)
    table.disconnected()
    table.join(Reader(["AAPL"], 8, Options(max_rate=5.0)), 0.0)
    table.join(Reader(["SHOP.TO"], 8), 0.0)
    table.join(Reader(["X"], 8, Options(max_rate=5.0)), 0.0)
    commands = table.connected(BIG, 0.0).send
    assert [(c.symbols, c.max_rate) for c in commands if isinstance(c, Subscribe)] == [
        (["AAPL", "X"], 5.0),
        (["SHOP.TO"], 0.0),
    ]


def test_a_more_demanding_reader_has_the_symbol_asked_for_again(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8, Options(max_rate=5.0)), good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    second = Reader([AAPL], 8, Options(mode=Mode.EVERY))
    commands = [c for c in table.join(second, 0.0).send if isinstance(c, Subscribe)]
    assert {c.mode for c in commands} == {Mode.EVERY}
    for command in commands:
        table.answered(command.request_id, [good("AAPL", AAPL)], 0.0)
    back = table.leave(second, 0.0).send
    assert [(c.mode, c.max_rate) for c in back if isinstance(c, Subscribe)] == [(Mode.ADAPTIVE, 5.0)]


def test_one_who_wants_more_fields_waits_for_a_quote_that_has_them(table: Subscriptions) -> None:
    first, second = Reader(["AAPL"], 8, Options(fields=("bidPrice",))), Reader(["AAPL"], 8)
    granted(online(table), first, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    taken(first)
    command = asked(table.join(second, 0.0))
    assert (command.fields, command.ids, command.resume) == (None, [AAPL], [])
    assert taken(second) == []
    table.answered(command.request_id, [good("AAPL", AAPL)], 0.0)
    whole = msgspec.structs.replace(quote(AAPL, 4), ask_price=5.0)
    table.snapshot(command.request_id, [whole])
    assert (taken(first), taken(second)) == ([], [(AAPL, 4)])
    assert table.latest("AAPL") == whole


def test_a_delta_on_nothing_has_the_symbol_asked_for_again(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8, Options(delta=True)), good("AAPL", AAPL))
    command = asked(table.restart([AAPL, SHOP], 1.0))
    assert (command.ids, command.delta) == ([AAPL], True)
    assert table.restart([AAPL], 1.0).send == []


# --- moving to another connection ---


def test_a_move_asks_for_what_is_granted_and_takes_over_what_came(table: Subscriptions) -> None:
    reader = Reader(["AAPL", "SHOP.TO"], 8)
    granted(online(table), reader, good("AAPL", AAPL), good("SHOP.TO", SHOP))
    table.accept([quote(AAPL, 4)])
    move = table.move(BIG, resume=True)
    (command,) = move.asked
    assert (command.ids, command.resume) == ([SHOP], [(AAPL, 1, 4)])
    move.answered(command.request_id, [good("SHOP.TO", SHOP), good("AAPL", AAPL)])
    before = move.over
    move.snapshot(command.request_id)
    assert (before, move.over) == (False, True)
    assert table.moved(move, 1.0).send == []


def test_what_came_and_went_during_a_move_is_put_right_after_it(table: Subscriptions) -> None:
    staying, leaving, coming = Reader(["AAPL"], 8), Reader(["SHOP.TO"], 8), Reader(["NEW"], 8)
    granted(online(table), staying, good("AAPL", AAPL))
    granted(table, leaving, good("SHOP.TO", SHOP))
    move = table.move(BIG, resume=True)
    (command,) = move.asked
    table.leave(leaving, 0.0)
    assert table.join(coming, 0.0).send == []
    move.answered(command.request_id, [good("AAPL", AAPL), good("SHOP.TO", SHOP)])
    move.snapshot(command.request_id)
    again, left = table.moved(move, 1.0).send
    assert isinstance(again, Subscribe)
    assert again.symbols == ["NEW"]
    assert isinstance(left, Unsubscribe)
    assert left.ids == [SHOP]


def test_a_move_that_is_given_up_asks_here_for_what_waited(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    table.move(BIG, resume=True)
    assert table.join(Reader(["NEW"], 8), 0.0).send == []
    assert asked(table.stay(1.0)).symbols == ["NEW"]


def test_a_gap_that_was_overtaken_is_told_as_far_as_it_is_one(table: Subscriptions) -> None:
    reader = Reader(["AAPL"], 8)
    granted(online(table), reader, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    taken(reader)
    assert table.missed([gap(AAPL, 2, 4), gap(SHOP, 1, 2)]) == {}
    table.missed([gap(AAPL, 3, 6)])
    assert reader.mailbox.get() == gap(AAPL, 5, 6)
    assert table.gaps == 1


def test_one_who_reads_every_update_begins_with_the_subscription_that_brings_them_all(table: Subscriptions) -> None:
    first, second = Reader(["AAPL"], 8), Reader(["AAPL"], 8, Options(mode=Mode.EVERY))
    granted(online(table), first, good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    command = asked(table.join(second, 0.0))
    table.accept([quote(AAPL, 6)])
    table.answered(command.request_id, [good("AAPL", AAPL)], 0.0)
    table.accept([quote(AAPL, 8)])
    assert taken(second) == []
    table.snapshot(command.request_id, [quote(AAPL, 9)])
    table.accept([quote(AAPL, 10)])
    assert taken(second) == [(AAPL, 9), (AAPL, 10)]
    assert taken(first) == [(AAPL, 4), (AAPL, 6), (AAPL, 8), (AAPL, 9), (AAPL, 10)]


def test_what_a_move_was_refused_is_asked_for_again(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    move = table.move(BIG, resume=True)
    move.refused(move.asked[0].request_id)
    assert move.over
    assert asked(table.moved(move, 1.0)).ids == [AAPL]


def test_what_a_connection_has_not_brought_itself_is_no_place_to_join_another_at(table: Subscriptions) -> None:
    granted(online(table), Reader(["AAPL"], 8), good("AAPL", AAPL))
    table.accept([quote(AAPL, 4)])
    assert table.known() == [quote(AAPL, 4)]
    command = resumed(table)
    table.answered(command.request_id, [good("AAPL", AAPL)], 1.0)
    table.snapshot(command.request_id, [])
    assert table.latest(AAPL) == quote(AAPL, 4)
    assert table.known() == []
    table.accept([quote(AAPL, 5)])
    assert table.known() == [quote(AAPL, 5)]


def in_parts(table: Subscriptions, wish: Options) -> tuple[Reader, str]:
    """A reader of two symbols, granted; the id of what asked for them."""
    reader = Reader(["AAPL", "SHOP.TO"], 8, wish)
    command = asked(table.join(reader, 0.0))
    table.answered(command.request_id, [good("AAPL", AAPL), good("SHOP.TO", SHOP)], 0.0)
    return reader, command.request_id or ""


@pytest.mark.parametrize("wish", [Options(), Options(fields=("bidPrice",)), Options(mode=Mode.EVERY)])
def test_what_the_parts_of_a_snapshot_do_not_show_may_come_before_the_last_one(
    table: Subscriptions, wish: Options
) -> None:
    reader, request_id = in_parts(online(table), wish)
    assert table.snapshot(request_id, [quote(AAPL, 4)], more=True) == {reader: None}
    table.accept([quote(AAPL, 5), quote(SHOP, 1)])
    assert table.snapshot(request_id, []) == {}
    table.accept([quote(SHOP, 2)])
    assert taken(reader) == [(AAPL, 4), (AAPL, 5), (SHOP, 1), (SHOP, 2)]


def test_a_quote_with_few_fields_between_two_parts_is_not_taken_for_a_whole_one(table: Subscriptions) -> None:
    _, request_id = in_parts(online(table), Options(fields=("bidPrice",)))
    table.snapshot(request_id, [], more=True)
    table.accept([quote(SHOP, 1)])
    whole = Reader(["SHOP.TO"], 8)
    table.join(whole, 0.0)
    assert taken(whole) == []


def test_after_a_loss_symbols_go_on_part_by_part(table: Subscriptions) -> None:
    reader, request_id = in_parts(online(table), Options())
    table.snapshot(request_id, [quote(AAPL, 4), quote(SHOP, 1)])
    taken(reader)
    command = resumed(table)
    table.answered(command.request_id, [good("AAPL", AAPL), good("SHOP.TO", SHOP)], 1.0)
    table.snapshot(command.request_id, [], more=True)
    table.accept([quote(AAPL, 5)])
    latest = table.latest(SHOP)
    assert latest is not None
    assert latest.freshness is Freshness.STALE
    table.snapshot(command.request_id, [])
    assert table.latest(SHOP) == quote(SHOP, 1)
    assert taken(reader) == [(AAPL, 5)]
