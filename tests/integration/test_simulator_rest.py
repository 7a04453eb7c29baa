"""The simulated REST API over real sockets: answers, errors, limits, and every REST fault."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from quotewire.simulator import Simulator
from tests.integration.broker_client import AAPL, MSFT, broker, config, ending, until

UNKNOWN_ID = 99


async def test_quotes_by_id_and_by_ids() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        one = (await alice.get(f"markets/quotes/{AAPL}")).json()["quotes"]
        two = (await alice.get(f"markets/quotes?ids={AAPL},{MSFT}")).json()["quotes"]
        assert [each["symbolId"] for each in one] == [AAPL]
        assert [each["symbol"] for each in two] == ["AAPL", "MSFT"]


@pytest.mark.parametrize(("unknown", "status", "found"), [("omit", 200, [AAPL]), ("fail", 404, None)])
async def test_unknown_ids_are_omitted_or_fail(unknown: str, status: int, found: list[int] | None) -> None:
    async with Simulator(config(unknown_ids=unknown)) as sim, broker(sim) as alice:
        for path in ("markets/quotes?ids=", "symbols?ids="):
            answer = await alice.get(f"{path}{AAPL},{UNKNOWN_ID}")
            assert answer.status_code == status
            if found is None:
                assert answer.json()["code"] == 1019
            else:
                assert [each["symbolId"] for each in next(iter(answer.json().values()))] == found


ERRORS: list[tuple[str, int, int, str]] = [
    ("nowhere", 404, 1001, ""),
    ("markets/quotes/1,2", 400, 1002, "id"),
    ("symbols/1,2", 400, 1002, "id"),
    (f"markets/quotes?ids={AAPL}&start_time=1", 400, 1002, "start_time"),
    ("markets/quotes?ids=AAPL", 400, 1002, "ids"),
    ("markets/quotes?ids=", 400, 1002, "ids"),
    (f"markets/quotes?ids={'9' * 9000}", 400, 1003, "Argument length exceeds imposed limit"),
    (f"symbols?ids={AAPL}&names=AAPL", 400, 1002, "names"),
    ("markets/quotes", 400, 1004, "ids"),
    ("symbols", 400, 1004, "names"),
    ("symbols/search", 400, 1004, "prefix"),
    ("symbols/search?prefix=A&offset=x", 400, 1002, "offset"),
    (f"markets/quotes?ids={AAPL}&stream=true", 400, 1004, "mode"),
    (f"markets/quotes?ids={AAPL}&stream=true&mode=RawSocket", 400, 1002, "mode"),
    (f"markets/quotes?ids={AAPL}&stream=perhaps", 400, 1002, "stream"),
    (f"markets/quotes/{UNKNOWN_ID}", 404, 1019, ""),
    (f"symbols/{UNKNOWN_ID}", 404, 1019, ""),
    (f"symbols/{UNKNOWN_ID}/options", 404, 1019, ""),
    ("accounts/12345678/positions", 404, 1018, ""),
    ("accounts/26001117/orders/1", 404, 1020, ""),
    (f"markets/candles/{AAPL}?startTime=2026-03-02&endTime=2026-03-03", 400, 1004, "interval"),
    (f"markets/candles/{AAPL}?startTime=soon&endTime=2026-03-03&interval=OneDay", 400, 1002, "startTime"),
    (f"markets/candles/{AAPL}?startTime=2026-03-02&endTime=2026-03-03&interval=Daily", 400, 1002, "interval"),
    (
        f"markets/candles/{AAPL}?startTime=2026-03-02T10:00:00.123456789-05:00&endTime=2026-03-03&interval=OneDay",
        400,
        1003,
        "",
    ),
    ("notifications", 400, 1004, "mode"),
]


@pytest.mark.parametrize(("path", "status", "code", "text"), ERRORS, ids=[f"{row[2]}:{row[0][:40]}" for row in ERRORS])
async def test_error_bodies(path: str, status: int, code: int, text: str) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        answer = await alice.get(path)
        assert answer.status_code == status
        body = answer.json()
        assert list(body) == ["code", "message"]
        assert body["code"] == code
        assert text in body["message"]


async def test_errors_of_authorization() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        url = f"{alice.api}/v1/time"
        cases: list[tuple[dict[str, str], int, int]] = [
            ({}, 401, 1014),
            ({"Authorization": "Basic abc"}, 400, 1015),
            ({"Authorization": "Bearer"}, 400, 1015),
            ({"Authorization": "Bearer a b"}, 400, 1015),
            ({"Authorization": "Bearer nonsense"}, 401, 1017),
        ]
        for headers, status, code in cases:
            answer = await alice.http.get(url, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code), headers


async def test_errors_of_method_and_body() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        headers = {"Authorization": f"Bearer {alice.access_token}"}
        options = f"{alice.api}/v1/markets/quotes/options"
        wrong = await alice.http.post(f"{alice.api}/v1/time", headers=headers)
        assert (wrong.status_code, wrong.json()["code"]) == (405, 1012)
        cases: list[tuple[Any, str, int, int]] = [
            (b"{}", "text/plain", 400, 1013),
            (b"{half", "application/json", 400, 1002),
            (b"x" * 70_000, "application/json", 413, 1005),
            (b"{}", "application/json", 400, 1004),
            (b'{"filters":[{"underlyingId":8049}]}', "application/json", 400, 1004),
            (b'{"filters":7}', "application/json", 400, 1002),
            (b'{"optionIds":["a"]}', "application/json", 400, 1002),
            (b'{"optionIds":[' + b",".join([b"1"] * 101) + b"]}", "application/json", 400, 1024),
        ]
        for body, kind, status, code in cases:
            answer = await alice.http.post(options, headers={**headers, "Content-Type": kind}, content=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), body[:40]


async def test_scope_is_enforced() -> None:
    async with Simulator(config(scopes=("read_acc",))) as sim, broker(sim) as alice:
        answer = await alice.get(f"markets/quotes/{AAPL}")
        assert answer.status_code == 403
        assert answer.json() == {"code": 1016, "message": "Request is out of allowed OAuth scopes"}
        assert (await alice.get("accounts")).status_code == 200


async def test_per_second_limit_shows_thousands_left_and_heals() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        answers = [await alice.get(f"markets/quotes/{AAPL}") for _ in range(21)]
        assert [each.status_code for each in answers] == [200] * 20 + [429]
        refused = answers[-1]
        assert refused.json()["code"] == 1006
        assert int(refused.headers["X-RateLimit-Remaining"]) == 15_000 - 20
        assert 3000 < int(refused.headers["X-RateLimit-Reset"]) - time.time() <= 3600
        assert "Retry-After" not in refused.headers
        assert (await alice.get("symbols/8049")).headers["X-RateLimit-Remaining"] == "29999"
        assert (await bob.get(f"markets/quotes/{AAPL}")).status_code == 200
        async with asyncio.timeout(3):
            while (await alice.get(f"markets/quotes/{AAPL}")).status_code != 200:
                await asyncio.sleep(0.05)


async def test_hourly_limit() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("hour_spent", person="alice", left=1)
        assert (await alice.get(f"markets/quotes/{AAPL}")).headers["X-RateLimit-Remaining"] == "0"
        refused = await alice.get(f"markets/quotes/{AAPL}")
        assert (refused.status_code, refused.headers["X-RateLimit-Remaining"]) == (429, "0")
        assert (await alice.get("time")).status_code == 200


async def test_one_budget_can_be_shared_by_everyone() -> None:
    async with Simulator(config(limit_scope="everyone")) as sim, broker(sim, "bob") as bob:
        await sim.fault("hour_spent", person="alice")
        assert (await bob.get(f"markets/quotes/{AAPL}")).status_code == 429


async def test_limits_can_be_switched_off() -> None:
    async with Simulator(config(limits=False)) as sim, broker(sim) as alice:
        answers = [await alice.get("markets/quotes/8049") for _ in range(40)]
        assert {each.status_code for each in answers} == {200}
        assert "X-RateLimit-Remaining" not in answers[0].headers


FAULTS: list[tuple[str, dict[str, Any], int, Any]] = [
    ("rest_error", {}, 500, 1009),
    ("rest_error", {"code": 1010}, 502, 1010),
    ("rest_error", {"code": 1011, "message": "down"}, 503, 1011),
    ("rest_status", {"status": 504, "body": "gateway"}, 504, "gateway"),
    ("rest_garbage", {}, 200, '{"quotes":[{'),
    ("rest_maintenance", {}, 503, "We're making some changes"),
    ("rest_unauthorized", {}, 401, 1017),
    ("rest_scope", {}, 403, 1016),
    ("rate_limit_second", {}, 429, 1006),
    ("rate_limit_hour", {}, 429, 1006),
    ("user_agent_403", {}, 403, "denied"),
]


@pytest.mark.parametrize(("fault", "params", "status", "what"), FAULTS)
async def test_failing_answers(fault: str, params: dict[str, Any], status: int, what: Any) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault(fault, person="alice", path="markets/quotes", count=2, **params)
        assert (await alice.get("time")).status_code == 200
        assert (await bob.get(f"markets/quotes/{AAPL}")).status_code == 200
        for _ in range(2):
            answer = await alice.get(f"markets/quotes/{AAPL}")
            assert answer.status_code == status
            if isinstance(what, int):
                assert answer.json()["code"] == what
            else:
                assert what in answer.text
        assert (await alice.get(f"markets/quotes/{AAPL}")).status_code == 200
        assert sim.stats()["calls"]["recent"][-2]["fault"] == fault


async def test_the_two_kinds_of_429_differ_in_their_headers() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("rate_limit_second")
        assert int((await alice.get(f"markets/quotes/{AAPL}")).headers["X-RateLimit-Remaining"]) > 1000
        await sim.fault("rate_limit_hour", reset_s=600)
        headers = (await alice.get(f"markets/quotes/{AAPL}")).headers
        assert headers["X-RateLimit-Remaining"] == "0"
        assert 590 < int(headers["X-RateLimit-Reset"]) - time.time() < 610


@pytest.mark.parametrize("style", ["reset", "close"])
async def test_dropped_and_hanging_calls(style: str) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("rest_drop", style=style)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await alice.get("time")
        await sim.fault("rest_hang", after_s=0.05)
        with pytest.raises(httpx.RemoteProtocolError):
            await alice.get("time")
        await sim.fault("rest_slow", after_s=0.2)
        began = time.monotonic()
        assert (await alice.get("time")).status_code == 200
        assert time.monotonic() - began >= 0.2


async def test_a_dead_streaming_port() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("stream_port_dead")
        dead = await alice.port(AAPL)
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await alice.socket(dead)
        assert await alice.port(AAPL) != dead


async def test_access_token_dies_on_request() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault("access_expired", person="alice")
        assert (await alice.get("time")).json()["code"] == 1017
        assert (await bob.get("time")).status_code == 200
        await alice.login()
        assert (await alice.get("time")).status_code == 200


@pytest.mark.parametrize("mode", ["refuse", "reset"])
async def test_everything_down_and_back(mode: str) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        socket = await alice.stream(AAPL)
        port = await alice.port(AAPL)
        await sim.fault("down", mode=mode)
        assert (await ending(socket))[0] == 1006
        refused = (httpx.ConnectError,) if mode == "refuse" else (httpx.ReadError, httpx.RemoteProtocolError)
        with pytest.raises(refused):
            await alice.get("time")
        with pytest.raises(refused):
            await alice.exchange()
        if mode == "refuse":
            with pytest.raises(OSError, match=r"refused|Connect call failed"):
                await alice.socket(port)
        stats = await alice.http.get(f"{sim.control_url}/stats")
        assert [each["fault"] for each in stats.json()["faults"]] == ["down"]
        cleared = await alice.http.post(f"{sim.control_url}/clear", json={"fault": "down"})
        assert cleared.json() == {"cleared": 1}
        assert (await alice.get("time")).status_code == 200
        assert (await alice.stream(AAPL)).close_code is None


async def test_down_ends_by_itself() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await sim.fault("down", seconds=0.2, parts=["api"])
        with pytest.raises(httpx.ConnectError):
            await alice.get("time")
        await until(lambda: not sim.stats()["faults"])
        assert (await alice.get("time")).status_code == 200


async def test_down_for_one_person() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault("down", person="alice")
        for call in (alice.get("time"), alice.exchange()):
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await call
        assert (await bob.get("time")).status_code == 200
        assert (await bob.exchange()).status_code == 200


async def test_content_faults_bend_rest_quotes_too() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault("delayed", person="alice", symbols=["AAPL"])
        await sim.fault("nulls", person="alice", symbols=[AAPL])
        await sim.fault("unknown_keys", person="alice", keys={"surprise": {"a": [1]}})
        await sim.fault("missing_keys", person="alice", fields=["VWAP"])
        apple, soft = (await alice.get(f"markets/quotes?ids={AAPL},{MSFT}")).json()["quotes"]
        assert (apple["delay"], apple["bidPrice"], apple["bidSize"]) == (1, None, 0)
        assert (soft["delay"], soft["surprise"]) == (0, {"a": [1]})
        assert "VWAP" not in apple
        assert soft["bidPrice"] is not None
        assert (await bob.get(f"markets/quotes/{AAPL}")).json()["quotes"][0]["delay"] == 0


async def test_the_clock_and_the_sessions_are_simulated() -> None:
    async with Simulator(config(start="2026-03-03T15:59:59", speed=20.0)) as sim, broker(sim) as alice:
        first = (await alice.get("time")).json()["time"]
        assert first.startswith(("2026-03-03T15:59:59", "2026-03-03T16:00"))
        assert first.endswith("-05:00")
        markets = {each["name"]: each for each in (await alice.get("markets")).json()["markets"]}
        assert markets["NASDAQ"]["extendedStartTime"] == "2026-03-03T04:00:00.000000-05:00"
        assert markets["TSX"]["extendedStartTime"] == "2026-03-03T07:00:00.000000-05:00"
        await until(lambda: sim.stats(record=False)["time"] > "2026-03-03T16:00:05")
