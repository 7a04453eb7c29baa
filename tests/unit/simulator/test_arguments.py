"""Strict reading of query values."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotewire.simulator.arguments import check_names, choice, flag, many_ids, many_names, moment, one_id, required
from quotewire.simulator.refusals import CODES, Refusal


def code_of(call: Callable[[], object]) -> int:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.code


def test_ids() -> None:
    assert one_id("8049", "id") == 8049
    assert many_ids("1, 2,1", "ids") == (1, 2)
    for text in ("", "0", "-1", "1,2", "x", "1.5", "9999999999", "0" * 5000 + "1", "٣"):
        assert code_of(lambda text=text: one_id(text, "id")) == 1002  # type: ignore[misc]


def outcome(call: Callable[[], object]) -> str:
    try:
        return type(call()).__name__
    except Refusal as refusal:
        return str(refusal.code)


@given(st.text(max_size=40))
def test_any_text_is_an_id_or_a_refusal(text: str) -> None:
    assert outcome(lambda: one_id(text, "id")) in ("int", "1002")


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_refusal(text: str) -> None:
    assert outcome(lambda: moment(text, "startTime")) in ("float", "1002", "1003")


def test_names_times_choices_flags() -> None:
    assert many_names("aapl,SHOP.to", "names") == ("AAPL", "SHOP.TO")
    assert code_of(lambda: many_names("AAPL,,", "names")) == 1002
    assert moment("2026-03-03T10:00:00-05:00", "t") == moment("2026-03-03T10:00:00", "t")
    assert moment("2026-03-03T15:00:00 00:00", "t") == moment("2026-03-03T10:00", "t"), "a plus that became a blank"
    assert code_of(lambda: moment("2026-03-03T10:00:00.123456789-05:00", "t")) == 1003
    assert choice("OneDay", "interval", ("OneDay",)) == "OneDay"
    assert code_of(lambda: choice("oneday", "interval", ("OneDay",))) == 1002
    assert (flag("True", "stream"), flag("false", "stream")) == (True, False)
    assert code_of(lambda: required({}, "ids")) == 1004
    assert code_of(lambda: check_names({"ids": "1", "is": "2"}, frozenset({"ids"}), 10)) == 1002
    assert code_of(lambda: check_names({"ids": "1" * 11}, frozenset({"ids"}), 10)) == 1003


def test_refusals_are_in_the_table() -> None:
    for code, (status, _) in CODES.items():
        assert Refusal(code, "x").status == status
        assert Refusal(code, "x").body()["code"] == code
    assert Refusal(1002, "ids").message.endswith(": ids")
