"""How what is wanted becomes `subscribe` messages."""

from collections.abc import Iterable

import msgspec

from quotewire.client.asking import Asker, ask, position_of
from quotewire.client.entries import Entry, Reader, Symbol
from quotewire.wire.options import DEFAULT_OPTIONS, Options
from tests.wire_samples import quote

FEW = Options(fields=("bidPrice",))


def entry(name: str | int, symbol_id: int | None = None, wish: Options = DEFAULT_OPTIONS) -> Entry:
    made = Entry(name, {Reader([name], 8, wish): None})
    made.symbol_id = symbol_id
    return made


def symbol(sequence: int, wish: Options = DEFAULT_OPTIONS, carried: Options = DEFAULT_OPTIONS) -> Symbol:
    made = Symbol({}, readers=(Reader(["S1"], 8, wish),))
    made.take(quote(1, sequence), carried)
    return made


def only(askers: Iterable[Asker]) -> Asker:
    (asker,) = askers
    return asker


def test_results_answer_names_then_ids_then_positions() -> None:
    entries = [entry("S1", 1), entry("NEW"), entry(1, 1), entry(5)]
    asker = only(ask(entries, {1: symbol(4)}, limit_bytes=1000, resume=True))
    message = asker.message("r")
    assert (message.symbols, message.ids, message.resume) == (["NEW"], [5], [(1, 7, 4)])
    assert asker.items == (("NEW",), (5,), ("S1", 1))


def test_a_gateway_without_positions_is_asked_by_id() -> None:
    message = only(ask([entry("S1", 1)], {1: symbol(4)}, limit_bytes=1000, resume=False)).message("r")
    assert (message.ids, message.resume) == ([1], [])


def test_where_more_fields_are_wanted_the_replay_is_to_begin_with_the_last_quote() -> None:
    assert position_of(symbol(4, carried=FEW)) == (1, 7, 3)
    assert position_of(symbol(4, wish=FEW)) == (1, 7, 4)
    assert position_of(Symbol({})) is None


def test_no_message_is_longer_than_the_gateway_takes() -> None:
    fields = Options(fields=("bidPrice", "askPrice", "VWAP"), max_rate=5.0, delta=True)
    entries = [entry(f"SYMBOL{number:03}", wish=fields if number % 2 else DEFAULT_OPTIONS) for number in range(200)]
    messages = [
        asker.message("sub-1764000000000-abcdefghi") for asker in ask(entries, {}, limit_bytes=1024, resume=True)
    ]
    assert all(len(msgspec.json.encode(message)) <= 1024 for message in messages)
    assert sorted(name for message in messages for name in message.symbols) == [each.name for each in entries]
