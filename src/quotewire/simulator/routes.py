"""The `/v1` endpoints: method, path, budget, scope, arguments, and who answers. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from quotewire.simulator import accounts, answers
from quotewire.simulator.call import Call
from quotewire.simulator.limits import Category
from quotewire.simulator.refusals import Refusal

READ_ACCOUNT: Final = "read_acc"
READ_MARKET: Final = "read_md"
WINDOW: Final = ("startTime", "endTime")

Answer = Callable[[Call], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `path` has its variables in braces."""

    method: str
    path: str
    category: Category
    scope: str | None
    answer: Answer
    arguments: frozenset[str] = frozenset()

    def match(self, parts: list[str]) -> dict[str, str] | None:
        """The path's variables, or None when it is another endpoint's path."""
        wanted = self.path.split("/")
        if len(wanted) != len(parts):
            return None
        found = {}
        for pattern, part in zip(wanted, parts, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = part
            elif pattern != part:
                return None
        return found


def _account(path: str, answer: Answer, *arguments: str) -> Route:
    return Route("GET", path, Category.ACCOUNT, READ_ACCOUNT, answer, frozenset(arguments))


def _symbol(path: str, answer: Answer, *arguments: str) -> Route:
    return Route("GET", path, Category.ACCOUNT, READ_MARKET, answer, frozenset(arguments))


def _market(path: str, answer: Answer, *arguments: str, method: str = "GET") -> Route:
    return Route(method, path, Category.MARKET, READ_MARKET, answer, frozenset(arguments))


# Fixed paths come before those with variables.
ROUTES: Final = (
    Route("GET", "time", Category.ACCOUNT, None, answers.time),
    _account("accounts", accounts.accounts),
    _account("accounts/{number}/positions", accounts.positions),
    _account("accounts/{number}/balances", accounts.balances),
    _account("accounts/{number}/executions", accounts.executions, *WINDOW),
    _account("accounts/{number}/orders", accounts.orders, *WINDOW, "stateFilter", "ids"),
    _account("accounts/{number}/orders/{order}", accounts.order),
    _account("accounts/{number}/activities", accounts.activities, *WINDOW),
    _symbol("symbols", answers.symbols, "ids", "names"),
    _symbol("symbols/search", answers.search, "prefix", "offset"),
    _symbol("symbols/{id}", answers.symbol),
    _symbol("symbols/{id}/options", answers.option_chain),
    _market("markets", answers.markets),
    _market("markets/quotes", answers.quotes, "ids", "stream", "mode"),
    _market("markets/quotes/options", answers.option_quotes, method="POST"),
    _market("markets/quotes/strategies", answers.strategy_quotes, method="POST"),
    _market("markets/quotes/{id}", answers.quote, "stream", "mode"),
    _market("markets/candles/{id}", answers.candles, *WINDOW, "interval"),
    Route("GET", "notifications", Category.ACCOUNT, READ_ACCOUNT, answers.notifications, frozenset({"mode"})),
)


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """The endpoint of a path below `/v1/`, and the path's variables. Refusal 1001 or 1012."""
    parts = path.strip("/").split("/")
    known = False
    for route in ROUTES:
        values = route.match(parts)
        if values is None:
            continue
        if route.method == method:
            return route, values
        known = True
    raise Refusal(1012 if known else 1001)
