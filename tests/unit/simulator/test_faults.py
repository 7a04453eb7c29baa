"""Faults: checking, matching, using up, ending."""

from typing import Any

import pytest

from quotewire.simulator.faultlist import FAULTS
from quotewire.simulator.faults import ActiveFault, FaultBook, FaultError, Seam, catalogue


def book() -> FaultBook:
    return FaultBook(FAULTS, frozenset({"alice", "bob"}))


def put(faults: FaultBook, name: str, now: float = 0.0, **how: Any) -> ActiveFault:
    given = {key: how.pop(key) for key in ("person", "count", "seconds") if key in how}
    spec, params = faults.check(name, given.get("person"), how)
    return faults.add(spec, now, params=params, **given)


def test_one_use_unless_told_otherwise() -> None:
    faults = book()
    put(faults, "token_500")
    assert faults.take(Seam.TOKEN, "alice", 1.0) is not None
    assert faults.take(Seam.TOKEN, "alice", 1.0) is None
    put(faults, "token_500", count=3)
    assert sum(faults.take(Seam.TOKEN, "bob", 1.0) is not None for _ in range(5)) == 3
    put(faults, "token_500", seconds=10.0)
    assert sum(faults.take(Seam.TOKEN, None, float(now)) is not None for now in range(20)) == 10


def test_first_come_first_used_and_each_seam_its_own() -> None:
    faults = book()
    put(faults, "token_500")
    put(faults, "token_429")
    put(faults, "rest_garbage")
    taken = [faults.take(Seam.TOKEN, "alice", 0.0) for _ in range(3)]
    assert [each and each.spec.name for each in taken] == ["token_500", "token_429", None]
    rest = faults.take(Seam.REST, "alice", 0.0, "time")
    assert rest is not None
    assert rest.spec.name == "rest_garbage"


def test_persons_and_paths() -> None:
    faults = book()
    put(faults, "rest_garbage", person="alice", path="/markets/quotes/")
    assert faults.take(Seam.REST, "bob", 0.0, "markets/quotes/1") is None
    assert faults.take(Seam.REST, None, 0.0, "markets/quotes/1") is None
    assert faults.take(Seam.REST, "alice", 0.0, "markets/candles/1") is None
    assert faults.take(Seam.REST, "alice", 0.0, "markets/quotes/1") is not None


def test_modifiers_act_together_and_decide_nothing() -> None:
    faults = book()
    for name in ("expires_in", "api_server_shape", "token_slow"):
        put(faults, name)
    assert faults.take(Seam.TOKEN, "alice", 0.0) is None
    assert len(faults.modifiers(Seam.TOKEN, "alice", 0.0)) == 3
    assert faults.modifiers(Seam.TOKEN, "alice", 0.0) == []


def test_standing_faults_are_not_used_up_and_expire() -> None:
    faults = book()
    fault = put(faults, "silent_socket", person="alice", seconds=5.0)
    assert faults.any_at(Seam.STREAM)
    assert faults.standing(Seam.STREAM, "alice", 4.9) == [fault]
    assert faults.standing(Seam.STREAM, "bob", 1.0) == []
    assert faults.standing(Seam.STREAM, "alice", 5.0) == []
    assert faults.expire(4.9) == []
    assert faults.expire(5.0) == [fault]
    assert not faults.any_at(Seam.STREAM)


def test_clear_by_name_and_person() -> None:
    faults = book()
    for person in ("alice", "bob", None):
        put(faults, "token_500", person=person)
    put(faults, "delayed", person="alice")
    assert [each.person for each in faults.clear("token_500", "alice")] == ["alice"]
    assert len(faults.clear("token_500")) == 2
    assert len(faults.clear()) == 1
    assert faults.active == []


@pytest.mark.parametrize(
    ("name", "person", "params", "text"),
    [
        ("gremlins", None, {}, "there is no fault 'gremlins': use one of access_expired, "),
        ("token_500", "carol", {}, "there is no person 'carol': use one of alice, bob"),
        ("token_500", None, {"colour": 1}, "has no parameter 'colour': it takes spend"),
        ("token_500", None, {"spend": 1}, "spend must be bool"),
        ("rest_error", None, {"code": True}, "code must be int"),
        ("rest_slow", None, {"after_s": "1"}, "after_s must be int or float"),
        ("stream_garbage", None, {"shape": "square"}, "shape must be of text, binary"),
        ("halt", "alice", {}, "hits everybody"),
        ("down", None, {"parts": [["api"]]}, "parts must be of login, api, stream"),
        ("stream_close", None, {"code": 1005}, "code cannot be 1005"),
        ("rest_status", None, {"status": 99}, "status cannot be 99"),
    ],
)
def test_nonsense_is_refused_by_name(name: str, person: str | None, params: dict[str, Any], text: str) -> None:
    with pytest.raises(FaultError, match=text):
        book().check(name, person, params)


@pytest.mark.parametrize("how", [{"count": 0}, {"seconds": 0.0}, {"seconds": -1.0}])
def test_counts_and_times_are_positive(how: dict[str, Any]) -> None:
    with pytest.raises(FaultError, match="must be positive"):
        put(book(), "token_500", **how)


def test_the_catalogue_is_complete_and_every_default_is_accepted() -> None:
    listed = catalogue(FAULTS.values())
    assert {each["fault"] for each in listed} == set(FAULTS)
    faults = book()
    for spec in FAULTS.values():
        defaults = {param.name: param.default for param in spec.params}
        assert faults.check(spec.name, None, defaults) == (spec, defaults)
        assert spec.seams
        assert spec.fact in ("W", "D", "C", "invented")


def test_summaries_are_json() -> None:
    fault = put(book(), "halt", symbols=[])
    fault.params = {"symbols": frozenset({3, 1})}
    assert fault.summary()["params"] == {"symbols": [1, 3]}
