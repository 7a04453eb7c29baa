"""What operators see, and that it holds no secret."""

from types import SimpleNamespace
from typing import Any, cast

from quotewire.questrade.requests import Endpoint
from quotewire.questrade.tokens import Token, TokenState
from quotewire.resilience.breaker import Circuit
from quotewire.resilience.budget import Budget, Category, Priority
from quotewire.telemetry.catalogue import Sample, check
from quotewire.upstream.desk import Desk
from quotewire.upstream.fleet import Fleet
from quotewire.upstream.keeper import Keeper
from quotewire.upstream.report import fleet_counters, person_readings, person_report
from quotewire.upstream.rivalry import Rivalry
from tests.unit.upstream.fakes import FakeKeeper

NOW = 1000.0


class Bench:
    """Alice's login, stream, budget and breakers, as a test sets them."""

    def __init__(self) -> None:
        self.keeper = FakeKeeper("alice")
        self.token = Token(
            TokenState.FRESH, "secret-refresh", "secret-access", "https://api01/", obtained_at=400.0, expires_at=2200.0
        )
        self.keeper.token = lambda person: self.token  # type: ignore[attr-defined]
        self.snapshot = SimpleNamespace(state=SimpleNamespace(value="connected"), next_attempt_at=None)
        self.rivalry = Rivalry()
        self.carried = frozenset({1, 2})
        self.is_live = True
        self.person = "alice"
        self.streams_opened = 3
        self.reader = SimpleNamespace(frames=10, spoiled=1)
        self.budget = Budget()
        self.circuit = Circuit.CLOSED
        self.fleet = cast(Fleet, SimpleNamespace(sessions={"alice": self}, carried=self.carried))

    def report(self, person: str = "alice") -> dict[str, Any]:
        return {"budgets": {}, "breakers": {}}

    def budgets(self, person: str) -> dict[Category, Any]:
        return {category: self.budget.view(category, NOW) for category in Category}

    def breakers(self, person: str) -> dict[Any, Circuit]:
        return {Endpoint.QUOTES: self.circuit}

    def told(self) -> dict[str, Any]:
        return person_report("alice", cast(Keeper, self.keeper), self.fleet, cast(Desk, self), NOW, NOW)

    def read(self) -> dict[tuple[str, ...], float]:
        readings = person_readings("alice", cast(Keeper, self.keeper), self.fleet, cast(Desk, self), NOW)
        check([Sample(each.name, each.value, each.labels) for each in readings])
        return {(each.name.removeprefix("quotewire_upstream_"), *each.labels): each.value for each in readings}


def test_a_login_that_works() -> None:
    told = Bench().told()

    assert (told["tokenState"], told["tokenAgeS"], told["isActive"]) == ("fresh", 600.0, True)
    assert (told["lastError"], told["needsOperator"], told["mayStream"]) == ("", False, True)
    assert "secret" not in str(told)


def test_a_stream_another_program_takes_is_told_in_words_while_we_stay_away() -> None:
    bench = Bench()
    bench.rivalry = Rivalry(row=3, rounds=1, held_until=NOW + 30)
    assert "another program" in bench.told()["lastError"]

    bench.rivalry.held_until = NOW
    assert bench.told()["lastError"] == ""


def test_a_wait_is_told_as_seconds_to_go() -> None:
    bench = Bench()
    assert bench.told()["nextAttemptInS"] is None

    bench.snapshot.next_attempt_at = NOW + 12.5
    assert bench.told()["nextAttemptInS"] == 12.5


def test_numbers_fit_the_catalogue_and_say_what_is() -> None:
    bench = Bench()
    for _ in range(3):
        bench.budget.take(Category.MARKET, Priority.STREAM, NOW)
    bench.circuit = Circuit.OPEN
    read = bench.read()

    assert read["token_state", "alice", "fresh"] == 1
    assert sum(value for key, value in read.items() if key[0] == "token_state") == 1
    assert read["token_age_seconds", "alice"] == 600
    assert (read["stream_live", "alice"], read["symbols_carried", "alice"]) == (1, 2)
    assert read["budget_used", "alice", "market", "hour"] == 3
    assert read["budget_limit", "alice", "market", "hour"] == 15_000
    assert read["budget_used", "alice", "account", "second"] == 0
    assert read["breaker", "alice", "quotes"] == 2


def test_questrades_own_count_of_the_hour_goes_before_ours() -> None:
    bench = Bench()
    bench.budget.observe(Category.MARKET, remaining=1_000, reset_in_s=600.0, now=NOW)

    assert bench.read()["budget_used", "alice", "market", "hour"] == 14_000


def test_counters_of_all_streams() -> None:
    counters = fleet_counters(Bench().fleet)

    assert counters == {"streams_live": 1, "streams_opened": 3, "frames": 10, "spoiled": 1, "symbols_carried": 2}
