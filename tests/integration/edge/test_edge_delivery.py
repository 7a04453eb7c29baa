"""Delivery over real sockets: resuming after a drop, every tick to a slow client, deltas, rates; the crowd unharmed."""

import asyncio
import json
from collections import defaultdict
from typing import Any

import msgspec

from tests.integration.edge.conftest import EdgeWith
from tests.integration.edge.gateway import EdgeGateway, Raw, crowd, raw, until
from tests.wire_samples import masked

SYMBOLS = tuple(range(11, 31))
PADDING = "x" * 400


async def enter(client: Raw, gateway: EdgeGateway, **subscription: Any) -> dict[str, Any]:
    """Open, say that gaps are understood, subscribe; the acknowledgement is read, what follows is not."""
    assert (await client.upgrade()).status == 101
    await client.text({"type": "hello", "token": gateway.token(), "capabilities": ["gap"]})
    assert (await client.message())["type"] == "welcome"
    await client.text({"type": "subscribe", **subscription})
    subscribed = await client.message()
    assert subscribed["type"] == "subscribed"
    return subscribed


class Ledger:
    """What a client was shown, symbol by symbol: every sequence, every gap, in the order they came."""

    def __init__(self) -> None:
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.gaps: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
        self.skipped = 0
        self.epoch = 0

    def take(self, message: dict[str, Any]) -> None:
        self.skipped += message.get("skipped", 0)
        for gap in message.get("gaps", ()):
            self.gaps[gap["symbolId"]].append((gap["from"], gap["to"], gap["cause"]))
        for q in message.get("quotes", ()):
            self.seen[q["symbolId"]].append(q["sequence"])
            self.epoch = q["epoch"]

    async def until_newest(self, client: Raw, gateway: EdgeGateway, symbols: tuple[int, ...] = SYMBOLS) -> None:
        while any(self.seen[i][-1:] != [gateway.sequences[i]] for i in symbols):
            self.take(await client.message())

    def positions(self) -> list[list[int]]:
        return [[symbol_id, self.epoch, sequences[-1]] for symbol_id, sequences in self.seen.items()]

    def told(self, symbol_id: int) -> list[int]:
        """Every sequence that was shown or told to be missing, in order."""
        missing = [s for first, last, _ in self.gaps[symbol_id] for s in range(first, last + 1)]
        return sorted(self.seen[symbol_id] + missing)


async def test_a_client_that_was_away_goes_on_where_it_was(edge: EdgeGateway) -> None:
    ledger = Ledger()
    edge.publish(*SYMBOLS)
    async with crowd(edge):
        for _ in range(3):
            async with raw(edge) as client:
                wanted = {"resume": ledger.positions()} if ledger.seen else {"ids": SYMBOLS}
                await enter(client, edge, **wanted)
                for _ in range(20):
                    edge.publish(*SYMBOLS)
                await ledger.until_newest(client, edge)
            for _ in range(10):
                edge.publish(*SYMBOLS)
    for symbol_id in SYMBOLS:
        sequences = ledger.seen[symbol_id]
        assert sequences == list(range(1, len(sequences) + 1))
    assert (ledger.skipped, dict(ledger.gaps)) == (0, {})


async def test_one_that_was_away_too_long_is_told_the_gap_and_given_a_snapshot(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_HISTORY_DEPTH="5")
    for _ in range(10):
        edge.publish(*SYMBOLS)
    async with raw(edge) as client:
        await enter(client, edge, resume=[[11, 7, 2], [12, 7, 7], [13, 7, 10], [14, 6, 10]])
        gap, snapshot, replay = [await client.message() for _ in range(3)]
    assert [(g["symbolId"], g["from"], g["to"], g["cause"]) for g in gap["gaps"]] == [
        (11, 3, 9, "history"),
        (14, 1, 9, "epoch"),
    ]
    assert [(q["symbolId"], q["sequence"]) for q in snapshot["quotes"]] == [(11, 10), (14, 10)]
    assert [(q["symbolId"], q["sequence"]) for q in replay["quotes"]] == [(12, 8), (12, 9), (12, 10)]


async def test_every_tick_to_a_slow_client_leaves_no_update_unaccounted_for(edge_with: EdgeWith) -> None:
    edge = await edge_with(QUOTEWIRE_EVERY_TICK_BACKLOG="100")
    async with crowd(edge), raw(edge, receive_buffer=8192) as slow:
        await enter(slow, edge, ids=SYMBOLS, mode="every")

        def blocked() -> bool:
            for _ in range(20):
                edge.publish(*SYMBOLS, tier=PADDING)
            return edge.hub.stats()["clients_waiting"] == 1

        await until(blocked)
        for _ in range(50):
            edge.publish(*SYMBOLS, tier=PADDING)
        assert edge.hub.stats()["updates_waiting"] <= 100 + len(SYMBOLS) + 4096
        ledger = Ledger()
        await ledger.until_newest(slow, edge)
        for symbol_id in SYMBOLS:
            assert ledger.seen[symbol_id] == sorted(set(ledger.seen[symbol_id]))
            assert ledger.told(symbol_id) == list(range(1, edge.sequences[symbol_id] + 1))
            assert {cause for _, _, cause in ledger.gaps[symbol_id]} == {"slow"}
        assert ledger.skipped == 0
        edge.publish(*SYMBOLS)
        await ledger.until_newest(slow, edge)


async def test_one_that_conflates_is_told_how_far_it_was_behind(edge: EdgeGateway) -> None:
    async with raw(edge, receive_buffer=8192) as slow:
        await enter(slow, edge, ids=SYMBOLS)

        def blocked() -> bool:
            for _ in range(20):
                edge.publish(*SYMBOLS, tier=PADDING)
            return edge.hub.stats()["clients_waiting"] == 1

        await until(blocked)
        edge.publish(*SYMBOLS, tier=PADDING)
        await asyncio.sleep(0.3)
        ledger, lags = Ledger(), []
        while any(ledger.seen[i][-1:] != [edge.sequences[i]] for i in SYMBOLS):
            message = await slow.message()
            ledger.take(message)
            lags.append(message.get("lagMs", 0))
        assert max(lags) >= 250
        missing = sum(edge.sequences[i] - len(ledger.seen[i]) for i in SYMBOLS)
        assert ledger.skipped == missing > 0


async def test_deltas_rebuild_the_quotes_in_both_forms(edge: EdgeGateway) -> None:
    fields = {"fields": ["bidPrice", "volume"], "delta": True, "ids": [11]}
    async with raw(edge) as text, raw(edge) as packed:
        await enter(text, edge, **fields)
        await text.message()
        assert (await packed.upgrade(Sec_WebSocket_Protocol="quotewire.v1.msgpack")).status == 101
        for message in ({"type": "hello", "token": edge.token()}, {"type": "subscribe", **fields}):
            await packed.send(masked(2, msgspec.msgpack.encode(message)))
        for _ in range(3):
            await packed.frame()
        held: list[dict[str, Any]] = [{}, {}]
        for step in range(30):
            edge.publish(11, bid_price=float(step // 3), volume=step // 5)
            opcode, payload = await packed.frame()
            assert opcode == 2
            for i, told in enumerate((await text.message(), msgspec.msgpack.decode(payload))):
                (q,) = told["quotes"]
                assert q.pop("delta", False) == (step > 0)
                held[i] |= q
                assert "askPrice" not in q
                assert (held[i]["bidPrice"], held[i]["volume"]) == (step // 3, step // 5)
        assert held[0] == held[1]


async def test_a_maximum_rate_is_kept_and_the_newest_comes_in_the_end(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        await enter(client, edge, ids=[11, 12], maxRate=10)
        await client.message()
        loop = asyncio.get_running_loop()
        ledger, times = Ledger(), []
        ended = loop.time() + 0.5
        publishing = asyncio.create_task(_publish(edge, ended))
        while loop.time() < ended or ledger.seen[11][-1:] != [edge.sequences[11]]:
            message = await client.message()
            ledger.take(message)
            times += [loop.time() for q in message["quotes"] if q["symbolId"] == 11]
        await publishing
        assert 2 <= len(times) <= 8
        assert len(ledger.seen[11]) + ledger.skipped // 2 >= edge.sequences[11] - 1


async def _publish(edge: EdgeGateway, until_s: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until_s:
        edge.publish(11, 12)
        await asyncio.sleep(0.005)


async def test_what_is_written_before_a_close_is_all_that_was_owed(edge: EdgeGateway) -> None:
    async with raw(edge) as client:
        await enter(client, edge, ids=[11])
        await client.message()
        edge.publish(11)
        edge.gate.close_all()
        messages, code = await client.ending()
    assert [json.dumps(q["sequence"]) for m in messages for q in m.get("quotes", ())] == ["1"]
    assert code == 1001
