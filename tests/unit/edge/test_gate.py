"""Admission: which paths and subprotocols open, and who is refused with which code."""

import asyncio

import msgspec
import pytest

from quotewire.edge import gate as gate_module
from quotewire.edge.gate import Admitted
from quotewire.errors import UpstreamUnavailableError
from quotewire.wire.codes import ErrorCode
from quotewire.wire.dialect import Dialect
from quotewire.wire.handshake import Opening, Refusal
from tests.fake_upstream import FakeUpstream
from tests.unit.edge.conftest import MakeServices


def opening(path: str = "/ws", **headers: str) -> Opening:
    named = {"sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    return Opening("GET", "1.1", path, "", {**named, **{name.replace("_", "-"): v for name, v in headers.items()}})


def spoken(admitted: Admitted | Refusal) -> tuple[Dialect, str | None]:
    assert isinstance(admitted, Admitted)
    admitted.seat.leave()
    return admitted.dialect, admitted.subprotocol


async def test_paths_and_subprotocols(make_services: MakeServices) -> None:
    gate = make_services().gate
    assert spoken(gate.admit(opening("/"), "a")) == (gate_module.PLAIN, None)
    assert spoken(gate.admit(opening("/ws"), "a")) == (gate_module.NATIVE, None)
    chosen = gate.admit(opening(sec_websocket_protocol="other, quotewire.v1.json"), "a")
    assert spoken(chosen) == (gate_module.NATIVE, "quotewire.v1.json")
    for bad, status, code in (
        (opening("/nowhere"), 404, "not_found"),
        (opening("/ws/"), 404, "not_found"),
        (opening(sec_websocket_protocol="other"), 400, "unsupported_subprotocol"),
        (opening(sec_websocket_version="12"), 426, "unsupported_version"),
        (opening(sec_websocket_key="x"), 400, "bad_upgrade"),
    ):
        refusal = gate.admit(bad, "a")
        assert isinstance(refusal, Refusal)
        assert (refusal.status, refusal.code) == (status, code)
    assert gate.refused == {"404": 2, "400": 2, "426": 1}


async def test_a_gateway_that_stops_lets_nobody_in(make_services: MakeServices) -> None:
    gate = make_services().gate
    gate.close_all()
    refusal = gate.admit(opening(), "a")
    assert isinstance(refusal, Refusal)
    assert (refusal.status, dict(refusal.headers)) == (503, {"Retry-After": "1"})


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"MAX_CONNECTIONS_PER_IP": "1"}, "too_many_connections"),
        ({"MAX_CONNECTIONS_PER_IP": "2", "WS_HANDSHAKE_RATE_PER_IP": "1"}, "too_many_handshakes"),
    ],
)
async def test_an_address_that_has_its_share_is_told_so(
    make_services: MakeServices, settings: dict[str, str], code: str
) -> None:
    gate = make_services(**settings).gate
    for _ in range(2):
        verdict = gate.admit(opening(), "2001:db8:0:1::1")
        if code == "too_many_handshakes":
            spoken(verdict)
    refusal = gate.admit(opening(), "2001:db8:0:1:ffff::2")  # one customer's network
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.code) == (429, code)
    assert int(dict(refusal.headers)["Retry-After"]) >= 1
    assert isinstance(gate.admit(opening(), "2001:db8:0:2::1"), Admitted)
    assert gate.limiter.refused["handshakes" if code == "too_many_handshakes" else "connections", "ip"] >= 1


async def resolve_with(make_services: MakeServices, failure: BaseException | None) -> list[ErrorCode | None]:
    services = make_services()
    upstream = services.upstream
    assert isinstance(upstream, FakeUpstream)

    async def before(name: str) -> None:
        if failure is None:
            await asyncio.Event().wait()
        else:
            raise failure

    upstream.before = before
    results = await services.gate.resolve(["S1", "NOPE"], [2])
    assert [result.asked for result in results] == ["S1", "NOPE", 2]
    assert all(result.retryable and result.reason for result in results)
    return [result.code for result in results]


async def test_an_upstream_that_fails_is_told_symbol_by_symbol(make_services: MakeServices) -> None:
    codes = await resolve_with(make_services, UpstreamUnavailableError("Questrade does not answer"))
    assert codes == [ErrorCode.UPSTREAM_UNAVAILABLE] * 3


async def test_a_list_of_thousands_is_looked_up_in_parts_and_told_whole(make_services: MakeServices) -> None:
    services = make_services()
    upstream = services.upstream
    assert isinstance(upstream, FakeUpstream)
    names, ids = [f"S{i}" for i in range(1, 301)], list(range(1, 601))
    results = await services.gate.resolve(names, ids)
    assert [result.asked for result in results] == [*names, *ids]
    assert [len(asked) + len(numbers) for _, (asked, numbers) in upstream.calls] == [100, 100, 100, *[100] * 6]

    async def before(name: str) -> None:
        if len(upstream.calls) == 10:
            raise UpstreamUnavailableError("gone")

    upstream.before = before
    upstream.calls.clear()
    upstream.calls.extend([("", ((), ()))] * 5)  # as many as must be there before it fails
    results = await services.gate.resolve(names, ids)
    assert [result.asked for result in results] == [*names, *ids]
    assert [result.reason == "gone" for result in results] == [False] * 400 + [True] * 500


async def test_an_upstream_that_hangs_is_given_up(make_services: MakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate_module, "RESOLVE_DEADLINE_S", 0.01)
    assert await resolve_with(make_services, None) == [ErrorCode.UPSTREAM_UNAVAILABLE] * 3


async def test_to_wait_for_others_is_not_the_look_ups_time(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many long lists at once wait for each other's turns: none of them is told that the upstream was slow."""
    gate = make_services().gate
    monkeypatch.setattr(gate_module, "RESOLVE_DEADLINE_S", 0.2)
    monkeypatch.setattr(gate_module, "RESOLVED_AT_ONCE", 1)
    mine = gate.turns.mine

    async def late() -> None:
        await asyncio.sleep(0.1)
        await mine()

    monkeypatch.setattr(gate.turns, "mine", late)
    results = await gate.resolve([], [1, 2, 3, 4, 5])
    assert [each.code for each in results] == [None] * 5


async def test_what_is_found_keeps_the_order_asked(make_services: MakeServices) -> None:
    results = await make_services().gate.resolve(["S2", "NOPE"], [1])
    assert [(r.asked, r.symbol, r.symbol_id, r.code) for r in results] == [
        ("S2", "S2", 2, None),
        ("NOPE", "", 0, ErrorCode.UNKNOWN_SYMBOL),
        (1, "S1", 1, None),
    ]


async def test_first_pings_are_spread_over_half_an_interval(make_services: MakeServices) -> None:
    gate = make_services(WS_PING_INTERVAL="10000").gate
    times = [gate.first_ping_in_s() for _ in range(200)]
    assert 5 <= min(times) < 6
    assert 9 < max(times) <= 10


async def test_what_was_found_a_moment_ago_needs_no_second_look_up(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = make_services().gate
    assert gate.recall(["S2"], [1]) is None
    found = await gate.resolve(["S2", "NOPE"], [1])
    assert gate.recall(["S2"], [1]) == [found[0], found[2]]
    assert gate.recall([], []) == []
    assert gate.recall(["S2", "NOPE"], []) == found[:2]
    assert gate.recall(["S2", "OTHER"], []) is None
    monkeypatch.setattr("quotewire.edge.gate.REMEMBERED_S", 0.0)
    assert gate.recall(["S2"], [1]) is None


async def test_no_more_is_remembered_than_there_is_room_for(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = make_services().gate
    monkeypatch.setattr("quotewire.edge.gate.REMEMBERED_SYMBOLS", 1)
    await gate.resolve(["S2"], [])
    await gate.resolve([], [1])
    assert gate.recall(["S2"], []) is not None
    assert gate.recall([], [1]) is None
    await gate.resolve(["NOPE", "NOR"], [])
    await gate.resolve(["NEITHER"], [])
    assert gate.recall(["NOPE"], []) is None
    assert gate.recall(["S2", "NEITHER"], []) is not None, "what there is not has room of its own"


async def test_what_failed_for_now_is_asked_again(make_services: MakeServices) -> None:
    services = make_services()
    upstream = services.upstream
    assert isinstance(upstream, FakeUpstream)

    async def before(name: str) -> None:
        raise UpstreamUnavailableError("down")

    upstream.before = before
    await services.gate.resolve([], [1])
    assert services.gate.recall([], [1]) is None


async def test_the_state_in_a_welcome_is_looked_up_once_for_a_moment_and_anew_when_it_was_told(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services()
    fake = services.upstream
    assert isinstance(fake, FakeUpstream)
    before = fake.state
    assert services.gate.facts("a").upstream is before
    fake.state = msgspec.structs.replace(before, symbol_count=before.symbol_count + 1)
    assert services.gate.facts("a").upstream is before
    fake.state = msgspec.structs.replace(before, state="error")
    services.hub.tell_upstream(fake.state)
    assert services.gate.facts("a").upstream is fake.state
    fake.state = before
    monkeypatch.setattr(gate_module, "STATE_S", 0.0)
    services.gate._state = (None, None, 0.0)
    assert services.gate.facts("a").upstream is before
    fake.state = msgspec.structs.replace(before, symbol_count=7)
    assert services.gate.facts("a").upstream is fake.state
