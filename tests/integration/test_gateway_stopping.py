"""A gateway that is told to stop, by a program's own means: signals, while things are under way."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

START_S = 20.0
LONGEST_END_S = 5.0


@pytest.fixture
def simulator() -> Iterator[dict[str, str]]:
    """A simulated Questrade in a process of its own: its addresses and alice's token."""
    command = [sys.executable, "-m", "quotewire", "simulate"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield {**told, "token": told["persons"]["alice"]["refresh_token"]}
        process.terminate()


@pytest.fixture
def gateway(simulator: dict[str, str], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`quotewire serve` on that simulator, ready, and its port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("QUOTEWIRE_", "WS_"))},
        "PORT": str(port),
        "QUOTEWIRE_DATA_DIR": str(tmp_path),
        "QUOTEWIRE_LOGIN_URL": simulator["login_url"],
        "QUOTEWIRE_API_HOSTS": "127.0.0.1",
        "QUOTEWIRE_PERSONS": f"alice={simulator['token']}",
    }
    command = [sys.executable, "-m", "quotewire", "serve"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            url, end = f"http://127.0.0.1:{port}/ready", time.monotonic() + START_S
            while not is_ready(url):
                assert time.monotonic() < end, "the gateway is not ready in time"
                time.sleep(0.05)
            yield process, port
        finally:
            process.kill()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def ended(process: subprocess.Popen[str], *signals: signal.Signals) -> tuple[int, str]:
    """Send these, one shortly after the other; the exit code and all that was logged."""
    for number in signals:
        process.send_signal(number)
        time.sleep(0.05)
    _, log = process.communicate(timeout=LONGEST_END_S)
    return process.returncode, log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_under_way_are_answered_and_leave_no_traceback(
    number: signal.Signals, simulator: dict[str, str], gateway: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = gateway
    httpx.post(f"{simulator['control_url']}/fault", json={"fault": "rest_hang", "after_s": 60, "count": 9})
    answers: list[httpx.Response] = []
    url = f"http://127.0.0.1:{port}/api-market/symbols/search?prefix=AA"
    asking = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=20, trust_env=False)))
    asking.start()
    with socket.create_connection(("127.0.0.1", port)) as halfway:
        halfway.sendall(b"POST /api-market/quotes/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        time.sleep(0.5)  # both are being served when the signal comes; were they not, nothing could fail here
        code, log = ended(process, number)
        asking.join()
        assert b"503 Service Unavailable" in halfway.recv(4096)
    assert (answers[0].status_code, answers[0].json()["code"]) == (503, "stopping")
    assert code == 0
    assert "Traceback" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_impatient_second_signal_changes_nothing(
    number: signal.Signals, gateway: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = gateway
    with socket.create_connection(("127.0.0.1", port)) as halfway:  # something to wait for
        halfway.sendall(b"POST /api-market/quotes/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
        time.sleep(0.2)
        code, log = ended(process, number, number, number)
    assert code == 0
    assert "Traceback" not in log
    assert '"event":"stopped"' in log
