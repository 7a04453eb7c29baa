"""How symbols are to be delivered: what may be asked, what is wrong, and that equal wishes are equal."""

from typing import Any

import msgspec
import pytest

from quotewire.wire.codes import ErrorCode
from quotewire.wire.commands import Add, Problem
from quotewire.wire.dialect import Dialect
from quotewire.wire.native import MsgpackDialect, NativeDialect
from quotewire.wire.options import ALWAYS, DEFAULT_OPTIONS, QUOTE_FIELDS, Mode, Options, Position

DIALECTS: list[Dialect] = [NativeDialect(), MsgpackDialect()]


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.form.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    made: Dialect = request.param
    return made


def read(dialect: Dialect, **keys: Any) -> Add | Problem:
    message = {"type": "subscribe", "requestId": "r", **keys}
    command = dialect.read(msgspec.msgpack.encode(message) if dialect.binary else msgspec.json.encode(message).decode())
    assert isinstance(command, Add | Problem)
    return command


def wished(dialect: Dialect, **keys: Any) -> Options:
    command = read(dialect, **keys)
    assert isinstance(command, Add), command
    return command.options


def test_without_a_wish_it_is_the_default(dialect: Dialect) -> None:
    assert wished(dialect) is DEFAULT_OPTIONS
    assert wished(dialect, fields=None, maxRate=0, delta=False, mode="adaptive") is DEFAULT_OPTIONS


def test_every_wish(dialect: Dialect) -> None:
    assert wished(dialect, fields=["bidPrice"], maxRate=5, delta=True, mode="latest") == Options(
        fields=("bidPrice",), max_rate=5.0, delta=True, mode=Mode.LATEST
    )
    assert wished(dialect, mode="every").mode is Mode.EVERY


def test_equal_wishes_are_equal_however_they_are_written(dialect: Dialect) -> None:
    plain = wished(dialect, fields=["bidPrice", "VWAP"])
    assert plain == wished(dialect, fields=["VWAP", "symbol", "bidPrice", "bidPrice", "epoch"])
    assert plain.fields == ("bidPrice", "VWAP")
    assert wished(dialect, fields=list(ALWAYS)).fields == ()
    assert wished(dialect, fields=[]).fields == ()
    assert wished(dialect, fields=list(QUOTE_FIELDS)) == DEFAULT_OPTIONS


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"fields": ["bidPrice", "bidprice"]}, "$.fields[1]"),
        ({"fields": "bidPrice"}, "$.fields"),
        ({"fields": [5]}, "$.fields[0]"),
        ({"maxRate": -1}, "$.maxRate"),
        ({"maxRate": 0.001}, "$.maxRate"),
        ({"maxRate": 1000.5}, "$.maxRate"),
        ({"maxRate": "fast"}, "$.maxRate"),
        ({"maxRate": True}, "$.maxRate"),
        ({"maxRate": None}, "$.maxRate"),
        ({"maxRate": 5, "mode": "every"}, "$.maxRate"),
        ({"delta": 1}, "$.delta"),
        ({"mode": "sometimes"}, "$.mode"),
        ({"resume": [[1, 2]]}, "$.resume[0]"),
        ({"resume": [[1, 2, 3, 4]]}, "$.resume[0]"),
        ({"resume": [[0, 2, 3]]}, "$.resume[0][0]"),
        ({"resume": [[1, -1, 3]]}, "$.resume[0][1]"),
        ({"resume": [[1, 2, 2**53]]}, "$.resume[0][2]"),
        ({"resume": [[1, 2, 3], [2, 2, 3], [1, 2, 4]]}, "$.resume[2]"),
        ({"resume": {"1": [2, 3]}}, "$.resume"),
    ],
)
def test_a_bad_value_is_named_and_nothing_is_done(dialect: Dialect, keys: dict[str, Any], named: str) -> None:
    problem = read(dialect, **keys)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.request_id) == (ErrorCode.INVALID_MESSAGE, "r")
    assert named in problem.message


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -float("inf")])
def test_a_rate_that_json_cannot_even_write(rate: float) -> None:
    assert isinstance(read(MsgpackDialect(), maxRate=rate), Problem)


def test_a_position_makes_its_symbol_wanted_once_and_after_the_others(dialect: Dialect) -> None:
    command = read(dialect, symbols=["A"], ids=[5, 7], resume=[[7, 1, 2], [9, 1, 0]])
    assert isinstance(command, Add)
    assert (command.names, command.ids) == (("A",), (5, 7, 9))
    assert command.positions == {7: Position(1, 2), 9: Position(1, 0)}


def test_five_thousand_symbols_fit_into_one_message_of_the_default_size(dialect: Dialect) -> None:
    names = [f"ABCDEFGHIJ{i:05}.TO" for i in range(5000)]
    positions = [[16_000_000 + i, 1_764_000_000_000, 10_000_000 + i] for i in range(5000)]
    for keys in ({"symbols": names}, {"resume": positions}):
        message = {"type": "subscribe", **keys}
        assert len(msgspec.json.encode(message)) < 262_144
        command = read(dialect, **keys)
        assert isinstance(command, Add)
        assert len(command.names) + len(command.ids) == 5000
