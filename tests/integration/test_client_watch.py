"""`quotewire watch` as a program: what is on its standard output, its exit codes, and that it leaves quietly."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from quotewire.testing.scripted_gateway import ScriptedGateway
from quotewire.wire.messages import Gaps, Subscribe
from quotewire.wire.options import Cause, Gap, Mode
from tests.integration.client_tools import PATIENCE_S, SYMBOLS, eventually


@dataclass
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    async with ScriptedGateway(SYMBOLS) as running:
        running.publish("AAPL", bid_price=101.5, last_trade_price=101.4)
        yield running


async def start(*arguments: str, **environ: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quotewire",
        "watch",
        *arguments,
        env={**os.environ, **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(program: asyncio.subprocess.Process) -> Ended:
    async with asyncio.timeout(PATIENCE_S):
        out, err = await program.communicate()
    assert program.returncode is not None
    return Ended(program.returncode, out.decode(), err.decode())


async def subscribed(gateway: ScriptedGateway) -> None:
    await eventually(lambda: any(conversation.wanted for conversation in gateway.open))


async def test_json_is_one_object_per_update_and_ends_after_the_count(gateway: ScriptedGateway) -> None:
    program = await start("AAPL", "--json", "--count", "5", "--url", gateway.url)
    await subscribed(gateway)
    for _ in range(10):
        gateway.publish("AAPL", bid_price=102.0)
    seen = await ended(program)
    quotes = [json.loads(line) for line in seen.out.splitlines()]
    assert [quote["sequence"] for quote in quotes] == [1, 2, 3, 4, 5]
    assert (quotes[0]["symbol"], quotes[0]["bidPrice"], quotes[0]["VWAP"]) == ("AAPL", 101.5, None)
    assert (seen.code, seen.err) == (0, "")


async def test_the_environment_says_where_and_fields_say_what(gateway: ScriptedGateway) -> None:
    program = await start("8049", "--json", "--count", "1", "--fields", "bidPrice,symbol", QUOTEWIRE_URL=gateway.url)
    assert await ended(program) == Ended(0, '{"bidPrice":101.5,"symbol":"AAPL"}\n', "")


async def test_each_line_is_out_at_once(gateway: ScriptedGateway) -> None:
    program = await start("AAPL", "--json", "--url", gateway.url)
    assert program.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert json.loads(await program.stdout.readline())["sequence"] == 1
        gateway.publish("AAPL")
        assert json.loads(await program.stdout.readline())["sequence"] == 2
    program.send_signal(signal.SIGINT)
    seen = await ended(program)
    assert (seen.code, seen.err) == (130, "")


async def test_an_unreachable_gateway_is_one_line(gateway: ScriptedGateway) -> None:
    await gateway.stop()
    seen = await ended(await start("AAPL", "--json", "--url", gateway.url))
    told = f"quotewire watch: cannot reach the gateway at {gateway.url}: connection refused\n"
    assert seen == Ended(1, "", told)


async def test_an_address_that_is_none_is_a_mistake() -> None:
    seen = await ended(await start("AAPL", "--url", "nonsense"))
    assert (seen.code, seen.out) == (2, "")
    assert seen.err == "quotewire watch: 'nonsense' is not a gateway's address; it looks like http://127.0.0.1:4005\n"


async def test_an_unknown_symbol_among_others_is_a_warning(gateway: ScriptedGateway) -> None:
    seen = await ended(await start("NOPE", "AAPL", "--json", "--count", "1", "--url", gateway.url))
    assert (seen.code, len(seen.out.splitlines())) == (0, 1)
    assert seen.err == "quotewire watch: Questrade knows no symbol NOPE\n"


async def test_unknown_symbols_alone_are_an_error(gateway: ScriptedGateway) -> None:
    seen = await ended(await start("NOPE", "NADA", "--json", "--url", gateway.url))
    told = "quotewire watch: Questrade knows no symbol NOPE; Questrade knows no symbol NADA\n"
    assert seen == Ended(1, "", told)


async def test_a_reader_that_goes_away_is_no_reason_to_complain(gateway: ScriptedGateway) -> None:
    program = await start("AAPL", "--json", "--url", gateway.url)
    assert program.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        await program.stdout.readline()
    transport = program._transport.get_pipe_transport(1)  # type: ignore[attr-defined]
    transport.close()
    await subscribed(gateway)
    for _ in range(3):
        gateway.publish("AAPL")
        await asyncio.sleep(0.05)
    seen = await ended(program)
    assert (seen.code, seen.err) == (1, "")


async def test_a_lost_line_is_told_and_quotes_go_on(gateway: ScriptedGateway) -> None:
    program = await start("AAPL", "--json", "--count", "2", "--url", gateway.url)
    assert program.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        await program.stdout.readline()
    next(gateway.open).cut()
    gateway.publish("AAPL")
    seen = await ended(program)
    assert json.loads(seen.out)["sequence"] == 2
    assert seen.code == 0
    first, *_, last = seen.err.splitlines()
    assert first.startswith("quotewire watch: connecting: ")
    assert last == "quotewire watch: connected"


async def test_without_a_terminal_there_is_a_line_per_update(gateway: ScriptedGateway) -> None:
    seen = await ended(await start("AAPL", "--count", "1", "--url", gateway.url))
    assert seen == Ended(0, "AAPL  bid 101.5  ask None  last 101.4  volume None  live\n", "")


async def test_a_terminal_gets_the_table(gateway: ScriptedGateway) -> None:
    ours, theirs = pty.openpty()
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quotewire",
        "watch",
        "AAPL",
        "SHOP.TO",
        f"--url={gateway.url}",
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    shown = bytearray()

    def showing(*words: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            shown.extend(os.read(ours, 65_536))
        return all(word in shown.decode(errors="ignore") for word in words)

    await eventually(lambda: showing("connected", "alice", "AAPL", "SHOP.TO", "101.50", "live", "freshness"))
    program.send_signal(signal.SIGINT)
    async with asyncio.timeout(PATIENCE_S):
        _, err = await program.communicate()
    os.close(ours)
    assert (program.returncode, err) == (130, b"")


async def test_a_gap_is_a_line_on_standard_error_and_wishes_reach_the_gateway(gateway: ScriptedGateway) -> None:
    words = ("--mode", "every", "--delta", "--json", "--count", "2", "--url", gateway.url)
    program = await start("AAPL", *words)
    await subscribed(gateway)
    (conversation,) = gateway.open
    (command,) = conversation.of(Subscribe)
    assert (command.mode, command.delta) == (Mode.EVERY, True)
    gateway.next_quote("AAPL")
    conversation.say(Gaps(gaps=[Gap("AAPL", 8049, 1, 2, 2, None, None, Cause.SLOW)]))
    gateway.publish("AAPL")
    seen = await ended(program)
    assert [json.loads(line)["sequence"] for line in seen.out.splitlines()] == [1, 3]
    assert seen.err == "quotewire watch: AAPL: updates 2 to 2 of epoch 1 will not come (slow)\n"


@pytest.mark.parametrize("words", [("--max-rate", "-1"), ("--mode", "now"), ("--mode", "every", "--max-rate", "5")])
async def test_a_wish_that_cannot_be_is_a_mistake(words: tuple[str, ...]) -> None:
    seen = await ended(await start("AAPL", *words))
    assert seen.code == 2
