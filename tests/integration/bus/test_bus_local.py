"""The bus over a real Unix socket: nodes that join, lag, end and come back; owners that end; and garbage."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quotewire.bus import envelope as e
from quotewire.bus import publisher as publishing
from quotewire.bus.envelope import Reading
from quotewire.bus.link import Link
from quotewire.bus.local import socket_path
from quotewire.bus.subscriber import OWNER_LOST
from quotewire.errors import BusError, ConfigurationError, RateLimitedError, UpstreamUnavailableError
from quotewire.market.quote import Quote
from quotewire.resilience.accounts import Exceeded, Held, Limit, Scope
from quotewire.wire.options import Gap
from tests.integration.bus.conftest import EPOCH, KEY, LIMIT, Bus, Memory, Owner, until
from tests.wire_samples import quote, upstream

SYMBOLS = 20


def update(symbol_id: int, sequence: int, epoch: int = EPOCH) -> Quote:
    return quote(symbol_id, sequence, epoch=epoch)


def publish(owner: Owner, sequences: range, symbols: int = SYMBOLS, epoch: int = EPOCH) -> None:
    for sequence in sequences:
        owner.publisher.publish([update(symbol_id, sequence, epoch) for symbol_id in range(1, symbols + 1)])


def complete(memory: Memory, newest: int, symbols: int = SYMBOLS) -> bool:
    return all(memory.sequences(symbol_id)[-1:] == [newest] for symbol_id in range(1, symbols + 1))


async def test_every_node_gets_every_update_in_order(bus: Bus) -> None:
    owner, _ = await bus.owner()
    nodes = [await bus.node(number) for number in (1, 2)]

    publish(owner, range(1, 31))

    for node in nodes:
        await until(lambda node=node: complete(node.memory, 30))  # type: ignore[misc]
        assert all(node.memory.sequences(symbol_id) == list(range(1, 31)) for symbol_id in (1, SYMBOLS))
        assert node.memory.quotes[0] == update(1, 1)
        assert node.subscriber.key == KEY


async def test_one_that_joins_in_the_middle_has_no_hole_and_nothing_twice(bus: Bus) -> None:
    owner, _ = await bus.owner()
    publish(owner, range(1, 21))
    await asyncio.sleep(0)  # published once an iteration of the loop

    node = await bus.node(1, wait=False)
    for sequence in range(21, 200):
        publish(owner, range(sequence, sequence + 1))
        await asyncio.sleep(0)

    await until(lambda: complete(node.memory, 199))
    for symbol_id in range(1, SYMBOLS + 1):
        got = node.memory.sequences(symbol_id)
        assert got == list(range(got[0], 200))
        assert got[0] <= 21 or got[0] <= 199 - 63


async def test_what_is_wanted_anywhere_is_wanted_once_and_goes_with_its_node(bus: Bus) -> None:
    owner, _ = await bus.owner()
    first, second = await bus.node(1), await bus.node(2)

    first.subscriber.want(frozenset({1, 2}))
    second.subscriber.want(frozenset({2, 3}))
    await until(lambda: owner.head.wanted == {1, 2, 3})
    first.subscriber.want(frozenset({2}))
    await until(lambda: owner.head.wanted == {2, 3})

    await bus.end(second.task)
    await until(lambda: owner.head.wanted == {2})


async def test_questions_are_answered_and_errors_are_the_same_errors(bus: Bus) -> None:
    owner, _ = await bus.owner()
    asks = (await bus.node(1)).subscriber

    found = await asks.resolve(["S7", "NONE"], [8])
    assert [(each.asked, each.symbol.symbol_id if each.symbol else None) for each in found] == [
        ("S7", 7),
        ("NONE", None),
        (8, 8),
    ]
    assert [symbol.symbol for symbol in await asks.search("S5", 0)][:2] == ["S5", "S50"]
    assert (await asks.snapshot([4]))[0].symbol_id == 4
    assert (await asks.refresh("alice", force=True)).name == "alice"
    assert await asks.report() == {"persons": ["alice", "bob"]}

    asks.reported("a", {"messagesSent": 3.0})
    asks.reported("a", {"messagesSent": 5.0})
    await until(lambda: owner.reports.reports == 2)
    assert (await asks.clients())["messagesSent"] == 5

    async def limited(name: str) -> None:
        raise RateLimitedError("too many calls", retry_after_s=3.0)

    owner.head.before = limited
    with pytest.raises(RateLimitedError, match="too many calls") as raised:
        await asks.search("S")
    assert raised.value.retry_after_s == 3.0


async def test_a_symbol_found_lately_is_not_asked_for_again(bus: Bus) -> None:
    owner, _ = await bus.owner()
    asks = (await bus.node(1)).subscriber
    await asks.resolve(["S7"], [8])
    owner.head.calls.clear()

    found = await asks.resolve(["S7", "S9", "S7"], [8])

    assert [each.asked for each in found] == ["S7", "S9", "S7", 8]
    assert owner.head.calls == [("resolve", (("S9",), ()))]


async def test_the_owner_looks_up_what_is_wanted_that_it_has_not_heard_of(bus: Bus) -> None:
    owner, _ = await bus.owner()
    asks = (await bus.node(1)).subscriber
    await asks.resolve(["S7"], [])
    owner.head.calls.clear()

    asks.want(frozenset({7, 8}))
    await until(lambda: owner.head.wanted == {7, 8})
    asks.want(frozenset({8}))
    asks.want(frozenset({7, 8, 9}))
    await until(lambda: owner.head.wanted == {7, 8, 9})

    assert owner.head.calls == [("resolve", ((), (8,))), ("resolve", ((), (9,)))]


async def test_a_defect_in_an_answer_is_reported_and_costs_nobody_the_connection(
    bus: Bus, caplog: pytest.LogCaptureFixture
) -> None:
    owner, _ = await bus.owner()
    node = await bus.node(1)

    async def broken(name: str) -> None:
        raise ZeroDivisionError

    owner.head.before = broken
    with pytest.raises(UpstreamUnavailableError, match="its log says why"):
        await node.subscriber.search("S")
    assert "ZeroDivisionError" in caplog.text
    owner.head.before = None
    assert await node.subscriber.search("S5")


async def test_states_reach_the_nodes_and_only_changes_are_told(bus: Bus) -> None:
    owner, _ = await bus.owner()
    node = await bus.node(1)
    await until(lambda: bool(node.memory.states))
    node.memory.states.clear()

    owner.head.state = upstream(state="degraded", reason="polling")
    owner.publisher.tell(owner.head.state)
    owner.publisher.tell(owner.head.state)

    await until(lambda: bool(node.memory.states))
    await node.subscriber.report()  # everything said before it has come
    assert [state.reason for state in node.memory.states] == ["polling"]
    assert node.subscriber.state.reason == "polling"


@pytest.mark.parametrize("scope", Scope)
async def test_limits_of_connections_are_exact_over_all_nodes(bus: Bus, scope: Scope) -> None:
    await bus.owner()
    nodes = [(await bus.node(number)).subscriber for number in (1, 2, 3)]

    refused = await asyncio.gather(*(nodes[number % 3].admit(scope, "a") for number in range(30)))
    assert refused.count(None) == LIMIT
    assert {each for each in refused if each is not None} == {Exceeded(Limit.CONNECTIONS, scope, LIMIT, 10.0)}
    assert await nodes[0].admit(scope, "b") is None

    inside = refused.index(None)
    nodes[inside % 3].left([Held(scope, "a", connections=1)])
    assert await nodes[inside % 3].admit(scope, "a") is None
    assert await nodes[0].admit(scope, "a") is not None


async def test_limits_of_symbols_are_exact_over_all_nodes(bus: Bus) -> None:
    await bus.owner()
    nodes = [(await bus.node(number)).subscriber for number in (1, 2, 3)]
    refused = await asyncio.gather(*(nodes[number % 3].claim(f"10.0.0.{number}", "k", 7) for number in range(20)))
    assert refused.count(None) == 50 // 7
    inside = refused.index(None)
    nodes[inside % 3].left([Held(Scope.ADDRESS, f"10.0.0.{inside}", symbols=7), Held(Scope.KEY, "k", symbols=7)])
    assert await nodes[inside % 3].claim("10.0.0.1", "k", 7) is None
    assert await nodes[0].claim("10.0.1.1", None, 50) is None
    assert await nodes[0].claim("10.0.1.1", None, 1) is not None


async def test_messages_of_a_key_are_drawn_from_one_allowance(bus: Bus) -> None:
    await bus.owner()
    nodes = [(await bus.node(number)).subscriber for number in (1, 2)]
    drawn = [await nodes[number % 2].draw("k", 20) for number in range(12)]
    assert 200 <= sum(each.messages for each in drawn) < 250  # the burst, and what its rate gave meanwhile
    nodes[0].left([Held(Scope.KEY, "k", messages=3)])
    assert (await nodes[0].draw("k", 3)).messages == 3


async def test_what_a_node_that_is_gone_held_is_free(bus: Bus) -> None:
    await bus.owner()
    first, second = await bus.node(1), await bus.node(2)
    for _ in range(LIMIT):
        assert await first.subscriber.admit(Scope.KEY, "k") is None
    assert await first.subscriber.claim("10.0.0.1", "k", 50) is None
    assert await second.subscriber.admit(Scope.KEY, "k") is not None
    await bus.end(first.task)
    async with asyncio.timeout(5):
        while await second.subscriber.admit(Scope.KEY, "k") is not None:
            await asyncio.sleep(0.005)
    assert await second.subscriber.claim("10.0.0.1", "k", 50) is None


async def test_while_the_owner_is_away_nothing_is_counted_and_then_all_is(bus: Bus) -> None:
    _, life = await bus.owner()
    node = await bus.node(1)
    await life.aclose()
    await until(lambda: node.subscriber.link is Link.AWAY)
    with pytest.raises(UpstreamUnavailableError):
        await node.subscriber.admit(Scope.KEY, "k")
    with pytest.raises(UpstreamUnavailableError):
        await node.subscriber.claim("10.0.0.1", "k", 5)
    with pytest.raises(UpstreamUnavailableError):
        await node.subscriber.draw("k", 1)
    node.subscriber.left([Held(Scope.KEY, "k", connections=1)])
    node.memory.held_now = [Held(Scope.KEY, "k", 1, 45)]

    await bus.owner(epoch=EPOCH + 2)
    await until(lambda: node.subscriber.link is Link.LIVE)
    admitted = [await node.subscriber.admit(Scope.KEY, "k") is None for _ in range(LIMIT)]
    assert admitted == [True] * (LIMIT - 1) + [False]
    assert await node.subscriber.claim("10.0.0.1", "k", 6) is not None
    node.subscriber.left([Held(Scope.KEY, "k", 1, 45)])
    assert await node.subscriber.admit(Scope.KEY, "k") is None
    assert await node.subscriber.claim("10.0.0.1", "k", 50) is None


@pytest.mark.parametrize("ended", ["timed out", "cancelled"])
async def test_an_admission_granted_too_late_is_given_back(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    monkeypatch.setattr("quotewire.bus.subscriber.COUNT_S", 0.05)
    asked = asyncio.Queue[e.Ask]()
    left: list[Held] = []
    grant = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        welcome = e.Welcome(version=e.VERSION, epoch=EPOCH, key=KEY, state=upstream(), persons=[])
        writer.write(e.frame(welcome) + e.frame(e.CaughtUp()))
        splitter = e.Splitter()
        while data := await reader.read(65536):
            for body in splitter.feed(data):
                match e.from_node(body):
                    case e.Ask() as ask:
                        await asked.put(ask)
                        await grant.wait()
                        writer.write(e.frame(e.Answer(number=ask.number, body=e.packed(None))))
                    case e.Left(held=held):
                        left.extend(held)
        writer.close()

    async with await asyncio.start_unix_server(slow, socket_path(bus.directory)):
        node = await bus.node(1)
        admission = asyncio.create_task(node.subscriber.admit(Scope.KEY, "k"))
        await asked.get()
        if ended == "cancelled":
            admission.cancel()
        with pytest.raises((UpstreamUnavailableError, asyncio.CancelledError)):
            await admission
        grant.set()
        await until(lambda: left == [Held(Scope.KEY, "k", connections=1)])


async def test_an_admission_granted_in_the_moment_its_client_went_is_given_back(bus: Bus) -> None:
    await bus.owner()
    subscriber = (await bus.node(1)).subscriber
    answered = subscriber._answered

    def cancel_first(answer: e.Answer) -> None:
        answered(answer)  # granted, and before anybody has heard of it ...
        admission.cancel()

    subscriber._answered = cancel_first  # type: ignore[method-assign]
    admission = asyncio.create_task(subscriber.admit(Scope.KEY, "k"))
    with pytest.raises(asyncio.CancelledError):
        await admission
    subscriber._answered = answered  # type: ignore[method-assign]
    assert [await subscriber.admit(Scope.KEY, "k") for _ in range(LIMIT)] == [None] * LIMIT


async def test_numbers_of_all_nodes_are_one_gateways(bus: Bus) -> None:
    owner, _ = await bus.owner()
    first = await bus.node(1, Memory(numbers=[Reading("quotewire_messages_sent_total", 3)]))
    second = await bus.node(2, Memory(numbers=[Reading("quotewire_messages_sent_total", 4)]))
    publish(owner, range(1, 2))
    await until(lambda: complete(second.memory, 1))

    async def read() -> dict[str, float]:
        return {each.name: each.value for each in await second.subscriber.samples()}

    told = await read()
    assert told["quotewire_messages_sent_total"] == 7
    assert told["quotewire_updates_total"] == SYMBOLS
    assert told["quotewire_bus_nodes"] == 2

    await bus.end(first.task)
    await until(lambda: owner.publisher.readings()[3].value == 1)
    assert (await read())["quotewire_messages_sent_total"] == 7


async def test_what_a_killed_node_counted_is_known_to_its_last_moments(bus: Bus) -> None:
    owner, _ = await bus.owner()
    memory = Memory(numbers=[Reading("quotewire_messages_sent_total", 3), Reading("quotewire_connections", 1)])
    node, other = await bus.node(1, memory), await bus.node(2)
    memory.numbers[0] = Reading("quotewire_messages_sent_total", 4)
    await until(lambda: sent(owner) == 4)
    began = time.monotonic()
    memory.numbers[0] = Reading("quotewire_messages_sent_total", 5)
    await until(lambda: sent(owner) == 5)
    assert time.monotonic() - began < 0.9, "it was told with the beat"

    node.subscriber._say_numbers = lambda wire, number: None  # type: ignore[method-assign]  # killed: no last word
    node.task.cancel()
    await until(lambda: owner.publisher.readings()[3].value == 1)
    assert {each.name: each.value for each in await other.subscriber.samples()}["quotewire_messages_sent_total"] == 5


def sent(owner: Owner) -> float:
    """Messages sent, as the owner knows without asking."""
    return {each.name: each.value for each in owner.publisher._tally.total()}.get("quotewire_messages_sent_total", 0.0)


# --- owners that end ---


async def test_an_owner_that_ends_is_told_and_the_next_one_knows_everything(bus: Bus) -> None:
    owner, life = await bus.owner()
    node = await bus.node(1, Memory(held_now=[Held(Scope.ADDRESS, "10.0.0.1", connections=LIMIT)]))
    node.subscriber.want(frozenset({1, 2}))
    await until(lambda: owner.head.wanted == {1, 2})

    await life.aclose()
    await until(lambda: node.memory.ended == [EPOCH + 1])
    await until(lambda: node.subscriber.state.reason == OWNER_LOST)
    assert node.subscriber.link is Link.AWAY
    with pytest.raises(UpstreamUnavailableError, match="started again"):
        await node.subscriber.search("S")

    following, _ = await bus.owner(epoch=EPOCH + 2)
    await until(lambda: node.subscriber.link is Link.LIVE)
    assert following.head.wanted == {1, 2}
    await until(lambda: ("resolve", ((), (1, 2))) in following.head.calls)  # it has to hear of each symbol itself
    assert await node.subscriber.admit(Scope.ADDRESS, "10.0.0.1") is not None
    publish(following, range(1, 3), epoch=EPOCH + 2)
    await until(lambda: complete(node.memory, 2))
    assert await node.subscriber.search("S")


async def test_questions_under_way_fail_when_the_owner_ends(bus: Bus) -> None:
    owner, life = await bus.owner()
    node = await bus.node(1)
    asked = asyncio.Event()

    async def never(name: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    owner.head.before = never
    question = asyncio.create_task(node.subscriber.search("S"))
    await asked.wait()
    await life.aclose()
    with pytest.raises(UpstreamUnavailableError):
        await question


async def test_an_owner_whose_nodes_hold_it_for_gone_must_end(bus: Bus) -> None:
    owner, _ = await bus.owner()
    async with stranger(bus) as (reader, writer):
        writer.write(e.frame(e.Hello(version=e.VERSION, node=1, fenced=EPOCH)))
        async with asyncio.timeout(5):
            await owner.publisher.fenced()
        assert reader is not None


async def test_an_owner_that_stood_still_publishes_nothing_more(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "BEAT_S", 0.05)
    monkeypatch.setattr(publishing, "FENCE_S", 0.3)
    owner, _ = await bus.owner()
    node = await bus.node(1)
    publish(owner, range(1, 2))
    await until(lambda: complete(node.memory, 1))

    time.sleep(0.5)  # noqa: ASYNC251  the loop is to stand still
    publish(owner, range(2, 3))

    async with asyncio.timeout(5):
        await owner.publisher.fenced()
    await asyncio.sleep(0.05)
    assert complete(node.memory, 1)


async def test_an_owner_that_says_nothing_is_left(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quotewire.bus.subscriber.BEAT_S", 0.02)

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            e.frame(e.Welcome(version=e.VERSION, epoch=EPOCH, key=KEY, state=upstream(), persons=[]))
            + e.frame(e.CaughtUp())
        )
        await reader.read()
        writer.close()

    async with await asyncio.start_unix_server(mute, socket_path(bus.directory)):
        node = await bus.node(1)
        await until(lambda: EPOCH + 1 in node.memory.ended)
        await bus.end(node.task)


# --- nodes that lag ---


@contextlib.asynccontextmanager
async def stranger(bus: Bus) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that does only what it is told."""
    reader, writer = await asyncio.open_unix_connection(socket_path(bus.directory))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def read_until(reader: asyncio.StreamReader, newest: int) -> tuple[list[Quote], list[Gap]]:
    splitter, quotes, gaps = e.Splitter(), list[Quote](), list[Gap]()
    async with asyncio.timeout(20):
        while {quote.symbol_id: quote.sequence for quote in quotes} != dict.fromkeys(range(1, SYMBOLS + 1), newest):
            data = await reader.read(2**20)
            assert data
            for body in splitter.feed(data):
                message = e.from_owner(body)
                if isinstance(message, e.Updates):
                    quotes += message.quotes
                    gaps += message.missed
    return quotes, gaps


async def lagging(bus: Bus, owner: Owner, count: int) -> tuple[list[Quote], list[Gap]]:
    """A node that reads nothing while `count` updates of each symbol are published, then all."""
    async with stranger(bus) as (reader, writer):
        writer.transport.get_extra_info("socket").setsockopt(1, 8, 4096)  # SOL_SOCKET, SO_RCVBUF
        writer.write(e.frame(e.Hello(version=e.VERSION, node=9)))
        joined = owner.publisher.joins
        await until(lambda: owner.publisher.joins > joined)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        for sequence in range(1, count + 1):
            publish(owner, range(sequence, sequence + 1))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        return await read_until(reader, count)


async def test_a_node_that_lags_misses_nothing_the_history_holds(bus: Bus) -> None:
    owner, _ = await bus.owner(depth=500)
    quotes, gaps = await lagging(bus, owner, 400)

    assert gaps == []
    for symbol_id in range(1, SYMBOLS + 1):
        assert [each.sequence for each in quotes if each.symbol_id == symbol_id] == list(range(1, 401))
    numbers = {each.name: each.value for each in owner.publisher.readings()}
    assert numbers["quotewire_bus_held_back_total"] > 0
    assert numbers["quotewire_bus_missed_total"] == 0


async def test_a_node_that_lags_longer_is_told_exactly_what_it_missed_and_nobody_else_notices(bus: Bus) -> None:
    owner, _ = await bus.owner(depth=8)
    healthy = await bus.node(1)
    quotes, gaps = await lagging(bus, owner, 600)

    missed = 0
    for symbol_id in range(1, SYMBOLS + 1):
        got = {each.sequence for each in quotes if each.symbol_id == symbol_id}
        gone = [gap for gap in gaps if gap.symbol_id == symbol_id]
        lost = {sequence for gap in gone for sequence in range(gap.from_sequence, gap.to_sequence + 1)}
        assert got | lost == set(range(1, 601))
        assert not got & lost
        missed += len(lost)
    assert missed > 0
    numbers = {each.name: each.value for each in owner.publisher.readings()}
    assert numbers["quotewire_bus_missed_total"] == missed
    await until(lambda: complete(healthy.memory, 600))
    assert healthy.memory.sequences(1) == list(range(1, 601))


# --- garbage ---


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\xff" * 64,
        e.frame(e.Beat()),
        e.frame(e.Want(added=[1], removed=[])),
        e.frame(e.Hello(version=e.VERSION, node=5)) * 2,
        e.frame(e.Hello(version=e.VERSION, node=5)) + e.frame(e.CaughtUp()),
        e.frame(e.Hello(version=e.VERSION, node=5))
        + e.frame(e.Ask(number=1, question=e.Question.ADMIT, arguments=[{"a": 1}])),
    ],
    ids=["http", "bytes", "no-hello", "want-first", "hello-twice", "wrong-way", "bad-arguments"],
)
async def test_whoever_speaks_garbage_is_hung_up_on_and_nobody_else(bus: Bus, garbage: bytes) -> None:
    owner, _ = await bus.owner()
    node = await bus.node(1)
    async with stranger(bus) as (reader, writer):
        writer.write(garbage)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(65536):
                    pass
    publish(owner, range(1, 2))
    await until(lambda: complete(node.memory, 1))
    assert node.subscriber.link is Link.LIVE


async def test_another_version_is_refused_in_words(bus: Bus) -> None:
    await bus.owner()
    async with stranger(bus) as (reader, writer):
        writer.write(e.frame(e.Hello(version=e.VERSION + 1, node=1)))
        async with asyncio.timeout(5):
            data = await reader.read()
    (body,) = e.Splitter().feed(data)
    told = e.from_owner(body)
    assert isinstance(told, e.Refused)
    assert f"version {e.VERSION + 1}" in told.reason


@pytest.mark.parametrize("said", [b"\x00\x00\x00\x02zz", e.frame(e.Refused(reason="go away"))], ids=["garbage", "no"])
async def test_a_node_whose_owner_is_not_one_ends(bus: Bus, said: bytes) -> None:
    async def not_an_owner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(not_an_owner, socket_path(bus.directory)):
        node = await bus.node(1, wait=False)
        async with asyncio.timeout(5):
            with pytest.raises(BusError, match=r"understood|go away"):
                await node.task
    assert node.memory.ended == []  # it never had an owner: nothing to end


async def test_the_same_node_joins_again_before_its_old_connection_is_known_to_be_gone(bus: Bus) -> None:
    owner, _ = await bus.owner()
    async with stranger(bus) as (reader, writer):
        full = e.Holds(held=[Held(Scope.ADDRESS, "10.0.0.1", connections=LIMIT)])
        writer.write(e.frame(e.Hello(version=e.VERSION, node=1, wanted=[7])) + e.frame(full))
        await until(lambda: owner.head.wanted == {7})
        node = await bus.node(1)
        await until(lambda: owner.head.wanted == frozenset())
        assert await node.subscriber.admit(Scope.ADDRESS, "10.0.0.1") is None
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(65536):
                    pass


async def test_a_directory_that_others_may_enter_is_refused(bus: Bus) -> None:
    bus.directory.chmod(0o755)
    with pytest.raises(ConfigurationError, match="open to others"):
        await bus.owner()


def test_a_path_the_system_cannot_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TMPDIR"):
        socket_path(Path("/" + "x" * 120))
