"""Endpoints: found by method and path, paid from the measured buckets."""

import pytest

from quotewire.simulator.limits import Category
from quotewire.simulator.refusals import Refusal
from quotewire.simulator.routes import ROUTES, find


@pytest.mark.parametrize(
    ("method", "path", "route", "variables"),
    [
        ("GET", "time", "time", {}),
        ("GET", "/symbols/search/", "symbols/search", {}),
        ("GET", "symbols/8049", "symbols/{id}", {"id": "8049"}),
        ("GET", "symbols/8049/options", "symbols/{id}/options", {"id": "8049"}),
        ("GET", "markets/quotes", "markets/quotes", {}),
        ("POST", "markets/quotes/options", "markets/quotes/options", {}),
        ("GET", "accounts/26/orders/7", "accounts/{number}/orders/{order}", {"number": "26", "order": "7"}),
    ],
)
def test_paths(method: str, path: str, route: str, variables: dict[str, str]) -> None:
    found, values = find(method, path)
    assert (found.path, dict(values)) == (route, variables)


@pytest.mark.parametrize(
    ("method", "path", "code"), [("GET", "", 1001), ("GET", "a/b/c/d", 1001), ("PUT", "time", 1012)]
)
def test_nothing_there(method: str, path: str, code: int) -> None:
    with pytest.raises(Refusal) as caught:
        find(method, path)
    assert caught.value.code == code


def test_only_markets_draw_on_the_market_budget() -> None:
    for route in ROUTES:
        wanted = Category.MARKET if route.path.startswith("markets") else Category.ACCOUNT
        assert route.category is wanted, route.path
