"""How an iterator wants its quotes, and what serves several of them."""

import pytest

from quotewire.client.wishes import covers, strongest, wish
from quotewire.wire.options import DEFAULT_OPTIONS, Mode, Options


def test_without_a_wish_it_is_the_default() -> None:
    assert wish(None, 0.0, False, "adaptive") == DEFAULT_OPTIONS


def test_fields_are_named_as_in_python_or_on_the_wire_and_the_time_of_arrival_comes_along() -> None:
    made = wish(["bid_price", "VWAP", "symbol"], 2, True, "latest")
    assert made == Options(fields=("receivedAt", "bidPrice", "VWAP"), max_rate=2.0, delta=True, mode=Mode.LATEST)
    assert wish(["bidPrice", "vwap", "bid_price"], 2, True, "latest") == made


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((["price"], 0, False, "adaptive"), "price"),
        ((None, -1, False, "adaptive"), "updates a second"),
        ((None, float("nan"), False, "adaptive"), "updates a second"),
        ((None, 5, False, "every"), "every"),
        ((None, 0, False, "now"), "'now'"),
    ],
)
def test_what_cannot_be_is_named(arguments: tuple[list[str] | None, float, bool, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        wish(*arguments)


@pytest.mark.parametrize(
    ("wishes", "serves_all"),
    [
        ([], DEFAULT_OPTIONS),
        ([Options(max_rate=2.0)], Options(max_rate=2.0)),
        ([Options(max_rate=2.0), Options(max_rate=5.0)], Options(max_rate=5.0)),
        ([Options(max_rate=2.0), Options()], Options()),
        ([Options(max_rate=2.0), Options(mode=Mode.EVERY)], Options(mode=Mode.EVERY)),
        ([Options(mode=Mode.LATEST), Options()], Options()),
        ([Options(fields=("bidPrice",)), Options(fields=("askPrice",))], Options(fields=("bidPrice", "askPrice"))),
        ([Options(fields=("bidPrice",)), Options()], Options()),
        ([Options(delta=True), Options()], Options(delta=True)),
    ],
)
def test_the_strongest_serves_all(wishes: list[Options], serves_all: Options) -> None:
    assert strongest(wishes) == strongest(reversed(wishes)) == serves_all
    assert all(covers(serves_all, each) for each in wishes)


def test_what_has_fewer_fields_does_not_cover() -> None:
    few, more = Options(fields=("bidPrice",)), Options(fields=("askPrice", "bidPrice"))
    assert covers(more, few)
    assert not covers(few, more)
    assert not covers(few, DEFAULT_OPTIONS)
    assert covers(DEFAULT_OPTIONS, few)
