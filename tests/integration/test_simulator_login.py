"""The simulated login over real sockets: single-use tokens, their shapes, and every fault of the token endpoint."""

import asyncio
import re
import time
from typing import Any

import httpx
import pytest

from quotewire.simulator import Simulator
from quotewire.simulator.faults import FaultError
from tests.integration.broker_client import broker, config


async def test_success_body_has_the_captured_order_and_escapes() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        answer = await alice.exchange()
        port = sim.api_url.rsplit(":", 1)[1]
        assert re.fullmatch(
            r'\{"access_token":"[\w-]{33}","api_server":"http:\\/\\/127\.0\.0\.1:' + port + r'\\/","expires_in":1800,'
            r'"refresh_token":"[\w-]{33}","token_type":"Bearer"\}',
            answer.text,
        )
        assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("how", ["get", "post_form", "post_query"])
async def test_get_and_post_are_accepted_and_tokens_are_percent_decoded(how: str) -> None:
    async with Simulator(config(token_alphabet="base64")) as sim, httpx.AsyncClient() as http:
        values = {"grant_type": "refresh_token", "refresh_token": sim.refresh_tokens["alice"]}
        assert values["refresh_token"].endswith("+/=")
        url = f"{sim.login_url}/oauth2/token"
        if how == "get":
            answer = await http.get(url, params=values)
        elif how == "post_form":
            answer = await http.post(url, data=values)
        else:
            answer = await http.post(url, params=values)
        assert answer.status_code == 200


async def test_a_refresh_token_is_good_once() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        first = sim.refresh_tokens["alice"]
        again = await alice.exchange(first)
        assert (again.status_code, again.text) == (400, "Bad Request")
        assert (await alice.exchange("never-issued")).status_code == 400
        assert (await alice.exchange()).status_code == 200
        uses = sim.stats()["tokens"]["uses"]
        assert [use["outcome"] for use in uses] == ["granted", "reused", "unknown", "granted"]
        assert uses[0]["token"] == uses[1]["token"] != uses[3]["token"]
        assert first not in str(sim.stats())


async def test_simultaneous_login_calls_are_told() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob") as bob:
        await sim.fault("token_slow", after_s=0.3, count=2, person="alice")
        answers = await asyncio.gather(alice.exchange(), alice.exchange(), bob.exchange())
        assert sorted(answer.status_code for answer in answers[:2]) == [200, 400]
        assert sim.stats()["tokens"]["atOnce"] == {"alice": 2, "bob": 1}


async def test_wrong_grant_type_spends_nothing() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        assert (await alice.exchange(grant_type="password")).status_code == 400
        assert (await alice.exchange()).status_code == 200


@pytest.mark.parametrize(("kills", "status"), [(True, 401), (False, 200)])
async def test_a_refresh_kills_the_older_access_token(kills: bool, status: int) -> None:
    async with Simulator(config(refresh_kills_access=kills)) as sim, broker(sim) as alice:
        older = alice.access_token
        await alice.login()
        answer = await alice.get("time", Authorization=f"Bearer {older}")
        assert answer.status_code == status
        assert (await alice.get("time")).status_code == 200


async def test_revoke_ends_the_grant() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        assert (await alice.http.post(f"{sim.login_url}/oauth2/revoke", data={"token": "x"})).status_code == 400
        answer = await alice.http.post(f"{sim.login_url}/oauth2/revoke", data={"token": alice.access_token})
        assert answer.status_code == 200
        assert (await alice.get("time")).status_code == 401
        assert (await alice.exchange()).status_code == 400


async def test_expires_in_is_kept() -> None:
    async with Simulator(config(expires_in=1)) as sim, broker(sim) as alice:
        assert (await alice.get("time")).status_code == 200
        async with asyncio.timeout(5):
            while (await alice.get("time")).status_code == 200:
                await asyncio.sleep(0.05)
        answer = await alice.get("time")
        assert (answer.status_code, answer.json()) == (401, {"code": 1017, "message": "Access token is invalid"})


@pytest.mark.parametrize(("shape", "end"), [("slash", "/"), ("none", ""), ("v1", "/v1")])
async def test_the_three_shapes_of_the_api_server(shape: str, end: str) -> None:
    async with Simulator(config(api_server=shape)) as sim, broker(sim) as alice:
        assert (await alice.login())["api_server"] == f"{sim.api_url}{end}"
        await sim.fault("api_server_shape", shape="v1")
        assert (await alice.login())["api_server"] == f"{sim.api_url}/v1"
        assert (await alice.login())["api_server"] == f"{sim.api_url}{end}"


async def test_default_user_agents_can_be_refused() -> None:
    async with Simulator(config(refuse_default_agents=True)) as sim, broker(sim, login=False) as alice:
        assert (await alice.exchange()).status_code == 403
        alice.http.headers["User-Agent"] = "quotewire-test/1"
        await alice.login()
        assert (await alice.get("time")).status_code == 200
        assert (await alice.get("time", **{"User-Agent": "Python-urllib/3.11"})).status_code == 403


ANSWERS: list[tuple[str, dict[str, Any], int, str]] = [
    ("token_spent", {}, 400, "Bad Request"),
    ("token_500", {}, 500, ""),
    ("token_524", {"after_s": 0.01}, 524, "timeout"),
    ("token_429", {}, 429, ""),
    ("token_maintenance", {}, 503, "We're making some changes"),
    ("token_maintenance", {"status": 200}, 200, "We're making some changes"),
    ("token_garbage", {}, 200, '{"access_token"'),
    ("token_status", {"status": 418, "body": "teapot"}, 418, "teapot"),
    ("user_agent_403", {}, 403, "denied"),
    ("user_agent_403", {"status": 400}, 400, "denied"),
]


@pytest.mark.parametrize(("fault", "params", "status", "text"), ANSWERS)
async def test_failing_answers(fault: str, params: dict[str, Any], status: int, text: str) -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice, broker(sim, "bob", login=False) as bob:
        await sim.fault(fault, person="alice", **params)
        assert (await bob.exchange()).status_code == 200
        answer = await alice.exchange()
        assert answer.status_code == status
        assert text in answer.text
        assert sim.stats()["tokens"]["uses"][-1]["outcome"] == f"fault:{fault}"
        spent = fault in ("token_spent", "token_garbage")
        assert (await alice.exchange()).status_code == (400 if spent else 200)


@pytest.mark.parametrize("fault", ["token_500", "token_524", "token_429", "token_maintenance", "token_status"])
async def test_a_failing_answer_can_spend_the_token(fault: str) -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        params: dict[str, Any] = {"after_s": 0.0} if fault == "token_524" else {}
        await sim.fault(fault, spend=True, **params)
        assert (await alice.exchange()).status_code >= 400
        assert (await alice.exchange()).status_code == 400


async def test_a_refusal_can_be_a_lie() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        await sim.fault("token_spent", keep=True)
        assert (await alice.exchange()).status_code == 400
        assert (await alice.exchange()).status_code == 200


@pytest.mark.parametrize("style", ["reset", "close"])
@pytest.mark.parametrize(("fault", "spent"), [("token_lost_answer", True), ("token_drop", False)])
async def test_lost_answers(fault: str, spent: bool, style: str) -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        await sim.fault(fault, style=style)
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await alice.exchange()
        assert (await alice.exchange()).status_code == (400 if spent else 200)


async def test_hang_ends_the_connection_and_keeps_the_token() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        await sim.fault("token_hang")
        with pytest.raises(httpx.ReadTimeout):
            await alice.http.post(
                f"{sim.login_url}/oauth2/token",
                data={"grant_type": "refresh_token", "refresh_token": alice.refresh_token},
                timeout=0.2,
            )
        assert (await alice.exchange()).status_code == 200
        await sim.fault("token_hang", after_s=0.1)
        with pytest.raises(httpx.RemoteProtocolError):
            await alice.exchange()


@pytest.mark.parametrize(("spend", "status"), [("late", 200), ("at_once", 400)])
async def test_a_slow_answer_spends_late_or_at_once(spend: str, status: int) -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        await sim.fault("token_slow", after_s=30.0, spend=spend)
        with pytest.raises(httpx.ReadTimeout):
            await alice.http.post(
                f"{sim.login_url}/oauth2/token",
                data={"grant_type": "refresh_token", "refresh_token": alice.refresh_token},
                timeout=0.2,
            )
        assert (await alice.exchange()).status_code == status
        await sim.fault("token_slow", after_s=0.2)
        began = time.monotonic()
        await alice.exchange(sim.issue_token("alice"))
        assert time.monotonic() - began >= 0.2


async def test_expires_in_and_api_server_faults_bend_one_answer_together() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        await sim.fault("expires_in", value=300)
        await sim.fault("api_server", value="https://api01.elsewhere.example/")
        body = (await alice.exchange()).json()
        assert (body["expires_in"], body["api_server"]) == (300, "https://api01.elsewhere.example/")
        body = (await alice.exchange(body["refresh_token"])).json()
        assert (body["expires_in"], body["api_server"]) == (1800, f"{sim.api_url}/")


async def test_refresh_tokens_can_expire_and_be_made_by_hand() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice, broker(sim, "bob", login=False) as bob:
        await sim.fault("refresh_expired", person="alice")
        assert (await alice.exchange()).status_code == 400
        assert (await bob.exchange()).status_code == 200
        assert (await alice.exchange(sim.issue_token("alice"))).status_code == 200
        with pytest.raises(FaultError, match="no person 'carol'"):
            sim.issue_token("carol")


@pytest.mark.parametrize("old", ["keep", "close"])
async def test_the_api_host_changes(old: str) -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        before, token_before = alice.api, alice.access_token
        await sim.fault("api_host_change", old=old)
        await alice.login()
        assert alice.api != before
        assert (await alice.get("time")).status_code == 200
        assert token_before != alice.access_token
        older = alice.http.get(f"{before}/v1/time", headers={"Authorization": f"Bearer {alice.access_token}"})
        if old == "close":
            with pytest.raises(httpx.ConnectError):
                await older
        else:
            assert (await older).status_code == 200
