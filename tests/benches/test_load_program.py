"""The load program finds what is wrong: a server that loses, repeats, tears or invents is told from a good one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benches.loading import HERE, Answer, Load, build

CLIENTS = 8
QUOTES = 400

# Hands on every message of the feed, after doing to it what the first argument says.
SERVER = """
import asyncio, re, sys
sys.path.insert(0, sys.argv[3])
from feed import follow
from websockets.asyncio.server import broadcast, serve

how, clients, seen = sys.argv[1], set(), 0

def fields(text, **values):
    for name, value in values.items():
        text = re.sub(f'"{name}":\\\\d+', f'"{name}":{value}', text)
    return text

def publish(payload):
    global seen
    seen += 1
    text = payload.decode()
    if seen % 50 == 0 and seen <= 250:
        if how == "lose":
            return
        if how == "repeat":
            broadcast(clients, text)
        if how == "invent":
            text = fields(text, symbolId=5)
        if how == "tear":
            text = fields(text, bidSize=100000999)
        if how == "announce":
            text = None
            broadcast(clients, '{"type":"quotes","quotes":[],"skipped":1}')
    if text is not None:
        broadcast(clients, text)

async def client(connection):
    clients.add(connection)
    await connection.wait_closed()

async def main():
    async with serve(client, "127.0.0.1", 0, compression=None) as server:
        await follow(int(sys.argv[2]), publish)
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The load program, compiled anew."""
    return build("load", sorted((HERE / "load").glob("*.c")), tmp_path_factory.mktemp("bench"))


@pytest.fixture
def load(program: Path) -> Iterator[Load]:
    with Load(program, 4) as running:
        yield running


def answer_of(load: Load, tmp_path: Path, how: str) -> Answer:
    """What the load program says of a server that behaves like `how`."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    command = [sys.executable, str(script), how, str(load.port), str(HERE / "peers")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            load.call("server", port=int(server.stdout.readline()), raw=1, path="/")
            load.connect("all", CLIENTS, symbols=4, of=4)
            told = load.call("run", rate=2 * QUOTES, seconds=0.4, settle=0.1, drain=1)
        finally:
            server.kill()
    group: Answer = told["groups"]["all"]
    assert group["total_quotes"] > QUOTES / 4 * CLIENTS
    return group


def test_a_good_server_is_faultless(load: Load, tmp_path: Path) -> None:
    told = answer_of(load, tmp_path, "pass")
    assert [told[key] for key in ("reordered", "torn", "unknown", "behind", "unannounced", "skipped")] == [0] * 6
    assert 0 < told["latency_us"]["p50"] <= told["latency_us"]["p99"] <= told["latency_us"]["max"]


def test_an_update_that_is_lost_is_missed(load: Load, tmp_path: Path) -> None:
    told = answer_of(load, tmp_path, "lose")
    assert told["unannounced"] >= CLIENTS
    assert told["reordered"] == told["torn"] == 0


def test_an_update_that_is_repeated_is_seen(load: Load, tmp_path: Path) -> None:
    assert answer_of(load, tmp_path, "repeat")["reordered"] >= CLIENTS


def test_a_quote_with_another_content_is_seen(load: Load, tmp_path: Path) -> None:
    assert answer_of(load, tmp_path, "tear")["torn"] >= CLIENTS


def test_a_quote_nobody_asked_for_is_seen(load: Load, tmp_path: Path) -> None:
    assert answer_of(load, tmp_path, "invent")["unknown"] >= CLIENTS


def test_what_was_announced_as_skipped_is_no_loss(load: Load, tmp_path: Path) -> None:
    told = answer_of(load, tmp_path, "announce")
    assert told["skipped"] >= CLIENTS
    assert told["unannounced"] == 0


def test_an_unknown_command_is_refused(load: Load) -> None:
    with pytest.raises(Exception, match="no such verb"):
        load.call("dance")
