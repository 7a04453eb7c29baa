"""`quotewire simulate` as a program, and the control paths over HTTP."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from quotewire.simulator import Simulator
from quotewire.simulator.faultlist import FAULTS
from tests.integration.broker_client import AAPL, broker, config

RUN = "import sys; from quotewire.cli import simulate as s, main; sys.exit(main(['simulate', *sys.argv[1:]]))"


@asynccontextmanager
async def program(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", RUN, *words, stdout=pipe, stderr=pipe)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        told: dict[str, Any] = json.loads(await process.stdout.readline())
    return told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_line_then_served_then_a_clean_end(number: signal.Signals) -> None:
    async with program("--persons", "alice,bob", "--seed", "7", "--symbols", "5") as process:
        told = await ready(process)
        assert list(told) == ["login_url", "control_url", "persons", "seed", "symbols"]
        assert (told["seed"], told["symbols"], list(told["persons"])) == (7, 5, ["alice", "bob"])
        async with httpx.AsyncClient() as http:
            form = {"grant_type": "refresh_token", "refresh_token": told["persons"]["bob"]["refresh_token"]}
            answer = await http.post(f"{told['login_url']}/oauth2/token", data=form)
            assert answer.status_code == 200
            token, api = answer.json()["access_token"], answer.json()["api_server"]
            headers = {"Authorization": f"Bearer {token}"}
            url = f"{api}v1/markets/quotes?ids={AAPL}&stream=true&mode=WebSocket"
            port = (await http.get(url, headers=headers)).json()["streamPort"]
            # A client that never answers a close, and one that never finishes its handshake, must not hold up the end.
            stubborn = await authorized_socket(port, token)
            idle = socket.create_connection(("127.0.0.1", port))
            began = time.monotonic()
            process.send_signal(number)
            async with asyncio.timeout(5):
                rest, errors = await process.communicate()
            assert time.monotonic() - began < 2
            stubborn.close()
            idle.close()
        assert process.returncode == 0
        assert rest == b""
        assert b"Traceback" not in errors


async def authorized_socket(port: int, token: str) -> socket.socket:
    """A WebSocket by hand, which reads the success message and then nothing more."""
    raw = socket.create_connection(("127.0.0.1", port))
    raw.settimeout(5)
    raw.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    head = await loop.run_in_executor(None, raw.recv, 4096)
    assert head.startswith(b"HTTP/1.1 101")
    raw.sendall(bytes([0x81, 0x80 | len(token), 0, 0, 0, 0]) + token.encode())
    assert b'{"success":true}' in await loop.run_in_executor(None, raw.recv, 4096)
    return raw


async def test_a_port_in_use_is_one_line_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--port", "--control-port", "--api-port", "--stream-port"):
            async with program(option, port) as process:
                out, errors = await process.communicate()
                assert process.returncode == 1
                assert out == b""
                assert errors.count(b"\n") == 1
                assert port.encode() in errors


@pytest.mark.parametrize("words", [("--rate", "-1"), ("--start", "never"), ("--persons", "a,a")])
async def test_malformed_settings_are_one_line(words: tuple[str, ...]) -> None:
    async with program(*words) as process:
        out, errors = await process.communicate()
        assert (process.returncode, out) == (2, b"")
        assert errors.count(b"\n") == 1


async def test_the_default_start_moves_whatever_the_hour() -> None:
    async with Simulator() as sim:
        assert sim.stats()["time"][10:16] == "T10:00"
        async with asyncio.timeout(5):
            while sim.stats()["marketChanges"] < 20:
                await asyncio.sleep(0.02)


# -- control


async def test_control_answers_on_its_own_port_and_on_the_login_port() -> None:
    async with Simulator(config()) as sim, httpx.AsyncClient() as http:
        for root in (sim.control_url, f"{sim.login_url}/control"):
            listed = (await http.get(f"{root}/faults")).json()["faults"]
            assert {each["fault"] for each in listed} == set(FAULTS)
            assert (await http.get(f"{root}/stats")).json()["persons"] == ["alice", "bob"]


async def test_control_makes_tokens_and_scripts_faults() -> None:
    async with Simulator(config()) as sim, broker(sim, login=False) as alice:
        made = await alice.http.post(f"{sim.control_url}/token", json={"person": "alice"})
        assert made.json()["person"] == "alice"
        assert (await alice.exchange(made.json()["refresh_token"])).status_code == 200
        done = await alice.http.post(
            f"{sim.control_url}/fault", json={"fault": "token_500", "person": "alice", "count": 2, "spend": True}
        )
        assert done.status_code == 200
        assert (done.json()["fault"], done.json()["countLeft"], done.json()["params"]) == (
            "token_500",
            2,
            {"spend": True},
        )
        assert (await alice.exchange()).status_code == 500
        cleared = await alice.http.post(f"{sim.control_url}/clear", json={})
        assert cleared.json() == {"cleared": 1}
        assert sim.stats()["faultsUsed"] == {"token_500": 1}


BAD_REQUESTS: list[tuple[str, Any, str]] = [
    ("fault", {"fault": "gremlins"}, "there is no fault 'gremlins'"),
    ("fault", {"fault": "token_500", "person": "carol"}, "there is no person 'carol'"),
    ("fault", {"fault": "token_500", "colour": 1}, "no parameter 'colour'"),
    ("fault", {"fault": "halt", "symbols": ["NOPE"]}, "no moving symbol 'NOPE'"),
    ("fault", {"fault": "down", "parts": ["moon"]}, "parts must be of login, api, stream"),
    ("fault", {"fault": "token_500", "count": "two"}, "count"),
    ("fault", {}, "fault"),
    ("fault", [1], "body"),
    ("fault", b"{half", "body"),
    ("token", {"person": "carol"}, "no person 'carol'"),
    ("token", {"persona": "alice"}, "person"),
    ("clear", {"name": "x"}, "name"),
    ("notify", {"person": "alice", "orders": 7}, "orders"),
]


@pytest.mark.parametrize(("path", "body", "text"), BAD_REQUESTS)
async def test_control_refuses_nonsense_by_name(path: str, body: Any, text: str) -> None:
    async with Simulator(config()) as sim, httpx.AsyncClient() as http:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await http.post(f"{sim.control_url}/{path}", content=content)
        assert answer.status_code == 400, answer.text
        assert text in answer.json()["error"]
        if "gremlins" in str(body):
            assert answer.json()["faults"] == sorted(FAULTS)
        assert sim.stats()["faults"] == []


async def test_statistics_tell_calls_streams_and_tokens() -> None:
    async with Simulator(config()) as sim, broker(sim) as alice:
        await alice.get("time")
        await alice.get("nowhere")
        connection = await alice.stream(AAPL)
        stats = (await alice.http.get(f"{sim.control_url}/stats?record=0")).json()
        assert stats["tokens"]["outcomes"] == {"alice": {"granted": 1}}
        assert stats["calls"]["byPerson"]["alice"] == {"time": 1, "unknown": 1, "markets/quotes": 1}
        assert stats["calls"]["byStatus"] == {"200": 2, "404": 1}
        assert [(each["path"], each["status"], each["code"]) for each in stats["calls"]["recent"]] == [
            ("time", 200, None),
            ("nowhere", 404, 1001),
            ("markets/quotes", 200, None),
        ]
        assert [each["event"] for each in stats["streams"]["log"]] == ["opened", "authorized"]
        assert [each["person"] for each in stats["streams"]["open"]] == ["alice"]
        assert stats["subscriptions"] == {"alice": [AAPL]}
        assert "record" not in stats["quotes"]
        for secret in (alice.access_token, alice.refresh_token, sim.refresh_tokens["alice"]):
            assert secret not in json.dumps(stats)
        await connection.close()
