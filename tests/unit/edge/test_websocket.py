"""A connection on a transport that only remembers: what is written, how it is closed, and defects that stay its own."""

import asyncio
import json
import logging
import struct
from typing import Any, cast

import pytest

from quotewire.edge import websocket
from quotewire.edge.gate import NATIVE, PLAIN, Admitted
from quotewire.edge.limits import Seat
from quotewire.edge.services import Services
from quotewire.edge.sockets import hand
from quotewire.edge.websocket import Connection
from quotewire.wire import session as session_module
from quotewire.wire.codes import CloseCode
from quotewire.wire.dialect import Dialect
from quotewire.wire.frames import CLOSE, PING, PONG, TEXT
from tests.unit.edge.conftest import MakeServices
from tests.wire_samples import masked, quote, upstream


class FakeTransport(asyncio.Transport):
    """Takes everything, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.aborted = False
        self.reading = True
        self.waiting = 0

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def frames(self) -> list[tuple[int, bytes]]:
        """What was written since the last call, frame by frame."""
        frames, data = [], self.written
        self.written = b""
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = struct.unpack("!H", data[2:4])[0], 4
            frames.append((data[0] & 0x0F, data[start : start + length]))
            data = data[start + length :]
        return frames

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for opcode, payload in self.frames() if opcode == TEXT]

    def ending(self) -> tuple[list[str], int | None]:
        """The codes of the messages, and the close code."""
        frames = self.frames()
        codes = [json.loads(payload).get("code", "") for opcode, payload in frames if opcode == TEXT]
        closes = [struct.unpack_from("!H", payload)[0] for opcode, payload in frames if opcode == CLOSE]
        assert len(closes) <= 1
        return codes, closes[0] if closes else None


def connect(services: Services, dialect: Dialect = NATIVE) -> tuple[Connection, FakeTransport]:
    seat = services.gate.seat("203.0.113.9")
    assert isinstance(seat, Seat)
    admitted = Admitted(dialect, None, seat)
    connection = Connection(services.gate, admitted, address="203.0.113.9", connection_id="ws-1")
    transport = FakeTransport()
    connection.connection_made(transport)
    return connection, transport


def text(message: dict[str, Any] | str) -> bytes:
    return masked(TEXT, (json.dumps(message) if isinstance(message, dict) else message).encode())


def enter(services: Services, dialect: Dialect = NATIVE) -> tuple[Connection, FakeTransport]:
    connection, transport = connect(services, dialect)
    token = services.tokens.mint("alice")[0]
    connection.data_received(text({"type": "hello", "token": token} if dialect is NATIVE else token))
    assert len(transport.told()) == 1
    return connection, transport


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
def services(make_services: MakeServices) -> Services:
    return make_services()


async def subscribed(services: Services, *ids: int) -> tuple[Connection, FakeTransport]:
    connection, transport = enter(services)
    connection.data_received(text({"type": "subscribe", "ids": list(ids)}))
    await turns()
    assert [message["type"] for message in transport.told()] == ["subscribed", "snapshot"]
    return connection, transport


async def test_a_connection_has_slots_alone(services: Services) -> None:
    connection, _ = connect(services)
    assert not hasattr(connection, "__dict__")


async def test_a_ping_is_answered_by_its_payload(services: Services) -> None:
    connection, transport = connect(services)
    connection.data_received(masked(PING, b"abc") + masked(PING, b""))
    assert transport.frames() == [(PONG, b"abc"), (PONG, b"")]


async def test_what_is_owed_goes_out_in_one_write_before_the_answer_to_unsubscribe(services: Services) -> None:
    connection, transport = await subscribed(services, 1, 2)
    services.hub.publish([quote(1, 1), quote(2, 1)])
    connection.data_received(text({"type": "unsubscribe", "ids": [1]}))
    services.hub.publish([quote(1, 2), quote(2, 2)])
    services.hub.flush()
    told = transport.told()
    assert [message["type"] for message in told] == ["quotes", "quotes", "unsubscribed", "quotes"]
    assert told[-1]["quotes"][0]["symbolId"] == 2


async def test_what_was_skipped_is_told_before_the_quotes_that_leap(services: Services) -> None:
    connection, transport = await subscribed(services, 1)
    connection.pause_writing()
    for sequence in range(1, 6):
        services.hub.publish([quote(1, sequence)])
    services.hub.flush()
    assert transport.written == b""
    connection.resume_writing()
    told = transport.told()
    assert [message.get("skipped", 0) for message in told] == [4, 0]
    assert told[1]["quotes"][0]["sequence"] == 5


async def test_a_plain_client_is_not_told_in_words_it_does_not_know(services: Services) -> None:
    connection, transport = enter(services, PLAIN)
    connection.data_received(text({"mode": "streaming", "ids": [1]}))
    await turns()
    transport.frames()
    connection.pause_writing()
    services.hub.publish([quote(1, 1), quote(1, 2)])
    connection.resume_writing()
    assert [set(message) for message in transport.told()] == [{"quotes"}]


async def test_a_client_that_takes_nothing_is_pinged_no_more_and_closed_as_slow(services: Services) -> None:
    connection, transport = await subscribed(services, 1)
    now = asyncio.get_running_loop().time()
    connection.pause_writing()
    connection.tick(now + 29)
    assert transport.frames() == []
    connection.tick(now + 31)
    assert transport.ending() == (["slow_consumer"], CloseCode.SLOW_CONSUMER)
    assert not transport.aborted
    connection.tick(now + 32)
    assert transport.written == b""


async def test_a_backlog_of_answers_ends_it_once(services: Services) -> None:
    connection, transport = enter(services)
    connection.pause_writing()
    transport.waiting = websocket.MAX_BACKLOG_BYTES + 1
    connection.data_received(text({"type": "ping"}) * 3)
    codes, close = transport.ending()
    assert (codes, close) == (["", "slow_consumer"], CloseCode.SLOW_CONSUMER)


@pytest.mark.parametrize("how", ["our close", "their close", "half-close", "pong timeout"])
async def test_however_it_ends_the_socket_is_cut_in_time(
    services: Services, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "CLOSE_WAIT_S", 0.02)
    connection, transport = enter(services)
    match how:
        case "our close":
            connection.go_away()
            assert not transport.closed  # its answer is waited for
        case "their close":
            connection.data_received(masked(CLOSE, struct.pack("!H", 3001)))
            assert transport.frames() == [(CLOSE, struct.pack("!H", 3001))]
            assert transport.closed
        case "half-close":
            assert connection.eof_received()
            assert transport.closed
        case _:
            now = asyncio.get_running_loop().time()
            connection.tick(now + 40)
            connection.tick(now + 46)
            assert transport.frames()[-1][0] == CLOSE
            assert transport.closed
    assert not transport.aborted
    async with asyncio.timeout(5):
        while not transport.aborted:
            await asyncio.sleep(0.002)


async def test_the_answer_to_our_close_ends_the_wait(services: Services) -> None:
    connection, transport = enter(services)
    connection.go_away()
    connection.data_received(masked(CLOSE, struct.pack("!H", 1001)))
    assert transport.closed
    assert transport.ending() == ([], 1001)  # one close frame, not two
    connection.connection_lost(None)
    assert services.gate.closed == {"1001": 1}


async def test_a_connection_that_is_lost_leaves_nothing_and_takes_no_more(services: Services) -> None:
    connection, transport = await subscribed(services, 1)
    connection.data_received(text({"type": "subscribe", "ids": [2]}))
    connection.connection_lost(None)
    await turns()
    connection.send(connection.sink, b"nothing")
    connection.tell_upstream(upstream("error"))
    connection.tick(asyncio.get_running_loop().time() + 1000)
    connection.go_away()
    connection.data_received(text({"type": "ping"}))
    assert transport.written == b""
    assert services.gate.connections == set()
    assert not services.gate.limiter.seats
    assert not services.gate._tasks
    stats = services.hub.stats()
    assert (stats["clients"], stats["symbols_wanted"]) == (0, 0)
    assert services.gate.empty.is_set()


# --- defects of ours ---


def boom(*arguments: Any, **named: Any) -> Any:
    raise LookupError("a defect")


async def test_a_defect_while_reading_is_reported_and_ends_this_client(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    connection, transport = enter(services)
    monkeypatch.setattr(services.gate, "resolve", boom)
    monkeypatch.setattr(type(NATIVE), "pong", boom)
    connection.data_received(text({"type": "ping"}))
    assert transport.ending() == (["internal_error"], CloseCode.INTERNAL_ERROR)
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert vars(record)["where"] == "data_received"
    assert record.exc_info


async def test_a_defect_in_a_look_up_ends_this_client(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    connection, transport = enter(services)
    monkeypatch.setattr(services.gate, "resolve", boom)
    connection.data_received(text({"type": "subscribe", "ids": [1]}))
    await turns()
    assert transport.ending() == (["internal_error"], CloseCode.INTERNAL_ERROR)
    assert not services.gate._tasks


async def test_a_defect_while_one_is_flushed_leaves_the_others_their_quotes(services: Services) -> None:
    one, one_transport = await subscribed(services, 1)
    two, two_transport = await subscribed(services, 1)
    services.hub.publish([quote(1, 1)])
    one._transport = cast(asyncio.Transport, Fragile(one_transport))
    services.hub.rewire(one, hand, one._transport)
    services.hub.flush()
    assert [message["type"] for message in two_transport.told()] == ["quotes"]
    assert one_transport.ending() == (["internal_error"], CloseCode.INTERNAL_ERROR)
    assert two in services.hub.clients


class Fragile(FakeTransport):
    """Fails at the first write, then passes everything on."""

    def __init__(self, inner: FakeTransport) -> None:
        super().__init__()
        self.inner = inner
        self.failures = 1

    def write(self, data: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a defect")
        self.inner.write(data)


async def test_a_defect_in_the_tick_of_one_leaves_the_others_theirs(
    make_services: MakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services(WS_AUTH_TIMEOUT="100")
    one, one_transport = enter(services)
    two, two_transport = connect(services)
    original = Connection.tick

    def tick(self: Connection, now: float) -> None:
        if self is one:
            boom()
        original(self, now)

    monkeypatch.setattr(Connection, "tick", tick)
    sweep = asyncio.create_task(services.gate.sweep())
    async with asyncio.timeout(5):
        while not (two_transport.written and one_transport.written):
            await asyncio.sleep(0.002)
    sweep.cancel()
    await asyncio.gather(sweep, return_exceptions=True)
    assert one_transport.ending() == (["internal_error"], CloseCode.INTERNAL_ERROR)
    assert two_transport.ending() == (["auth_timeout"], CloseCode.AUTH_TIMEOUT)
    for connection in (one, two):
        connection.connection_lost(None)


async def test_a_defect_upstream_of_the_hub_costs_no_place_in_the_count(services: Services) -> None:
    connection, _ = await subscribed(services, 1)
    services.hub._seats.vacate = boom  # type: ignore[method-assign]
    with pytest.raises(LookupError):
        connection.connection_lost(None)
    assert services.gate.connections == set()
    assert not services.gate.limiter.seats


async def test_one_that_sends_much_is_served_in_parts_and_in_order(services: Services) -> None:
    connection, transport = enter(services)
    connection.data_received(b"".join(text({"type": "ping", "timestamp": number}) for number in range(50)))
    served = [message["timestamp"] for message in transport.told()]
    assert served == list(range(websocket.SERVED_AT_ONCE))
    taken_in_meanwhile = transport.reading
    await turns(50 // websocket.SERVED_AT_ONCE + 1)
    assert (taken_in_meanwhile, transport.reading) == (False, True)
    assert [message["timestamp"] for message in transport.told()] == list(range(websocket.SERVED_AT_ONCE, 50))


async def test_a_long_message_in_one_piece_is_one_message(services: Services) -> None:
    connection, transport = enter(services)
    padding = "x" * (5 * websocket.READ_AT_ONCE)
    connection.data_received(text({"type": "ping", "timestamp": 1, "more": padding}) + text({"type": "ping"}))
    assert transport.told() == []
    await turns(8)
    assert len(transport.told()) == 2
    assert transport.reading


async def test_nothing_more_is_served_of_a_flood_that_was_ended(services: Services) -> None:
    connection, transport = enter(services)
    connection.data_received(text({"type": "shout"}) * 100)
    await turns(10)
    codes, close = transport.ending()
    assert (len(codes), codes[-1], close) == (21, "too_many_errors", CloseCode.TOO_MANY_ERRORS)
    assert not transport.reading
    connection.data_received(text({"type": "ping"}))
    assert transport.written == b""


async def test_what_waits_to_be_served_is_let_go_with_the_connection(services: Services) -> None:
    connection, transport = enter(services)
    connection.data_received(text({"type": "ping"}) * 100)
    connection.connection_lost(None)
    transport.frames()
    await turns()
    assert transport.written == b""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "JOINED_AT_ONCE", 2)


def ids_of(message: dict[str, Any]) -> list[int]:
    return [told["symbolId"] for told in message["quotes"]]


async def test_thousands_come_in_parts_and_what_is_live_between_them(services: Services, small_parts: None) -> None:
    connection, transport = enter(services)
    services.hub.publish([quote(i, 1) for i in range(1, 6)])
    connection.data_received(text({"type": "subscribe", "ids": [1, 2, 3, 4, 5], "requestId": "s"}))
    told: list[dict[str, Any]] = []
    sequence = 1
    while not any(message["type"] == "snapshot" and not message.get("more") for message in told):
        await turns(1)
        told += transport.told()
        sequence += 1
        services.hub.publish([quote(i, sequence) for i in range(1, 6)])
        services.hub.flush()
        told += transport.told()
        assert sequence < 50
    assert told[0]["type"] == "subscribed"
    parts = [message for message in told if message["type"] == "snapshot"]
    assert [(ids_of(part), part.get("more"), part["requestId"]) for part in parts] == [
        ([1, 2], True, "s"),
        ([3, 4], True, "s"),
        ([5], None, "s"),
    ]
    heard = [(q["symbolId"], q["sequence"]) for message in told[1:] for q in message["quotes"]]
    for symbol_id in range(1, 6):
        got = [number for known, number in heard if known == symbol_id]
        assert got == list(range(got[0], got[0] + len(got))), "nothing is missing after its snapshot"


async def test_the_next_part_waits_for_a_socket_that_takes_nothing(services: Services, small_parts: None) -> None:
    connection, transport = enter(services)
    connection.data_received(text({"type": "subscribe", "ids": [1, 2, 3, 4, 5]}))
    while not any(message.get("more") for message in transport.told()):
        await turns(1)
    connection.pause_writing()
    await turns()
    assert transport.told() == []
    connection.resume_writing()
    await turns()
    assert [message.get("more") for message in transport.told()] == [True, None]


async def test_one_who_takes_back_what_is_not_all_there_yet(services: Services, small_parts: None) -> None:
    connection, transport = enter(services)
    command = text({"type": "subscribe", "ids": [1, 2, 3, 4, 5]})
    connection.data_received(command + text({"type": "unsubscribe", "ids": [2, 5]}))
    await turns(20)
    kinds = [message["type"] for message in transport.told()]
    assert kinds == ["subscribed", "snapshot", "snapshot", "snapshot", "unsubscribed"]
    services.hub.publish([quote(i, 1) for i in range(1, 6)])
    services.hub.flush()
    assert [ids_of(message)[0] for message in transport.told()] == [1, 3, 4]


async def test_one_who_goes_in_the_middle_is_joined_no_further(services: Services, small_parts: None) -> None:
    connection, transport = enter(services)
    connection.data_received(text({"type": "subscribe", "ids": [1, 2, 3, 4, 5]}))
    while not any(message.get("more") for message in transport.told()):
        await turns(1)
    connection.connection_lost(None)
    await turns(10)
    assert transport.told() == []
    assert services.hub.stats()["symbols_wanted"] == 0
    assert len(services.gate.turns) == 0
