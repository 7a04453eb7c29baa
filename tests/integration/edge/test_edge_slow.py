"""A client that does not read: conflated, told what it missed, closed with 4005 in the end; nobody waits for it."""

import contextlib
from collections import defaultdict
from typing import Any

import pytest

from quotewire.edge import websocket
from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, Raw, crowd, raw, until
from tests.wire_samples import masked

SYMBOLS = tuple(range(11, 31))
PADDING = "x" * 400


async def block(gateway: EdgeGateway) -> None:
    """Publish until a client takes no more."""

    def blocked() -> bool:
        for _ in range(20):
            gateway.publish(*SYMBOLS, tier=PADDING)
        return gateway.hub.stats()["clients_waiting"] == 1

    await until(blocked)


class Reading:
    """What a client was shown: every sequence by symbol, and how many were skipped."""

    def __init__(self) -> None:
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.skipped = 0

    def take(self, message: dict[str, Any]) -> None:
        self.skipped += message.get("skipped", 0)
        for q in message.get("quotes", ()):
            self.seen[q["symbolId"]].append(q["sequence"])

    async def until_newest(self, client: Raw, gateway: EdgeGateway) -> None:
        while any(self.seen[i][-1:] != [gateway.sequences[i]] for i in SYMBOLS):
            self.take(await client.message())


async def test_a_client_that_stops_reading_is_conflated_told_and_up_to_date_again(edge: EdgeGateway) -> None:
    async with crowd(edge), raw(edge, receive_buffer=8192) as slow:
        await slow.hello(edge, *SYMBOLS)
        await block(edge)
        for _ in range(50):
            edge.publish(*SYMBOLS, tier=PADDING)
        reading = Reading()
        await reading.until_newest(slow, edge)
        for symbol_id in SYMBOLS:
            sequences = reading.seen[symbol_id]
            assert sequences == sorted(set(sequences))
        missing = sum(edge.sequences[i] - len(reading.seen[i]) for i in SYMBOLS)
        assert reading.skipped == missing > 0
        edge.publish(*SYMBOLS)
        for symbol_id in SYMBOLS:
            live = await slow.message()
            assert [(q["symbolId"], q["sequence"]) for q in live["quotes"]] == [(symbol_id, edge.sequences[symbol_id])]


async def test_what_waits_in_the_kernel_is_bounded(edge: EdgeGateway) -> None:
    """The older half of what a slow client reads is what the kernel held: it must stay small to be worth reading."""
    async with raw(edge, receive_buffer=8192) as slow:
        await slow.hello(edge, *SYMBOLS)
        await block(edge)
        sent = edge.hub.stats()["bytes"]
        assert sent < 1_500_000


async def test_one_that_reads_nothing_for_too_long_is_closed_with_4005(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_SLOW_CONSUMER_TIMEOUT="400", WS_PING_INTERVAL="100", WS_PONG_TIMEOUT="1000")
    async with crowd(edge), raw(edge, receive_buffer=8192) as slow:
        await slow.hello(edge, *SYMBOLS)
        await block(edge)
        await until(lambda: edge.gate.closing["slow_consumer"] == 1)
        messages, code = await slow.ending()
        assert code == 4005
        assert (messages[-1]["code"], messages[-1]["retryable"]) == ("slow_consumer", True)
    assert edge.gate.closed["4005"] == 1


async def test_one_that_never_reads_again_is_cut(edge_with: EdgeWith) -> None:
    edge = await edge_with(WS_SLOW_CONSUMER_TIMEOUT="200")
    async with crowd(edge), raw(edge, receive_buffer=8192) as slow:
        await slow.hello(edge, *SYMBOLS)
        await block(edge)
        await until(lambda: edge.gate.closed["4005"] == 1)
        assert len(edge.gate.connections) == 10
    assert edge.hub.stats()["updates_skipped"] > 0


async def test_a_plain_client_that_reads_again_never_sees_an_older_quote_after_a_newer(edge: EdgeGateway) -> None:
    async with raw(edge, receive_buffer=8192) as slow:
        await slow.upgrade("/")
        await slow.text(edge.token())
        await slow.message()
        await slow.text({"mode": "streaming", "ids": list(SYMBOLS)})
        await slow.message()
        await block(edge)
        # It lets go of its symbols and takes them again, all while it reads nothing.
        await slow.text({"mode": "streaming", "ids": []})
        await slow.text({"mode": "streaming", "ids": list(SYMBOLS)})
        await until(lambda: edge.gate.messages_in == 4)
        for _ in range(20):
            edge.publish(*SYMBOLS, tier=PADDING)
        reading = Reading()
        await reading.until_newest(slow, edge)
        for symbol_id in SYMBOLS:
            assert reading.seen[symbol_id] == sorted(reading.seen[symbol_id])


async def test_answers_nobody_reads_are_bounded(edge_with: EdgeWith, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_BACKLOG_BYTES", 500_000)
    edge = await edge_with(WS_COMMAND_RATE_PER_CLIENT="1000000")
    async with crowd(edge), raw(edge, receive_buffer=8192) as flood:
        await flood.hello(edge)
        pings = masked(9, b"x" * 125) * 500
        with contextlib.suppress(OSError):
            while edge.gate.closing["slow_consumer"] == 0:
                await flood.send(pings)
        await until(lambda: edge.gate.closed["4005"] == 1)
    assert edge.gate.closing == {"slow_consumer": 1}
