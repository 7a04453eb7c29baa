from datetime import UTC, datetime, timedelta, timezone

import pytest

from quotewire.questrade import requests
from quotewire.resilience.budget import Category


def test_several_ids_go_into_one_parameter() -> None:
    request = requests.quotes([2, 1])

    assert (request.path, dict(request.params)) == ("markets/quotes", {"ids": "2,1"})


def test_a_stream_is_always_asked_for_with_its_full_set_in_one_order() -> None:
    assert requests.stream_port([3, 1, 2]).params["ids"] == "1,2,3"


def test_symbols_draw_on_the_account_budget_and_quotes_on_the_market_budget() -> None:
    assert requests.symbols_by_id([1]).category is Category.ACCOUNT
    assert requests.quotes([1]).category is Category.MARKET


@pytest.mark.parametrize("count", [0, requests.MAX_IDS + 1])
def test_a_request_takes_no_more_than_it_may(count: int) -> None:
    with pytest.raises(ValueError, match="symbols"):
        requests.symbols_by_id(range(1, count + 1))


def test_a_name_with_a_comma_would_be_two() -> None:
    with pytest.raises(ValueError, match="comma"):
        requests.symbols_by_name(["A,B"])


def test_candle_times_have_second_precision() -> None:
    start = datetime(2026, 3, 3, 9, 30, 0, 123456, timezone(-timedelta(hours=5)))

    request = requests.candles(8049, start, datetime(2026, 3, 3, 21, tzinfo=UTC), "OneMinute")

    assert request.params["startTime"] == "2026-03-03T09:30:00-05:00"
